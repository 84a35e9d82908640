package ostiarytest_test

import (
	"cmp"
	"fmt"
	"log"
	"net/http"

	"ostiary"
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

func ExampleStart() {
	t := &example{}
	defer t.end()

	s := ostiarytest.Start(t)
	ask := func(token ostiarytest.Token, app string) {
		r, _ := http.NewRequest("GET", s.AuthURL+"?need=Normal", nil)
		token.Show(r, app)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		res.Body.Close()
		fmt.Println(res.StatusCode, cmp.Or(res.Header.Get("X-Ostiary-Code"), "let through"))
	}
	ask(s.Alice.Token, "dashboard")
	ask(s.Bob.Token, "script")
	s.Allow(s.Bob.Token, "script")
	ask(s.Bob.Token, "script")
	s.SetRole(s.Bob, ostiary.ReadOnly)
	ask(s.Bob.Token, "script")
	s.Retire(s.Bob.Token)
	ask(s.Bob.Token, "script")
	// Output:
	// 200 let through
	// 401 Unauthorized.PendingApp
	// 200 let through
	// 403 Forbidden.Privilege
	// 401 Unauthorized.BadToken
}
