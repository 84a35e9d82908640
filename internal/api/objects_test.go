package api_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTokenFromMakingToRetiring(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	made := alice.post("/v2/token").ok()
	for name, want := range map[string]any{
		"_kind": "user", "_owner": alice.cid, "privilege": "Read Only", "default_app_state": "Pending", "description": "",
		"_made_with": "/token/1", "_created_by": "/token/1", "_last_used_on": nil, "_retired_on": nil, "expires_on": nil,
		"_can_use": "Read Only",
	} {
		if !jsonEqual(made[name], want) {
			t.Errorf("%s: got %v, want %v", name, made[name], want)
		}
	}
	path := "/v2" + made["_cid"].(string)
	if shown := alice.get(path).ok(); shown["_secret"] != nil || !strings.HasPrefix(made["_secret"].(string)[8:], shown["_hint"].(string)[:3]) {
		t.Errorf("shown: %v", shown)
	}

	set := alice.put(path, object{
		"privilege": "read-only", "default_app_state": "Allow", "description": "Import", "expires_on": 4102444800,
		"networks": []string{"127.0.0.1", "192.0.2.7/24"},
	}).ok()
	if !jsonEqual(set["networks"], []string{"127.0.0.1/32", "192.0.2.0/24"}) || !jsonEqual(set["expires_on"], 4102444800) {
		t.Errorf("set: %v", set)
	}
	alice.changesNothing(func() {
		again := alice.put(path, set).ok()
		if diff := cmp.Diff(set, again); diff != "" {
			t.Errorf("the whole object sent back (-want +got):\n%s", diff)
		}
	})
	if set = alice.put(path, object{"expires_on": nil, "networks": []string{}}).ok(); set["expires_on"] != nil {
		t.Errorf("cleared: %v", set)
	}
	secret := made["_secret"].(string)
	if found := alice.post("/v2/token/which", object{"secret": " " + secret + "\n"}).ok(); found["_cid"] != made["_cid"] {
		t.Errorf("which: %v", found)
	}
	alice.post("/v2/token/which", object{"secret": "ostiary_nothing"}).is(404, "ObjectError.InstanceNotFound")
	alice.post("/v2/token/which").is(400, "InvalidValue")

	alice.put(path, object{"privilege": "Admin"}).ok()
	child, _ := w.with(secret, "tests").newToken(object{})
	if promoted := alice.post(path+"/promote", object{"privilege": "Normal"}).ok(); promoted["_kind"] != "account" ||
		promoted["_former_owner"] != alice.cid || promoted["privilege"] != "Normal" || promoted["_owner"] != nil {
		t.Errorf("promoted: %v", promoted)
	}
	gone := alice.delete(path).ok()
	if !jsonEqual(gone["_descendants"], []string{strings.TrimPrefix(child, "/v2")}) || gone["_retired_by"] != "/token/1" {
		t.Errorf("retired: %v", gone)
	}
	if live := alice.get("/v2/token?f__retired_on=null").list(); len(live) != 2 {
		t.Errorf("live tokens: %v", live)
	}
}

func TestApplicationsCanBeDecidedBeforehandAndForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	path, secret := alice.newToken(object{})
	made := alice.post(path+"/app", object{"name": "nightly", "state": "allowed"}).ok()
	if made["_first_seen_on"] != nil || made["_last_seen_on"] != nil || !jsonEqual(made["_count"], 0) || made["_last_from"] != nil {
		t.Errorf("decided beforehand: %v", made)
	}
	nightly := w.with(secret, "nightly")
	nightly.sending("User-Agent: nightly/1").get("/user/current?x=1").ok()
	nightly.post("/v2/token").is(403, "Forbidden.Privilege")
	app := "/v2" + made["_cid"].(string)
	seen := alice.get(app).ok()
	want := object{"_count": 2, "_refused": 1, "_last_from": "127.0.0.1", "_last_request": "POST /v2/token"}
	for name, v := range want {
		if !jsonEqual(seen[name], v) {
			t.Errorf("%s: got %v, want %v", name, seen[name], v)
		}
	}
	if seen["_first_seen_on"] == nil || seen["_last_seen_on"] == nil {
		t.Errorf("seen: %v", seen)
	}
	alice.changesNothing(func() {
		alice.put(app, seen).ok()
		alice.put(app, object{"name": "other", "state": "denied"}).is(400, "InvalidValue")
		alice.put(app, object{"state": "waiting"}).is(400, "InvalidValue")
		alice.put(app, object{}).is(400, "InvalidValue")
		alice.post(path+"/app", object{"name": "a,b", "state": "allowed"}).is(400, "InvalidValue")
		alice.post(path+"/app", object{"state": "allowed"}).is(400, "InvalidValue")
	})
	if forgotten := alice.delete(app).ok(); !jsonEqual(forgotten, object{"_cid": made["_cid"]}) {
		t.Errorf("forgotten: %v", forgotten)
	}
	alice.get(app).is(404, "ObjectError.InstanceNotFound")
	nightly.get("/user/current").is(401, "Unauthorized.PendingApp")
}

func TestAccountIsChangedByItsAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice, bob := w.person("alice", "Admin"), w.person("bob", "Normal")
	whole := bob.get("/account/current").ok()
	keys := slices.Sorted(maps.Keys(whole))
	if got := strings.Join(keys, " "); got != "_account_uuid _cid _contact_groups _created_on _owner _ui_base_url _usage address1 "+
		"address2 cc_email city country_code description invites name state_prov timezone users" {
		t.Errorf("fields: %s", got)
	}
	alice.get("/user/current").ok()
	alice.changesNothing(func() { alice.put("/account/current", whole).ok() })
	set := alice.put("/account/1", object{"city": "Boston", "country_code": "US", "address2": nil, "description": "x"}).ok()
	if set["city"] != "Boston" || set["name"] != "Social Networks" {
		t.Errorf("set: %v", set)
	}
	alice.changesNothing(func() {
		for name, v := range map[string]any{"timezone": "Mars", "country_code": "usa", "name": " ", "cc_email": "x", "users": nil, "invites": "x"} {
			r := alice.put("/account/current", object{name: v, "city": "Berlin"}).is(400, "InvalidValue")
			if r.body()["field"] != name {
				t.Errorf("%s: %s", name, r.text)
			}
		}
	})

	invited := alice.put("/account/current", object{"invites": []object{{"email": "dora@example.com", "role": "Read-Only"}}}).ok()
	invite := invited["invites"].([]any)[0].(object)
	if invite["role"] != "Read Only" || !strings.HasPrefix(invite["_link"].(string), "https://tokens.example.com/invite/") {
		t.Errorf("invited: %v", invite)
	}
	if again := alice.get("/account/current").ok()["invites"].([]any)[0].(object); again["_link"] != nil {
		t.Errorf("the link is shown again: %v", again)
	}
	if none := alice.put("/account/current", object{"invites": []object{}}).ok(); !jsonEqual(none["invites"], []any{}) {
		t.Errorf("withdrawn: %v", none["invites"])
	}
}

func TestMembersAreRemovedOnceThatIsConfirmed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice, bob := w.person("alice", "Admin"), w.person("bob", "Normal")
	bob.get("/v2/token").list()
	alice.get("/v2/token").list()
	stay := object{"users": []object{{"user": alice.cid, "role": "Admin"}}}
	r := alice.put("/account/current", stay).is(409, "Conflict")
	detail := r.body()["detail"].(object)
	if !jsonEqual(detail["users"], []string{bob.cid}) || len(detail["stops"].([]any)) != 1 {
		t.Errorf("what would stop: %v", detail)
	}
	alice.put("/account/current?confirm=x", stay).is(409, "Conflict")
	gone := alice.put("/account/current?confirm="+detail["confirm"].(string), stay).ok()
	if !jsonEqual(gone["users"], []object{{"user": alice.cid, "role": "Admin"}}) {
		t.Errorf("members: %v", gone["users"])
	}
	bob.get("/v2/token").is(401, "Unauthorized.BadToken")
	alice.put("/account/current", object{"users": []object{{"user": alice.cid, "role": "Admin"}, {"user": bob.cid, "role": "Normal"}}}).
		is(400, "InvalidValue")
}

func TestUserChangesOneselfAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice, bob := w.person("alice", "Admin"), w.person("bob", "Normal")
	me := bob.get("/user/current").ok()
	if got := strings.Join(slices.Sorted(maps.Keys(me)), " "); got != "_cid contact_info email firstname lastname" {
		t.Errorf("fields: %s", got)
	}
	set := bob.put("/v2/user/current", object{"firstname": "Robert", "contact_info": object{"sms": "+15550100"}}).ok()
	if set["firstname"] != "Robert" || !jsonEqual(set["contact_info"], object{"sms": "+15550100"}) {
		t.Errorf("set: %v", set)
	}
	alice.get("/user/current").ok()
	bob.changesNothing(func() {
		bob.put(bob.cid, set).ok()
		bob.put("/user/current", object{"email": "robert@example.com"}).is(403, "Forbidden.Privilege")
		bob.put("/user/current", object{"contact_info": object{"fax": "1"}}).is(400, "InvalidValue")
		bob.put(alice.cid, object{"firstname": "Mallory"}).is(403, "Forbidden.Privilege")
		alice.put(bob.cid, object{"firstname": "Mallory"}).is(403, "Forbidden.Privilege")
	})
	_, secret := alice.newToken(object{"kind": "account", "default_app_state": "Allow", "privilege": "Normal"})
	for _, method := range []string{"GET", "PUT"} {
		r := w.with(secret, "tests").call(method, "/user/current").is(404, "ObjectError.InstanceNotFound")
		if !strings.Contains(r.body()["message"].(string), "account token") {
			t.Errorf("%s: it does not say why: %s", method, r.text)
		}
	}
}

func TestFirstAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	want := []object{{
		"account": "social_networks", "account_name": "Social Networks", "account_description": "",
		"circonus_metric_limit": 0, "circonus_metrics_used": 0,
	}}
	for _, method := range []string{"GET", "POST"} {
		for _, path := range []string{"/api/json/list_accounts", "/v2/api/json/list_accounts"} {
			if got := alice.call(method, path, "email=x&password=y").list(); !jsonEqual(got, want) {
				t.Errorf("%s %s: %v", method, path, got)
			}
		}
	}
	for _, r := range []*reply{
		alice.get("/api/json/list_agents").is(404, "NotFound"), w.with("", "").get("/api/json/list_accounts").is(401, "Unauthorized.MissingToken"),
		alice.put("/api/json/list_accounts").is(405, "MethodNotAllowed"),
	} {
		if b := r.body(); b["success"] != false || b["error"] != b["message"] {
			t.Errorf("%s: %s", r.what, r.text)
		}
	}
}

func TestExplainSaysWhatWouldHappenAndWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	path, _ := alice.newToken(object{"privilege": "Normal"})
	id := strings.TrimPrefix(path, "/v2")
	alice.changesNothing(func() {
		e := alice.post("/v2/explain", object{"token": id, "app": "new", "method": "DELETE", "uri": "/x?y", "address": "192.0.2.1"}).ok()
		if !jsonEqual(e["status"], 401) || e["code"] != "Unauthorized.PendingApp" || e["state"] != nil || len(e["facts"].([]any)) < 3 {
			t.Errorf("%v", e)
		}
		e = alice.post("/v2/explain", object{"token": 1, "app": "tests", "method": "GET", "uri": "/x"}).ok()
		if !jsonEqual(e["status"], 200) || e["state"] != "allowed" || e["role"] != "Admin" || e["need"] != "Read Only" {
			t.Errorf("%v", e)
		}
		alice.post("/v2/explain", object{"token": 99}).is(404, "ObjectError.InstanceNotFound")
		for _, bad := range []object{{}, {"token": 0}, {"token": "/user/1"}, {"token": id, "address": "x"}, {"token": id, "uri": "/x"}} {
			alice.post("/v2/explain", bad).is(400, "InvalidValue")
		}
	})
}

func TestLogTellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	bob := w.person("bob", "Normal")
	path, _ := bob.newToken(object{})
	alice.post(path+"/app", object{"name": "grafana", "state": "allowed"}).ok()
	tag := w.events.last().Tag
	all := alice.get("/v2/audit").list()
	last := all[0]
	for name, want := range map[string]any{
		"what": "app.allowed", "by": "/token/1", "for": alice.cid, "app_name": "grafana", "token": strings.TrimPrefix(path, "/v2"),
		"says": "token 1 allowed grafana on token 3.", "tag": tag, "from": "127.0.0.1", "user": bob.cid,
	} {
		if name == "says" {
			want = "Token 1 allowed grafana on token 3."
		}
		if last[name] != want {
			t.Errorf("%s: got %v, want %v", name, last[name], want)
		}
	}
	for query, n := range map[string]int{
		"f_what=app.allowed": 1, "f_what_wildcard=token.*": 3, "f_by=/token/1": 1, "f_token=3": 2, "f_token=/token/3": 2,
		"f_user=" + bob.cid: 4, "f_app_name=grafana": 1, "f__revision=1": 1, "f__revision_le=3": 3, "f__revision_gt=3&f__revision_lt=6": 2,
		"f__at_ge=4102444800": 0, "f__at_lt=4102444800": 9, "size=2": 2, "from=8": 1, "dir=asc&order=_revision": 9,
	} {
		if got := alice.get("/v2/audit?" + query).list(); len(got) != n {
			t.Errorf("%s: %d entries, want %d: %v", query, len(got), n, got)
		}
	}
	if r := alice.get("/v2/audit?size=2"); r.Header.Get("X-Circonus-More-Items") != "true" {
		t.Error("a further page is not told")
	}
	for _, e := range bob.get("/v2/audit").list() {
		if e["token"] != "/token/2" && e["token"] != "/token/3" {
			t.Errorf("bob reads %v", e)
		}
	}
}
