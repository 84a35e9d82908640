package web

import "strings"

// An Install is a command that the operator offers beside a new token. {token}, {app} and {api} in its
// template stand for the secret, the application's name and the address of the API.
type Install struct{ Name, Template string }

// filled is the command ready to paste. The secret holds nothing that a shell minds; a name may.
func (i Install) filled(secret, app, api string) string {
	return strings.NewReplacer("{token}", secret, "{app}", shellQuoted(app), "{api}", api).Replace(i.Template)
}

// shellQuoted is a text as one word of a shell.
func shellQuoted(text string) string {
	if text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:") == "" {
		return text
	}
	return quoted(text)
}

// quoted is a text in single quotes, in which a shell reads nothing.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// curl is a request to paste, which any token may make once its application is let in.
func (v *visit) curl(token, app string) string {
	headers := v.read.Headers()
	return "curl -H " + quoted(headers[0]+": "+token) + " \\\n  -H " + quoted(headers[1]+": "+app) +
		" \\\n  " + v.opt.APIURL + "/v2/account/current"
}
