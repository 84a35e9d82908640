package store

import (
	"context"
	"strings"

	"ostiary"
)

// A reader reads the snapshot of the transaction that is open on its connection.
type reader struct {
	ctx  context.Context // ends long reads
	conn *conn
	db   *DB
}

func (r *reader) Account(id ostiary.ID) (ostiary.Account, error) {
	return find(r.conn, scanAccount, `
		SELECT `+accountColumns+`
		FROM accounts
		WHERE id = $1`, id)
}

func (r *reader) AccountByName(shortName string) (ostiary.Account, error) {
	return find(r.conn, scanAccount, `
		SELECT `+accountColumns+`
		FROM accounts
		WHERE short_name = $1`, shortName)
}

func (r *reader) Accounts() ([]ostiary.Account, error) {
	return list(r.conn, scanAccount, `
		SELECT `+accountColumns+`
		FROM accounts
		ORDER BY id`)
}

func (r *reader) Member(account, user ostiary.ID) (ostiary.Member, error) {
	return find(r.conn, scanMember, `
		SELECT `+memberColumns+`
		FROM members
		WHERE account_id = $1 AND user_id = $2`, account, user)
}

func (r *reader) Members(account ostiary.ID) ([]ostiary.Member, error) {
	return list(r.conn, scanMember, `
		SELECT `+memberColumns+`
		FROM members
		WHERE account_id = $1
		ORDER BY user_id`, account)
}

func (r *reader) Invitation(account, id ostiary.ID) (ostiary.Invitation, error) {
	return find(r.conn, scanInvitation, `
		SELECT `+invitationColumns+`
		FROM invitations
		WHERE account_id = $1 AND id = $2`, account, id)
}

func (r *reader) Invitations(account ostiary.ID) ([]ostiary.Invitation, error) {
	return list(r.conn, scanInvitation, `
		SELECT `+invitationColumns+`
		FROM invitations
		WHERE account_id = $1
		ORDER BY id`, account)
}

func (r *reader) User(id ostiary.ID) (ostiary.User, error) {
	return find(r.conn, scanUser, `
		SELECT `+userColumns+`
		FROM users
		WHERE id = $1`, id)
}

func (r *reader) UserByEmail(email string) (ostiary.User, error) {
	return find(r.conn, scanUser, `
		SELECT `+userColumns+`
		FROM users
		WHERE email_key = $1`, strings.ToLower(email))
}

func (r *reader) Users() ([]ostiary.User, error) {
	return list(r.conn, scanUser, `
		SELECT `+userColumns+`
		FROM users
		ORDER BY id`)
}

func (r *reader) Memberships(user ostiary.ID) ([]ostiary.Member, error) {
	return list(r.conn, scanMember, `
		SELECT `+memberColumns+`
		FROM members
		WHERE user_id = $1
		ORDER BY account_id`, user)
}

func (r *reader) Password(user ostiary.ID) (hash string, err error) {
	err = r.conn.one(`
		SELECT hash
		FROM passwords
		WHERE user_id = $1`, []any{user}, &hash)
	return hash, err
}

func (r *reader) Link(hash ostiary.Hash) (ostiary.Invitation, error) {
	return find(r.conn, scanInvitation, `
		SELECT i.account_id, i.id, i.email, i.role, i.invited_by, i.invited_on, i.expires_on
		FROM links l
		JOIN invitations i ON i.account_id = l.account_id AND i.id = l.invitation_id
		WHERE l.hash = $1`, hash[:])
}

func (r *reader) Token(account, id ostiary.ID) (ostiary.Token, error) {
	return find(r.conn, scanToken, `
		SELECT `+tokenColumns+`
		FROM tokens
		WHERE account_id = $1 AND id = $2`, account, id)
}

func (r *reader) TokenByID(id ostiary.ID) (ostiary.Token, error) {
	return find(r.conn, scanToken, `
		SELECT `+tokenColumns+`
		FROM tokens
		WHERE id = $1`, id)
}

