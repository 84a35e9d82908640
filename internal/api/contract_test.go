package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// A contract is the OpenAPI document, held against every answer that the tests see.
type contract struct {
	*openapi3.T
	router routers.Router
}

func (w *world) readContract() *contract {
	w.Helper()
	res, err := http.Get(w.public.URL + "/openapi.json")
	check(w, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	check(w, err)
	doc, err := openapi3.NewLoader().LoadFromData(text)
	check(w, err)
	check(w, doc.Validate(context.Background()))
	router, err := legacy.NewRouter(doc)
	check(w, err)
	return &contract{doc, router}
}

// check holds one answer against the document: its status must stand there, its body and headers
// must be as it says. Answers about paths and methods that are not served are held against the
// schema of errors.
func (d *contract) check(r *reply, method, path string, body []byte) {
	r.Helper()
	if method == "HEAD" || method == "OPTIONS" || path == "/openapi.json" && r.StatusCode == 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return
	}
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: "/none"}
	}
	req, err := http.NewRequest(method, u.String(), nil)
	check(r, err)
	route, args, err := d.router.FindRoute(req)
	if err != nil || r.StatusCode == 405 {
		d.checkError(r, body)
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, PathParams: args, Route: route},
		Status:                 r.StatusCode, Header: r.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in); err != nil {
		r.Errorf("%s: %d is not as the document says: %v\n%s", r.what, r.StatusCode, err, body)
	}
}

func (d *contract) checkError(r *reply, body []byte) {
	r.Helper()
	name := "Error"
	if strings.Contains(r.what, "/api/json/") {
		name = "FirstError"
	}
	err := d.Components.Schemas[name].Value.VisitJSON(r.body(), openapi3.EnableJSONSchema2020())
	if err != nil {
		r.Errorf("%s: %d is not an error as the document says: %v\n%s", r.what, r.StatusCode, err, body)
	}
}
