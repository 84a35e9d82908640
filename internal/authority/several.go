package authority

import (
	"context"
	"slices"

	"ostiary"
)

// An AppRef names an application of a token.
type AppRef struct{ Token, App ostiary.ID }

// Decided says what became of applications that were decided about at once.
type Decided struct {
	Left        int    // decided about meanwhile, forgotten, or not to be seen
	First, Last uint64 // revisions; zero: nothing was changed
}

// mostAtOnce is how many applications can be decided about at once.
const mostAtOnce = 1000

// DecideApps allows or denies several applications that wait, in one transaction with an entry each.
// It leaves those that do not wait any more, those of retired tokens, and those that the caller may not see.
func (a *Authority) DecideApps(ctx context.Context, c Caller, refs []AppRef, state ostiary.AppState,
) (Decided, error) {
	if len(refs) > mostAtOnce {
		return Decided{}, tooManyAtOnce("decided about")
	}
	out, _, err := a.eachWaiting(ctx, c, refs, func(t *tx, token ostiary.Token, app ostiary.App) (ostiary.Story, error) {
		if !token.RetiredOn.IsZero() {
			return ostiary.Story{}, nil
		}
		return t.decide(token, app, state)
	})
	return out, err
}

// ForgetApps removes the records of several applications that wait, in one transaction with an entry each.
// It leaves those that do not wait any more, so that nobody's decision is lost, and those that the caller
// may not see.
func (a *Authority) ForgetApps(ctx context.Context, c Caller, refs []AppRef) (Decided, error) {
	if len(refs) > mostAtOnce {
		return Decided{}, tooManyAtOnce("forgotten")
	}
	out, gone, err := a.eachWaiting(ctx, c, refs, (*tx).forget)
	for _, story := range gone {
		a.forgetUse(ctx, c.Account, story)
	}
	return out, err
}

// eachWaiting does something to applications that wait, and gives the stories. A story without a word says
// that the application was left.
func (a *Authority) eachWaiting(ctx context.Context, c Caller, refs []AppRef,
	do func(*tx, ostiary.Token, ostiary.App) (ostiary.Story, error),
) (out Decided, done []ostiary.Story, err error) {
	out.Last, err = a.change(ctx, c, func(t *tx) (none ostiary.Story, _ error) {
		out, done = Decided{}, nil
		for _, ref := range refs {
			story, err := t.ifWaiting(ref, do)
			if err != nil {
				return none, err
			}
			if story.What == "" {
				out.Left++
				continue
			}
			done = append(done, story)
			if out.First == 0 {
				out.First = t.revision
			}
		}
		return none, nil
	}, nil)
	if err != nil {
		return Decided{}, nil, err
	}
	return out, done, nil
}

func (t *tx) ifWaiting(ref AppRef, do func(*tx, ostiary.Token, ostiary.App) (ostiary.Story, error),
) (none ostiary.Story, err error) {
	token, err := t.token(ref.Token)
	if ostiary.IsHidden(err) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	app, err := t.Writer.App(token.Account, token.ID, ref.App)
	if isMissing(err) || err == nil && !app.Waits() {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	return do(t, token, app)
}

func tooManyAtOnce(done string) error {
	return ostiary.RefuseField("app", "At most 1,000 applications can be "+done+" at once.")
}

// RetireWith ends a token, and those of its live descendants that are named, all of them or none. One
// that was retired meanwhile is as it should be. The revisions are those of the first and last entry.
func (a *Authority) RetireWith(ctx context.Context, c Caller, id ostiary.ID, also []ostiary.ID,
) (out TokenView, first, last uint64, err error) {
	out, last, err = a.tokenChange(ctx, c, id, func(t *tx, token ostiary.Token) (ostiary.Story, error) {
		story, err := t.retireNow(token)
		if err != nil {
			return story, err
		}
		first = t.revision
		return story, t.retireMade(id, also)
	})
	if err != nil {
		return TokenView{}, 0, 0, err
	}
	return out, first, last, nil
}

// retireMade retires tokens that were made with a token, or with one of those. One that the caller may not
// see counts as one that does not exist.
func (t *tx) retireMade(id ostiary.ID, also []ostiary.ID) error {
	if len(also) == 0 {
		return nil
	}
	all, err := t.TokensMade(t.account)
	if err != nil {
		return err
	}
	found := 0
	for _, token := range made(all, id) {
		if !slices.Contains(also, token.ID) ||
			ostiary.May(t.actor, ostiary.SeeToken, ostiary.TokenTarget(token)) != nil {
			continue
		}
		found++
		if !token.RetiredOn.IsZero() {
			continue
		}
		if _, err := t.retireNow(token); err != nil {
			return err
		}
	}
	if found != len(also) {
		return ostiary.RefuseField("also", "Only tokens that were made with this one are retired along with it.")
	}
	return nil
}

// made are the descendants of a token, retired ones too, of all that were made with another, in order of id: a maker
// comes before what it made.
func made(all []ostiary.Token, id ostiary.ID) (out []ostiary.Token) {
	makers := map[ostiary.ID]bool{id: true}
	for _, t := range all {
		if makers[t.MadeWith] {
			makers[t.ID] = true
			out = append(out, t)
		}
	}
	return out
}
