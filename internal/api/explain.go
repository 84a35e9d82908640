package api

import (
	"net/netip"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// A what-if is a request that an application could send.
type whatIf struct {
	token       ostiary.ID
	app         string
	method, uri string
	from        netip.Addr
}

func decodeWhatIf(c *call) whatIf {
	b := c.body
	w := whatIf{
		token:  must(b, "token", reference("/token/")),
		app:    or(take(b, "app", text), ""),
		method: or(take(b, "method", text), ""),
		uri:    or(take(b, "uri", text), ""),
		from:   or(take(b, "address", addressOf), netip.Addr{}),
	}
	if b.err == nil && w.method == "" && w.uri != "" {
		b.err = ostiary.RefuseField("method", "This field is needed with uri.")
	}
	return w
}

func addressOf(v any) (netip.Addr, error) {
	s, _ := v.(string)
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return addr, wrong("This is an address, such as 192.0.2.1.")
	}
	return addr.Unmap().WithZone(""), nil
}

func explain(c *call, w whatIf) (authority.Explanation, error) {
	path, _, _ := strings.Cut(w.uri, "?")
	return c.authority.Explain(c.r.Context(), c.caller, w.token, w.app, w.method, path, w.from)
}

func encodeExplanation(c *call, e authority.Explanation) object {
	a := c.answers.Decision(&e.Decision)
	o := object{
		"status": a.Status, "code": a.Code, "message": a.Message, "explanation": a.Explanation,
		"reason": e.Reason.String(), "revision": e.Revision, "facts": e.Facts,
		"token": cid("token", e.Token), "app": appCID(e.Token, e.App), "state": nil,
		"role": roleOrNull(e.Role), "need": roleOrNull(e.Need),
	}
	if e.App != 0 {
		o["state"] = e.State.String()
	}
	return o
}

func roleOrNull(r ostiary.Role) any {
	if r == ostiary.NoRole {
		return nil
	}
	return r.String()
}
