package authority

import (
	"context"
	"slices"

	"ostiary"
)

// News is what happened since an open page was drawn.
type News struct {
	Revision uint64   // the log's end
	Kinds    []string // of the entries that the caller may see, in order, without repeats; "many": over 200
}

// mostNews is how many entries are looked at for an open page.
const mostNews = 200

// News says what happened after a revision. A caller who has lost the role on the account is refused.
func (a *Authority) News(ctx context.Context, c Caller, after uint64) (out News, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if err := v.needSeat(); err != nil {
			return err
		}
		head, err := v.Head()
		if err != nil {
			return err
		}
		out = News{Revision: head.Revision}
		if head.Revision <= after {
			return nil
		}
		out.Kinds, err = v.kinds(after)
		return err
	})
	if err != nil {
		return News{}, err
	}
	return out, nil
}

// kinds are those of the entries after a revision that the caller may read, and of changes of the
// caller's own role, which concern the caller's tokens without naming one. A thousand pages ask this at each
// change on the node: most of them are done after one look at the log, and none reads all tokens.
func (v *view) kinds(after uint64) ([]string, error) {
	f := ostiary.LogFilter{Account: v.account, After: after, Oldest: true, Limit: mostNews + 1}
	changes, err := v.Reader.Log(f)
	if err != nil {
		return nil, err
	}
	if ostiary.May(v.actor, ostiary.ReadLog, ostiary.Target{}) != nil {
		if changes, err = v.concerning(changes, f); err != nil {
			return nil, err
		}
	}
	if len(changes) > mostNews {
		return []string{"many"}, nil
	}
	var kinds []string
	for _, c := range changes {
		if c.Story != nil && !slices.Contains(kinds, c.Story.What) {
			kinds = append(kinds, c.Story.What)
		}
	}
	return kinds, nil
}

// concerning are the entries that concern the caller's tokens or role. Where there are more than were read,
// those about the caller's tokens are asked for.
func (v *view) concerning(changes []ostiary.Change, f ostiary.LogFilter) (out []ostiary.Change, err error) {
	if len(changes) > mostNews {
		if _, err := v.confine(&f); err != nil {
			return nil, err
		}
		if out, err = v.Reader.Log(f); err != nil {
			return nil, err
		}
		f.Tokens, f.What, f.User = nil, "member.role", v.actor.User
		changes, err = v.Reader.Log(f)
		return append(out, changes...), err
	}
	sees := map[ostiary.ID]bool{}
	for _, c := range changes {
		if c.Story == nil {
			continue
		}
		own, err := v.concerns(c.Story, sees)
		if err != nil {
			return nil, err
		}
		if own {
			out = append(out, c)
		}
	}
	return out, nil
}

// concerns says whether a story is about a token that the caller may see, or about the caller's role. sees
// remembers what was asked about tokens.
func (v *view) concerns(s *ostiary.Story, sees map[ostiary.ID]bool) (bool, error) {
	if s.Token == 0 {
		return s.What == "member.role" && s.User == v.actor.User && v.actor.User != 0, nil
	}
	own, asked := sees[s.Token]
	if asked {
		return own, nil
	}
	t, err := v.Reader.Token(v.account, s.Token)
	if err != nil {
		return false, ignoreMissing(err)
	}
	own = ostiary.May(v.actor, ostiary.SeeToken, ostiary.TokenTarget(t)) == nil
	sees[s.Token] = own
	return own, nil
}

// Wait returns once this node's memory stands past a revision, or ctx ends. Any number may wait.
func (a *Authority) Wait(ctx context.Context, revision uint64) error {
	for {
		changed := a.dir.Changed()
		if a.dir.Revision() > revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
