package api_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ostiary"
	"ostiary/internal/api"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
)

// twoNodes are one that is there, and one that was stopped.
func twoNodes(t *testing.T) *follow.Nodes {
	t.Helper()
	reg, memory, quiet := follow.NewLocal(), directory.New(), slog.New(slog.DiscardHandler)
	for _, n := range []ostiary.Node{{ID: "a", Name: "api-1", Applied: 7}, {ID: "b", Name: "api-2", Stopped: true, Lease: time.Minute}} {
		check(t, reg.PutNodes(t.Context(), n))
	}
	all := follow.NewNodes(reg, ostiary.Node{ID: "c", Name: "api-3"}, follow.New(nil, memory, quiet), memory, time.Second, quiet)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { all.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	for deadline := time.Now().Add(10 * time.Second); len(all.All()) < 3 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	return all
}

func TestOperatorNeedsNoToken(t *testing.T) {
	t.Parallel()
	saved := ""
	w := newWorldWith(t, authority.Settings{}, api.Options{
		Status: func(context.Context) api.Status { return api.Status{Version: "1", Revision: 7} },
		Backup: func(_ context.Context, file string) error { saved = file; return nil },
		Nodes:  twoNodes(t),
	})
	w.account()
	op := w.operator()
	op.post("/v2/account", object{"short_name": "social_networks"}).is(409, "Conflict")
	op.post("/v2/account", object{"short_name": "Bad Name"}).is(400, "InvalidValue")
	other := op.post("/v2/account", object{"short_name": "other", "timezone": "Europe/Berlin"}).ok()
	if other["_short_name"] != "other" || len(op.get("/account").list()) != 2 {
		t.Errorf("made: %v", other)
	}
	op.get("/account/current").is(400, "InvalidValue")
	for _, name := range []string{"other", "2", "/account/2"} {
		if got := op.sending("X-Circonus-Account-ID: " + name).get("/account/current").ok(); got["_cid"] != "/account/2" {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, name := range []string{"nothing", "3", "0", "/account/"} {
		op.sending("X-Circonus-Account-ID: "+name).get("/v2/token").is(404, "ObjectError.InstanceNotFound")
	}
	op.put("/account/2", object{"name": "Other"}).ok()
	op.get("/user/current").is(404, "ObjectError.InstanceNotFound")

	eve := op.sending("X-Circonus-Account-ID: other").post("/v2/user", object{"email": "eve@example.com", "role": "Normal", "password": "pass-word"}).ok()
	loner := op.post("/v2/user", object{"email": "loner@example.com"}).ok()
	if all := op.get("/v2/user?order=email").list(); len(all) != 2 || all[1]["_cid"] != loner["_cid"] {
		t.Errorf("users: %v", all)
	}
	on := op.sending("X-Circonus-Account-ID: other")
	for _, owner := range []any{eve["_cid"], "EVE@example.com", 1, "1"} {
		if made := on.post("/v2/token", object{"owner": owner, "privilege": "Normal"}).ok(); made["_owner"] != eve["_cid"] || made["_created_by"] != "operator:root" {
			t.Errorf("owner %v: %v", owner, made)
		}
	}
	on.post("/v2/token", object{"owner": eve["_cid"], "privilege": "Admin"}).is(403, "Forbidden.Privilege")
	for _, owner := range []any{nil, "nobody@example.com", 0, "/token/1"} {
		on.post("/v2/token", object{"owner": owner}).is(400, "InvalidValue")
	}
	on.post("/v2/token").is(400, "InvalidValue")
	on.post("/v2/token", object{"kind": "account", "privilege": "Admin"}).ok()

	if off := op.post("/v2" + eve["_cid"].(string) + "/disable").ok(); off["_disabled"] != true {
		t.Errorf("disabled: %v", off)
	}
	op.post("/v2" + eve["_cid"].(string) + "/enable").ok()
	op.post("/v2"+eve["_cid"].(string)+"/reset", object{"password": "new-password"}).ok()
	op.post("/v2"+eve["_cid"].(string)+"/reset", object{"password": ""}).is(400, "InvalidValue")
	op.post("/v2/user/99/disable").is(404, "ObjectError.InstanceNotFound")

	on.put("/account/current", object{"invites": []object{{"email": "dora@example.com", "role": "Normal"}}}).ok()
	link := on.post("/v2/invite/link", object{"email": "dora@example.com"}).ok()
	if !strings.HasPrefix(link["_link"].(string), "https://tokens.example.com/invite/") || link["role"] != "Normal" {
		t.Errorf("link: %v", link)
	}
	on.post("/v2/invite/link", object{"email": "eve@example.com"}).is(404, "ObjectError.InstanceNotFound")

	if got := op.get("/v2/operator/status").ok(); !jsonEqual(got["revision"], 7) || !jsonEqual(got["degraded"], []string{}) {
		t.Errorf("status: %v", got)
	}
	file := filepath.Join(t.TempDir(), "copy.db")
	op.post("/v2/operator/backup", object{"file": file}).ok()
	if saved != file {
		t.Errorf("saved to %q, want %q", saved, file)
	}
	check(t, os.WriteFile(file, nil, 0o600))
	op.post("/v2/operator/backup", object{"file": file}).is(409, "Conflict")
	op.post("/v2/operator/backup", object{"file": "copy.db"}).is(400, "InvalidValue")
	op.post("/v2/operator/backup", object{"file": "/nothing/there/copy.db"}).is(400, "InvalidValue")
	if all := op.get("/v2/operator/node?f_name=api-1").list(); len(all) != 1 || !jsonEqual(all[0]["revision"], 7) {
		t.Errorf("nodes: %v", all)
	}
	all := op.get("/v2/operator/comparison").list()
	if len(all) != 2 || all[0]["differs"] != false || all[0]["revision"] != nil || all[0]["why_not"] == nil {
		t.Errorf("compared: %v", all)
	}
	op.delete("/v2/operator/node/a").is(409, "Conflict")
	op.delete("/v2/operator/node/z").is(404, "ObjectError.InstanceNotFound")
	if r := op.delete("/v2/operator/node/b").is(409, "Conflict"); !strings.Contains(r.text, "may still decide") {
		t.Errorf("a node that was stopped just now: %s", r.text)
	}
	op.call("DELETE", "/v2/operator/node/a", object{"force": true}).is(409, "Conflict")
	op.call("DELETE", "/v2/operator/node/b", object{"force": "yes"}).is(400, "InvalidValue")
	if gone := op.call("DELETE", "/v2/operator/node/b", object{"force": true}).ok(); gone["name"] != "api-2" {
		t.Errorf("forgot %v", gone)
	}
	issued := op.post("/v2/operator/edge", object{"name": "far-1"}).ok()
	if secret, _ := issued["_secret"].(string); !authority.EdgeFormat().Holds(secret) || issued["_cid"] != "/edge/1" {
		t.Errorf("issued %v", issued)
	}
	op.post("/v2/operator/edge", object{"name": "a,b"}).is(400, "InvalidValue")
	if all := op.get("/v2/operator/edge").list(); len(all) != 1 || all[0]["name"] != "far-1" || all[0]["_secret"] != nil {
		t.Errorf("issued: %v", all)
	}
	if gone := op.delete("/v2/operator/edge/1").ok(); gone["_revoked_by"] != "operator:root" {
		t.Errorf("revoked %v", gone)
	}
	op.delete("/v2/operator/edge/1").is(409, "Conflict")
	op.delete("/v2/operator/edge/2").is(404, "ObjectError.InstanceNotFound")
	for _, entry := range op.get("/v2/audit?size=1000").list() {
		if entry["by"] != "operator:root" {
			t.Errorf("by %v: %v", entry["by"], entry["says"])
		}
	}
}

func TestOperatorsRoutesAreNotServedToTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.account()
	alice := w.person("alice", "Admin")
	for _, request := range []string{
		"GET /v2/operator/status", "POST /v2/operator/backup", "POST /v2/user/1/disable", "POST /v2/user/1/enable", "POST /v2/user/1/reset",
		"POST /v2/invite/link", "GET /v2/operator/node", "DELETE /v2/operator/node/a", "GET /v2/operator/edge",
		"GET /v2/operator/comparison",
		"POST /v2/operator/edge", "DELETE /v2/operator/edge/1",
	} {
		method, path, _ := strings.Cut(request, " ")
		alice.call(method, path, "{}").is(404, "NotFound")
	}
	alice.post("/v2/account", "{}").is(405, "MethodNotAllowed")
	alice.post("/v2/user", "{}").is(405, "MethodNotAllowed")
	alice.post("/v2/token", object{"owner": "/user/1"}).is(400, "InvalidValue")
}
