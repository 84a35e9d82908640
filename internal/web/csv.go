package web

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ostiary"
	"ostiary/internal/authority"
)

// A download is sent in batches, so that it needs the memory of one, and has as long as it is read.
const (
	mostDownloaded = 100_000
	batch          = 500
	batchLasts     = 30 * time.Second // a reader who takes longer is cut off
)

// A download is the log as a file.
type download struct {
	filter ostiary.LogFilter
	name   string // its ending: "csv"
	kind   string
	to     func(io.Writer, *time.Location) entryWriter
}

// An entryWriter writes entries of the log one after the other.
type entryWriter interface{ write(authority.LogPage) error }

func auditCSV(v *visit) (reply, error) {
	return v.download(download{name: "csv", kind: "text/csv; charset=utf-8; header=present", to: newTable})
}

func auditLines(v *visit) (reply, error) {
	return v.download(download{name: "jsonl", kind: "application/jsonl; charset=utf-8", to: newLines})
}

func (v *visit) download(d download) (reply, error) {
	asked := v.readLookup()
	f, wrong := asked.filter(v.zone)
	if wrong != "" {
		return v.auditScreen(asked)
	}
	d.filter = f
	return d, nil
}

// write sends one batch after the other. What fails in the first is a page; later the file is cut off, so
// that nobody takes a part of it for the whole.
func (d download) write(v *visit) error {
	d.filter.Limit = batch
	page, err := v.authority.LogPage(v.r.Context(), v.caller, d.filter)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", d.kind)
	h.Set("Content-Disposition", `attachment; filename="audit-`+page.Account.ShortName+"-"+
		v.now.In(v.zone).Format(time.DateOnly)+"."+d.name+`"`)
	v.wrote = true
	if v.r.Method == http.MethodHead {
		return nil
	}
	answer, out := http.NewResponseController(v.w), d.to(v.w, v.zone)
	for left := mostDownloaded; ; {
		answer.SetWriteDeadline(time.Now().Add(batchLasts)) // where it cannot be set there is none
		if err := errors.Join(out.write(page), answer.Flush()); err != nil {
			v.event.Err = err // the reader has gone
			return nil
		}
		if left -= len(page.Changes); left <= 0 || !page.More {
			return nil
		}
		d.filter.Before, d.filter.Limit = page.Changes[len(page.Changes)-1].Revision, min(batch, left)
		page, err = v.authority.LogPage(v.r.Context(), v.caller, d.filter)
		if gone := v.r.Context().Err(); gone != nil {
			v.event.Err = gone
			return nil
		}
		if err != nil {
			v.event.Err = err
			v.record(v.answers.Error(err))
			panic(http.ErrAbortHandler)
		}
	}
}

// A table writes entries as CSV (RFC 4180).
type table struct {
	csv  *csv.Writer
	zone *time.Location
}

func newTable(w io.Writer, zone *time.Location) entryWriter {
	t := &table{csv: csv.NewWriter(w), zone: zone}
	t.csv.UseCRLF = true
	t.csv.Write([]string{
		"revision", "time", "who", "what", "sentence", "person", "token", "application", "address", "agent",
	})
	return t
}

func (t *table) write(p authority.LogPage) error {
	for i, s := range tell(p, 0) {
		story := ostiary.Story{}
		if c := p.Changes[i]; c.Story != nil {
			story = *c.Story
		}
		cells := []string{
			strconv.FormatUint(s.Revision, 10), s.At.In(t.zone).Format("2006-01-02T15:04:05.000Z07:00"),
			p.Names[story.By], s.What, s.String(), personIn(p, story), tokenIn(p, story.Token), s.AppName,
			s.From, s.Agent,
		}
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		t.csv.Write(cells)
	}
	t.csv.Flush()
	return t.csv.Error()
}

// personIn is the person whom an entry is about, or for whom a token was at work.
func personIn(p authority.LogPage, s ostiary.Story) string {
	for _, id := range []ostiary.ID{s.User, s.For} {
		if id != 0 {
			return p.Names[byUser(id)]
		}
	}
	return ""
}

// tokenIn is the token that an entry is about.
func tokenIn(p authority.LogPage, id ostiary.ID) string {
	if t, seen := p.Tokens[id]; seen {
		return strings.TrimSpace(t.Description + " " + t.Hint)
	}
	if id == 0 {
		return ""
	}
	return "token " + id.String()
}

// harmless is a text as a cell that no spreadsheet takes for a formula. Where the comma is for decimals, a
// spreadsheet begins a new cell at a semicolon, and some do at a tab: each piece is looked at.
func harmless(cell string) string {
	var b strings.Builder
	for {
		at := strings.IndexAny(cell, ";\t")
		if at < 0 {
			break
		}
		b.WriteString(inert(cell[:at+1]))
		cell = cell[at+1:]
	}
	b.WriteString(inert(cell))
	return b.String()
}

// inert puts an apostrophe before what begins like a formula, also behind spaces and in the wide letters of
// East Asia.
func inert(cell string) string {
	if strings.HasPrefix(cell, "\t") || strings.HasPrefix(cell, "\r") || strings.HasPrefix(cell, "\n") {
		return "'" + cell
	}
	first := strings.TrimLeftFunc(cell, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	})
	if r, _ := utf8.DecodeRuneInString(first); strings.ContainsRune("=+-@＝＋－＠", r) {
		return "'" + cell
	}
	return cell
}

// lines writes entries as JSON, one a line, with the keys of /v2/audit.
type lines struct{ json *json.Encoder }

func newLines(w io.Writer, _ *time.Location) entryWriter {
	l := lines{json.NewEncoder(w)}
	l.json.SetEscapeHTML(false)
	return l
}

// A line is an entry as the API writes it; null is what is not known.
type line struct {
	Revision uint64            `json:"_revision"`
	At       int64             `json:"_at"` // seconds since 1970
	Account  *string           `json:"_account"`
	Chain    string            `json:"_chain"`
	What     *string           `json:"what"`
	By       *string           `json:"by"`
	For      *string           `json:"for"`
	From     *string           `json:"from"`
	Agent    *string           `json:"agent"`
	Tag      *string           `json:"tag"`
	Token    *string           `json:"token"`
	App      *string           `json:"app"`
	AppName  *string           `json:"app_name"`
	User     *string           `json:"user"`
	Details  map[string]string `json:"details"`
	Says     string            `json:"says"`
}

func (l lines) write(p authority.LogPage) error {
	for i, s := range tell(p, 0) {
		if err := l.json.Encode(lineOf(p.Changes[i], s.String())); err != nil {
			return err
		}
	}
	return nil
}

func lineOf(c ostiary.Change, says string) line {
	s := ostiary.Story{}
	if c.Story != nil {
		s = *c.Story
	}
	chain, _ := c.Chain.MarshalText()
	l := line{
		Revision: c.Revision, At: c.At.Unix(), Account: cid("account", c.Account), Chain: string(chain),
		What: orNull(s.What), By: orNull(string(s.By)), For: cid("user", s.For), From: orNull(s.From),
		Agent: orNull(s.Agent), Tag: orNull(s.Tag), Token: cid("token", s.Token), AppName: orNull(s.AppName),
		User: cid("user", s.User), Details: map[string]string{}, Says: says,
	}
	if s.App != 0 {
		l.App = orNull("/token/" + s.Token.String() + "/app/" + s.App.String())
	}
	if s.Details != nil {
		l.Details = s.Details
	}
	return l
}

func cid(kind string, id ostiary.ID) *string {
	if id == 0 {
		return nil
	}
	return orNull("/" + kind + "/" + id.String())
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
