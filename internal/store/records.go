package store

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"ostiary"
)

// The columns of each record, in the order in which they are read and written.
const (
	accountColumns = `id, short_name, name, description, timezone, uuid, created_on, owner, metric_limit, metrics_used,
		address1, address2, cc_email, city, country_code, state_prov, cap_met`
	userColumns       = `id, email, first_name, last_name, contact, disabled, created_on`
	memberColumns     = `account_id, user_id, role, since, invited_by`
	invitationColumns = `account_id, id, email, role, invited_by, invited_on, expires_on`
	tokenColumns      = `account_id, id, kind, owner, privilege, default_app, description, created_on, created_by,
		made_with, expires_on, networks, retired_on, retired_by, promoted_on, promoted_by, former_owner, cap_met`
	sessionColumns = `id, hash, user_id, began_on, seen_on, address, agent`
	secretColumns  = `account_id, token_id, id, hash, hint, created_on`
	appColumns     = `account_id, token_id, id, name, state, decided_by, decided_on, first_seen_on`
)

func scanAccount(row scanner) (a ostiary.Account, err error) {
	err = row.Scan(&a.ID, &a.ShortName, &a.Name, &a.Description, &a.Timezone, &a.UUID, when{&a.CreatedOn}, &a.Owner,
		&a.MetricLimit, &a.MetricsUsed, &a.Address1, &a.Address2, &a.CCEmail, &a.City, &a.CountryCode, &a.StateProv,
		&a.CapMet)
	return a, err
}

func scanUser(row scanner) (u ostiary.User, err error) {
	var contact string
	err = row.Scan(&u.ID, &u.Email, &u.FirstName, &u.LastName, &contact, &u.Disabled, when{&u.CreatedOn})
	if err != nil {
		return u, err
	}
	if err := json.Unmarshal([]byte(contact), &u.Contact); err != nil {
		return u, fmt.Errorf("the contacts of user %d: %w", u.ID, err)
	}
	return u, nil
}

func scanMember(row scanner) (m ostiary.Member, err error) {
	err = row.Scan(&m.Account, &m.User, &m.Role, when{&m.Since}, &m.InvitedBy)
	return m, err
}

func scanInvitation(row scanner) (i ostiary.Invitation, err error) {
	err = row.Scan(&i.Account, &i.ID, &i.Email, &i.Role, &i.InvitedBy, when{&i.InvitedOn}, when{&i.ExpiresOn})
	return i, err
}

func scanSession(row scanner) (s ostiary.Session, err error) {
	err = row.Scan(&s.ID, hash{&s.Hash}, &s.User, when{&s.BeganOn}, when{&s.SeenOn}, &s.From, &s.Agent)
	return s, err
}

func scanToken(row scanner) (t ostiary.Token, err error) {
	var networks string
	err = row.Scan(&t.Account, &t.ID, &t.Kind, &t.Owner, &t.Privilege, &t.Default, &t.Description,
		when{&t.CreatedOn}, &t.CreatedBy, &t.MadeWith, when{&t.ExpiresOn}, &networks, when{&t.RetiredOn},
		&t.RetiredBy, when{&t.PromotedOn}, &t.PromotedBy, &t.FormerOwner, &t.CapMet)
	if err != nil {
		return t, err
	}
	t.Networks, err = readNetworks(networks)
	return t, err
}

func scanSecret(row scanner) (s ostiary.Secret, err error) {
	err = row.Scan(&s.Account, &s.Token, &s.ID, hash{&s.Hash}, &s.Hint, when{&s.CreatedOn})
	return s, err
}

func scanApp(row scanner) (a ostiary.App, err error) {
	err = row.Scan(&a.Account, &a.Token, &a.ID, &a.Name, &a.State, &a.DecidedBy, when{&a.DecidedOn},
		when{&a.FirstSeenOn})
	return a, err
}

// when reads a time that is kept as milliseconds since 1970; 0 is no time.
type when struct{ t *time.Time }

func (w when) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("not a time: %T", v)
	}
	*w.t = timeOf(n)
	return nil
}

func timeOf(milli int64) time.Time {
	if milli == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milli).UTC()
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// hash reads 32 bytes.
type hash struct{ h *ostiary.Hash }

func (h hash) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != len(h.h) {
		return fmt.Errorf("not a hash: %T of %d bytes", v, len(b))
	}
	copy(h.h[:], b)
	return nil
}

// Networks stand in one column, separated by spaces.
func readNetworks(text string) (out []netip.Prefix, err error) {
	for field := range strings.FieldsSeq(text) {
		p, err := netip.ParsePrefix(field)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func writeNetworks(all []netip.Prefix) string {
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = p.String()
	}
	return strings.Join(texts, " ")
}
