package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/valyala/fasthttp"

	"ostiary/internal/store/storetest"
)

// tokens is how many tokens the doors know. The load shows every tenth of them, at random.
const tokens = 100_000

// doors measures the CPU time of a request through each door, and of what others offer, under the
// same load of wrk, in turns.
func doors(folder string) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is not installed")
	}
	f := &field{folder: folder}
	defer f.end()
	if err := f.set(); err != nil {
		return err
	}
	if err := f.run(); err != nil {
		return err
	}
	return f.report()
}

// A field is everything that is compared, and the servers that it needs.
type field struct {
	folder  string
	program string
	servers []*server
	all     []*contestant
}

// A contestant answers the load. What it costs is the CPU time of its own servers.
type contestant struct {
	name  string
	url   string
	asks  bool // it is asked about a request, as proxies ask a door
	ours  bool // Ostiary has a part in it
	of    []*server
	costs []float64 // microseconds of CPU a request, one a round
}

func (f *field) add(c *contestant) { f.all = append(f.all, c) }

func (f *field) end() {
	for _, s := range f.servers {
		s.end()
	}
}

// started keeps a server, to end it at the end.
func (f *field) started(s *server, err error) (*server, error) {
	if err == nil {
		f.servers = append(f.servers, s)
	}
	return s, err
}

func (f *field) set() (err error) {
	data := filepath.Join(f.folder, "data")
	if err := filled(data, tokens); err != nil {
		return err
	}
	if f.program, err = program(f.folder); err != nil {
		return err
	}
	plain, err := f.bare("net/http")
	if err != nil {
		return err
	}
	lean, err := f.bare("fasthttp")
	if err != nil {
		return err
	}
	floor, err := f.bare("no HTTP")
	if err != nil {
		return err
	}
	f.add(&contestant{name: floorName, url: floor.url + "/", asks: true, of: []*server{floor}})
	f.add(&contestant{name: bareName, url: plain.url + "/", asks: true, of: []*server{plain}})
	f.add(&contestant{name: "bare net/http, 200 with 8 headers", url: plain.url + "/headers", asks: true, of: []*server{plain}})
	f.add(&contestant{name: "bare fasthttp, 200 with 8 headers", url: lean.url + "/headers", asks: true, of: []*server{lean}})

	door, err := f.started(startServe(f.program, f.copied(data), "--auth-listen", "127.0.0.1:0"))
	if err != nil {
		return err
	}
	f.add(&contestant{name: authName, url: door.url + "/auth", asks: true, ours: true, of: []*server{door}})
	f.add(&contestant{name: fastName, url: door.fast, asks: true, ours: true, of: []*server{door}})
	onSocket, err := f.started(startServe(f.program, f.copied(data), "--auth-listen", "unix:"+filepath.Join(f.folder, "auth.sock")))
	if err != nil {
		return err
	}
	if err := f.setNginx(door, onSocket, lean); err != nil {
		return err
	}
	return f.setProxies(data, lean)
}

// behind is the path that is asked for where an API is behind.
const behind = "/v2/account/current"

