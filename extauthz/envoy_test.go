package main

import (
	"context"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"
)

// A form is one of the two in which Envoy sends headers.
type form func(h *auth.AttributeContext_HttpRequest, headers []string)

// joined is Envoy's form out of the box: names in small letters, values of one name joined by commas.
func joined(h *auth.AttributeContext_HttpRequest, headers []string) {
	h.Headers = map[string]string{
		":method": h.Method, ":path": h.Path, ":authority": "api.example.com", ":scheme": "http",
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		name = strings.ToLower(name)
		if before, ok := h.Headers[name]; ok {
			value = before + "," + value
		}
		h.Headers[name] = value
	}
}

// listed is Envoy's form with encode_raw_headers: bytes, and every line of its own.
func listed(h *auth.AttributeContext_HttpRequest, headers []string) {
	h.HeaderMap = &core.HeaderMap{}
	for _, line := range append([]string{":method: " + h.Method, ":path: " + h.Path}, headers...) {
		name, value, _ := strings.Cut(line, ": ")
		h.HeaderMap.Headers = append(h.HeaderMap.Headers, &core.HeaderValue{Key: name, RawValue: []byte(value)})
	}
}

// asking is the question that Envoy sends about a request.
func asking(f form, method, path string, headers ...string) *auth.CheckRequest {
	h := &auth.AttributeContext_HttpRequest{
		Id: "1", Method: method, Path: path, Host: "api.example.com", Scheme: "http", Protocol: "HTTP/1.1",
	}
	f(h, headers)
	return &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source: &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{
			SocketAddress: &core.SocketAddress{
				Address:       "192.0.2.7",
				PortSpecifier: &core.SocketAddress_PortValue{PortValue: 40000},
			},
		}}},
		Request: &auth.AttributeContext_Request{Http: h},
	}}
}

// lines are headers by their names in small letters, as Envoy has them.
type lines map[string][]string

// A seen is what Envoy does with an answer: a reply to the caller, or the headers that the API gets.
type seen struct {
	status int // 200: let through
	header lines
	body   string
}

// sent asks, and does what Envoy does with the answer: set, then take off.
func sent(t *testing.T, c auth.AuthorizationClient, r *auth.CheckRequest, headers ...string) seen {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	res, err := c.Check(ctx, r)
	if err != nil {
		t.Fatalf("Envoy gets an error of gRPC, and would answer 403: %v", err)
	}
	if err := res.ValidateAll(); err != nil {
		t.Errorf("the answer is not valid: %v", err)
	}
	if denied := res.GetDeniedResponse(); denied != nil {
		if res.GetStatus().GetCode() == int32(codes.OK) {
			t.Error("a refusal has the code OK, by which Envoy lets it through")
		}
		s := seen{int(denied.GetStatus().GetCode()), lines{}, denied.GetBody()}
		set(t, s.header, denied.GetHeaders())
		return s
	}
	if res.GetStatus().GetCode() != int32(codes.OK) || res.GetOkResponse() == nil {
		t.Fatalf("neither let through nor refused: %v", res)
	}
	s := seen{200, lines{}, ""}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		s.header[strings.ToLower(name)] = append(s.header[strings.ToLower(name)], value)
	}
	set(t, s.header, res.GetOkResponse().GetHeaders())
	for _, name := range res.GetOkResponse().GetHeadersToRemove() {
		delete(s.header, name)
	}
	return s
}

func set(t *testing.T, h lines, options []*core.HeaderValueOption) {
	t.Helper()
	for _, o := range options {
		name := o.GetHeader().GetKey()
		if o.GetAppendAction() != core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD ||
			name != strings.ToLower(name) {
			t.Errorf("%s does not overwrite what is there", name)
		}
		h[name] = []string{o.GetHeader().GetValue()}
	}
}
