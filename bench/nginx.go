package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"ostiary/internal/store/storetest"
)

// setNginx adds what nginx can do: know the tokens itself, pass requests on, and ask a door first.
func (f *field) setNginx(door, onSocket, api *server) error {
	known, err := f.nginx("map", fmt.Sprintf(`
		map_hash_max_size 262144;
		map_hash_bucket_size 128;
		map $http_x_circonus_auth_token $known {
			default 0;
			include %s/tokens.map;
		}
		server {
			listen LISTEN;
			if ($known = 0) { return 401; }
			location / { return 204; }
		}`, f.folder))
	if err != nil {
		return err
	}
	f.add(&contestant{name: mapName, url: known.url + "/", of: []*server{known}})

	pass, err := f.nginx("pass", upstream("api", api.url)+`
		server {
			listen LISTEN;
			location / {`+passing+`}
		}`)
	if err != nil {
		return err
	}
	f.add(&contestant{name: passName, url: pass.url + behind, of: []*server{pass}})
	for _, d := range []struct {
		name string
		door *server
		url  string
	}{
		{"nginx asking /auth", door, door.url},
		{askingName, door, door.fast},
		{socketName, onSocket, onSocket.fast},
	} {
		asking, err := f.nginx(fmt.Sprint("asking-", len(f.all)), upstream("api", api.url)+upstream("door", d.url)+asks)
		if err != nil {
			return err
		}
		f.add(&contestant{name: d.name, url: asking.url + behind, ours: true, of: []*server{asking, d.door}})
	}
	return nil
}

func upstream(name, url string) string {
	at := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/auth")
	return fmt.Sprintf("\nupstream %s { server %s; keepalive 64; }\n", name, at)
}

const passing = `
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	proxy_pass http://api;
`

// asks is the shortest correct way to ask a door.
const asks = `
server {
	listen LISTEN;
	location / {
		auth_request /ostiary;
		auth_request_set $ostiary_user $upstream_http_x_ostiary_user;
		auth_request_set $ostiary_role $upstream_http_x_ostiary_role;
		proxy_set_header X-Ostiary-User $ostiary_user;
		proxy_set_header X-Ostiary-Role $ostiary_role;` + passing + `
	}
	location = /ostiary {
		internal;
		proxy_pass http://door/auth;
		proxy_pass_request_body off;
		proxy_pass_request_headers off;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		proxy_set_header Content-Length "";
		proxy_set_header X-Circonus-Auth-Token $http_x_circonus_auth_token;
		proxy_set_header X-Circonus-App-Name $http_x_circonus_app_name;
		proxy_set_header X-Original-Method $request_method;
		proxy_set_header X-Original-URI $request_uri;
		proxy_set_header X-Forwarded-For $remote_addr;
	}
}`

// nginx runs one process of it that serves what a part of a configuration says.
func (f *field) nginx(name, http string) (*server, error) {
	path, err := findProxy("nginx")
	if err != nil {
		return nil, err
	}
	if err := f.writeMap(); err != nil {
		return nil, err
	}
	dir := filepath.Join(f.folder, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	text := `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
` + strings.ReplaceAll(http, "LISTEN", listen) + "\n}\n"
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return f.started(start(exec.Command(path, "-p", dir, "-c", file), func(io.Reader) (string, error) {
		return "http://" + listen, answersSoon(listen)
	}))
}

func (f *field) writeMap() error {
	file := filepath.Join(f.folder, "tokens.map")
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	var b strings.Builder
	for i := range tokens {
		fmt.Fprintf(&b, "%s 1;\n", storetest.Secret(i).Reveal())
	}
	return os.WriteFile(file, []byte(b.String()), 0o600)
}

// findProxy finds a proxy that is installed, or that scripts/install-test-needs has unpacked.
func findProxy(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	path := filepath.Join(os.Getenv("OSTIARY_TEST_PROXIES"), name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is missing; scripts/install-test-needs gets it", name)
	}
	return path, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func answersSoon(address string) error {
	for range 100 {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("nothing answers at " + address)
}
