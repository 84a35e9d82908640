package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// How many of what a page shows at once.
const (
	fewTokens  = 12 // in a section beside others
	manyTokens = 25 // in a section alone
	fewApps    = 6  // of one token
	fewWaiting = 50
)

// tokensView is the page of the tokens.
type tokensView struct {
	authority.Overview
	Query    string
	Sections []section
	App      ostiary.ID // the application that the address names, as a 401 does
	Named    *named     // the same, where it does not wait for this person
	Said     string     // what became of those that were chosen, where the log does not say it
	CapMet   []authority.TokenView
	Empty    bool // there is no token at all, and nothing is looked for
	Curl     string
}

// named is the application that the address names.
type named struct {
	appRow
	Token tokenCard
}

// A section is a group of tokens with its place on the page.
type section struct {
	Key, Heading, Says string
	authority.Section
	From, Size int
	Alone      bool // no other section is on the page
	Query      string
}

func tokensPage(v *visit) (reply, error) {
	app, err := v.namedApp()
	if err != nil {
		return nil, err
	}
	q := v.r.URL.Query()
	if v.holdsSecret(q.Get("q")) {
		return to(v.link("/tokens")), nil // that was not written by a page of ours
	}
	query, show := strings.TrimSpace(q.Get("q")), q.Get("show")
	from, _ := strconv.Atoi(q.Get("from"))
	from = max(0, min(from, 1_000_000))
	sections := []section{
		{Key: "account", Heading: "Account API Tokens", Says: "of the account, and of no person"},
		{Key: "own", Heading: "My User Tokens", Says: "that can never do more than you can"},
		{Key: "members", Heading: "Members’ User Tokens", Says: "that can never do more than the owner can"},
		{Key: "retired", Heading: "Retired tokens", Says: "that can never work again"},
	}
	look := authority.Look{Text: query, Apps: fewApps, Waiting: fewWaiting, App: app}
	ranges := []*authority.Range{&look.Account, &look.Own, &look.Members, &look.Retired}
	for i := range sections {
		s := &sections[i]
		s.Query, s.Alone = query, show == s.Key
		switch {
		case s.Alone:
			s.From, s.Size = from, manyTokens
		case show == "" || !isSection(sections, show):
			s.Size = fewTokens
		}
		*ranges[i] = authority.Range{From: s.From, Size: s.Size}
	}
	view := tokensView{Query: query, App: app, Said: v.opened(q.Get("said")), Curl: v.curl("TOKEN", "my-script")}
	if view.Overview, err = v.authority.Overview(v.r.Context(), v.caller, look); err != nil {
		return nil, err
	}
	if past := view.fill(v, sections); past != nil {
		return to(v.link(past.path())), nil
	}
	return screen{
		template: "tokens", title: "API Tokens", nav: "/tokens", live: true, revision: view.Revision,
		waiting: view.AllWaiting(), data: &view,
	}, nil
}

// fill brings what was found into the page's order. It gives a section that has no tokens any more where its
// page begins: some were retired meanwhile.
func (t *tokensView) fill(v *visit, sections []section) (past *section) {
	total := 0
	for i, s := range []authority.Section{t.AccountTokens, t.Own, t.Members, t.Retired} {
		sections[i].Section = s
		total += s.Total
		if len(s.Cards) > 0 {
			t.Sections = append(t.Sections, sections[i])
		} else if sections[i].Alone && s.Total > 0 {
			past = &sections[i]
		}
	}
	t.Empty = t.Query == "" && total == 0
	seen := map[ostiary.ID]bool{}
	for _, w := range t.Waiting {
		if w.Token.CapMet && !seen[w.Token.ID] {
			t.CapMet, seen[w.Token.ID] = append(t.CapMet, w.Token), true
		}
	}
	t.find(v)
	return past
}

// fewWaits is how many of those that wait are not folded.
const fewWaits = 10

// An inbox is what waits for the person.
type inbox struct {
	*tokensView
	First, Rest []piece
}

// A waitingRow is an application that waits.
type waitingRow struct {
	authority.Waiting
	Marked bool // the address names it
	NoRoom bool // to forget it makes room
	Why    string
}