func (r *reader) Tokens(account ostiary.ID) ([]ostiary.Token, error) {
	return list(r.conn, scanToken, `
		SELECT `+tokenColumns+`
		FROM tokens
		WHERE account_id = $1
		ORDER BY id`, account)
}

func (r *reader) TokensOf(account, owner ostiary.ID) ([]ostiary.Token, error) {
	if owner == 0 {
		return nil, nil // account tokens are nobody's
	}
	return list(r.conn, scanToken, `
		SELECT `+tokenColumns+`
		FROM tokens
		WHERE account_id = $1 AND owner = $2 AND owner <> 0
		ORDER BY id`, account, owner)
}

func (r *reader) TokensMade(account ostiary.ID) ([]ostiary.Token, error) {
	return list(r.conn, scanToken, `
		SELECT `+tokenColumns+`
		FROM tokens
		WHERE account_id = $1 AND made_with <> 0
		ORDER BY id`, account)
}

func (r *reader) Secrets(account, token ostiary.ID) ([]ostiary.Secret, error) {
	return list(r.conn, scanSecret, `
		SELECT `+secretColumns+`
		FROM secrets
		WHERE account_id = $1 AND token_id = $2
		ORDER BY id`, account, token)
}

func (r *reader) SecretsOf(account ostiary.ID) ([]ostiary.Secret, error) {
	return list(r.conn, scanSecret, `
		SELECT `+secretColumns+`
		FROM secrets
		WHERE account_id = $1
		ORDER BY id`, account)
}

func (r *reader) App(account, token, id ostiary.ID) (ostiary.App, error) {
	return find(r.conn, scanApp, `
		SELECT `+appColumns+`
		FROM apps
		WHERE account_id = $1 AND token_id = $2 AND id = $3`, account, token, id)
}

func (r *reader) AppByID(id ostiary.ID) (ostiary.App, error) {
	return find(r.conn, scanApp, `
		SELECT `+appColumns+`
		FROM apps
		WHERE id = $1`, id)
}

func (r *reader) AppByName(account, token ostiary.ID, name string) (ostiary.App, error) {
	return find(r.conn, scanApp, `
		SELECT `+appColumns+`
		FROM apps
		WHERE account_id = $1 AND token_id = $2 AND name = $3`, account, token, name)
}

func (r *reader) Apps(account, token ostiary.ID) ([]ostiary.App, error) {
	return list(r.conn, scanApp, `
		SELECT `+appColumns+`
		FROM apps
		WHERE account_id = $1 AND token_id = $2
		ORDER BY id`, account, token)
}

func (r *reader) AppsOf(account ostiary.ID) ([]ostiary.App, error) {
	return list(r.conn, scanApp, `
		SELECT `+appColumns+`
		FROM apps
		WHERE account_id = $1
		ORDER BY id`, account)
}

// AppsWaiting reads a partial index, whose condition stands here as it stands there.
func (r *reader) AppsWaiting(account ostiary.ID) ([]ostiary.App, error) {
	return list(r.conn, scanApp, `
		SELECT `+appColumns+`
		FROM apps
		WHERE account_id = $1 AND state = 0
		ORDER BY id`, account)
}

func (r *reader) TokensWithApp(account ostiary.ID, text string) ([]ostiary.ID, error) {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text))
	return list(r.conn, scanID, `
		SELECT DISTINCT token_id
		FROM apps
		WHERE account_id = $1 AND lower(name) LIKE $2 ESCAPE '\'
		ORDER BY token_id`, account, "%"+escaped+"%")
}

func scanID(row scanner) (id ostiary.ID, err error) {
	err = row.Scan(&id)
	return id, err
}

func (r *reader) CountApps(account, token ostiary.ID) (all, waiting int, err error) {
	text, args := `
		SELECT COUNT(id), COUNT(CASE WHEN state = $2 THEN 1 END)
		FROM apps
		WHERE account_id = $1`, []any{account, ostiary.Waiting}
	if token != 0 {
		text, args = text+` AND token_id = $3`, append(args, token)
	}
	err = r.conn.one(text, args, &all, &waiting)
	return all, waiting, err
}
