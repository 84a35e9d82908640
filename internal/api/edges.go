package api

import "ostiary"

func edges(c *call) ([]ostiary.Edge, error) { return c.authority.Edges(c.r.Context(), c.caller) }

// An issued edge has its credential, which is shown this once.
type issued struct {
	ostiary.Edge
	secret ostiary.SecretText
}

func decodeEdge(c *call) string { return must(c.body, "name", text) }

func issueEdge(c *call, name string) (out issued, rev uint64, err error) {
	out.Edge, out.secret, rev, err = c.authority.IssueEdge(c.r.Context(), c.caller, name)
	return out, rev, err
}

func revokeEdge(c *call, _ struct{}) (out ostiary.Edge, rev uint64, err error) {
	id, err := c.id(0)
	if err != nil {
		return out, 0, err
	}
	return c.authority.RevokeEdge(c.r.Context(), c.caller, id)
}

func encodeEdge(_ *call, e ostiary.Edge) object {
	return object{
		"_cid": cid("edge", e.ID), "name": e.Name, "_hint": e.Hint,
		"_created_on": epoch(e.CreatedOn), "_created_by": by(e.CreatedBy),
		"_revoked_on": epoch(e.RevokedOn), "_revoked_by": by(e.RevokedBy),
	}
}

func encodeIssued(c *call, i issued) object {
	o := encodeEdge(c, i.Edge)
	if c.repeated {
		o["_repeated"] = true
		return o
	}
	o["_secret"] = i.secret.Reveal()
	return o
}
