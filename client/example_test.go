package client_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"ostiary"
	"ostiary/client"
	"ostiary/ostiarytest"
)

// An example stands in for the *testing.T that a test has.
type example struct{ ends []func() }

func (*example) Helper()                      {}
func (e *example) Cleanup(end func())         { e.ends = append(e.ends, end) }
func (*example) Logf(string, ...any)          {}
func (*example) Fatalf(text string, a ...any) { log.Fatalf(text, a...) }
func (e *example) end() {
	for _, end := range e.ends {
		end()
	}
}

func ExampleClient_Protect() {
	t := &example{}
	defer t.end()
	s := ostiarytest.Start(t)

	door, err := client.New(client.Options{URL: s.AuthURL}) // http://127.0.0.1:8700/auth
	if err != nil {
		log.Fatal(err)
	}
	defer door.Close()
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := client.IdentityFrom(r.Context())
		fmt.Fprintf(w, "%s works for %s, who is %s on %s", id.App, id.User, id.Role, id.Account)
	})
	api := httptest.NewServer(door.Protect(hello))
	defer api.Close()

	get := func() {
		r, _ := http.NewRequest("GET", api.URL+"/checks", nil)
		s.Bob.Token.Show(r, "my-script")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != 200 {
			body = []byte(res.Header.Get("X-Ostiary-Code"))
		}
		fmt.Println(res.StatusCode, string(body))
	}
	get()
	s.Allow(s.Bob.Token, "my-script")
	get()
	// Output:
	// 401 Unauthorized.PendingApp
	// 200 my-script works for bob@example.com, who is Normal on social_networks
}

func ExampleClient_Check() {
	t := &example{}
	defer t.end()
	s := ostiarytest.Start(t, ostiary.Rule{Path: "/admin/**", Role: ostiary.Admin})

	door, err := client.New(client.Options{URL: s.AuthURL})
	if err != nil {
		log.Fatal(err)
	}
	defer door.Close()
	s.Allow(s.Bob.Token, "my-script")
	for _, uri := range []string{"/checks?size=5", "/admin/settings"} {
		a := door.Check(context.Background(), client.Request{
			Method: "GET", URI: uri, From: netip.MustParseAddr("192.0.2.7"),
			Header: http.Header{
				"X-Circonus-Auth-Token": {s.Bob.Token.Secret.Reveal()}, "X-Circonus-App-Name": {"my-script"},
			},
		})
		if a.OK() {
			fmt.Println(uri, "is for", a.User)
			continue
		}
		fmt.Println(uri, a.Status, a.Code, a.Message)
	}
	// Output:
	// /checks?size=5 is for bob@example.com
	// /admin/settings 403 Forbidden.Privilege the token can use Normal, and the request needs Admin
}
