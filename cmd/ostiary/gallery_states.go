package main

import (
	"path"
	"strings"
)

// A state is a page as somebody sees it in one situation.
type state struct {
	Name string `json:"name"` // of its picture
	As   string `json:"as"`   // who looks: a first name, or nobody
	// At is the page's address, with the names of records in braces.
	At string `json:"at"`
	// Do is what the person does there, as a test does it: "type FIELD: TEXT", "choose FIELD: OPTION",
	// "check NAME", "open NAME", "press NAME", "reload".
	Do []string `json:"do,omitempty"`
	// Sees is a text by which the state is known.
	Sees   string `json:"sees"`
	Status int    `json:"status,omitempty"` // other than 200
}

// states are every page in every state, in the order of the site.
func states() []state {
	var all []state
	for _, part := range [][]state{
		signInStates(), tokensStates(), tokenStates(), newTokenStates(), appStates(), teamStates(), logStates(),
		profileStates(), errorStates(),
	} {
		all = append(all, part...)
	}
	return all
}

const (
	social   = "?account={account social_networks}"
	acme     = "?account={account acme}"
	workshop = "?account={account workshop}"
	strange  = "?account={account strange_names}"
	estate   = "?account={account large_estate}"
	flooded  = "?account={account flooded}"
)

func signInStates() []state {
	wrong := []string{"type E-mail: alice@example.com", "type Password: not this one", "press Sign in"}
	var often []string
	for range 7 {
		often = append(often, "type E-mail: mallory@example.com", "type Password: guessed", "press Sign in")
	}
	return []state{
		{Name: "sign-in", As: "nobody", At: "/login", Sees: "Sign in"},
		{Name: "sign-in-wrong", As: "nobody", At: "/login", Do: wrong, Sees: "password", Status: 403},
		{Name: "sign-in-often", As: "nobody", At: "/login", Do: often, Sees: "again", Status: 429},
		{Name: "invitation", As: "nobody", At: "/invite/{link grace@example.com}", Sees: "Social Networks"},
		{Name: "invitation-accept", As: "Heidi", At: "/invite/{link heidi@example.com}", Sees: "Social Networks"},
		{Name: "invitation-other", As: "Bob", At: "/invite/{link heidi@example.com}", Sees: "heidi@example.com"},
		{Name: "invitation-used", As: "nobody", At: "/invite/{link erin@example.com}", Sees: "72 hours", Status: 404},
	}
}

func tokensStates() []state {
	return []state{
		{Name: "tokens-admin", As: "Alice", At: "/tokens" + social, Sees: "Members’ User Tokens"},
		{Name: "tokens-normal", As: "Bob", At: "/tokens" + social, Sees: "My User Tokens"},
		{Name: "tokens-read-only", As: "Carol", At: "/tokens" + social, Sees: "Weekly report"},
		{
			Name: "tokens-menu", As: "Alice", At: "/tokens" + social,
			Do: []string{"press Menu"}, Sees: "New Account Token",
		},
		{
			Name: "tokens-which", As: "Alice", At: "/tokens" + social,
			Do: []string{"press Which token is this?"}, Sees: "Paste a token",
		},
		{
			Name: "tokens-which-none", As: "Alice", At: "/tokens" + social,
			Do:   []string{"press Which token is this?", "type Paste a token: ostiary_nothing", "press Look it up"},
			Sees: "token",
		},
		{Name: "tokens-empty-admin", As: "Alice", At: "/tokens" + acme, Sees: "X-Circonus-App-Name"},
		{Name: "tokens-empty-normal", As: "Heidi", At: "/tokens" + acme, Sees: "X-Circonus-App-Name"},
		{
			Name: "tokens-filter", As: "Alice", At: "/tokens" + social,
			Do: []string{"type Filter tokens: grafana", "press Filter"}, Sees: "Dashboards",
		},
		{
			Name: "tokens-filter-none", As: "Alice", At: "/tokens" + social,
			Do: []string{"type Filter tokens: nothing like it", "press Filter"}, Sees: "No token matches",
		},
		{Name: "tokens-cap", As: "Alice", At: "/tokens" + flooded, Sees: "scan-0693"},
		{Name: "tokens-large", As: "Alice", At: "/tokens" + estate, Sees: "Service 0999"},
		{Name: "tokens-strange", As: "Sam", At: "/tokens" + strange, Sees: "DROP TABLE"},
		{
			Name: "tokens-app", As: "Alice", At: "/tokens" + social + "&app={app Infrastructure/Terraform v0.11.0}",
			Sees: "Terraform v0.11.0",
		},
	}
}

