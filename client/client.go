// Package client asks the door of an authority about requests, for Go programs: [Client.Check]
// about one request, [Client.Protect] about every request to a handler.
//
// It asks over HTTP, as a gateway does, and holds no rule: what the door answers is what the caller
// gets. Where the door cannot be asked, the answer is 503, and nothing is let through.
package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Options say where the door is, and how it is asked.
type Options struct {
	// URL of the door: "http://127.0.0.1:8700/auth", or "unix:/run/ostiary/auth.sock" for /auth over
	// that socket. The door must trust this program's address (its setting --trusted-peers).
	URL string

	// Timeout bounds every question, the way there and back included. Zero is one second: the first
	// request under a new name is put on record before it is answered.
	Timeout time.Duration

	// Connections bounds how many questions are asked at once; further ones wait, and their time
	// runs. Zero is 64.
	Connections int

	// Headers carry the credential. They are passed on to the door, and Protect removes them from a
	// request that is let through, in every spelling. Nil are those that the door reads out of the
	// box. One that is left out is neither asked about nor removed.
	Headers []string

	// TLS is how an https URL is spoken to; nil believes in the system's certificates.
	TLS *tls.Config

	// Transport asks the door in another way than over HTTP; URL is not needed then. Package follow has
	// one that decides in this process.
	Transport http.RoundTripper

	// Log is told by Protect why a request could not be asked about; nil is slog.Default().
	Log *slog.Logger
}

// defaultHeaders are those that the door reads out of the box.
func defaultHeaders() []string {
	return []string{
		"X-Circonus-Auth-Token", "X-Circonus-App-Name", "X-Auth-Token", "X-App-Name",
		"Authorization", "X-Circonus-Account-Id",
	}
}

// A Client asks one door. It may be used by many goroutines at once.
type Client struct {
	door      *url.URL
	timeout   time.Duration
	headers   []string // canonical: those of the credential
	transport http.RoundTripper
	server    string // the host's name, for the answers that are made here
	log       *slog.Logger
}

