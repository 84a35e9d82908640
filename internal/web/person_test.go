package web_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strings"

	"ostiary"
	"ostiary/internal/authority"
)

// A person sits at a browser of their own. What a person cannot do fails the test.
type person struct {
	w      *world
	id     ostiary.ID
	email  string
	client *http.Client
	in     bool   // has signed in, or does not want to
	page   string // address of the page that the person looks at; a browser tells it as the Referer
}

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

func (w *world) person(id ostiary.ID, email string) *person {
	jar, err := cookiejar.New(nil)
	w.ok(err)
	return &person{w: w, id: id, email: email, client: &http.Client{Jar: jar, Transport: browser{w.URL}}}
}

// stranger is a browser at which nobody signs in.
func (w *world) stranger() *person {
	p := w.person(0, "")
	p.in = true
	return p
}

// again is the same person at another browser.
func (p *person) again() *person { return p.w.person(p.id, p.email) }

// on is the person at work on an account, without a browser.
func (p *person) on(account ostiary.ID) authority.Caller {
	return authority.Caller{User: p.id, Account: account, From: netip.MustParseAddr("192.0.2.7"), Agent: "test"}
}

// A browser sends with every request what a browser sends.
type browser struct{ origin string }

func (b browser) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", firefox)
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if r.Header.Get("Sec-Fetch-Site") == "" {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.Header.Del("Origin")
	if r.Method == http.MethodPost {
		r.Header.Set("Origin", b.origin)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// signIn signs in with the password, and gives the page after it.
func (p *person) signIn() *page {
	p.w.Helper()
	p.in = true
	return p.open("/login").press("Sign in", "E-mail", p.email, "Password", password)
}

// open goes to an address, signed in.
func (p *person) open(path string) *page {
	p.w.Helper()
	if !p.in {
		p.signIn()
	}
	r, err := http.NewRequest(http.MethodGet, p.w.URL+path, nil)
	p.w.ok(err)
	return p.send(r)
}

// post sends a form that may stand on no page: names and values in turn.
func (p *person) post(path string, fields ...string) *page {
	p.w.Helper()
	if !p.in {
		p.signIn()
	}
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return p.sendForm(path, form)
}

func (p *person) sendForm(path string, form url.Values) *page {
	p.w.Helper()
	r, err := http.NewRequest(http.MethodPost, p.w.URL+path, strings.NewReader(form.Encode()))
	p.w.ok(err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.send(r)
}

// send follows where the answer leads, as a browser does.
func (p *person) send(r *http.Request) *page {
	p.w.Helper()
	if p.page != "" {
		r.Header.Set("Referer", p.w.URL+p.page)
	}
	resp, err := p.client.Do(r)
	p.w.ok(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	p.w.ok(err)
	where := *resp.Request.URL
	where.Scheme, where.Host = "", ""
	p.page = where.String()
	out := &page{
		person: p, status: resp.StatusCode, address: where.String(), header: resp.Header, body: string(body),
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		out.root = parse(p.w.T, out.body)
	}
	return out
}

// asStranger is a browser at which the person has not signed in yet.
func (p *person) asStranger() *person {
	p.in = true
	return p
}
