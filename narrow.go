package ostiary

import "net/netip"

// While it is not known whether a change was made, what it takes away counts as taken away, and
// what it gives counts as not given. Narrow is a record with that much of another one.

// Narrow disables the user if either says so.
func (f UserFact) Narrow(by UserFact) UserFact {
	f.Disabled = f.Disabled || by.Disabled
	return f
}

// Narrow is the member with the lower of both roles.
func (f MemberFact) Narrow(by MemberFact) MemberFact {
	f.Role = min(f.Role, by.Role)
	return f
}

// Narrow is the token with the lower privilege, the tighter default, the earlier end and only the
// networks that both allow, retired if either is.
func (f TokenFact) Narrow(by TokenFact) TokenFact {
	f.Retired = f.Retired || by.Retired
	f.Privilege = min(f.Privilege, by.Privilege)
	f.Default = min(f.Default, by.Default)
	if f.ExpiresOn == 0 || by.ExpiresOn != 0 && by.ExpiresOn < f.ExpiresOn {
		f.ExpiresOn = by.ExpiresOn
	}
	f.Networks = onBoth(f.Networks, by.Networks)
	return f
}

// Narrow is the application denied if either is, and allowed only if both are. A record that is
// forgotten counts as waiting.
func (f AppFact) Narrow(by AppFact) AppFact {
	if by.Gone {
		by.State = Waiting
	}
	switch {
	case f.State == Denied:
	case by.State == Denied:
		f.ID, f.State = by.ID, Denied
	case by.State == Waiting:
		f.State = Waiting
	}
	return f
}

// Narrow is the edge revoked if either is.
func (f EdgeFact) Narrow(by EdgeFact) EdgeFact {
	f.Revoked = f.Revoked || by.Revoked
	return f
}

// Least is the same record, giving nothing: a log that was believed does not have it. The fact is of a user, a member,
// a token, an application or an edge.
func (f Fact) Least() Fact {
	switch {
	case f.User != nil:
		return Fact{User: &UserFact{ID: f.User.ID, Disabled: true}}
	case f.Member != nil:
		return Fact{Member: &MemberFact{Account: f.Member.Account, User: f.Member.User}}
	case f.Token != nil:
		t := *f.Token
		t.Retired = true
		return Fact{Token: &t}
	case f.App != nil:
		a := *f.App
		a.Gone = true
		return Fact{App: &a}
	default:
		e := *f.Edge
		e.Revoked = true
		return Fact{Edge: &e}
	}
}

// onBoth are the networks that stand on both lists. An empty list holds every address, so two
// lists without a common address give one that holds none.
func onBoth(a, b []netip.Prefix) []netip.Prefix {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	var both []netip.Prefix
	for _, p := range a {
		for _, q := range b {
			if p.Overlaps(q) {
				both = append(both, longer(p, q))
			}
		}
	}
	if both == nil {
		return []netip.Prefix{{}} // not valid: it contains no address
	}
	return both
}

// longer is the smaller of two networks that overlap: the one lies within the other.
func longer(p, q netip.Prefix) netip.Prefix {
	if p.Bits() > q.Bits() {
		return p
	}
	return q
}
