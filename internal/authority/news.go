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
// caller's own role, which concern the caller's tokens without naming one.
func (v *view) kinds(after uint64) ([]string, error) {
	f := ostiary.LogFilter{After: after, Oldest: true, Limit: mostNews + 1}
	all, err := v.confine(&f)
	if err != nil {
		return nil, err
	}
	changes, err := v.Reader.Log(f)
	if err != nil {
		return nil, err
	}
	if !all && v.actor.User != 0 {
		own := ostiary.LogFilter{
			Account: v.account, After: after, Oldest: true, Limit: 1, What: "member.role", User: v.actor.User,
		}
		mine, err := v.Reader.Log(own)
		if err != nil {
			return nil, err
		}
		changes = append(changes, mine...)
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
