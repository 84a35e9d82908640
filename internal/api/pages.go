package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"

	"ostiary"
)

//go:embed docs.html
var docsHTML string

//go:embed pages.css
var pagesCSS string

// newPages makes what is read without a token: the document, and the page about the API. They are made
// once, and need nothing from outside.
func (a *API) newPages() map[string]http.Handler {
	return map[string]http.Handler{
		"/openapi.json": a.page("application/json", a.document.text),
		"/docs":         a.page("text/html; charset=utf-8", render(docsHTML, a.newDocs())),
	}
}

// page serves one text. Its policy lets in the page's own style and nothing else.
func (a *API) page(kind string, text []byte) http.Handler {
	sum := sha256.Sum256([]byte(pagesCSS))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			c := newCall(&door{API: a}, w, r)
			c.ask()
			c.refuse(&unserved{reason: ostiary.WrongMethod, allow: "GET, HEAD"})
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		w.Write(text)
	})
}

func render(text string, data any) []byte {
	t, err := template.New("page").Funcs(template.FuncMap{
		"css": func() template.CSS { return template.CSS(pagesCSS) },
		"low": strings.ToLower,
	}).Parse(text)
	sure(err)
	var out bytes.Buffer
	sure(t.Execute(&out, data))
	return out.Bytes()
}
