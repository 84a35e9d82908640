package interop_test

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const npmClient = "circonusapi2@0.1.7"

// A nodeClient is the real client from npm.
type nodeClient struct {
	t       *testing.T
	modules string
	env     []string
}

// said is what the client hands to its callback.
type said struct {
	Code  int
	Error string
	Body  json.RawMessage
}

func newNodeClient(t *testing.T, s *server, secret, app string) *nodeClient {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, "%s is missing", tool)
		}
	}
	dir := t.TempDir()
	install := exec.Command("npm", "install", "--no-package-lock", "--no-save", "--ignore-scripts",
		"--no-audit", "--no-fund", "--prefix", dir, npmClient)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		missing(t, "npm cannot install %s: %v\n%s", npmClient, err, out)
	}
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &nodeClient{t: t, modules: dir + "/node_modules", env: []string{
		"TOKEN=" + secret, "APP=" + app, "HOST=" + at.Hostname(), "PORT=" + at.Port(),
	}}
}

func (c *nodeClient) call(args ...string) (out said) {
	c.t.Helper()
	cmd := exec.Command("node", append([]string{"testdata/call.js"}, args...)...)
	cmd.Env = append(append(os.Environ(), "NODE_PATH="+c.modules), c.env...)
	var problems strings.Builder
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		c.t.Fatalf("node %v: %v\n%s%s", args, err, text, problems.String())
	}
	return out
}

func (c *nodeClient) wants(got said, code int, text string) {
	c.t.Helper()
	if got.Code != code || !strings.Contains(got.Error+string(got.Body), text) {
		c.t.Errorf("got %d %q %s\nwant %d with %q", got.Code, got.Error, got.Body, code, text)
	}
}

func TestNpmClientIsRefusedUntilItsApplicationIsApproved(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := newNodeClient(t, s, s.secret("bob@example.com"), "npm-client")
	c.wants(c.call("get", "/user/current"), 401, "invalid api application")
	c.wants(c.call("get", "/user/current"), 401, s.URL+"/tokens")
	s.decide("allow", "npm-client")
	c.wants(c.call("get", "/user/current"), 200, `"email":"bob@example.com"`)
	c.wants(c.call("put", "/account/current", `{"description":"no"}`), 403, "Forbidden.Privilege")
	s.decide("deny", "npm-client")
	c.wants(c.call("get", "/user/current"), 403, "App 'npm-client' not allowed")
}

func TestNpmClientReadsAndUpdatesAccountAndUser(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := newNodeClient(t, s, s.secret("alice@example.com"), "npm-client")
	c.wants(c.call("get", "account/current"), 200, `"_cid":"/account/1"`)
	c.wants(c.call("put", "account/current", `{"description":"read by a client"}`), 200, "read by a client")
	c.wants(c.call("put", "/user/current", `{"lastname":"Liddell"}`), 200, `"lastname":"Liddell"`)
	c.wants(c.call("get", "/user", `{"f_lastname":"Liddell"}`), 200, "alice@example.com")

	made := c.call("post", "/token", `{"description":"made by a real client"}`)
	c.wants(made, 200, `"_secret":"ostiary_`)
	var token struct {
		CID string `json:"_cid"`
	}
	if err := json.Unmarshal(made.Body, &token); err != nil {
		t.Fatal(err)
	}
	c.wants(c.call("delete", token.CID), 200, `"_retired_on":`)
	c.wants(c.call("get", "/token/999"), 404, "")
	c.wants(c.call("get", "/nothing"), 404, "")
}
