package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ostiary"
)

// lease is how long the nodes decide without hearing from the database.
const lease = "60s"

// A node is one server of Ostiary.
type node struct {
	name, data, url string
	door, api       *http.Client
}

// startNodes makes the records, and starts nodes on them. They are told where the database is as a person
// would tell them: in a file that only their user can read.
func (c *cluster) startNodes(ctx context.Context) (nodes [3]*node, err error) {
	database, err := c.write("database", c.url("ostiary", c.database, "ostiary")+"\n")
	if err != nil {
		return nodes, err
	}
	for i := range nodes {
		n := &node{name: "node-" + strconv.Itoa(i+1)}
		if n.data, err = c.makeDir(n.name); err != nil {
			return nodes, err
		}
		if i == 0 {
			_, err := c.yard.run(c.folder, c.program, "init", "--data", n.data, "--database-file", database,
				"--account", "acme", "--email", "alice@example.com")
			if err != nil {
				return nodes, err
			}
		}
		listen := "127.0.0.1:" + strconv.Itoa(c.port+nodePort+i)
		d, err := c.yard.start(c.folder, filepath.Join(c.folder, n.name+".log"), nil, c.program, "serve",
			"--data", n.data, "--database-file", database, "--node-name", n.name, "--lease", lease,
			"--listen", listen, "--admin-listen", "", "--max-tokens-per-user", "100000", "--max-apps-per-account", "1000000")
		if err != nil {
			return nodes, err
		}
		n.url = "http://" + listen
		n.door = &http.Client{Timeout: askWithin, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		n.api = &http.Client{Timeout: changeWithin, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		nodes[i] = n
		if err := n.wait(ctx, d); err != nil {
			return nodes, err
		}
	}
	return nodes, nil
}

// wait waits until the node decides.
func (n *node) wait(ctx context.Context, d *daemon) error {
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if status, _ := n.ready(ctx, ""); status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.ended:
			return fmt.Errorf("%s ended; %s says why", n.name, d.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not decide; %s says why", n.name, d.log)
}

// ready asks /readyz. Status 0: no answer came.
func (n *node) ready(ctx context.Context, what string) (status int, behind time.Duration) {
	r, err := http.NewRequestWithContext(ctx, "GET", n.url+"/readyz?for="+what, nil)
	if err != nil {
		return 0, 0
	}
	w, err := n.door.Do(r)
	if err != nil {
		return 0, 0
	}
	defer w.Body.Close()
	var said struct {
		Behind int64 `json:"behind_seconds"`
	}
	if json.NewDecoder(w.Body).Decode(&said) != nil {
		return 0, 0
	}
	return w.StatusCode, time.Duration(said.Behind) * time.Second
}

// ask shows a token to the node's door, as a proxy would. Status 0: no answer came.
func (n *node) ask(secret, app string) (status int, revision uint64) {
	r, err := http.NewRequest("GET", n.url+"/auth", nil)
	if err != nil {
		return 0, 0
	}
	r.Header.Set("X-Circonus-Auth-Token", secret)
	r.Header.Set("X-Circonus-App-Name", app)
	r.Header.Set("X-Original-Method", "GET")
	r.Header.Set("X-Original-URI", "/v1/checks")
	w, err := n.door.Do(r)
	if err != nil {
		return 0, 0
	}
	defer w.Body.Close()
	if _, err := io.Copy(io.Discard, w.Body); err != nil {
		return 0, 0
	}
	revision, _ = strconv.ParseUint(w.Header.Get("X-Ostiary-Revision"), 10, 64)
	return w.StatusCode, revision
}

// An object is what the API answers to a change, as far as the load looks at it.
type object struct {
	CID      string `json:"_cid"`
	Secret   string `json:"_secret"`
	Name     string
	State    string
	Repeated bool `json:"-"`
	Receipt  *struct {
		Revision    uint64
		Confirmed   []string
		Unconfirmed []struct{ Node string }
	} `json:"_receipt"`
}

// id is the number at the end of "/token/12".
func (o object) id() ostiary.ID {
	n, _ := strconv.ParseUint(o.CID[strings.LastIndex(o.CID, "/")+1:], 10, 64)
	return ostiary.ID(n)
}

// change calls the API with a token. Status 0: no answer came.
func (n *node) change(secret, key, method, path string, body any) (status int, o object, text string) {
	var sent bytes.Buffer
	if body != nil {
		json.NewEncoder(&sent).Encode(body)
	}
	r, err := http.NewRequest(method, n.url+path, &sent)
	if err != nil {
		return 0, o, err.Error()
	}
	r.Header.Set("X-Circonus-Auth-Token", secret)
	r.Header.Set("X-Circonus-App-Name", "writer")
	r.Header.Set("Idempotency-Key", key)
	w, err := n.api.Do(r)
	if err != nil {
		return 0, o, err.Error()
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(w.Body)
	if err != nil {
		return 0, o, err.Error()
	}
	if w.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, &o); err != nil {
			return 0, o, err.Error()
		}
	}
	o.Repeated = w.Header.Get("X-Ostiary-Repeated") == "true"
	return w.StatusCode, o, string(answer)
}

// firstToken has the operator make the token that the load works with.
func (c *cluster) firstToken(n *node) (string, error) {
	out, err := c.yard.run(c.folder, c.program, "token", "new", "--data", n.data, "--owner", "alice@example.com",
		"--privilege", "Admin", "--default-app-state", "Allow")
	return strings.TrimSpace(out), err
}
