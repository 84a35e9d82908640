package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"ostiary"
	"ostiary/internal/answer"
	"ostiary/internal/config"
)

func rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "Check the file of rules, and try requests against it",
		Long: "Check the file of rules that serve reads, and try requests against it. No server is asked. The file\n" +
			"is the one that --rules, OSTIARY_RULES or the file of --config names.",
	}
	cmd.AddCommand(rulesCheck(), rulesTry())
	return cmd
}

// A ruleLine is a rule of the file as --json prints it.
type ruleLine struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
}

func (r ruleLine) String() string { return fmt.Sprintf("%s:%d: %s", r.File, r.Line, plain(r.Text)) }

func rulesCheck() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say whether the file of rules can be read, and which rules never answer",
		Long: "Read the file of rules, and name every line that is no rule: then it exits with 1, as serve would. A\n" +
			"rule that never answers, because an earlier one matches all that it does, is a warning on standard error.",
		Example: `  ostiary rules check /etc/ostiary.rules
  ostiary rules check --config /etc/ostiary.conf`,
		Args: takesAtMost("FILE"),
	}
	cfg := config.Register(cmd.Flags(), "rules")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, rules, err := readRules(cmd, cfg, args)
		if err != nil {
			return err
		}
		if file == "" {
			return wrongUsage("no file of rules is named: say FILE, --rules, or OSTIARY_RULES")
		}
		return checked(cmd, asJSON, file, rules)
	}
	return cmd
}

func checked(cmd *cobra.Command, asJSON bool, file string, rules []config.RuleLine) error {
	type idle struct {
		Rule ruleLine `json:"rule"`
		By   ruleLine `json:"by"`
	}
	report := struct {
		File  string `json:"file"`
		Rules int    `json:"rules"`
		Idle  []idle `json:"idle"`
	}{file, len(rules), []idle{}}
	for _, i := range config.IdleRules(rules) {
		report.Idle = append(report.Idle, idle{
			ruleLine{file, i.Rule.Line, i.Rule.Text}, ruleLine{file, i.By.Line, i.By.Text},
		})
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), report)
	}
	for _, i := range report.Idle {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s\n  never answers: line %d matches all that it does: %s\n",
			i.Rule, i.By.Line, plain(i.By.Text))
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s.\n", file, count(report.Rules, "rule", "rules"))
	return err
}

// A trial is what a request needs, and why.
type trial struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Role    *string     `json:"role"`    // null: refused
	Rule    *ruleLine   `json:"rule"`    // null: none matches, or refused
	Refused *refusedFor `json:"refused"` // null: not for its path
}

type refusedFor struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func rulesTry() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "try METHOD PATH",
		Short: "Say which role a request needs, and which rule says so",
		Long: "Say which role a request to the API behind the door needs, and which rule says so. The path is the\n" +
			"one that the caller sends, encoded as it is; what follows a ? is left away.",
		Example: `  ostiary rules try DELETE /admin/users/7 --rules /etc/ostiary.rules
  OSTIARY_RULES=/etc/ostiary.rules ostiary rules try GET /status`,
		Args: takes("METHOD", "PATH"),
	}
	cfg := config.Register(cmd.Flags(), "rules")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		path, _, _ := strings.Cut(args[1], "?")
		if !ostiary.IsMethod(args[0]) {
			return wrongUsage("%q is no method: it is in capitals, and the doors answer 503 to another", args[0])
		}
		if !strings.HasPrefix(path, "/") {
			return wrongUsage("the path %q does not begin with /", path)
		}
		file, rules, err := readRules(cmd, cfg, nil)
		if err != nil {
			return err
		}
		t := try(file, rules, args[0], path)
		if asJSON {
			return printJSON(cmd.OutOrStdout(), t)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), t)
		return err
	}
	return cmd
}

func try(file string, lines []config.RuleLine, method, path string) trial {
	t := trial{Method: method, Path: path}
	rules := config.Rules(lines)
	need, err := ostiary.Need(rules, method, path)
	if err != nil {
		a := answer.New(answer.Settings{}).Route(ostiary.UnclearPath, "") // the words of the doors
		t.Refused = &refusedFor{a.Status, a.Code, a.Message}
		return t
	}
	role := need.String()
	t.Role = &role
	if at, err := ostiary.FirstMatch(rules, method, path); err == nil && at >= 0 {
		t.Rule = &ruleLine{file, lines[at].Line, lines[at].Text}
	}
	return t
}

func (t trial) String() string {
	what := t.Method + " " + plain(t.Path)
	switch {
	case t.Refused != nil:
		return fmt.Sprintf("%s is refused: %d %s: %s", what, t.Refused.Status, t.Refused.Code, t.Refused.Message)
	case t.Rule != nil:
		return fmt.Sprintf("%s needs %s.\n  %s", what, label(*t.Role), t.Rule)
	}
	return fmt.Sprintf("%s needs %s.\n  No rule matches; this is the default for %s.",
		what, label(*t.Role), t.Method)
}

// readRules reads the file that the arguments or the settings name.
func readRules(cmd *cobra.Command, cfg *config.Config, args []string) (string, []config.RuleLine, error) {
	if _, err := cfg.Load(cmd.Flags(), os.Environ()); err != nil {
		return "", nil, &usageError{err}
	}
	file := cfg.Rules
	if len(args) > 0 {
		file = args[0]
	}
	rules, err := config.ReadRules(file)
	return file, rules, err
}
