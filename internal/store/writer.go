package store

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ostiary"
)

// A writer changes records in the transaction that is open on its connection, and remembers the
// facts of what it puts until they are appended.
type writer struct {
	reader
	from     ostiary.Head // where the log ended when the transaction began
	head     ostiary.Head
	facts    []ostiary.Fact   // not appended yet
	made     []ostiary.Fact   // appended, by all entries of the transaction
	retiring []ostiary.Hash   // secrets of the tokens that are retired
	unsaid   bool             // stories were erased since the last entry
	erased   bool             // stories were erased
	changes  []ostiary.Change // the entries
	entries  int
	wrote    bool
	broken   error // the first error that may have ended the transaction: nothing is written after it
}

var errNoEntry = errors.New("records were changed, but no entry was appended after them")

func (w *writer) exec(text string, args ...any) error {
	_, err := w.write(text, args...)
	return err
}

func (w *writer) write(text string, args ...any) (int, error) {
	if w.broken != nil {
		return 0, w.broken
	}
	w.wrote = true
	n, err := w.conn.exec(text, args...)
	return n, w.failed(err)
}

func (w *writer) failed(err error) error {
	err = readOnly(err)
	if errors.Is(err, ostiary.ErrReadOnly) {
		w.broken = err
	}
	return err
}

func (w *writer) put(fact ostiary.Fact, text string, args ...any) error {
	if err := w.exec(text, args...); err != nil {
		return err
	}
	w.facts = append(w.facts, fact)
	return nil
}

// NewID counts on from the last id of a kind. An id is used up only when the transaction commits.
func (w *writer) NewID(kind string) (id ostiary.ID, err error) {
	if w.broken != nil {
		return 0, w.broken
	}
	w.wrote = true
	err = w.conn.one(`
		UPDATE counters
		SET last = last + 1
		WHERE kind = $1
		RETURNING last`, []any{kind}, &id)
	if errors.Is(err, ostiary.ErrNotFound) {
		return 0, fmt.Errorf("there are no ids of kind %q", kind)
	}
	return id, w.failed(err)
}

func (w *writer) PutAccount(a ostiary.Account) error {
	return w.put(a.Fact(), `
		INSERT INTO accounts (`+accountColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (id) DO UPDATE
		SET short_name = excluded.short_name, name = excluded.name, description = excluded.description,
			timezone = excluded.timezone, uuid = excluded.uuid, created_on = excluded.created_on,
			owner = excluded.owner, metric_limit = excluded.metric_limit, metrics_used = excluded.metrics_used,
			address1 = excluded.address1, address2 = excluded.address2, cc_email = excluded.cc_email,
			city = excluded.city, country_code = excluded.country_code, state_prov = excluded.state_prov,
			cap_met = excluded.cap_met`,
		a.ID, a.ShortName, a.Name, a.Description, a.Timezone, a.UUID, milli(a.CreatedOn), a.Owner, a.MetricLimit,
		a.MetricsUsed, a.Address1, a.Address2, a.CCEmail, a.City, a.CountryCode, a.StateProv, number(a.CapMet))
}

func (w *writer) PutUser(u ostiary.User) error {
	contact, err := json.Marshal(u.Contact)
	if err != nil {
		return fmt.Errorf("the contacts of user %d: %w", u.ID, err)
	}
	return w.put(u.Fact(), `
		INSERT INTO users (id, email, email_key, first_name, last_name, contact, disabled, created_on)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE
		SET email = excluded.email, email_key = excluded.email_key, first_name = excluded.first_name,
			last_name = excluded.last_name, contact = excluded.contact, disabled = excluded.disabled,
			created_on = excluded.created_on`,
		u.ID, u.Email, strings.ToLower(u.Email), u.FirstName, u.LastName, string(contact), number(u.Disabled),
		milli(u.CreatedOn))
}

func (w *writer) PutMember(m ostiary.Member) error {
	if m.Role == ostiary.NoRole {
		return w.put(m.Fact(), `
			DELETE FROM members
			WHERE account_id = $1 AND user_id = $2`, m.Account, m.User)
	}
	return w.put(m.Fact(), `
		INSERT INTO members (`+memberColumns+`)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, user_id) DO UPDATE
		SET role = excluded.role, since = excluded.since, invited_by = excluded.invited_by`,
		m.Account, m.User, m.Role, milli(m.Since), m.InvitedBy)
}

func (w *writer) PutToken(t ostiary.Token) error {
	return w.put(t.Fact(), `
		INSERT INTO tokens (`+tokenColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
		ON CONFLICT (account_id, id) DO UPDATE
		SET kind = excluded.kind, owner = excluded.owner, privilege = excluded.privilege,
			default_app = excluded.default_app, description = excluded.description,
			created_on = excluded.created_on, created_by = excluded.created_by, made_with = excluded.made_with,
			expires_on = excluded.expires_on, networks = excluded.networks, retired_on = excluded.retired_on,
			retired_by = excluded.retired_by, promoted_on = excluded.promoted_on,
			promoted_by = excluded.promoted_by, former_owner = excluded.former_owner, cap_met = excluded.cap_met`,
		t.Account, t.ID, t.Kind, t.Owner, t.Privilege, t.Default, t.Description, milli(t.CreatedOn), t.CreatedBy,
		t.MadeWith, milli(t.ExpiresOn), writeNetworks(t.Networks), milli(t.RetiredOn), t.RetiredBy,
		milli(t.PromotedOn), t.PromotedBy, t.FormerOwner, number(t.CapMet))
}

