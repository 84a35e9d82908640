package web

import (
	"strings"
	"time"

	"ostiary"
	"ostiary/internal/authority"
)

// A said is one entry of the log as people read it.
type said struct {
	Revision    uint64
	At          time.Time
	What        string // kind of entry: "app.allowed"; empty: its story was erased
	From, Agent string
	Request     string     // with which an application turned up: "GET /v2/account/current"
	Token       ostiary.ID // one that the reader may see
	AppName     string
	Refused     bool // it tells of an application that may have been refused
	Parts       []part
	Reach       []string // on which nodes the change is in force; none: there is one node, or it is not known
}

// A part is a piece of a sentence. What strangers wrote stands in a part of its own, so that no page has
// to trust it.
type part struct {
	Kind  kind
	Text  string
	Token ostiary.ID // to link to; zero: no link
}

// A kind says what a part is.
type kind string

const (
	ourWords kind = ""
	aPerson  kind = "person"
	aToken   kind = "token"
	anApp    kind = "app"
	aValue   kind = "value"
)

// String is the sentence as plain text.
func (s said) String() string {
	var b strings.Builder
	for _, p := range s.Parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// tell says the entries of a page of the log in sentences, to the person at the browser.
func (v *visit) tell(p authority.LogPage) []said { return tell(p, v.user.ID) }

// tell says the entries of a page of the log in sentences. What the reader did is told as "You"; a zero
// reader is told of everybody by name.
func tell(p authority.LogPage, reader ostiary.ID) []said {
	zone, err := time.LoadLocation(p.Account.Timezone)
	if err != nil {
		zone = time.UTC
	}
	out := make([]said, len(p.Changes))
	for i, c := range p.Changes {
		out[i] = said{Revision: c.Revision, At: c.At}
		if c.Story == nil {
			out[i].Parts = []part{{Text: "The story of this change was erased."}}
			continue
		}
		s := *c.Story
		t := &teller{page: p, reader: reader, zone: zone, change: c, s: s}
		t.tell()
		out[i].What, out[i].From, out[i].Agent, out[i].AppName = s.What, s.From, s.Agent, s.AppName
		out[i].Request, out[i].Parts = s.Details["request"], t.parts
		out[i].Refused = s.What == "app.new" || s.What == "app.denied"
		if _, seen := p.Tokens[s.Token]; seen {
			out[i].Token = s.Token
		}
	}
	return out
}

// A teller puts one entry into words.
type teller struct {
	page   authority.LogPage
	reader ostiary.ID
	zone   *time.Location
	change ostiary.Change
	s      ostiary.Story
	parts  []part
}

// say adds to the sentence: our own words as they are, and parts.
func (t *teller) say(all ...any) {
	for _, one := range all {
		switch one := one.(type) {
		case string:
			t.parts = append(t.parts, part{Text: one})
		case part:
			t.parts = append(t.parts, one)
		case []part:
			t.parts = append(t.parts, one...)
		}
	}
}

// who is the subject of a sentence: "Alice", "You", "The operator root", "The account token Deploys".
func (t *teller) who() []part {
	text := string(t.s.By)
	if name, ok := strings.CutPrefix(text, "operator:"); ok {
		return []part{{Text: "The operator "}, {Kind: aValue, Text: name}}
	}
	if !strings.HasPrefix(text, "/token/") {
		p := t.person(t.s.By, "You")
		p.Text = sentenceCase(p)
		return []part{p}
	}
	name := strings.TrimPrefix(t.page.Names[t.s.By], "token ")
	if name == "" {
		name = strings.TrimPrefix(text, "/token/")
	}
	if t.s.For == 0 {
		return []part{{Text: "The account token "}, {Kind: aToken, Text: name}}
	}
	return []part{
		{Text: "The token "},
		{Kind: aToken, Text: name},
		{Text: ", working for "},
		t.person(byUser(t.s.For), "you"),
		{Text: ","},
	}
}

// person names somebody, or says you.
func (t *teller) person(by ostiary.By, you string) part {
	if t.reader != 0 && by == byUser(t.reader) {
		return part{Text: you}
	}
	if name := t.page.Names[by]; name != "" {
		return part{Kind: aPerson, Text: name}
	}
	if id, ok := strings.CutPrefix(string(by), "/user/"); ok {
		return part{Text: "user " + id}
	}
	return part{Kind: aPerson, Text: string(by)}
}

// sentenceCase begins our own words with a capital; a name stays as it is.
func sentenceCase(p part) string {
	if p.Kind != ourWords || p.Text == "" {
		return p.Text
	}
	return strings.ToUpper(p.Text[:1]) + p.Text[1:]
}

// about is the person whom the entry is about.
func (t *teller) about() part { return t.person(byUser(t.s.User), "you") }

// of is the same as an owner: "Bob’s", "your".
func (t *teller) of() []part {
	if t.isReader(t.s.User) {
		return []part{{Text: "your"}}
	}
	return []part{t.about(), {Text: "’s"}}
}

// own is the same where people did it to themselves: "their".
func (t *teller) own() []part {
	if t.oneself() && !t.isReader(t.s.User) {
		return []part{{Text: "their"}}
	}
	return t.of()
}

func (t *teller) isReader(user ostiary.ID) bool { return t.reader != 0 && user == t.reader }

// oneself says that people did this to themselves.
func (t *teller) oneself() bool {
	return t.s.User != 0 && (t.s.By == byUser(t.s.User) || t.s.For == t.s.User)
}

// token is the token that the entry is about: "Dashboards", or for one of somebody else "Bob’s token
// Dashboards".
func (t *teller) token() []part {
	if t.s.User == 0 || t.oneself() {
		return t.named(t.s.Token)
	}
	name := t.named(t.s.Token)
	return append(t.of(), append([]part{{Text: " token "}}, name[len(name)-1])...)
}

// named is a token by its description, else by how its secret begins and ends, else by its id.
func (t *teller) named(id ostiary.ID) []part {
	known, seen := t.page.Tokens[id]
	description := strings.TrimSpace(known.Description)
	switch {
	case !seen:
		return []part{{Text: "token "}, {Kind: aToken, Text: id.String()}}
	case description == "":
		return []part{{Text: "the token "}, {Kind: aToken, Text: known.Hint, Token: id}}
	}
	return []part{{Kind: aToken, Text: description, Token: id}}
}

// app is the application that the entry is about.
func (t *teller) app() part { return part{Kind: anApp, Text: t.s.AppName} }

// detail is what the story says about a thing.
func (t *teller) detail(name string) part { return part{Kind: aValue, Text: t.s.Details[name]} }

func byUser(id ostiary.ID) ostiary.By { return ostiary.Actor{User: id}.By() }
