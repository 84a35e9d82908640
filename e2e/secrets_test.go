package e2e

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoSecretIsWrittenAnywhere runs the whole story, keeps everything that was written and
// answered, and looks for any twelve characters of the random part of any token or password.
func TestNoSecretIsWrittenAnywhere(t *testing.T) {
	data := initialised(t)
	first, err := os.ReadFile(filepath.Join(data, "first-password"))
	if err != nil {
		t.Fatal(err)
	}
	// The file is there to be read once; what follows must not repeat it.
	if err := os.Remove(filepath.Join(data, "first-password")); err != nil {
		t.Fatal(err)
	}
	const password = "correct-horse-battery-staple"
	hidden := map[string]string{"the first password": strings.TrimSpace(string(first)), "bob's password": password}
	var seen strings.Builder

	n := serve(t, data, "--access-log")
	defer n.kill()
	user := map[string]any{"email": "bob@example.com", "firstname": "Bob", "role": "Normal", "password": password}
	if status := n.operate("POST", "/v2/user", user, nil); status != http.StatusOK {
		t.Fatalf("making Bob answers %d", status)
	}
	made := func(name string, body map[string]any) (cid, secret string) {
		t.Helper()
		var token struct {
			CID    string `json:"_cid"`
			Secret string `json:"_secret"`
		}
		if status := n.operate("POST", "/v2/token", body, &token); status != http.StatusOK {
			t.Fatalf("making %s answers %d", name, status)
		}
		digits := strings.TrimPrefix(token.Secret, "ostiary_")
		hidden[name] = digits[:len(digits)-6]
		return token.CID, token.Secret
	}
	admin, adminSecret := made("the account's token", map[string]any{"kind": "account", "privilege": "Admin", "default_app_state": "Allow"})
	bobs, bobSecret := made("Bob's token", map[string]any{"kind": "user", "owner": "bob@example.com", "privilege": "Normal"})
	keep := func(w *http.Response) {
		text, _ := io.ReadAll(w.Body)
		head, _ := json.Marshal(w.Header)
		seen.Write(head)
		seen.Write(text)
	}

	// Good and bad requests, through every carrier and door, with the token where it does not belong.
	for _, secret := range []string{adminSecret, bobSecret, bobSecret + "x", bobSecret[:len(bobSecret)-1], "x" + bobSecret} {
		for _, app := range []string{"story", bobSecret, "", "a,b"} {
			keep(n.ask(secret, app, "GET", "/x?token="+secret))
			keep(n.ask(secret, app, "BAD METHOD", secret))
			for _, path := range []string{"/v2/token", "/account/current", "/v2/" + secret, "/v2/token?f_description=" + secret, "/v2/token/" + secret} {
				keep(n.native("GET", path, secret, app, ""))
				keep(n.native("PUT", path, secret, app, `{"`+secret+`":"`+secret+`"}`))
			}
		}
		r, _ := http.NewRequest("GET", n.url+"/v2/user/current", nil)
		r.SetBasicAuth(secret, secret)
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("User-Agent", secret)
		r.Header.Set("Idempotency-Key", secret)
		if w, err := http.DefaultClient.Do(r); err == nil {
			keep(w)
			w.Body.Close()
		}
	}
	keep(n.native("POST", "/v2/token/which", adminSecret, "story", `{"secret":"`+bobSecret+`"}`))
	keep(n.native("GET", "/v2/audit?size=1000", adminSecret, "story", ""))
	keep(n.native("GET", "/v2/app", adminSecret, "story", ""))
	keep(n.native("DELETE", "/v2"+bobs, adminSecret, "story", ""))
	keep(n.ask(bobSecret, "story", "GET", "/"))
	keep(n.native("DELETE", "/v2"+admin, adminSecret, "story", ""))
	run(t, "", "backup", "--data", data, filepath.Join(data, "copy.db"))
	for _, args := range [][]string{
		{"token", "list", "--data", data}, {"app", "list", "--data", data}, {"audit", "list", "--data", data, "--json"},
	} {
		out, errs := run(t, "", args...)
		seen.WriteString(out + errs)
	}
	n.metrics(&seen)
	n.stop()
	seen.WriteString(n.log())

	search(t, "an answer, a log line, a metric or a command's output", seen.String(), hidden)
	files := 0
	err = filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		search(t, d.Name(), string(text), hidden)
		files++
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files searched; %v", files, err)
	}
	if seen.Len() < 20_000 {
		t.Errorf("only %d bytes were answered and logged: not the whole story", seen.Len())
	}
}

func search(t *testing.T, where, text string, hidden map[string]string) {
	t.Helper()
	for name, secret := range hidden {
		for i := 0; i+12 <= len(secret); i++ {
			if at := strings.Index(text, secret[i:i+12]); at >= 0 {
				t.Errorf("%s shows a piece of %s: …%q…", where, name, text[max(0, at-80):min(len(text), at+40)])
				break
			}
		}
	}
}

// native calls the public API with a token.
func (n *node) native(method, path, secret, app, body string) *http.Response {
	n.t.Helper()
	r, err := http.NewRequest(method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("X-Circonus-Auth-Token", secret)
	r.Header.Set("X-Circonus-App-Name", app)
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	text, _ := io.ReadAll(w.Body)
	w.Body.Close()
	w.Body = io.NopCloser(strings.NewReader(string(text)))
	return w
}

// metrics reads the metrics of the address that the log names.
func (n *node) metrics(into *strings.Builder) {
	n.t.Helper()
	for line := range strings.Lines(n.log()) {
		var l struct {
			Admin string `json:"admin_url"`
		}
		if json.Unmarshal([]byte(line), &l) != nil || l.Admin == "" {
			continue
		}
		w, err := http.Get(l.Admin + "/metrics")
		if err != nil {
			n.t.Fatal(err)
		}
		text, _ := io.ReadAll(w.Body)
		w.Body.Close()
		into.Write(text)
		return
	}
	n.t.Error("the log does not name the metrics' address")
}
