package client_test

import (
	"net/http"
	"testing"

	"ostiary/client"
	"ostiary/ostiarytest"
)

func BenchmarkCheck(b *testing.B) {
	s := ostiarytest.Start(b)
	c, err := client.New(client.Options{URL: s.AuthURL})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	r := &http.Request{Header: http.Header{}}
	s.Alice.Token.Show(r, "x")
	for b.Loop() {
		if a := c.Check(b.Context(), client.Request{Method: "GET", URI: "/", Header: r.Header}); !a.OK() {
			b.Fatal(a.Status, a.Err)
		}
	}
}
