package credential_test

import (
	"net/http"
	"net/netip"
	"testing"

	"ostiary/internal/credential"
)

func trust(t testing.TB, s string) credential.Trusted {
	t.Helper()
	trusted, err := credential.ParseTrusted(s)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

func TestTrustedPeersAreAddressesAndPrefixes(t *testing.T) {
	trusted := trust(t, " loopback, 10.1.2.3/8,192.0.2.7 , 2001:db8::/32,::ffff:198.51.100.1")
	for peer, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "10.200.0.1:80": true, "192.0.2.7:80": true,
		"[2001:db8::5]:80": true, "[::ffff:10.0.0.1]:80": true,
		"198.51.100.1:80": true, "[2001:db8::5%eth0]:80": true,
		"192.0.2.8:80": false, "11.0.0.1:80": false,
		"[2001:db9::]:80": false, "@": false, "": false, "127.0.0.1": false,
	} {
		if _, got := trusted.Peer(peer); got != want {
			t.Errorf("%s: trusted %v, want %v", peer, got, want)
		}
	}
	for _, s := range []string{
		"localhost", "10.0.0.0/33", "10.0.0", "loopback,,", "::ffff:10.0.0.0/104", "0.0.0.0/-1", "*",
	} {
		if _, err := credential.ParseTrusted(s); err == nil {
			t.Errorf("%q: accepted", s)
		}
	}
	if _, got := trust(t, "").Peer("127.0.0.1:1"); got {
		t.Error("an empty list trusts somebody")
	}
}

func TestCallerIsTheRightmostAddressThatIsNotTrusted(t *testing.T) {
	trusted := trust(t, "loopback,10.0.0.0/8")
	for name, tt := range map[string]struct {
		peer  string
		lines []string
		want  string
	}{
		"nothing forwarded":   {"127.0.0.1:9", nil, "127.0.0.1"},
		"one address":         {"127.0.0.1:9", []string{"192.0.2.1"}, "192.0.2.1"},
		"spoofed on the left": {"127.0.0.1:9", []string{"198.51.100.66, 192.0.2.1"}, "192.0.2.1"},
		"spoofed as trusted":  {"127.0.0.1:9", []string{"127.0.0.1, 192.0.2.1"}, "192.0.2.1"},
		"through two proxies": {
			"127.0.0.1:9", []string{"198.51.100.66, 192.0.2.1, 10.0.0.7"}, "192.0.2.1",
		},
		"in two lines": {
			"127.0.0.1:9", []string{"198.51.100.66", "192.0.2.1,10.0.0.7"}, "192.0.2.1",
		},
		"a proxy in a line of its own": {"127.0.0.1:9", []string{"192.0.2.1", "10.0.0.7"}, "192.0.2.1"},
		"the last line counts":         {"127.0.0.1:9", []string{"198.51.100.66", "192.0.2.1"}, "192.0.2.1"},
		"trusted throughout":           {"127.0.0.1:9", []string{"10.0.0.8, 10.0.0.7"}, "10.0.0.8"},
		"an untrusted peer":            {"192.0.2.9:9", []string{"198.51.100.66"}, "192.0.2.9"},
		"unreadable":                   {"127.0.0.1:9", []string{"unknown"}, "127.0.0.1"},
		"unreadable behind a proxy":    {"127.0.0.1:9", []string{"192.0.2.1, unknown, 10.0.0.7"}, "10.0.0.7"},
		"an empty entry":               {"127.0.0.1:9", []string{"192.0.2.1,, 10.0.0.7"}, "10.0.0.7"},
		"an empty line":                {"127.0.0.1:9", []string{"192.0.2.1", ""}, "127.0.0.1"},
		"with a port":                  {"127.0.0.1:9", []string{"192.0.2.1:4711"}, "192.0.2.1"},
		"IPv6":                         {"[::1]:9", []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6 in brackets":             {"[::1]:9", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6 with a port":             {"[::1]:9", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		"half a bracket":               {"[::1]:9", []string{"[2001:db8::1"}, "::1"},
		"IPv4 in IPv6":                 {"[::ffff:127.0.0.1]:9", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		"trusted IPv4 in IPv6":         {"127.0.0.1:9", []string{"192.0.2.1, ::ffff:10.0.0.1"}, "192.0.2.1"},
		"octal":                        {"127.0.0.1:9", []string{"0127.0.0.1"}, "127.0.0.1"},
		"a name":                       {"127.0.0.1:9", []string{"localhost"}, "127.0.0.1"},
		"text after a trusted prefix":  {"127.0.0.1:9", []string{"192.0.2.1, 10.0.0.7x"}, "127.0.0.1"},
	} {
		got := trusted.Caller(tt.peer, http.Header{"X-Forwarded-For": tt.lines})
		if got.String() != tt.want {
			t.Errorf("%s: the caller is %s, want %s", name, got, tt.want)
		}
	}
	if got := trusted.Caller("@", http.Header{"X-Forwarded-For": {"192.0.2.1"}}); got.IsValid() {
		t.Errorf("a peer without an address: the caller is %s", got)
	}
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{
		"", "192.0.2.1", "127.0.0.1, 10.0.0.1", "[::1]:80,, x", "fe80::1%eth0", ",", "\x00", "::ffff:1.2.3.4:5",
	} {
		f.Add(s, "127.0.0.1:9")
		f.Add(s, "192.0.2.9:9")
	}
	trusted := trust(f, "loopback,10.0.0.0/8")
	f.Fuzz(func(t *testing.T, line, peer string) {
		addr, believed := trusted.Peer(peer)
		got := trusted.Caller(peer, http.Header{"X-Forwarded-For": {line}})
		if got.IsValid() != addr.IsValid() || !believed && got != addr {
			t.Fatalf("peer %q, forwarded %q: the caller is %s", peer, line, got)
		}
		// What a caller sends stands to the left of what the proxy adds, and changes nothing.
		real := netip.MustParseAddr("203.0.113.9")
		for _, lines := range [][]string{
			{line + ", 203.0.113.9"}, {line, "203.0.113.9"}, {line, "203.0.113.9, 10.0.0.1"},
		} {
			if got := trusted.Caller("127.0.0.1:9", http.Header{"X-Forwarded-For": lines}); got != real {
				t.Fatalf("forwarded %q: the caller is %s, want %s", lines, got, real)
			}
		}
	})
}
