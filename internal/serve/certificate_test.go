package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a certificate for 127.0.0.1 with this serial number.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: text}), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(serial) * time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", private)
}

func TestTLSIsSpokenWithTheFilesOfTheSettings(t *testing.T) {
	t.Parallel()
	certFile, keyFile := writeCertificate(t, t.TempDir(), 1)
	r := start(t, func(o *Options) { o.TLSCert, o.TLSKey = certFile, keyFile })
	text, err := os.ReadFile(certFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	res, err := c.Get(r.listeners.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if !strings.HasPrefix(r.listeners.URL(), "https://") || res.StatusCode != 200 {
		t.Errorf("%s: %d", r.listeners.URL(), res.StatusCode)
	}
}

// A door at an address of its own speaks TLS with the same certificate, and HTTP/2 to who can.
func TestProxySpeaksTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	cert, key := writeCertificate(t, t.TempDir(), 1)
	l, err := Listen(Addresses{Main: "127.0.0.1:0", Proxy: "127.0.0.1:0", Data: shortDir(t), TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto)
	})}
	nobody := http.NotFoundHandler()
	s, err := New(l, Options{
		Gate: nobody, API: nobody, Operator: nobody, Proxy: proxy, State: func() State { return State{} },
		Metrics: NewMetrics("test"), TLSCert: cert, TLSKey: key, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	for proto, want := range map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: proto}
		res, err := (&http.Client{Transport: transport}).Get(l.ProxyURL() + "/x")
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(res.Body)
		res.Body.Close()
		transport.CloseIdleConnections()
		if string(got) != want || !strings.HasPrefix(l.ProxyURL(), "https://") {
			t.Errorf("%s is answered in %s, want %s", l.ProxyURL(), got, want)
		}
	}
}

func TestRenewedCertificateIsUsedAndABrokenOneIsNot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir, 1)
	c, err := loadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	want := func(serial int64) {
		t.Helper()
		c.looked = time.Time{} // as if it had not looked for long
		pair, err := c.get(nil)
		if err != nil || pair.Leaf.SerialNumber.Int64() != serial {
			t.Fatalf("serial %v, %v; want %d", pair.Leaf.SerialNumber, err, serial)
		}
	}
	want(1)
	writeCertificate(t, dir, 2)
	want(2)
	if err := os.WriteFile(certFile, []byte("half a"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(2)
	writeCertificate(t, dir, 3)
	want(3)
	if err := os.Remove(certFile); err != nil {
		t.Fatal(err)
	}
	want(3)
}

func TestMissingCertificateSaysWhichFile(t *testing.T) {
	t.Parallel()
	l, err := Listen(Addresses{Main: "127.0.0.1:0", Data: shortDir(t), TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(l, Options{TLSCert: "/no/such/cert.pem", TLSKey: "/no/such/key.pem", Metrics: NewMetrics("test"), Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "/no/such/cert.pem") {
		t.Errorf("got %v", err)
	}
}
