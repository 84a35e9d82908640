package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Bad input: no panic, no answer from 500 up, nothing on record.

func TestIDsThatNameNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	w.operator().post("/v2/account", object{"short_name": "other"}).ok()
	foreign := w.operator().sending("X-Circonus-Account-ID: other").post("/v2/token", object{"kind": "account"}).ok()
	foreignID := strings.TrimPrefix(foreign["_cid"].(string), "/token/")
	alice.get("/v2/token").is(200, "")
	ids := []string{
		"0", "-1", "+1", "01", "1.0", "1e0", "9223372036854775807", "9223372036854775808", "18446744073709551615",
		"99999999999999999999999999", "x", "%31", "1%00", "%", "١", "current", foreignID, "1 ", "1;", "..", "*",
	}
	w.changesNothing(func() {
		for _, id := range ids {
			if id == "1 " || id == "%" {
				continue // no HTTP client sends these
			}
			for _, path := range []string{"/v2/token/" + id, "/v2/token/" + id + "/app/1", "/v2/token/" + id + "/app"} {
				alice.get(path).is(404, "ObjectError.InstanceNotFound")
			}
			alice.delete("/v2/token/"+id).is(404, "ObjectError.InstanceNotFound")
			alice.put("/v2/token/"+id, `{"description":"x"}`).is(404, "ObjectError.InstanceNotFound")
			alice.post("/v2/token/"+id+"/promote").is(404, "ObjectError.InstanceNotFound")
			alice.post("/v2/token/"+id+"/app", `{"name":"x","state":"allowed"}`).is(404, "ObjectError.InstanceNotFound")
			alice.put("/v2/token/1/app/"+id, `{"state":"allowed"}`)
			if id != "current" {
				alice.get("/user/"+id).is(404, "ObjectError.InstanceNotFound")
				alice.get("/account/"+id).is(404, "ObjectError.InstanceNotFound")
				alice.put("/account/"+id, `{"name":"x"}`).is(404, "ObjectError.InstanceNotFound")
			}
		}
	})
}

func TestBodiesThatAreNotValid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	path, _ := alice.newToken(object{})
	deep := strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000)
	w.changesNothing(func() {
		for body, field := range map[string]string{
			"{": "", "[": "", "[]": "", "1": "", "null": "", `"x"`: "", "{}x": "", "{} {}": "", "{'a':1}": "", `{"a":1,}`: "",
			"\xef\xbb\xbf{}": "", "{\"description\":\"\xff\"}": "", "description=x": "", "{}\x00": "",
			`{"nothing":1}`: "nothing", `{"Privilege":"Normal"}`: "Privilege", `{"privilege":"Normal","privilege":"Normal"}`: "privilege",
			`{"_x":{"y":1,"y":2}}`: "_x.y", `{"_x":[{"y":1},{"y":1,"y":1}]}`: "_x.y", `{"":1}`: "",
			`{"description":"\ud800"}`: "description", `{"description":null}`: "description", `{"description":1}`: "description",
			`{"description":"` + strings.Repeat("x", 501) + `"}`: "description", `{"description":"a\u0000"}`: "description",
			`{"description":"a\nb"}`: "description",
			`{"privilege":"None"}`:   "privilege", `{"privilege":""}`: "privilege", `{"privilege":3}`: "privilege", `{"privilege":null}`: "privilege",
			`{"privilege":["Normal"]}`: "privilege", `{"default_app_state":"allowed"}`: "default_app_state",
			`{"expires_on":-1}`: "expires_on", `{"expires_on":1.5}`: "expires_on", `{"expires_on":"1"}`: "expires_on",
			`{"expires_on":1e400}`: "expires_on", `{"expires_on":1700000000000000}`: "expires_on",
			`{"networks":"10.0.0.0/8"}`: "networks", `{"networks":["x"]}`: "networks", `{"networks":["10.0.0.0/33"]}`: "networks",
			`{"networks":["::ffff:10.0.0.0/104"]}`: "networks", `{"networks":[null]}`: "networks", `{"networks":["fe80::1%eth0"]}`: "networks",
			`{"_secret":"x","kind":"account"}`: "kind", `{"owner":"/user/1"}`: "owner",
			deep: "", strings.Replace(deep, `"a"`, `"_a"`, 1): "", strings.Repeat("[", 30_000): "",
		} {
			r := alice.put(path, body).is(400, "InvalidValue")
			if got, _ := r.body()["field"].(string); field != "" && got != field {
				t.Errorf("%.80s: field %q, want %q: %s", body, got, field, r.text)
			}
		}
		for _, body := range []string{
			strings.Repeat(" ", 64<<10+1), `{"description":"` + strings.Repeat("x", 64<<10) + `"}`, strings.Repeat("x", 1<<20),
		} {
			alice.put(path, body).is(413, "TooLarge")
		}
	})
	alice.put(path, "{"+strings.Repeat(" ", 64<<10-2)+"}").ok()
	alice.put(path, ` {"_a":{"_b":[{"c":null}]},"description":"x"} `).ok()
	for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "multipart/form-data", ""} {
		alice.sending("Content-Type: "+kind).put(path, `{"description":"`+kind+`"}`).ok()
	}
}

func TestSecretsInTheWrongPlaceAreNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	_, other := alice.newToken(object{})
	for _, secret := range []string{alice.token, other} {
		quoted := fmt.Sprintf("%q", secret)
		for _, r := range []*reply{
			alice.put("/v2/token/2", `{`+quoted+`:1}`), alice.put("/v2/token/2", `{"privilege":`+quoted+`}`),
			alice.put("/v2/token/2", `{"a":1,"_x":{`+quoted+`:1,`+quoted+`:2}}`),
			alice.get("/v2/token?f_" + secret + "=1"), alice.get("/v2/token?" + secret), alice.get("/v2/token?order=" + secret),
			alice.get("/v2/audit?f_" + secret + "=1"), alice.get("/" + secret), alice.get("/v2/token/" + secret),
			alice.sending("X-Circonus-Account-ID: " + secret).get("/v2/token"), alice.call("X"+secret[:20], "/v2/token"),
			alice.sending("Idempotency-Key: " + secret + "\x80").post("/v2/token"),
			alice.sending("User-Agent: " + secret).get("/nothing"),
			w.operator().sending("X-Circonus-Account-ID: " + secret).get("/v2/token"),
		} {
			e := w.events.last()
			told := r.text + fmt.Sprint(r.Header, e.Path, e.Agent, e.Method, e.AppName, e.Err, e.Hint, e.Answer)
			for i := 8; i+12 <= len(secret); i++ {
				if strings.Contains(told, secret[i:i+12]) {
					t.Fatalf("%s: the secret is repeated: %s", strings.ReplaceAll(r.what, secret, "SECRET"), strings.ReplaceAll(told, secret, "SECRET"))
				}
			}
		}
	}
	alice.post("/v2/token/which", object{"secret": other}).ok()
	for _, entry := range alice.get("/v2/audit?size=1000").list() {
		if strings.Contains(fmt.Sprint(entry), other[10:22]) {
			t.Errorf("the log holds a secret: %v", entry)
		}
	}
}

func TestQueriesThatAreNotValid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for _, path := range []string{"/v2/token", "/v2/app", "/user", "/account", "/v2/token/1/app", "/v2/audit"} {
		for _, query := range []string{
			"size=0", "size=1001", "size=-1", "size=x", "size=", "size=1.5", "size=99999999999999999999", "size=2&size=3",
			"from=-1", "from=x", "from=99999999999999999999", "order=nothing", "order=", "dir=up", "dir=", "search=x", "Size=2",
			"f_nothing=1", "f_=1", "f_name_like=x", "f__cid_between=1", "f_users=1", "%zz=1", "size=1;from=2", "x",
		} {
			r := alice.get(path+"?"+query).is(400, "InvalidValue")
			if name, _, _ := strings.Cut(query, "="); !strings.ContainsAny(query, "%;") && !strings.Contains(r.text, name) {
				t.Errorf("%s?%s: the parameter is not named: %s", path, query, r.text)
			}
		}
	}
	for _, query := range []string{"f__created_on_gt=yesterday", "f__last_used_on=never", "f__created_on=1x", "f__created_on_gt=NaN", "order=networks"} {
		alice.get("/v2/token?"+query).is(400, "InvalidValue")
	}
	for _, query := range []string{
		"f_token=x", "f_user=/token/1", "f__at_ge=x", "f__at_lt=-1", "f__revision=0", "f__revision_lt=-3", "f_what_wildcard=*x*", "from=100001",
		"f_what=a&f_what=b",
	} {
		alice.get("/v2/audit?"+query).is(400, "InvalidValue")
	}
	alice.get("/user/current?size=0&nothing").is(200, "")
}

func TestStrangeRequestsNeverBreakTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECTED", "X"} {
		for _, path := range []string{
			"/v2/token", "/v2/token/1/app", "/account", "/account/current", "/user/current", "/v2/audit", "/v2/explain", "/v2/token/which",
			"/api/json/list_accounts", "/", "/v2/token/9/promote", "/docs", "/openapi.json", "/tokens", "/x?" + strings.Repeat("a", 5000),
		} {
			for _, body := range []string{"", "null", `{"secret":5,"users":[{"user":null}]}`} {
				c := alice
				if method == "DELETE" && strings.HasSuffix(path, "/token") {
					continue
				}
				if r := c.call(method, path, body); r.StatusCode >= http.StatusInternalServerError {
					t.Errorf("%s %s %q: %d %s", method, path, body, r.StatusCode, r.text)
				}
			}
		}
	}
}