func tokenStates() []state {
	one := func(name, as, token, sees string) state {
		token, page, _ := strings.Cut(token, "/")
		return state{Name: name, As: as, At: path.Join("/tokens/{token "+token+"}", page) + social, Sees: sees}
	}
	return []state{
		one("token", "Alice", "Infrastructure", "Terraform v0.11.0"),
		one("token-limited", "Bob", "Dashboards", "limited to Normal"),
		one("token-read-only", "Carol", "Weekly report", "limited to Read-Only"),
		one("token-disabled", "Alice", "On-call pager", "can do nothing"),
		one("token-retired", "Alice", "Old scripts", "cron-report"),
		one("token-expired", "Alice", "Contractors", "expired"),
		one("token-networks", "Alice", "Nightly export", "10.20.0.0/16"),
		one("token-promoted", "Alice", "Brokers", "Frank"),
		one("token-with-a-token", "Alice", "Probe west", "Terraform"),
		one("token-many-apps", "Alice", "Fleet", "agent-36.example.com"),
		{Name: "token-flooded", As: "Alice", At: "/tokens/{token Public kiosk}" + flooded, Sees: "scan-0000"},
		one("retire", "Alice", "Infrastructure/retire", "Terraform v0.10.0"),
		one("retire-maker", "Alice", "Terraform/retire", "Probe west"),
		one("retire-own", "Bob", "Bob’s laptop/retire", "bob-scripts"),
		one("promote", "Alice", "Dashboards/promote", "grafana"),
		one("promote-ask", "Alice", "On-call pager/promote", "pager"),
		{
			Name: "retired", As: "Alice", At: "/tokens/{token Bench 1}/retire" + workshop,
			Do: []string{"press Retire it"}, Sees: "Revision",
		},
		{
			Name: "promoted", As: "Alice", At: "/tokens/{token Press}/promote" + workshop,
			Do: []string{"press Promote it"}, Sees: "Revision",
		},
	}
}

func newTokenStates() []state {
	form := "/tokens/new" + workshop
	fill := []string{"type Description: Workbench", "press Make the token"}
	return []state{
		{Name: "new-user-token", As: "Alice", At: form + "&kind=user", Sees: "New User Token"},
		{Name: "new-account-token", As: "Alice", At: form + "&kind=account", Sees: "New Account Token"},
		{
			Name: "new-token-like", As: "Alice", At: "/tokens/new" + social + "&like={token Infrastructure}",
			Sees: "Infrastructure",
		},
		{Name: "new-token-made", As: "Alice", At: form + "&kind=user", Do: fill, Sees: "curl"},
		{
			Name: "new-token-again", As: "Alice", At: form + "&kind=user", Do: append(fill[:2:2], "reload"),
			Sees: "already made",
		},
		{
			Name: "new-token-wrong", As: "Alice", At: form + "&kind=user",
			Do:   []string{"type Description: zero\u200bwidth", "press Make the token"},
			Sees: "do not show", Status: 400,
		},
	}
}

func appStates() []state {
	at := "/tokens/{token Infrastructure}/apps/{app Infrastructure/"
	return []state{
		{Name: "app-allowed", As: "Alice", At: at + "Terraform v0.10.0}" + social, Sees: "Terraform v0.10.0"},
		{Name: "app-waiting", As: "Alice", At: at + "Terraform v0.11.0}" + social, Sees: "Terraform v0.11.0"},
		{Name: "app-denied", As: "Alice", At: at + "old-cron}" + social, Sees: "old-cron"},
		{
			Name: "app-forget", As: "Alice", At: at + "Terraform v0.10.0}" + social + "&forget=1",
			Sees: "a first contact again",
		},
		{
			Name: "apps-decided", As: "Alice", At: "/tokens" + workshop,
			Do:   []string{"check Choose saw of Bench 2", "check Choose saw of Bench 3", "press Allow chosen"},
			Sees: "Revision",
		},
	}
}

