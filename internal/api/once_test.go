package api_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestCallThatIsRepeatedIsCarriedOutOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	path, _ := alice.newToken(object{})
	app := "/v2" + alice.post(path+"/app", object{"name": "old", "state": "denied"}).ok()["_cid"].(string)
	for i, call := range []struct{ method, path, body string }{
		{"POST", "/v2/token", `{"privilege":"Normal"}`},
		{"PUT", path, `{"description":"once"}`},
		{"POST", path + "/app", `{"name":"grafana","state":"allowed"}`},
		{"PUT", app, `{"state":"allowed"}`},
		{"DELETE", app, ""},
		{"PUT", "/account/current", `{"city":"Boston","invites":[{"email":"d@example.com","role":"Normal"}]}`},
		{"PUT", "/user/current", `{"firstname":"Alicia"}`},
		{"POST", path + "/promote", ""},
		{"DELETE", path, ""},
	} {
		c := alice.sending("Idempotency-Key: key " + string(rune('a'+i)))
		first := c.call(call.method, call.path, call.body).is(200, "")
		if first.Header.Get("X-Ostiary-Repeated") != "" {
			t.Errorf("%s: the first is called a repeated one", first.what)
		}
		w.changesNothing(func() {
			again := c.call(call.method, call.path, call.body).is(200, "")
			if again.Header.Get("X-Ostiary-Repeated") != "true" || revisionOf(again) < revisionOf(first) {
				t.Errorf("%s: headers %v, the first time %v", again.what, again.Header, first.Header)
			}
			if again.body()["_secret"] != nil || strings.Contains(again.text, "_link") {
				t.Errorf("%s: a secret is shown again: %s", again.what, again.text)
			}
			if again.body()["_cid"] != first.body()["_cid"] {
				t.Errorf("%s: got %s, want %s", again.what, again.text, first.text)
			}
			c.call(call.method, call.path+"?x=1", call.body).is(409, "Conflict")
		})
	}
	again := alice.sending("Idempotency-Key: key a").post("/v2/token", `{"privilege":"Normal"}`).ok()
	if again["_repeated"] != true {
		t.Errorf("a token made before: %v", again)
	}
	bob := w.person("bob", "Normal")
	bob.sending("Idempotency-Key: key a").post("/v2/token", `{}`).ok()
}

// The operator says in a header on which account a call is to be carried out.
func TestKeyIsBoundToTheOperatorsAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	op := w.operator()
	op.post("/v2/account", object{"short_name": "other"}).ok()
	on := func(account string) *client {
		return op.sending("Idempotency-Key: k", "X-Circonus-Account-ID: "+account)
	}
	made := on("1").post("/v2/token", `{"kind":"account"}`).ok()
	if again := on("/account/1").post("/v2/token", `{"kind":"account"}`).ok(); again["_cid"] != made["_cid"] {
		t.Errorf("the same call made %v and then %v", made["_cid"], again["_cid"])
	}
	on("other").post("/v2/token", `{"kind":"account"}`).is(409, "Conflict")
}

func revisionOf(r *reply) uint64 {
	r.Helper()
	n, err := strconv.ParseUint(r.Header.Get("X-Ostiary-Revision"), 10, 64)
	check(r, err)
	return n
}

func TestIdempotencyKeyIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	alice.get("/v2/token").list()
	w.changesNothing(func() {
		for _, key := range []string{"", strings.Repeat("x", 256), "a\tb", "\xff"} {
			r := alice.sending("Idempotency-Key: "+key).post("/v2/token").is(400, "InvalidValue")
			if r.body()["field"] != "Idempotency-Key" {
				t.Errorf("%q: %s", key, r.text)
			}
		}
		alice.sending("Idempotency-Key: a", "Idempotency-Key: a").post("/v2/token").is(400, "InvalidValue")
	})
	alice.sending("Idempotency-Key: "+strings.Repeat("x", 255)).post("/v2/token").is(200, "")
}

func TestCallsUnderOneKeyAtOnceMakeOneToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	alice.get("/v2/token").list()
	before := w.revision()
	var all sync.WaitGroup
	secrets := make(chan bool, 20)
	for range 20 {
		all.Go(func() {
			_, shown := alice.sending("Idempotency-Key: once").post("/v2/token").ok()["_secret"]
			secrets <- shown
		})
	}
	all.Wait()
	close(secrets)
	n := 0
	for shown := range secrets {
		if shown {
			n++
		}
	}
	if n != 1 || w.revision() != before+1 {
		t.Errorf("%d secrets were shown, %d changes made; want one of each", n, w.revision()-before)
	}
}