func (w *writer) PutSecret(s ostiary.Secret) error {
	return w.put(s.Fact(), `
		INSERT INTO secrets (`+secretColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account_id, token_id, id) DO UPDATE
		SET hash = excluded.hash, hint = excluded.hint, created_on = excluded.created_on`,
		s.Account, s.Token, s.ID, s.Hash[:], s.Hint, milli(s.CreatedOn))
}

func (w *writer) PutApp(a ostiary.App) error {
	return w.put(a.Fact(), `
		INSERT INTO apps (`+appColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (account_id, token_id, id) DO UPDATE
		SET name = excluded.name, state = excluded.state, decided_by = excluded.decided_by,
			decided_on = excluded.decided_on, first_seen_on = excluded.first_seen_on`,
		a.Account, a.Token, a.ID, a.Name, a.State, a.DecidedBy, milli(a.DecidedOn), milli(a.FirstSeenOn))
}

func (w *writer) DropApp(a ostiary.App) error {
	fact := a.Fact()
	fact.App.Gone = true
	return w.put(fact, `
		DELETE FROM apps
		WHERE account_id = $1 AND token_id = $2 AND id = $3`, a.Account, a.Token, a.ID)
}

// Append makes one entry of all that was put since the last one.
func (w *writer) Append(account ostiary.ID, at time.Time, story ostiary.Story, once *ostiary.Once) (uint64, error) {
	c := ostiary.Change{
		Revision: w.head.Revision + 1, At: at.UTC().Truncate(time.Millisecond), Account: account, Facts: w.facts,
	}
	var salt [16]byte
	rand.Read(salt[:])
	story.Salt = hex.EncodeToString(salt[:])
	var facts, told []byte
	facts, c.FactDigest = ostiary.EncodeFacts(w.facts)
	told, story, c.StoryDigest = encodeStory(story)
	c.Chain = ostiary.Link(w.head.Chain, c)

	var key, request []byte
	if once != nil {
		key, request = once.Key[:], once.Request[:]
	}
	err := w.exec(`
		INSERT INTO log (`+changeColumns+`, what, made_by, for_id, token_id, user_id, app_name, once_key, once_request)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		c.Revision, c.At.UnixMilli(), c.Account, string(facts), c.FactDigest[:], string(told), c.StoryDigest[:], c.Chain[:],
		story.What, story.By, orNull(story.For), orNull(story.Token), orNull(story.User), story.AppName, key, request)
	if err != nil {
		return 0, err
	}
	w.head = ostiary.Head{Revision: c.Revision, Chain: c.Chain}
	c.Story = &story
	w.changes = append(w.changes, c)
	w.made, w.facts, w.unsaid = append(w.made, w.facts...), nil, false
	w.entries++
	return c.Revision, nil
}

// encodeStory writes a story so that it reads back as it was written. Bytes that are no UTF-8 come
// back as U+FFFD, which JSON writes in another way, so a story that has any is read back first.
func encodeStory(s ostiary.Story) ([]byte, ostiary.Story, ostiary.Hash) {
	text, digest := ostiary.EncodeStory(&s)
	if !bytes.Contains(text, []byte(`\ufffd`)) {
		return text, s, digest
	}
	var clean ostiary.Story
	if err := json.Unmarshal(text, &clean); err != nil {
		panic(fmt.Sprintf("a story that cannot be read back: %v", err))
	}
	text, digest = ostiary.EncodeStory(&clean)
	return text, clean, digest
}

// EraseStories removes what people read of an account's entries. The digests stay, and so the chain.
func (w *writer) EraseStories(account ostiary.ID, before time.Time) (int, error) {
	w.unsaid, w.erased = true, true
	defer w.conn.wait(statementFor)() // it may be all of a long log
	return w.write(`
		UPDATE log
		SET story = NULL, what = NULL, made_by = NULL, for_id = NULL, token_id = NULL, user_id = NULL, app_name = NULL
		WHERE account_id = $1 AND at < $2 AND story IS NOT NULL`, account, ceilMilli(before))
}

func (w *writer) PutInvitation(i ostiary.Invitation) error {
	return w.exec(`
		INSERT INTO invitations (`+invitationColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (account_id, id) DO UPDATE
		SET email = excluded.email, role = excluded.role, invited_by = excluded.invited_by,
			invited_on = excluded.invited_on, expires_on = excluded.expires_on`,
		i.Account, i.ID, i.Email, i.Role, i.InvitedBy, milli(i.InvitedOn), milli(i.ExpiresOn))
}

// DropInvitation ends an invitation and its link.
func (w *writer) DropInvitation(account, id ostiary.ID) error {
	return w.exec(`
		DELETE FROM invitations
		WHERE account_id = $1 AND id = $2`, account, id)
}

func (w *writer) PutPassword(user ostiary.ID, hash string) error {
	if hash == "" {
		return w.exec(`
			DELETE FROM passwords
			WHERE user_id = $1`, user)
	}
	return w.exec(`
		INSERT INTO passwords (user_id, hash)
		VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE
		SET hash = excluded.hash`, user, hash)
}

func (w *writer) PutLink(hash ostiary.Hash, account, invitation ostiary.ID) error {
	return w.exec(`
		INSERT INTO links (account_id, invitation_id, hash)
		VALUES ($1, $2, $3)
		ON CONFLICT (account_id, invitation_id) DO UPDATE
		SET hash = excluded.hash`, account, invitation, hash[:])
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}

// orNull keeps what names nothing out of the indexes.
func orNull(id ostiary.ID) any {
	if id == 0 {
		return nil
	}
	return id
}