// setProxies adds the proxies that stand in front of an API by themselves.
func (f *field) setProxies(data string, api *server) error {
	ours, err := f.started(startServe(f.program, f.copied(data), "--proxy-listen", "127.0.0.1:0", "--upstream", api.url))
	if err != nil {
		return err
	}
	f.add(&contestant{name: proxyName, url: ours.proxy + behind, ours: true, of: []*server{ours}})
	path, err := findProxy("caddy")
	if err != nil {
		return err
	}
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	file := filepath.Join(f.folder, "Caddyfile")
	text := fmt.Sprintf("{\n\tadmin off\n\tauto_https off\n}\nhttp://%s {\n\treverse_proxy %s\n}\n", listen, api.url)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(path, "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+f.folder, "XDG_CONFIG_HOME="+f.folder, "XDG_DATA_HOME="+f.folder)
	caddy, err := f.started(start(cmd, func(io.Reader) (string, error) { return "http://" + listen, answersSoon(listen) }))
	if err != nil {
		return err
	}
	f.add(&contestant{name: caddyName, url: caddy.url + behind, of: []*server{caddy}})
	return nil
}

// copied is a copy of a data folder, since two servers cannot share one.
func (f *field) copied(data string) string {
	to := filepath.Join(f.folder, fmt.Sprint("data-", len(f.servers)))
	if err := os.CopyFS(to, os.DirFS(data)); err != nil {
		panic(err) // the folder is ours, and was just made
	}
	return to
}

// bare answers 204 with as little as a library can do, and at /headers 200 with as many headers as
// the door sends, which are the same every time and cost nothing to make.
func (f *field) bare(library string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return f.started(start(exec.Command(self, "bare", library), firstLine))
}

func eight() map[string][]string {
	all := map[string][]string{}
	for _, name := range []string{
		"Cache-Control", "X-Ostiary-Account", "X-Ostiary-Account-Id", "X-Ostiary-User", "X-Ostiary-Role",
		"X-Ostiary-Token-Id", "X-Ostiary-App", "X-Ostiary-Revision",
	} {
		all[name] = []string{"user12345@example.com"}
	}
	return all
}

func bare(library string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	headers := eight()
	if library == "no HTTP" {
		return readAndWrite(l, headers)
	}
	if library == "fasthttp" {
		return (&fasthttp.Server{NoDefaultServerHeader: true, NoDefaultContentType: true, Handler: func(ctx *fasthttp.RequestCtx) {
			if string(ctx.Request.Header.RequestURI()) != "/headers" {
				ctx.SetStatusCode(http.StatusNoContent)
				return
			}
			for name, values := range headers {
				ctx.Response.Header.Add(name, values[0])
			}
		}}).Serve(l)
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/headers" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		maps.Copy(w.Header(), headers)
		w.WriteHeader(http.StatusOK)
	}))
}

// readAndWrite answers whatever comes with the same bytes: the least that a goroutine a connection costs.
func readAndWrite(l net.Listener, headers map[string][]string) error {
	answer := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
	for name, values := range headers {
		answer += name + ": " + values[0] + "\r\n"
	}
	answer += "\r\n"
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			for room := make([]byte, 4<<10); ; {
				if _, err := c.Read(room); err != nil {
					return
				}
				if _, err := c.Write([]byte(answer)); err != nil {
					return
				}
			}
		}()
	}
}

// run lets everybody answer in turns. The first round is for warming up.
func (f *field) run() error {
	asking, plain := filepath.Join(f.folder, "asking.lua"), filepath.Join(f.folder, "plain.lua")
	for file, text := range map[string]string{asking: loadScript(true), plain: loadScript(false)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
	}
	for round := range rounds + 1 {
		for _, c := range f.all {
			script := plain
			if c.asks {
				script = asking
			}
			cost, err := c.under(script)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if round > 0 {
				c.costs = append(c.costs, cost)
			}
		}
	}
	return nil
}

// loadScript makes wrk show a token at random, with the question of a proxy if it asks.
func loadScript(asks bool) string {
	var b strings.Builder
	b.WriteString("local tokens = {\n")
	for i := range tokens / 10 {
		fmt.Fprintf(&b, "%q,\n", storetest.Secret(10*i).Reveal())
	}
	fmt.Fprintf(&b, "}\nlocal headers = {}\nheaders[\"X-Circonus-App-Name\"] = %q\n", storetest.Apps()[0])
	if asks {
		b.WriteString("headers[\"X-Original-Method\"] = \"GET\"\nheaders[\"X-Original-URI\"] = \"/v2/account/current\"\n")
	}
	b.WriteString(`request = function()
  headers["X-Circonus-Auth-Token"] = tokens[math.random(#tokens)]
  return wrk.format("GET", nil, headers)
end
`)
	return b.String()
}
