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
	Done        []AppView
	Left        int    // decided about meanwhile, forgotten, or not to be seen
	First, Last uint64 // revisions; zero: nothing was changed
}

// mostAtOnce is how many applications can be decided about at once.
const mostAtOnce = 1000

// DecideApps allows or denies several applications that wait, in one transaction with an entry each.
// It leaves those that do not wait any more, and those that the caller may not see.
func (a *Authority) DecideApps(ctx context.Context, c Caller, refs []AppRef, state ostiary.AppState,
) (out Decided, err error) {
	if len(refs) > mostAtOnce {
		return out, tooManyAtOnce("decided about")
	}
	last, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		out = Decided{}
		for _, ref := range refs {
			app, err := t.decideWaiting(ref, state)
			if err != nil {
				return ostiary.Story{}, err
			}
			if app.ID == 0 {
				out.Left++
				continue
			}
			out.Done = append(out.Done, app)
			if out.First == 0 {
				out.First = t.revision
			}
		}
		return ostiary.Story{}, nil
	}, nil)
	if err != nil {
		return Decided{}, err
	}
	out.Last = last
	for i := range out.Done {
		a.addAppUse(ctx, &out.Done[i])
	}
	return out, nil
}

// decideWaiting gives the application after the decision; none where it does not wait on a live token
// that the caller may see.
func (t *tx) decideWaiting(ref AppRef, state ostiary.AppState) (AppView, error) {
	token, err := t.token(ref.Token)
	if isHidden(err) {
		return AppView{}, nil
	}
	if err != nil {
		return AppView{}, err
	}
	app, err := t.Writer.App(token.Account, token.ID, ref.App)
	if isMissing(err) || err == nil && (!app.Waits() || !token.RetiredOn.IsZero()) {
		return AppView{}, nil
	}
	if err != nil {
		return AppView{}, err
	}
	if _, err := t.decide(token, app, state); err != nil {
		return AppView{}, err
	}
	app, err = t.Writer.App(token.Account, token.ID, ref.App)
	return appView(token, app), err
}

// ForgetApps removes the records of several applications, in one transaction with an entry each. It leaves
// those that are not on record any more, and those that the caller may not see.
func (a *Authority) ForgetApps(ctx context.Context, c Caller, refs []AppRef) (out Decided, err error) {
	if len(refs) > mostAtOnce {
		return out, tooManyAtOnce("forgotten")
	}
	var gone []ostiary.Story
	last, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		out, gone = Decided{}, nil
		for _, ref := range refs {
			story, err := t.forget(ref)
			if isHidden(err) {
				out.Left++
				continue
			}
			if err != nil {
				return ostiary.Story{}, err
			}
			gone = append(gone, story)
			if out.First == 0 {
				out.First = t.revision
			}
		}
		return ostiary.Story{}, nil
	}, nil)
	if err != nil {
		return Decided{}, err
	}
	out.Last = last
	for _, story := range gone {
		a.forgetUse(ctx, c.Account, story)
	}
	return out, nil
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

// retireMade retires tokens that were made with a token, or with one of those.
func (t *tx) retireMade(id ostiary.ID, also []ostiary.ID) error {
	if len(also) == 0 {
		return nil
	}
	all, err := t.Writer.Tokens(t.account)
	if err != nil {
		return err
	}
	found := 0
	for _, token := range made(all, id) {
		if !slices.Contains(also, token.ID) {
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

// made are the descendants of a token, retired ones too, of all of an account's in order of id: a maker
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
