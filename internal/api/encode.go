package api

import (
	"net/netip"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// cid is how the API names an object; null where there is none.
func cid(kind string, id ostiary.ID) any {
	if id == 0 {
		return nil
	}
	return "/" + kind + "/" + id.String()
}

// epoch is a time in seconds; null where it is not known.
func epoch(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

func by(b ostiary.By) any {
	if b == "" {
		return nil
	}
	return string(b)
}

func address(a netip.Addr) any {
	if !a.IsValid() {
		return nil
	}
	return a.String()
}

// known is a text; null where it is not known.
func known(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func encodeToken(_ *call, t authority.TokenView) object {
	networks := make([]string, len(t.Networks))
	for i, n := range t.Networks {
		networks[i] = n.String()
	}
	return object{
		"_cid": cid("token", t.ID), "_account": cid("account", t.Account), "_kind": t.Kind.String(),
		"_owner": cid("user", t.Owner), "_can_use": t.CanUse.String(), "_hint": t.Hint,
		"_created_on": epoch(t.CreatedOn), "_created_by": by(t.CreatedBy), "_made_with": cid("token", t.MadeWith),
		"_last_used_on": epoch(t.Use.Last),
		"_retired_on":   epoch(t.RetiredOn), "_retired_by": by(t.RetiredBy),
		"_promoted_on": epoch(t.PromotedOn), "_promoted_by": by(t.PromotedBy),
		"_former_owner": cid("user", t.FormerOwner),
		"privilege":     t.Privilege.String(), "default_app_state": t.Default.String(),
		"description": t.Description, "expires_on": epoch(t.ExpiresOn), "networks": networks,
	}
}

// encodeMade adds the secret, which is shown this once.
func encodeMade(c *call, m authority.Made) object {
	o := encodeToken(c, m.TokenView)
	if m.Repeated {
		o["_repeated"] = true
		return o
	}
	o["_secret"] = m.Secret.Reveal()
	return o
}

// encodeRetired adds the live tokens that were made with the retired one.
func encodeRetired(c *call, r retired) object {
	made := make([]any, len(r.descendants))
	for i, t := range r.descendants {
		made[i] = cid("token", t.ID)
	}
	o := encodeToken(c, r.TokenView)
	o["_descendants"] = made
	return o
}

func encodeApp(_ *call, a authority.AppView) object {
	first := a.FirstSeenOn
	if first.IsZero() {
		first = a.Use.First
	}
	return object{
		"_cid": appCID(a.Token, a.ID), "_token": cid("token", a.Token),
		"name": a.Name, "state": a.State.String(), "_answer": a.Answer.AppAnswer(),
		"_decided_by": by(a.DecidedBy), "_decided_on": epoch(a.DecidedOn),
		"_first_seen_on": epoch(first), "_last_seen_on": epoch(a.Use.Last), "_count": int64(a.Use.Count),
		"_refused": int64(a.Use.Refused), "_last_from": address(a.Use.From), "_last_agent": known(a.Use.Agent),
		"_last_request": lastRequest(a.Use),
	}
}

func appCID(token, app ostiary.ID) any {
	if app == 0 {
		return nil
	}
	return "/token/" + token.String() + "/app/" + app.String()
}

func lastRequest(u ostiary.Use) any {
	if u.Method == "" {
		return nil
	}
	return u.Method + " " + u.Path
}

func encodeAccount(c *call, a authority.AccountView) object {
	users := make([]object, len(a.Members))
	for i, m := range a.Members {
		users[i] = object{"user": cid("user", m.User), "role": m.Role.String()}
	}
	invites := make([]object, len(a.Invitations))
	for i, v := range a.Invitations {
		invites[i] = object{"email": v.Email, "role": v.Role.String()}
		if link, made := a.Links[v.ID]; made {
			invites[i]["_link"] = c.link(link)
		}
	}
	o := object{
		"_cid": cid("account", a.ID), "_account_uuid": a.UUID, "_contact_groups": []string{},
		"_created_on": epoch(a.CreatedOn), "_owner": cid("user", a.Owner), "_ui_base_url": c.opt.PublicURL + "/",
		"_usage":   []object{{"_limit": a.MetricLimit, "_type": "Metrics", "_used": a.MetricsUsed}},
		"address1": a.Address1, "address2": a.Address2, "cc_email": a.CCEmail, "city": a.City,
		"country_code": a.CountryCode, "description": a.Description, "name": a.Name, "state_prov": a.StateProv,
		"timezone": a.Timezone, "invites": invites, "users": users,
	}
	if c.operator != "" {
		o["_short_name"] = a.ShortName
	}
	return o
}

// link is where an invited person makes a login.
func (c *call) link(secret ostiary.SecretText) string {
	return c.opt.PublicURL + "/invite/" + secret.Reveal()
}

// encodeListed is an account as the first API writes it.
func encodeListed(_ *call, a authority.AccountView) object {
	return object{
		"account": a.ShortName, "account_name": a.Name, "account_description": a.Description,
		"circonus_metric_limit": a.MetricLimit, "circonus_metrics_used": a.MetricsUsed,
	}
}

func encodeUser(c *call, u ostiary.User) object {
	o := object{
		"_cid": cid("user", u.ID), "email": u.Email, "firstname": u.FirstName, "lastname": u.LastName,
		"contact_info": u.Contact,
	}
	if c.operator != "" {
		o["_disabled"], o["_created_on"] = u.Disabled, epoch(u.CreatedOn)
	}
	return o
}

// encodeReceipt rounds times up: a caller may act on them.
func encodeReceipt(r ostiary.Receipt) object {
	up := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.Add(time.Second - 1).Unix()
	}
	confirmed, unconfirmed := make([]any, len(r.Confirmed)), make([]any, len(r.Unconfirmed))
	for i, node := range r.Confirmed {
		confirmed[i] = node
	}
	for i, u := range r.Unconfirmed {
		safe := up(u.SafeAfter)
		if safe == nil {
			safe = "never"
		}
		unconfirmed[i] = object{"node": u.Node, "safe_after": safe}
	}
	return object{
		"revision": r.Revision, "confirmed": confirmed, "unconfirmed": unconfirmed,
		"after_ms": r.After.Milliseconds(), "signed_until": up(r.SignedUntil),
		"incomplete": r.Incomplete,
	}
}
