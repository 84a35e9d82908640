package credential

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Trusted are the addresses of the proxies whose word is believed: on the request that a door is
// asked about, and on where it comes from.
type Trusted []netip.Prefix

// ParseTrusted reads addresses and prefixes between commas: "loopback, 10.0.0.0/8, 2001:db8::1".
// An empty text trusts nobody.
func ParseTrusted(s string) (Trusted, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var t Trusted
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		if part == "loopback" {
			t = append(t, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
			continue
		}
		prefix, err := parsePrefix(part)
		if err != nil {
			return nil, fmt.Errorf("%q is no address, no prefix such as 10.0.0.0/8, and not the word loopback", part)
		}
		t = append(t, prefix)
	}
	return t, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		addr = addr.Unmap().WithZone("")
		return addr.Prefix(addr.BitLen())
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q: write the IPv4 prefix", s)
	}
	return prefix.Masked(), nil
}

// Peer is who sent the request to us, and whether that is one of the trusted. An address that is
// not one of the network, of a unix socket for instance, is not valid and not trusted.
func (t Trusted) Peer(remoteAddr string) (addr netip.Addr, trusted bool) {
	host, err := netip.ParseAddrPort(remoteAddr)
	if err != nil {
		return netip.Addr{}, false
	}
	return t.Believes(host.Addr())
}

// Believes is Peer for who has the address already.
func (t Trusted) Believes(peer netip.Addr) (addr netip.Addr, trusted bool) {
	addr = peer.Unmap().WithZone("")
	return addr, t.contains(addr)
}

// Caller is where the request comes from: the rightmost address in X-Forwarded-For that is not a
// trusted peer; the peer itself where it is not trusted. An entry that cannot be read ends the
// search at the last address that was sure.
func (t Trusted) Caller(remoteAddr string, h http.Header) netip.Addr {
	peer, trusted := t.Peer(remoteAddr)
	return t.Behind(peer, trusted, h)
}

// Behind is Caller for who has looked at the peer already.
func (t Trusted) Behind(peer netip.Addr, trusted bool, h http.Header) netip.Addr {
	sure := peer
	lines := h["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		rest, more := lines[i], true
		for more && trusted {
			entry := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, entry = rest[:comma], rest[comma+1:]
			} else {
				more = false
			}
			addr, ok := parseEntry(strings.Trim(entry, " \t"))
			if !ok {
				return sure
			}
			sure, trusted = addr, t.contains(addr)
		}
	}
	return sure
}

// parseEntry reads an address with or without a port.
func parseEntry(s string) (netip.Addr, bool) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if addr, err := netip.ParseAddr(bare); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	host, err := netip.ParseAddrPort(s)
	return host.Addr().Unmap().WithZone(""), err == nil
}

func (t Trusted) contains(addr netip.Addr) bool {
	for _, p := range t {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
