package authority

import (
	"context"

	"ostiary"
)

// EdgeFormat makes the credentials of edges, and knows their shape. They are no tokens, and no door takes
// them for one.
func EdgeFormat() ostiary.SecretFormat { return ostiary.SecretFormat{Prefix: "ostiaryedge_"} }

// Edges are the programs that may follow the log, revoked ones too. Only the operator sees them.
func (a *Authority) Edges(ctx context.Context, c Caller) (all []ostiary.Edge, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if err := ostiary.May(v.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return err
		}
		all, err = v.Edges()
		return err
	})
	return all, err
}

// IssueEdge makes a credential with which a program may follow the log. It is shown this once.
func (a *Authority) IssueEdge(ctx context.Context, c Caller, name string) (
	out ostiary.Edge, secret ostiary.SecretText, rev uint64, err error,
) {
	rev, err = a.change(ctx, c, func(t *tx) (none ostiary.Story, err error) {
		if err := ostiary.May(t.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return none, err
		}
		if ostiary.CheckAppName(name) != ostiary.OK {
			return none, ostiary.RefuseField("name", "A name is 1 to 100 printable ASCII characters, without a comma.")
		}
		secret = EdgeFormat().New()
		e := ostiary.Edge{
			Name: name, Hash: secret.Hash(), Hint: secret.Hint(), CreatedOn: t.at, CreatedBy: t.actor.By(),
		}
		if e.ID, err = t.NewID("edge"); err != nil {
			return none, err
		}
		if err := t.PutEdge(e); err != nil {
			return none, err
		}
		return t.appendEdge("edge.issue", e)
	}, func(v *view, s ostiary.Story) (err error) {
		out, err = v.edgeOf(s)
		return err
	})
	return out, secret, rev, err
}

// RevokeEdge ends a credential: whoever follows with it is cut off, and decides no longer than its lease.
func (a *Authority) RevokeEdge(ctx context.Context, c Caller, id ostiary.ID) (out ostiary.Edge, rev uint64, err error) {
	rev, err = a.change(ctx, c, func(t *tx) (none ostiary.Story, err error) {
		if err := ostiary.May(t.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return none, err
		}
		e, err := t.Edge(id)
		if err != nil {
			return none, err
		}
		if !e.RevokedOn.IsZero() {
			return none, ostiary.Refuse(ostiary.Conflict, "The credential is revoked already.")
		}
		e.RevokedOn, e.RevokedBy = t.at, t.actor.By()
		if err := t.PutEdge(e); err != nil {
			return none, err
		}
		return t.appendEdge("edge.revoke", e)
	}, func(v *view, s ostiary.Story) (err error) {
		out, err = v.edgeOf(s)
		return err
	})
	return out, rev, err
}

// appendEdge writes an entry that belongs to no account.
func (t *tx) appendEdge(what string, e ostiary.Edge) (ostiary.Story, error) {
	t.account = 0
	return t.append(ostiary.Story{
		What: what, Details: map[string]string{"edge": e.ID.String(), "name": e.Name, "hint": e.Hint},
	})
}

func (v *view) edgeOf(s ostiary.Story) (e ostiary.Edge, err error) {
	id, err := ostiary.ParseID(s.Details["edge"])
	if err != nil {
		return e, err
	}
	return v.Edge(id)
}
