package config

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// Reference is the page about every setting, in Markdown.
func Reference() string {
	var page strings.Builder
	page.WriteString(intro)
	group := ""
	for _, s := range settings(&Config{}) {
		if s.group != group {
			group = s.group
			fmt.Fprintf(&page, "\n## %s\n\n| setting | variable | default | what it says |\n", group)
			page.WriteString("| --- | --- | --- | --- |\n")
		}
		unit, help := pflag.UnquoteUsage(&pflag.Flag{Usage: s.help, Value: s.value})
		def := "–"
		if text := s.value.String(); text != "" {
			def = "`" + text + "`"
		}
		if _, isSwitch := s.value.(*onOff); isSwitch {
			unit = ""
		}
		name := strings.TrimSpace(s.name + " " + unit)
		fmt.Fprintf(&page, "| `--%s` | `%s` | %s | %s |\n", name, Variable(s.name), def, help)
	}
	page.WriteString(outro)
	return page.String()
}

const intro = `# Configuration

Every setting of ` + "`ostiary serve`" + ` is a flag, an environment variable, or a line of the file that ` + "`--config`" + ` names. A flag wins over a variable, and a variable over the file.

A line of the file is ` + "`name = value`" + `, named like the flag without its dashes; a line that begins with # is a comment. A switch has the value true or false:

` + "```" + `
# /etc/ostiary.conf
data       = /var/lib/ostiary
listen     = 0.0.0.0:8700
public-url = https://tokens.example.com
access-log = true
` + "```" + `

A flag or a line that names no setting is an error, and the server does not start. A variable that begins with ` + "`OSTIARY_`" + ` and names no setting is a warning in the log. ` + "`OSTIARY_URL`, `OSTIARY_TOKEN` and `OSTIARY_APP`" + ` are for the commands that speak to a server.
`

const outro = `
## The file of install commands

` + "`--install-commands`" + ` names a file with commands that the page of a new token shows, with the secret filled in, ready to paste:

` + "```" + `
# NAME            TEMPLATE
One Step Install = curl -sSL https://setup.example.com/install | bash -s -- --key {token} --app {app}
Configuration    = printf 'api_url = %s\ntoken = %s\n' {api} {token} > ~/.acme.conf
` + "```" + `

` + "`{token}`" + ` stands for the secret, ` + "`{app}`" + ` for the name of the application, quoted for the shell, and ` + "`{api}`" + ` for the address of the API. A line that ends with a backslash goes on in the next one. Every command uses ` + "`{token}`" + `.

## The file of rules

` + "`--rules`" + ` names a file that says which role a request to the API behind the door needs. The first line that matches answers; where none does, GET, HEAD and OPTIONS need Read-Only, and every other method needs Normal.

` + "```" + `
# METHODS    PATH           ROLE
DELETE,PUT   /accounts/**   Admin
*            /health        Read-Only
POST         /users/*/mail  Normal
` + "```" + `

Methods are in capitals with commas between them, or ` + "`*`" + ` for every one. In a path ` + "`*`" + ` stands for one whole segment, and ` + "`**`" + ` at its end for everything below; ` + "`*`" + ` alone is every path. A path is compared decoded, so write ` + "`/café`, and not `/caf%C3%A9`" + `. Once a rule looks at paths, a path that could mean two things (an empty or dot segment, ` + "`;`, `\\`" + `, an encoded slash, dot or %) is refused.
`
