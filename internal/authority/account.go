package authority

import (
	"context"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // accounts name their zones also where the system has no list of them

	"ostiary"
)

// An AccountView is an account with its people.
type AccountView struct {
	ostiary.Account
	Members     []ostiary.Member
	Invitations []ostiary.Invitation
	Links       map[ostiary.ID]ostiary.SecretText // of invitations just made: shown this once
}

// An AccountPatch changes the fields that are set. Members, where given, is every member that stays,
// with the role; who is left out is removed, which Confirm must repeat (see Leaving).
// Invitations, where given, is every invitation that stays or is made.
type AccountPatch struct {
	Fields      map[string]string // by API name: "name", "description", "timezone", "address1", …
	Members     []MemberRole
	Invitations []Invitee
	SetMembers  bool
	SetInvites  bool
	Confirm     string
}

// A MemberRole is a role for a user.
type MemberRole struct {
	User ostiary.ID
	Role ostiary.Role
}

// An Invitee is a person to be invited, with a role.
type Invitee struct {
	Email string
	Role  ostiary.Role
}

// Account gives the account that the caller works on, or another by id where the caller may see it.
func (a *Authority) Account(ctx context.Context, c Caller, id ostiary.ID) (out AccountView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		if id != 0 && c.Operator != "" {
			v.account = id
		}
		if err := v.needAccount(); err != nil {
			return err
		}
		if id != 0 && id != v.account {
			return ostiary.ErrNotFound
		}
		if err := ostiary.May(v.actor, ostiary.SeeAccount, ostiary.Target{}); err != nil {
			return err
		}
		out, err = v.accountView()
		return err
	})
	return out, err
}

// Accounts gives the accounts that the caller can see: its own, or all for the operator.
func (a *Authority) Accounts(ctx context.Context, c Caller) (out []AccountView, err error) {
	err = a.look(ctx, c, func(v *view) error {
		out = nil
		return v.eachAccount(func() error {
			one, err := v.accountView()
			out = append(out, one)
			return err
		})
	})
	return out, err
}

func (v *view) accountView() (out AccountView, err error) {
	if out.Account, err = v.Reader.Account(v.account); err != nil {
		return out, err
	}
	if out.Members, err = v.Members(v.account); err != nil {
		return out, err
	}
	all, err := v.Invitations(v.account)
	for _, i := range all {
		if i.ExpiresOn.After(v.a.set.Now()) {
			out.Invitations = append(out.Invitations, i)
		}
	}
	return out, err
}

// SetAccount changes fields, roles, members and invitations, all or none of them. Each kind of
// change is an entry of its own.
func (a *Authority) SetAccount(ctx context.Context, c Caller, p AccountPatch) (AccountView, uint64, error) {
	var out AccountView
	links := map[ostiary.ID]ostiary.SecretText{}
	rev, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		clear(links)
		story := ostiary.Story{}
		if err := t.needAccount(); err != nil {
			return story, err
		}
		if err := ostiary.May(t.actor, ostiary.ChangeAccount, ostiary.Target{}); err != nil {
			return story, err
		}
		if err := t.setFields(p.Fields); err != nil {
			return story, err
		}
		if err := t.setMembers(p); err != nil {
			return story, err
		}
		return story, t.setInvitations(p, links)
	}, func(v *view, _ ostiary.Story) (err error) {
		out, err = v.accountView()
		out.Links = links
		return err
	})
	return out, rev, err
}

func (t *tx) setFields(fields map[string]string) error {
	account, err := t.Writer.Account(t.account)
	if err != nil {
		return err
	}
	told := map[string]string{}
	for name, value := range fields {
		at := accountField(&account, name)
		if at == nil {
			return ostiary.RefuseField(name, "An account has no such field that can be changed.")
		}
		if err := t.a.checkAccountField(name, value); err != nil {
			return err
		}
		if *at != value {
			*at, told[name] = value, value
		}
	}
	if len(told) == 0 {
		return nil
	}
	if err := t.PutAccount(account); err != nil {
		return err
	}
	_, err = t.append(ostiary.Story{What: "account.change", Details: told})
	return err
}

