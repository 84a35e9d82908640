package api

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// What only the operator can ask for, on the management socket.

var errNoFunction = errors.New("this server was started without what the request needs")

func decodeNewAccount(c *call) authority.NewAccount {
	b := c.body
	return authority.NewAccount{
		ShortName:   must(b, "short_name", text),
		Name:        or(take(b, "name", text), ""),
		Description: or(take(b, "description", note), ""),
		Timezone:    or(take(b, "timezone", text), ""),
	}
}

func makeAccount(c *call, n authority.NewAccount) (authority.AccountView, uint64, error) {
	return c.authority.CreateAccount(c.r.Context(), c.caller, n)
}

func decodeNewUser(c *call) authority.NewUser {
	b := c.body
	return authority.NewUser{
		Email:        must(b, "email", text),
		FirstName:    or(take(b, "firstname", note), ""),
		LastName:     or(take(b, "lastname", note), ""),
		Role:         or(take(b, "role", role), ostiary.NoRole),
		PasswordHash: or(take(b, "password", c.hash), ""),
	}
}

// hash makes of a password what is kept of it. No message and no log holds the password.
func (c *call) hash(v any) (string, error) {
	password, err := text(v)
	if err != nil || password == "" {
		return "", wrong("This is a text that is not empty.")
	}
	if c.opt.Hash == nil {
		return "", errNoFunction
	}
	return c.opt.Hash(password)
}

func makeUser(c *call, n authority.NewUser) (ostiary.User, uint64, error) {
	return c.authority.CreateUser(c.r.Context(), c.caller, n)
}

func disableUser(c *call, _ struct{}) (ostiary.User, uint64, error) { return c.ableUser(true) }

func enableUser(c *call, _ struct{}) (ostiary.User, uint64, error) { return c.ableUser(false) }

func (c *call) ableUser(disabled bool) (out ostiary.User, rev uint64, err error) {
	id, err := c.id(0)
	if err != nil {
		return out, 0, err
	}
	return c.authority.DisableUser(c.r.Context(), c.caller, id, disabled)
}

func decodePassword(c *call) string { return must(c.body, "password", c.hash) }

func resetUser(c *call, hash string) (out ostiary.User, rev uint64, err error) {
	id, err := c.id(0)
	if err != nil {
		return out, 0, err
	}
	return c.authority.ResetPassword(c.r.Context(), c.caller, id, hash)
}

// An invited person has a link, which is shown this once.
type invited struct {
	email string
	ostiary.Invitation
	link ostiary.SecretText
}

func decodeEmail(c *call) string { return must(c.body, "email", text) }

func newLink(c *call, email string) (out invited, rev uint64, err error) {
	out.email = email
	out.Invitation, out.link, _, err = c.authority.NewLink(c.r.Context(), c.caller, email)
	return out, 0, err
}

func encodeInvited(c *call, i invited) object {
	o := object{"email": i.email, "role": roleOrNull(i.Role), "_expires_on": epoch(i.ExpiresOn), "_link": nil}
	if !c.repeated {
		o["_link"] = c.link(i.link)
	}
	return o
}

func status(c *call) (Status, error) {
	if c.opt.Status == nil {
		return Status{}, errNoFunction
	}
	return c.opt.Status(c.r.Context()), nil
}

func encodeStatus(_ *call, s Status) object {
	if s.Degraded == nil {
		s.Degraded = []string{}
	}
	return object{
		"version": s.Version, "revision": s.Revision, "accounts": s.Accounts, "tokens": s.Tokens, "apps": s.Apps,
		"degraded": s.Degraded,
	}
}

// absolute reads where a file is to be written. The server's own folder is not the caller's.
func absolute(v any) (string, error) {
	s, err := text(v)
	if err != nil || !filepath.IsAbs(s) {
		return "", wrong("This is the file's whole path, from /.")
	}
	return filepath.Clean(s), nil
}

func decodeFile(c *call) string { return must(c.body, "file", absolute) }

func backup(c *call, file string) (string, error) {
	if c.opt.Backup == nil {
		return "", errNoFunction
	}
	if _, err := os.Stat(filepath.Dir(file)); err != nil {
		return "", ostiary.RefuseField("file", "The server cannot see this folder.")
	}
	if _, err := os.Lstat(file); err == nil {
		return "", ostiary.Refuse(ostiary.Conflict, "There is such a file already.")
	}
	return file, c.opt.Backup(c.r.Context(), file)
}

func encodeFile(_ *call, file string) object {
	return object{"file": file, "_created_on": time.Now().Unix()}
}
