package ostiary

// Caps bound what strangers can put on record, and what one user can hold (contract 2.2).
type Caps struct {
	WaitingPerToken  int
	AppsPerToken     int
	AppsPerAccount   int
	NewAppsPerSecond int // an account
	TokensPerUser    int // live ones
}

// DefaultCaps are those of the contract.
func DefaultCaps() Caps {
	return Caps{
		WaitingPerToken: 100, AppsPerToken: 1000, AppsPerAccount: 10_000, NewAppsPerSecond: 10, TokensPerUser: 1000,
	}
}

// A Cap says which bound leaves no room for a new record.
type Cap uint8

const (
	NoCap Cap = iota
	TokenCap
	AccountCap
)

// Met says which cap, if one, leaves no room for another application in this state.
func (c Caps) Met(n AppCounts, state AppState) Cap {
	switch {
	case n.AccountApps >= c.AppsPerAccount:
		return AccountCap
	case n.Apps >= c.AppsPerToken, state == Waiting && n.Waiting >= c.WaitingPerToken:
		return TokenCap
	}
	return NoCap
}

// Noted says whether the log has an entry that this cap was met.
func (n AppCounts) Noted(c Cap) bool {
	return c == TokenCap && n.TokenCapMet || c == AccountCap && n.AccountCapMet
}