// Inbox is what waits, the latest first, and much of it folded.
func (t *tokensView) Inbox(f *frame) inbox {
	rows := make([]piece, len(t.Waiting))
	for i, w := range t.Waiting {
		rows[i] = piece{f, waitingRow{
			Waiting: w, Marked: w.ID == t.App, NoRoom: w.Token.CapMet || t.Account.CapMet,
			Why: f.Link(whyPath(w.Token.ID, w.Name)),
		}}
	}
	few := min(len(rows), fewWaits)
	return inbox{t, rows[:few], rows[few:]}
}

// AllWaiting is how many applications wait.
func (t *tokensView) AllWaiting() int { return len(t.Waiting) + t.MoreWaiting }

// NoRoom says that a cap was met, so that to forget what waits makes room.
func (t *tokensView) NoRoom() bool { return len(t.CapMet) > 0 || t.Account.CapMet }

// find brings the application that the address names before the others that wait, where it is decided. If
// there is nothing to decide, the page says what it is.
func (t *tokensView) find(v *visit) {
	if t.App == 0 {
		return
	}
	if at := slices.IndexFunc(t.Waiting, func(w authority.Waiting) bool { return w.ID == t.App }); at >= 0 {
		w := t.Waiting[at]
		t.Waiting = slices.Insert(slices.Delete(t.Waiting, at, at+1), 0, w)
		return
	}
	for _, s := range t.Sections {
		for _, c := range s.Cards {
			for _, app := range c.Apps {
				if app.ID == t.App {
					t.name(v, c, app)
				}
			}
		}
	}
}

func (t *tokensView) name(v *visit, c authority.Card, app authority.AppView) {
	if app.Waits() && c.Offers.Decide {
		t.Waiting = slices.Insert(t.Waiting, 0, authority.Waiting{
			AppView: app, Token: c.TokenView, OwnerName: c.OwnerName, Offers: c.Offers,
		})
		t.MoreWaiting--
		return
	}
	card := tokenCard{Card: c, Names: t.Names, Here: v.link("/tokens/" + c.ID.String())}
	t.Named = &named{card.row(v.link, app), card}
}

func isSection(all []section, key string) bool {
	for _, s := range all {
		if s.Key == key {
			return true
		}
	}
	return false
}

// namedApp is the application that the address names. It may be on another of the person's accounts: then
// the page is about that one.
func (v *visit) namedApp() (ostiary.ID, error) {
	id, err := ostiary.ParseID(v.r.URL.Query().Get("app"))
	if err != nil {
		return 0, nil
	}
	app, err := v.authority.FindApp(v.r.Context(), v.user.ID, id)
	if err != nil {
		return 0, err
	}
	for _, s := range v.seats {
		if s.Account.ID == app.Account {
			v.sitAt(s)
		}
	}
	return id, nil
}

// findTokens takes what was typed into the filter. It comes by POST, because people paste secrets there, and
// an address is written down in many places.
func findTokens(v *visit) (reply, error) {
	text := v.field("q")
	if v.holdsSecret(text) {
		return v.which(text)
	}
	path := "/tokens"
	if text != "" {
		path += "?q=" + url.QueryEscape(text)
	}
	return to(v.link(path)), nil
}

// path is the address of the section alone.
func (s section) path() string {
	path := "/tokens?show=" + s.Key
	if s.Query != "" {
		path += "&q=" + url.QueryEscape(s.Query)
	}
	return path
}

// Pages are the addresses of the pages before and after; empty where there is none.
func (s section) Pages() (out struct{ Before, After, All string }) {
	path := s.path()
	if !s.Alone && s.Total > len(s.Cards) {
		out.All = path
	}
	if !s.Alone {
		return out
	}
	if s.From > 0 {
		out.Before = path + "&from=" + strconv.Itoa(max(0, s.From-s.Size))
	}
	if s.From+s.Size < s.Total {
		out.After = path + "&from=" + strconv.Itoa(s.From+s.Size)
	}
	return out
}

// First and Last are which tokens of the section are shown, counted from 1.
func (s section) First() int { return s.From + 1 }
func (s section) Last() int  { return s.From + len(s.Cards) }