// accountField is where a field of the API stands in the record; nil for one that has no place.
func accountField(a *ostiary.Account, name string) *string {
	switch name {
	case "name":
		return &a.Name
	case "description":
		return &a.Description
	case "timezone":
		return &a.Timezone
	case "address1":
		return &a.Address1
	case "address2":
		return &a.Address2
	case "cc_email":
		return &a.CCEmail
	case "city":
		return &a.City
	case "country_code":
		return &a.CountryCode
	case "state_prov":
		return &a.StateProv
	}
	return nil
}

var countryCode = regexp.MustCompile(`^[A-Z]{2}$`)

func (a *Authority) checkAccountField(name, value string) error {
	if err := a.checkText(name, value); err != nil {
		return err
	}
	switch name {
	case "name":
		if strings.TrimSpace(value) == "" {
			return ostiary.RefuseField(name, "An account has a name.")
		}
	case "timezone":
		if _, err := time.LoadLocation(value); err != nil || value == "" || value == "Local" {
			return ostiary.RefuseField(name, "The time zone is not in the list of IANA, such as America/New_York.")
		}
	case "country_code":
		if value != "" && !countryCode.MatchString(value) {
			return ostiary.RefuseField(name, "A country code is two capital letters, such as US.")
		}
	case "cc_email":
		if value != "" {
			return checkEmail(name, value)
		}
	}
	return nil
}

var shortName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// NewAccount is what the operator says about an account to be made.
type NewAccount struct {
	ShortName, Name, Description, Timezone string
	MetricLimit, MetricsUsed               int64
}

// CreateAccount makes an account. Only the operator may.
func (a *Authority) CreateAccount(ctx context.Context, c Caller, n NewAccount) (AccountView, uint64, error) {
	var out AccountView
	rev, err := a.change(ctx, c, func(t *tx) (ostiary.Story, error) {
		if err := ostiary.May(t.actor, ostiary.Operate, ostiary.Target{}); err != nil {
			return ostiary.Story{}, err
		}
		account, err := t.createAccount(n)
		if err != nil {
			return ostiary.Story{}, err
		}
		t.account = account.ID
		return t.append(ostiary.Story{What: "account.create", Details: map[string]string{"name": account.ShortName}})
	}, func(v *view, _ ostiary.Story) (err error) {
		out, err = v.accountView()
		return err
	})
	return out, rev, err
}

func (t *tx) createAccount(n NewAccount) (ostiary.Account, error) {
	if n.Name == "" {
		n.Name = n.ShortName
	}
	if n.Timezone == "" {
		n.Timezone = "UTC"
	}
	account := ostiary.Account{
		ShortName: n.ShortName, Name: n.Name, Description: n.Description, Timezone: n.Timezone,
		UUID: ostiary.NewUUID(), CreatedOn: t.at,
		MetricLimit: n.MetricLimit, MetricsUsed: n.MetricsUsed,
	}
	if !shortName.MatchString(n.ShortName) {
		return account, ostiary.RefuseField("short_name",
			"A short name is lower-case letters, digits and _, and begins with a letter.")
	}
	for _, f := range []string{"name", "description", "timezone"} {
		if err := t.a.checkAccountField(f, *accountField(&account, f)); err != nil {
			return account, err
		}
	}
	switch _, err := t.AccountByName(n.ShortName); {
	case err == nil:
		return account, ostiary.Refuse(ostiary.Conflict, "There is an account "+n.ShortName+" already.")
	case !isMissing(err):
		return account, err
	}
	id, err := t.NewID("account")
	if err != nil {
		return account, err
	}
	account.ID = id
	return account, t.PutAccount(account)
}