// New makes a client. It does not look whether the door answers.
func New(o Options) (*Client, error) {
	dialer := &net.Dialer{Timeout: cmp.Or(o.Timeout, time.Second)}
	dial := dialer.DialContext
	if o.Transport != nil {
		o.URL = "http://localhost/auth"
	}
	door, err := url.Parse(o.URL)
	if err != nil {
		return nil, errors.New("the door's URL cannot be read")
	}
	if socket, ok := strings.CutPrefix(o.URL, "unix:"); ok {
		if socket == "" {
			return nil, errors.New("the door's URL names no socket: unix:/run/ostiary/auth.sock")
		}
		door = &url.URL{Scheme: "http", Host: "localhost", Path: "/auth"}
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	if door.Scheme != "http" && door.Scheme != "https" || door.Host == "" || door.Path != "/auth" {
		return nil, errors.New("the door's URL is not like http://127.0.0.1:8700/auth or " +
			"unix:/run/ostiary/auth.sock")
	}
	if door.User != nil {
		return nil, errors.New("the door's URL holds a user, and the door has none")
	}
	if o.Timeout < 0 || o.Connections < 0 {
		return nil, errors.New("the timeout and the number of connections cannot be negative")
	}
	headers, err := headerNames(o.Headers)
	if err != nil {
		return nil, err
	}
	c := &Client{
		door: door, timeout: cmp.Or(o.Timeout, time.Second), headers: headers,
		transport: o.Transport, log: cmp.Or(o.Log, slog.Default()),
	}
	if c.transport == nil {
		network := transport(cmp.Or(o.Connections, 64), o.TLS)
		network.DialContext = dial
		c.transport = network
	}
	c.server, _ = os.Hostname() // without one, answers do not name the server
	return c, nil
}

// transport speaks HTTP/1.1 with the door, over connections that are kept, and with nobody between.
func transport(connections int, set *tls.Config) *http.Transport {
	t := &http.Transport{
		TLSClientConfig:        set,
		MaxConnsPerHost:        connections,
		MaxIdleConnsPerHost:    connections,
		IdleConnTimeout:        time.Minute, // shorter than the door's, so that the client closes first
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxBody,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// headerNames checks the headers of the credential. A door reads names with _ or . as somebody else's.
func headerNames(names []string) ([]string, error) {
	if names == nil {
		names = defaultHeaders()
	}
	var canonical []string
	for _, given := range names {
		name := http.CanonicalHeaderKey(given)
		if given == "" || spelt(given) != given || ours(given) || framing(name) {
			return nil, fmt.Errorf("header %q cannot carry a part of a credential", given)
		}
		canonical = append(canonical, name)
	}
	return canonical, nil
}

// framing are headers that say how a request is read, or what the door is asked about.
func framing(name string) bool {
	switch name {
	case "Connection", "Content-Length", "Content-Type", "Cookie", "Host", "Keep-Alive", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "User-Agent", "X-Forwarded-For", "X-Forwarded-Method", "X-Forwarded-Uri",
		"X-Original-Method", "X-Original-Uri":
		return true
	}
	return false
}

// Close gives up the connections that are not in use.
func (c *Client) Close() {
	if network, ok := c.transport.(*http.Transport); ok {
		network.CloseIdleConnections()
	}
}

// Headers are those of the credential.
func (c *Client) Headers() []string { return slices.Clone(c.headers) }

// A Request is what the door is asked about.
type Request struct {
	Method string
	URI    string      // the path and the query as they were sent, "/checks?size=5"
	Header http.Header // as they were sent, with canonical names
	From   netip.Addr  // who sent it to this program; not valid where that is not known
}

// Check asks the door about a request. It gives no error: where the door cannot be asked the answer
// is a refusal with 503, and its Err says why.
func (c *Client) Check(ctx context.Context, r Request) Answer {
	if r.Method == "" || r.URI == "" {
		return c.Unavailable(errors.New("the request has no method or no URI to ask about"))
	}
	ctx, stop := context.WithTimeout(ctx, c.timeout)
	defer stop()
	ask := (&http.Request{
		Method: http.MethodGet, URL: c.door, Host: c.door.Host, Header: c.question(&r),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	res, err := c.transport.RoundTrip(ask)
	if err != nil {
		return c.Unavailable(unasked(err))
	}
	defer res.Body.Close()
	a, err := read(res)
	if err != nil {
		return c.Unavailable(err)
	}
	return a
}

// question are the headers of what the door is sent: the credential as it came, also where it came
// twice, and what is asked about.
func (c *Client) question(r *Request) http.Header {
	h := make(http.Header, len(c.headers)+5)
	for _, name := range c.headers {
		if values := r.Header[name]; len(values) > 0 {
			h[name] = values
		}
	}
	if values := r.Header["X-Ostiary-Min-Revision"]; len(values) > 0 {
		h["X-Ostiary-Min-Revision"] = values
	}
	h["User-Agent"] = []string{r.Header.Get("User-Agent")} // empty: none is sent
	h["X-Original-Method"] = []string{r.Method}
	h["X-Original-Uri"] = []string{r.URI}
	// The peer comes last, so that the door finds the rightmost address that it does not trust. One
	// that is not known is ::, which is on no list of networks but the one of all.
	from := netip.IPv6Unspecified()
	if r.From.IsValid() {
		from = r.From.Unmap().WithZone("")
	}
	h["X-Forwarded-For"] = append(slices.Clip(r.Header["X-Forwarded-For"]), from.String())
	return h
}

// unasked says why no answer came, in words that hold nothing of what was sent: some errors of HTTP
// repeat what they read.
func unasked(err error) error {
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("nobody waits for the answer any more: %w", context.Canceled)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the door did not answer in time: %w", context.DeadlineExceeded)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the door ended the connection before its answer was whole")
	case errors.As(err, &network):
		return fmt.Errorf("the door cannot be reached: %w", network)
	case errors.As(err, &certificate):
		return fmt.Errorf("the door's certificate is not believed: %w", certificate)
	}
	if strings.HasPrefix(err.Error(), "net/http: invalid header field") {
		return errors.New("the request has a header, a method or a URI that HTTP cannot carry")
	}
	return errors.New("what answers is not the door: it speaks HTTP badly")
}
