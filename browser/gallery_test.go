package browser_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A state is a page as somebody sees it in one situation, as the gallery lists it.
type state struct {
	Name, As, At, Sees string
	Do                 []string
	Status             int64
}

// states are all that the gallery lists.
func (s *server) states() []state {
	s.t.Helper()
	res, err := http.Get(s.URL + "/gallery.json")
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var all []state
	if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
		s.t.Fatal(err)
	}
	return all
}

// goes brings a person into a state.
func (p *Person) goes(st state) {
	p.t.Helper()
	p.Excuse("the server responded with a status of 4")
	p.Open("/gallery/as/" + st.As + "?to=" + url.QueryEscape(st.At))
	for _, do := range st.Do {
		p.does(do)
	}
}

// does carries out one of the gallery's instructions.
func (p *Person) does(what string) {
	p.t.Helper()
	verb, name, _ := strings.Cut(what, " ")
	field, value, _ := strings.Cut(name, ": ")
	switch verb {
	case "type":
		p.Type("textbox", field, value)
	case "choose":
		p.Choose("combobox", field, value)
	case "check":
		p.Click("checkbox", name)
	case "press":
		p.Click("button", name)
	case "open":
		p.Click("link", name)
	case "reload":
		p.Reload()
	default:
		p.t.Fatalf("the gallery says %q, which nobody can do", what)
	}
}

// A view is a window and a taste.
type view struct {
	width, height int64
	scheme        string
	rules         []string // that axe looks at; none: all. Colours alone differ between light and dark
}

var views = []view{
	{1280, 900, "light", nil},
	{1280, 900, "dark", []string{"color-contrast"}},
	{380, 800, "light", nil},
	{380, 800, "dark", []string{"color-contrast"}},
}

func TestEveryPageInEveryStateIsForEverybody(t *testing.T) {
	t.Parallel()
	needAxe(t)
	s := gallery(t)
	for _, st := range s.states() {
		t.Run(st.Name, func(t *testing.T) {
			t.Parallel()
			s := &server{t: t, URL: s.URL}
			p := s.person(st.As)
			p.goes(st)
			p.Sees(st.Sees)
			if want := max(st.Status, http.StatusOK); p.Status() != want {
				t.Errorf("the page is answered with %d, want %d", p.Status(), want)
			}
			p.isForEverybody(st.Name)
		})
	}
	t.Run("error-other-host", func(t *testing.T) {
		t.Parallel()
		_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
		p := (&server{t: t, URL: "http://elsewhere.example.com:" + port}).person("somebody")
		p.Excuse("the server responded with a status of 421", coopOnPlainHTTP)
		p.Open("/tokens")
		if p.Status() != http.StatusMisdirectedRequest {
			t.Errorf("under another name the server answers %d, want 421", p.Status())
		}
		p.isForEverybody("error-other-host")
	})
}

// coopOnPlainHTTP is what the browser says of a header that it heeds under https and on this machine alone.
const coopOnPlainHTTP = "The Cross-Origin-Opener-Policy header has been ignored"

// between are widths that have no picture: a wide window, one at double size, and a tablet.
var between = []int64{1600, 640, 800}

// isForEverybody looks at a page in every view.
func (p *Person) isForEverybody(name string) {
	p.t.Helper()
	p.StaysPut()
	look := p.inspect()
	for _, v := range views {
		p.Resize(v.width, v.height)
		p.Prefers(v.scheme)
		if found := look.finds(v.rules...); len(found) > 0 {
			p.t.Errorf("%d pixels, %s: axe-core finds\n%s", v.width, v.scheme, strings.Join(found, "\n"))
		}
		if v.rules == nil {
			p.StaysInside()
		}
		if *update {
			p.savePicture(fmt.Sprintf("%s-%d-%s", name, v.width, v.scheme))
		}
	}
	for _, width := range between {
		p.Resize(width, 900)
		p.StaysInside()
	}
}

func TestEveryPageOnPlainHTTPSaysWhatToSet(t *testing.T) {
	t.Parallel()
	needAxe(t)
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	home := "http://tokens.example.com:" + port
	s := demo(t, "--listen", address, "--public-url", home)
	p := (&server{t: t, URL: home}).person("somebody")
	p.Excuse("the server responded with a status of 4", coopOnPlainHTTP)
	p.Open("/login")
	p.Sees("--public-url https://", "--tls-cert", "--tls-key")
	p.HasNot("textbox", "")
	p.isForEverybody("error-plain-http")

	// On this machine nobody listens.
	(&server{t: t, URL: "http://" + address, Users: s.Users}).signsIn("alice")
}

func TestEveryPageSaysWhenNoChangeCanBeMade(t *testing.T) {
	t.Parallel()
	needAxe(t)
	s := demo(t)
	_, secret := s.token("bob@example.com")
	s.answers(get("report-maker", secret), 401)
	bob := s.signsIn("bob")
	if err := os.Rename(filepath.Join(s.Data, "ostiary.db"), filepath.Join(s.Data, "away.db")); err != nil {
		t.Fatal(err)
	}
	bob.Excuse("the server responded with a status of 503")
	bob.Click("button", "Allow report-maker")
	bob.Sees("does not work at the moment")
	if bob.Status() != http.StatusServiceUnavailable {
		t.Errorf("a change that cannot be made is answered with %d, want 503", bob.Status())
	}
	bob.isForEverybody("error-no-changes")
	s.answers(get("report-maker", secret), 401)
}

// freeAddress is one that nobody listens at, for a server that must know its port beforehand.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