func teamStates() []state {
	return []state{
		{Name: "team-admin", As: "Alice", At: "/team" + social, Sees: "grace@example.com"},
		{Name: "team-normal", As: "Bob", At: "/team" + social, Sees: "Alice"},
		{Name: "team-alone", As: "Alice", At: "/team" + acme, Sees: "Alice"},
		{
			Name: "team-invited", As: "Alice", At: "/team" + workshop,
			Do: []string{"type E-mail: ivan@example.com", "press Invite"}, Sees: "/invite/",
		},
		{
			Name: "team-invite-wrong", As: "Alice", At: "/team" + workshop,
			Do: []string{"type E-mail: ivan@localhost", "press Invite"}, Sees: "full domain", Status: 400,
		},
		{Name: "role", As: "Alice", At: "/team/{user Bob}/role" + social, Sees: "See what it does"},
		{Name: "role-lower", As: "Alice", At: "/team/{user Bob}/role" + social + "&role=Read-Only", Sees: "Dashboards"},
		{Name: "role-same", As: "Alice", At: "/team/{user Bob}/role" + social + "&role=Normal", Sees: "already"},
		{Name: "role-own", As: "Alice", At: "/team/{user Alice}/role" + social + "&role=Normal", Sees: "yourself"},
		{Name: "role-last-admin", As: "Alice", At: "/team/{user Alice}/role" + acme, Sees: "admin"},
		{Name: "remove", As: "Alice", At: "/team/{user Bob}/remove" + social, Sees: "Nightly export"},
		{Name: "remove-last-admin", As: "Alice", At: "/team/{user Alice}/remove" + acme, Sees: "admin"},
	}
}

func logStates() []state {
	why := "/why" + social + "&token={token Infrastructure}&app="
	return []state{
		{Name: "audit", As: "Alice", At: "/audit" + social, Sees: "Revision"},
		{Name: "audit-own", As: "Bob", At: "/audit" + social, Sees: "Dashboards"},
		{
			Name: "audit-filtered", As: "Alice", At: "/audit" + social + "&token={token Infrastructure}",
			Sees: "Infrastructure",
		},
		{Name: "audit-none", As: "Alice", At: "/audit" + social + "&to=2020-01-01", Sees: "Nothing"},
		{Name: "why-form", As: "Alice", At: "/why" + social, Sees: "Why"},
		{Name: "why-allowed", As: "Alice", At: why + "Terraform+v0.10.0", Sees: "is allowed"},
		{Name: "why-pending", As: "Alice", At: why + "Terraform+v0.11.0", Sees: "Pending"},
		{Name: "why-denied", As: "Alice", At: why + "old-cron", Sees: "is denied"},
		{
			Name: "why-low-role", As: "Carol", Sees: "Read Only",
			At: "/why" + social + "&token={token Weekly report}&app=spreadsheet&method=PUT&uri=/v2/metric",
		},
	}
}

func profileStates() []state {
	return []state{
		{Name: "profile", As: "Alice", At: "/profile" + social, Sees: "Large Estate"},
		{Name: "profile-alone", As: "Frank", At: "/profile", Sees: "frank@example.com"},
		{
			Name: "profile-wrong", As: "Carol", At: "/profile",
			Do: []string{
				"type Current password: not this one", "type New password: correct horse", "press Change password",
			},
			Sees: "password", Status: 403,
		},
	}
}

func errorStates() []state {
	return []state{
		{Name: "error-no-page", As: "Alice", At: "/tokens/none/none/none", Sees: "nothing here", Status: 404},
		{
			Name: "error-hidden", As: "Bob", At: "/tokens/{token Infrastructure}" + social,
			Sees: "nothing here", Status: 404,
		},
		{Name: "error-may-not", As: "Bob", At: "/team/{user Carol}/remove" + social, Sees: "may not", Status: 403},
		{
			Name: "error-conflict", As: "Alice", At: "/tokens/{token Old scripts}/retire" + social,
			Sees: "retired", Status: 409,
		},
	}
}
