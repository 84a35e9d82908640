package store

import (
	"net"
	"testing"
	"time"
)

// When all connections are opened anew, one is under way while the next begins.
func TestConnectionsThatAreOpenedAtOnceLeadToOneServer(t *testing.T) {
	h := &hosts{tried: map[string]time.Time{}, dialer: new(net.Dialer)}
	const alone, second = "192.0.2.1:5432", "192.0.2.2:5432"
	h.prefer(second)
	for range 3 {
		if h.try(alone) {
			t.Error("the server that was left alone is tried while the other one is being asked")
		}
		if !h.try(second) {
			t.Error("the server on which words last is not tried")
		}
	}
	h.tried[second] = time.Now().Add(-underWay)
	if !h.try(second) || !h.try(alone) {
		t.Error("where the good server does not answer, another one is not tried")
	}
}

func TestAnAddressThatTakesNoConnectionIsLeftAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	h := &hosts{tried: map[string]time.Time{}, dialer: new(net.Dialer)}
	h.prefer(gone)
	if _, err := h.dial(t.Context(), "tcp", gone); err == nil {
		t.Fatal("this test needs a port on which nobody listens")
	}
	if !h.try("192.0.2.1:5432") {
		t.Error("another one is not tried")
	}
}
