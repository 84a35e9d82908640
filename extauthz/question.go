package main

import (
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"ostiary/client"
)

// question finds out what Envoy asks about. What is said twice and not the same is an error: a door
// does not guess. Where method or path is missing, the client does not ask.
func question(r *auth.CheckRequest) (client.Request, error) {
	asked := r.GetAttributes().GetRequest().GetHttp()
	q := client.Request{Method: asked.GetMethod(), URI: asked.GetPath()}
	var err error
	if q.Header, err = headers(asked); err != nil {
		return q, err
	}
	if said := q.Header[":method"]; len(said) > 0 && !slices.Equal(said, []string{q.Method}) {
		return q, errors.New("the header :method says something else than the method that is asked about")
	}
	if said := q.Header[":path"]; len(said) > 0 && !slices.Equal(said, []string{q.URI}) {
		return q, errors.New("the header :path says something else than the path that is asked about")
	}
	// One that is no address, of a unix socket for instance, is one that is not known.
	peer := r.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress()
	q.From, _ = netip.ParseAddr(peer)
	return q, nil
}

// headers reads the form in which Envoy sent them: a map that holds each name once, with its values
// joined by commas; or, with encode_raw_headers, a list of bytes. Where both are there, they must say
// the same.
func headers(asked *auth.AttributeContext_HttpRequest) (http.Header, error) {
	joined, listed := asked.GetHeaders(), asked.GetHeaderMap().GetHeaders()
	fromMap := http.Header{}
	for _, name := range slices.Sorted(maps.Keys(joined)) { // two spellings of a name are the name twice
		add(fromMap, name, joined[name])
	}
	if len(listed) == 0 {
		return fromMap, nil
	}
	fromList := http.Header{}
	for _, h := range listed {
		value, err := valueOf(h)
		if err != nil {
			return nil, err
		}
		add(fromList, h.GetKey(), value)
	}
	same := func(a, b []string) bool { return strings.Join(a, ",") == strings.Join(b, ",") }
	if len(joined) > 0 && !maps.EqualFunc(fromMap, fromList, same) {
		return nil, errors.New("the headers came in two forms that say something different")
	}
	return fromList, nil
}

func add(h http.Header, name, value string) {
	name = http.CanonicalHeaderKey(name)
	h[name] = append(h[name], value)
}

func valueOf(h *core.HeaderValue) (string, error) {
	text, raw := h.GetValue(), string(h.GetRawValue())
	if text == "" {
		return raw, nil
	}
	if raw != "" && raw != text {
		return "", errors.New("a header came in two forms that say something different")
	}
	return text, nil
}
