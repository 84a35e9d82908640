package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	types "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"ostiary/client"
)

// A door answers Envoy. It holds no rule: what the door of the authority says is what Envoy is told.
type door struct {
	auth.UnimplementedAuthorizationServer
	client *client.Client
	log    *slog.Logger
}

// Check answers one question. It never gives an error: Envoy would answer that with 403 unless it is
// told otherwise, and our own trouble is 503.
func (d *door) Check(ctx context.Context, r *auth.CheckRequest) (res *auth.CheckResponse, _ error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			res = denied(d.client.Unavailable(nil))
			d.log.Error("a question panicked", "type", fmt.Sprintf("%T", trouble), "stack", string(debug.Stack()))
		}
	}()
	q, err := question(r)
	if err != nil {
		return d.refuse(d.client.Unavailable(err)), nil
	}
	a := d.client.Check(ctx, q)
	if !a.OK() {
		return d.refuse(a), nil
	}
	return d.let(q.Header, a), nil
}

// refuse writes our own trouble down.
func (d *door) refuse(a client.Answer) *auth.CheckResponse {
	if a.Err != nil {
		d.log.Warn("the door could not be asked, and the request was refused",
			"tag", a.Tag, "error", a.Err.Error())
	}
	return denied(a)
}

// let sets the identity on the request, and takes off what may not go on. What is set is not taken
// off as well: Envoy takes off last.
func (d *door) let(caller http.Header, a client.Answer) *auth.CheckResponse {
	remove := map[string]bool{}
	for _, name := range d.client.Headers() {
		remove[strings.ToLower(name)] = true
	}
	for name := range caller {
		if d.client.Removes(name) && a.Header[name] == nil {
			remove[strings.ToLower(name)] = true
		}
	}
	return &auth.CheckResponse{
		Status: &rpc.Status{Code: int32(codes.OK)},
		HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
			Headers:         options(a.Header),
			HeadersToRemove: slices.Sorted(maps.Keys(remove)),
		}},
	}
}

// denied hands a refusal on as the door said it.
func denied(a client.Answer) *auth.CheckResponse {
	return &auth.CheckResponse{
		Status: &rpc.Status{Code: int32(code(a.Status)), Message: text(a.Code)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status:  &types.HttpStatus{Code: types.StatusCode(a.Status)},
			Headers: options(a.Header),
			Body:    text(string(a.Body)),
		}},
	}
}

// code is a refusal in the words of gRPC. Envoy looks only whether it is OK.
func code(status int) codes.Code {
	switch status {
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	}
	return codes.Unavailable
}

// options are headers that overwrite what is there.
func options(h http.Header) []*core.HeaderValueOption {
	var list []*core.HeaderValueOption
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			list = append(list, &core.HeaderValueOption{
				Header:       &core.HeaderValue{Key: strings.ToLower(name), Value: text(value)},
				AppendAction: core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
			})
		}
	}
	return list
}

// text is what gRPC can carry: UTF-8.
func text(s string) string { return strings.ToValidUTF8(s, "?") }
