package main

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"ostiary/internal/serve"
)

// hung are the pages with the gallery's own in front. Only 'ostiary serve --gallery' makes one: it
// signs in whoever asks.
type hung struct {
	serve.Pages
	g *gallery
}

func (h *hung) Owns(r *http.Request) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return first == "gallery" || first == "gallery.json" || h.Pages.Owns(r)
}

func (h *hung) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, isAs := strings.CutPrefix(r.URL.Path, "/gallery/as/")
	switch {
	case r.URL.Path == "/gallery":
		h.list(w)
	case r.URL.Path == "/gallery.json":
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(h.states()) // to a reader that may be gone
	case isAs:
		h.signIn(w, r, name)
	default:
		h.Pages.ServeHTTP(w, r)
	}
}

// states are all of them, with the ids of these records in their addresses.
func (h *hung) states() []state {
	var names []string
	for name, value := range h.g.names {
		names = append(names, "{"+name+"}", url.PathEscape(value))
	}
	fill := strings.NewReplacer(names...)
	all := states()
	for i, s := range all {
		all[i].At = fill.Replace(s.At)
	}
	return all
}

// signIn goes to a page as somebody, by the form that people use.
func (h *hung) signIn(w http.ResponseWriter, r *http.Request, name string) {
	form, path := url.Values{}, "/logout"
	if name != "nobody" {
		form, path = url.Values{"email": {mailbox(name) + "@example.com"}, "password": {galleryPassword}}, "/login"
	}
	send := httptest.NewRequestWithContext(r.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	send.Host, send.RemoteAddr = r.Host, r.RemoteAddr
	send.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
		"Cookie": r.Header["Cookie"], "User-Agent": r.Header["User-Agent"],
	}
	answer := httptest.NewRecorder()
	h.Pages.ServeHTTP(answer, send)
	if answer.Code != http.StatusSeeOther {
		http.Error(w, "nobody here is called "+name, http.StatusNotFound)
		return
	}
	w.Header()["Set-Cookie"] = answer.Header()["Set-Cookie"]
	to := r.URL.Query().Get("to")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
		to = "/tokens"
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

var galleryList = template.Must(template.New("gallery").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Gallery · Ostiary</title></head><body><main>
<h1>Every page in every state</h1>
<p>These records are made up. A link signs you in as the person that it names. What a page asks you to do
stands behind it.</p>
<ul>{{range .}}
<li><a href="/gallery/as/{{.As}}?to={{.At}}">{{.Name}}</a>, as {{.As}}{{range .Do}}; {{.}}{{end}}</li>{{end}}
</ul></main></body></html>
`))

func (h *hung) list(w http.ResponseWriter) {
	var b bytes.Buffer
	if err := galleryList.Execute(&b, h.states()); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Write(b.Bytes())
}
