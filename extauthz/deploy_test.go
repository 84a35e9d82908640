package main

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	extauthz "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	manager "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	yaml "go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// Envoy is not here to be run. Its messages are: a key that they do not know, or a value that they do
// not take, is an error.
func TestExamplesForEnvoyAreEnvoysConfiguration(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"../deploy/envoy/envoy.yaml", "../deploy/envoy/envoy-grpc.yaml"} {
		filter := filterOf(t, file)
		if err := filter.ValidateAll(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if filter.GetFailureModeAllow() || filter.GetStatusOnError().GetCode() != 503 {
			t.Errorf("%s: what cannot be asked about is answered %v", file, filter.GetStatusOnError())
		}
		timeout := filter.GetGrpcService().GetTimeout()
		if s := filter.GetHttpService(); s != nil {
			timeout = s.GetServerUri().GetTimeout()
		}
		if timeout.AsDuration() < time.Second {
			t.Errorf("%s: Envoy waits %v", file, timeout.AsDuration())
		}
	}
}

// filterOf reads a configuration, and gives its ext_authz filter.
func filterOf(t *testing.T, file string) *extauthz.ExtAuthz {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read any
	if err := yaml.Unmarshal(text, &read); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if text, err = json.Marshal(read); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var config bootstrap.Bootstrap
	if err := protojson.Unmarshal(text, &config); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := config.ValidateAll(); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	filter := config.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0]
	var m manager.HttpConnectionManager
	if err := filter.GetTypedConfig().UnmarshalTo(&m); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := m.ValidateAll(); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	for _, f := range m.GetHttpFilters() {
		var found extauthz.ExtAuthz
		if f.GetTypedConfig().UnmarshalTo(&found) == nil {
			return &found
		}
	}
	t.Fatalf("%s has no ext_authz filter", file)
	return nil
}
