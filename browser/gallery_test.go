package browser_test

import (
	"encoding/json"
	"fmt"
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
	if *update {
		clearPictures(t)
	}
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
			look := p.inspect()
			for _, v := range views {
				p.Resize(v.width, v.height)
				p.Prefers(v.scheme)
				if found := look.finds(v.rules...); len(found) > 0 {
					t.Errorf("%d pixels, %s: axe-core finds\n%s", v.width, v.scheme, strings.Join(found, "\n"))
				}
				if v.rules == nil {
					p.StaysInside()
				}
				if *update {
					p.savePicture(fmt.Sprintf("%s-%d-%s", st.Name, v.width, v.scheme))
				}
			}
		})
	}
}

// clearPictures removes those of states that may be no more.
func clearPictures(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(picturesFolder, 0o755); err != nil {
		t.Fatal(err)
	}
	old, err := filepath.Glob(filepath.Join(picturesFolder, "*-*-*.png"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
