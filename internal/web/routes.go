package web

// A route is one address and what answers there.
type route struct {
	pattern  string
	do       handler
	open     bool // to everybody, signed in or not
	anywhere bool // also to a person who is on no account
	lands    bool // open, and yet a page to go on to after signing in
	file     bool // a file beside the pages: at every address, without a look at who asks
}

// routes are all of them.
func routes() []route {
	return []route{
		{pattern: "GET /{$}", do: home},
		{pattern: "GET /static/{name}", do: staticFile, file: true},

		{pattern: "GET /login", do: loginPage, open: true},
		{pattern: "POST /login", do: signIn, open: true},
		{pattern: "POST /logout", do: signOut, open: true},
		{pattern: "GET /invite/{link}", do: invitePage, open: true, lands: true},
		{pattern: "POST /invite/{link}", do: acceptInvite, open: true},

		{pattern: "GET /tokens", do: tokensPage},
		{pattern: "POST /tokens", do: findTokens},
		{pattern: "GET /tokens/new", do: newTokenPage},
		{pattern: "POST /tokens/new", do: makeToken},
		{pattern: "POST /which", do: whichToken},
		{pattern: "GET /tokens/{token}", do: tokenPage},
		{pattern: "POST /tokens/{token}", do: setToken},
		{pattern: "GET /tokens/{token}/retire", do: retirePage},
		{pattern: "POST /tokens/{token}/retire", do: retireToken},
		{pattern: "GET /tokens/{token}/promote", do: promotePage},
		{pattern: "POST /tokens/{token}/promote", do: promoteToken},
		{pattern: "POST /tokens/{token}/apps", do: decideName},
		{pattern: "GET /tokens/{token}/apps/{app}", do: appPage},
		{pattern: "POST /tokens/{token}/apps/{app}", do: decideApp},
		{pattern: "POST /apps", do: decideApps},
		{pattern: "GET /live", do: live, open: true},

		{pattern: "GET /team", do: teamPage},
		{pattern: "POST /team/account", do: setAccount},
		{pattern: "POST /team/invite", do: invite},
		{pattern: "POST /team/invitations/{invitation}/link", do: newLink},
		{pattern: "POST /team/invitations/{invitation}/withdraw", do: withdraw},
		{pattern: "GET /team/{user}/role", do: rolePage},
		{pattern: "POST /team/{user}/role", do: setRole},
		{pattern: "GET /team/{user}/remove", do: removePage},
		{pattern: "POST /team/{user}/remove", do: removeMember},

		{pattern: "GET /audit", do: auditPage},
		{pattern: "POST /audit", do: findEntries},
		{pattern: "GET /audit.csv", do: auditCSV},
		{pattern: "GET /audit.jsonl", do: auditLines},
		{pattern: "GET /why", do: whyPage},
		{pattern: "POST /why", do: askWhy},

		{pattern: "GET /profile", do: profilePage, anywhere: true},
		{pattern: "POST /profile/name", do: setName, anywhere: true},
		{pattern: "POST /profile/email", do: setEmail, anywhere: true},
		{pattern: "POST /profile/password", do: setPassword, anywhere: true},
		{pattern: "POST /profile/sessions", do: endSessions, anywhere: true},
	}
}

func home(v *visit) (reply, error) { return to(v.link("/tokens")), nil }
