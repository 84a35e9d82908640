package interop_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const pagesName = "tokens.example.com"

// A browser is at the pages, through TLS.
type browser struct {
	*testing.T
	client http.Client
	base   string
}

// withPages starts a server behind nginx, as deploy/nginx/page.conf says, and opens a browser.
func withPages(t *testing.T) (b *browser, s *server, plain string) {
	t.Helper()
	secure, plain := freeAddress(t), freeAddress(t)
	_, port, err := net.SplitHostPort(secure)
	if err != nil {
		t.Fatal(err)
	}
	b = &browser{T: t, base: "https://" + pagesName + ":" + port}
	s = start(t, "--public-url", b.base)
	dir := t.TempDir()
	roots := writeCertificate(t, dir)
	nginx("nginx/page.conf").run(t, dir,
		"listen 443 ", "listen "+secure+" ", "listen 80;", "listen "+plain+";", "127.0.0.1:8700", s.door())
	waitFor(t, secure)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.client = http.Client{Jar: jar}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.client.Transport = &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: pagesName},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", secure)
		},
	}
	t.Cleanup(b.client.CloseIdleConnections)
	return b, s, plain
}

// writeCertificate writes page.crt and page.key, and gives who believes them.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{pagesName}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, text := range map[string][]byte{"page.crt": certText, "page.key": keyText} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certText)
	return pool
}

func (b *browser) get(path string) *http.Response { return b.send(http.MethodGet, path, nil) }

func (b *browser) post(path string, fields ...string) *http.Response {
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send(http.MethodPost, path, form)
}

func (b *browser) send(method, path string, form url.Values) *http.Response {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.base)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { res.Body.Close() })
	return res
}

func TestPagesWorkBehindNginx(t *testing.T) {
	t.Parallel()
	b, s, plain := withPages(t)
	if res := b.get("/"); res.StatusCode != 303 || res.Header.Get("Location") != "/login" || res.ProtoMajor != 2 {
		t.Fatalf("at /: %s %d to %s", res.Proto, res.StatusCode, res.Header.Get("Location"))
	}
	res := b.post("/login", "email", "bob@example.com", "password", s.Users[1].Password)
	if res.StatusCode != 303 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Fatalf("signing in: %d %v", res.StatusCode, res.Header)
	}
	for _, c := range res.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("cookie %s", c)
		}
	}
	page := body(t, b.get("/tokens"))
	_, revision, _ := strings.Cut(page, `data-revision="`)
	revision, _, _ = strings.Cut(revision, `"`)
	if !strings.Contains(page, "API Tokens") || revision == "" {
		t.Fatalf("the page of the tokens:\n%s", page)
	}

	live := b.get("/live?after=" + revision)
	lines := bufio.NewScanner(live.Body)
	began := time.Now()
	refused := send(t, "GET", s.URL+"/v2/user/current", s.secret("bob@example.com"), "grafana-sync")
	if refused.StatusCode != 401 {
		t.Fatalf("a new application: %d, want 401", refused.StatusCode)
	}
	for lines.Scan() && lines.Text() != "event: news" {
	}
	if took := time.Since(began); lines.Err() != nil || took > time.Second {
		t.Errorf("news came after %s (%v), want within a second", took, lines.Err())
	}

	approval := refused.Header.Get("X-Circonus-Token-Approval-Url")
	path, ours := strings.CutPrefix(approval, b.base)
	if page := body(t, b.get(path)); !ours || !strings.Contains(page, "1 application waits") {
		t.Errorf("the refusal leads to %s:\n%s", approval, page)
	}
	_, value, _ := strings.Cut(body(t, b.get("/tokens")), `value="allowed.`)
	value, _, _ = strings.Cut(value, `"`)
	if res := b.post("/apps", "one", "allowed."+value); res.StatusCode != 303 {
		t.Errorf("to allow it: %d\n%s", res.StatusCode, body(t, res))
	}
	let := send(t, "GET", s.URL+"/v2/user/current", s.secret("bob@example.com"), "grafana-sync")
	if let.StatusCode != 200 {
		t.Errorf("after Allow: %d, want 200", let.StatusCode)
	}

	refusesStrangers(t, b, plain)
}

func refusesStrangers(t *testing.T, b *browser, plain string) {
	t.Helper()
	for _, c := range []struct {
		base, path, host string
		want             int
	}{
		{b.base, "/tokens", "rebound.example", 421},
		{b.base, "/tokens", "127.0.0.1:8700", 421}, // a caller from the net who says that it is on the machine
		{b.base, "/auth", "", 404},
		{b.base, "/auth/envoy", "", 404},
		{"http://" + plain, "/tokens?a=b", pagesName, 308},
	} {
		req, err := http.NewRequest(http.MethodGet, c.base+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		req.Header.Set("X-Forwarded-For", "203.0.113.9")
		client := b.client
		if c.want == 308 {
			client.Transport = nil
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s as %q: %d, want %d", c.path, c.host, res.StatusCode, c.want)
		}
		if to := res.Header.Get("Location"); c.want == 308 && to != "https://"+pagesName+"/tokens?a=b" {
			t.Errorf("plain http leads to %s", to)
		}
	}
}
