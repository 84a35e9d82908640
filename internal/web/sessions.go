package web

import (
	"strings"

	"ostiary"
)

// A sessionRow is a browser at which the person is signed in.
type sessionRow struct {
	ostiary.Session
	Words string // "Firefox on Linux"
	This  bool   // the one that asks
}

// endSessions signs out elsewhere: of one browser, or of all others.
func endSessions(v *visit) (reply, error) {
	ctx, end := v.r.Context(), v.field("end")
	if end == "others" {
		if err := v.login.EndOthers(ctx, v.session); err != nil {
			return nil, err
		}
		return v.toProfile("You are signed out everywhere else.", 0), nil
	}
	id, err := ostiary.ParseID(end)
	if err != nil {
		return nil, ostiary.ErrNotFound
	}
	if err := v.login.EndOne(ctx, v.session, id); err != nil {
		return nil, err
	}
	if id == v.session.ID {
		v.setCookie(sessionCookie, "", 0)
		return to("/login"), nil
	}
	return v.toProfile("That browser is signed out.", 0), nil
}

// A known is what stands in the name of a browser or a system, and what people call it. The first that
// is found counts: most say that they are several.
type known struct{ mark, name string }

var knownBrowsers = []known{
	{"Edg/", "Edge"},
	{"EdgA/", "Edge"},
	{"OPR/", "Opera"},
	{"Vivaldi/", "Vivaldi"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Firefox/", "Firefox"},
	{"FxiOS/", "Firefox"},
	{"CriOS/", "Chrome"},
	{"Chromium/", "Chromium"},
	{"HeadlessChrome/", "Chrome"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
	{"curl/", "curl"},
}

var knownSystems = []known{
	{"Android", "Android"},
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Windows", "Windows"},
	{"Mac OS X", "macOS"},
	{"CrOS", "ChromeOS"},
	{"Linux", "Linux"},
	{"BSD", "BSD"},
}

// agentWords is what people call a browser: "Firefox on Linux".
func agentWords(agent string) string {
	browser, system := found(knownBrowsers, agent), found(knownSystems, agent)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser != "":
		return browser
	case system != "":
		return "A browser on " + system
	case agent != "":
		return agent
	}
	return "An unknown browser"
}

func found(all []known, agent string) string {
	for _, k := range all {
		if strings.Contains(agent, k.mark) {
			return k.name
		}
	}
	return ""
}
