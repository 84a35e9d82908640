package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"ostiary"
)

type token struct {
	CID         string  `json:"_cid"`
	Kind        string  `json:"_kind"`
	Owner       *string `json:"_owner"`
	CanUse      *string `json:"_can_use"`
	Hint        string  `json:"_hint"`
	CreatedOn   *int64  `json:"_created_on"`
	CreatedBy   string  `json:"_created_by"`
	LastUsedOn  *int64  `json:"_last_used_on"`
	RetiredOn   *int64  `json:"_retired_on"`
	RetiredBy   string  `json:"_retired_by"`
	Privilege   string  `json:"privilege"`
	Default     string  `json:"default_app_state"`
	Description string  `json:"description"`

	Descendants []string `json:"_descendants"` // only of one just retired
}

func tokenCommand() *cobra.Command {
	cmd, to := group("token", "Make, list, change, retire and promote tokens")
	cmd.AddCommand(tokenNew(to), tokenList(to), tokenWhich(to), tokenSet(to), tokenRetire(to), tokenPromote(to))
	return cmd
}

func tokenNew(to *reach) *cobra.Command {
	var owner, description string
	var forAccount bool
	var privilege roleFlag
	var state defaultFlag
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Make a token, and print its secret: this once",
		Long: "Make a token. Its secret is printed alone on standard output, this once; the rest goes to standard error.\n\n" +
			"The operator says for whom: --owner USER or --account-token. Without --privilege a token is Read-Only,\n" +
			"without --default-app-state new applications are Pending.",
		Example: `  ostiary token new --owner bob@example.com --privilege Normal > secret
  ostiary token new --account-token --privilege Admin --default-app-state Allow --description "deploys"`,
		Args: takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			if owner != "" && forAccount {
				return wrongUsage("a token has an owner or is the account's: --owner and --account-token do not go together")
			}
			body := filled(map[string]string{"owner": owner, "description": description})
			if forAccount {
				body["kind"] = ostiary.AccountToken.String()
			}
			if privilege.role != ostiary.NoRole {
				body["privilege"] = privilege.role.String()
			}
			if state.set {
				body["default_app_state"] = state.state.String()
			}
			text, err := c.post(cmd.Context(), "/v2/token", body)
			if err != nil {
				return err
			}
			return printMade(cmd, to, c, text)
		}),
	}
	cmd.Flags().StringVar(&owner, "owner", "", "`USER` whose token it is: an e-mail address or /user/ID")
	cmd.Flags().BoolVar(&forAccount, "account-token", false, "make it the account's own, instead of a user's")
	cmd.Flags().Var(&privilege, "privilege", "the most that it may do: Read-Only, Normal or Admin")
	tokenFlags(cmd, &state, &description)
	return cmd
}

func tokenFlags(cmd *cobra.Command, state *defaultFlag, description *string) {
	cmd.Flags().Var(state, "default-app-state",
		"what it answers to an application that nobody decided about: Allow, Pending or Deny")
	cmd.Flags().StringVar(description, "description", "", "`TEXT` that says what it is for")
}

func printMade(cmd *cobra.Command, to *reach, c *client, text json.RawMessage) error {
	if to.json {
		return printJSON(cmd.OutOrStdout(), text)
	}
	made, err := decode[struct {
		token
		Secret string `json:"_secret"`
	}](text)
	if err != nil {
		return err
	}
	whose := "an account token"
	if made.Owner != nil {
		whose = "a user token of " + ownerOf(cmd.Context(), c, made.token).of(made.token)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Token %s is %s, %s, and new applications are %s.\nThis is its secret; it is not shown again:\n",
		number(made.CID), whose, label(made.Privilege), defaults[made.Default])
	_, err = fmt.Fprintln(cmd.OutOrStdout(), made.Secret)
	return err
}

var defaults = map[string]string{"Allow": "allowed", "Pending": "pending", "Deny": "denied"}

func tokenList(to *reach) *cobra.Command {
	var retired bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the live tokens, or the retired ones",
		Example: `  ostiary token list
  ostiary token list --retired --json`,
		Args: takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			texts, err := c.list(cmd.Context(), "/v2/token", nil, everything)
			if err != nil {
				return err
			}
			texts, err = keep(texts, func(t token) bool { return (t.RetiredOn != nil) == retired })
			if err != nil {
				return err
			}
			known, err := owners(cmd.Context(), c)
			if err != nil {
				return err
			}
			if retired {
				return printRetired(cmd, to, texts, known)
			}
			t := newTable("ID", "HINT", "OWNER", "PRIVILEGE", "CAN USE", "NEW APPS", "LAST USED", "DESCRIPTION")
			return printed(cmd, to, texts, t, func(t token) []string {
				return []string{
					number(t.CID), t.Hint, known.of(t), label(t.Privilege), canUse(t), t.Default,
					when(t.LastUsedOn), orDash(t.Description),
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&retired, "retired", false, "list the retired tokens, with who retired them and when")
	return cmd
}

func printRetired(cmd *cobra.Command, to *reach, texts []json.RawMessage, known emails) error {
	t := newTable("ID", "HINT", "OWNER", "PRIVILEGE", "LAST USED", "RETIRED", "BY", "DESCRIPTION")
	return printed(cmd, to, texts, t, func(t token) []string {
		return []string{
			number(t.CID), t.Hint, known.of(t), label(t.Privilege),
			when(t.LastUsedOn), when(t.RetiredOn), orDash(t.RetiredBy), orDash(t.Description),
		}
	})
}

func canUse(t token) string {
	if t.CanUse == nil {
		return "-"
	}
	return label(*t.CanUse)
}

func tokenWhich(to *reach) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "which",
		Short: "Read a secret, and say which token it belongs to",
		Example: `  ostiary token which < secret
  ostiary token which --file secret`,
		Args: takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			secret, err := readSecret(cmd, file, "Secret: ")
			if err != nil {
				return err
			}
			text, err := c.post(cmd.Context(), "/v2/token/which", map[string]string{"secret": secret})
			if err != nil {
				return err
			}
			return said(cmd, to, text, func(t token) string { return ownerOf(cmd.Context(), c, t).describe(t) })
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "`FILE` with the secret, instead of standard input")
	return cmd
}

// describe says what a token is, in a sentence.
func (e emails) describe(t token) string {
	text := fmt.Sprintf("Token %s (%s) of %s", number(t.CID), t.Hint, e.of(t))
	if t.Description != "" {
		text += ", " + plain(t.Description)
	}
	if t.RetiredOn != nil {
		return text + ": retired " + when(t.RetiredOn) + "."
	}
	return fmt.Sprintf("%s: it can use %s; new applications are %s.", text, canUse(t), defaults[t.Default])
}

func tokenSet(to *reach) *cobra.Command {
	var privilege roleFlag
	var state defaultFlag
	var description string
	cmd := &cobra.Command{
		Use:   "set TOKEN",
		Short: "Change a token's privilege, default app state or description",
		Example: `  ostiary token set 12 --privilege Read-Only
  ostiary token set k3X…9fQ2 --default-app-state Deny --description "old importer"`,
		Args: takes("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]string{}
			if privilege.role != ostiary.NoRole {
				body["privilege"] = privilege.role.String()
			}
			if state.set {
				body["default_app_state"] = state.state.String()
			}
			if cmd.Flags().Changed("description") {
				body["description"] = description
			}
			if len(body) == 0 {
				return wrongUsage("say what to change: --privilege, --default-app-state or --description")
			}
			return onToken(cmd, to, args[0], func(c *client, t token) (json.RawMessage, error) {
				return c.put(cmd.Context(), "/v2"+t.CID, body)
			}, emails.describe)
		},
	}
	cmd.Flags().Var(&privilege, "privilege", "the most that it may do: Read-Only, Normal or Admin")
	tokenFlags(cmd, &state, &description)
	return cmd
}

// onToken does something to one token, and says how it stands then.
func onToken(cmd *cobra.Command, to *reach, name string,
	do func(*client, token) (json.RawMessage, error), say func(emails, token) string,
) error {
	c, err := to.client(cmd)
	if err != nil {
		return err
	}
	t, err := findToken(cmd.Context(), c, name)
	if err != nil {
		return err
	}
	text, err := do(c, t)
	if err != nil {
		return err
	}
	return said(cmd, to, text, func(t token) string { return say(ownerOf(cmd.Context(), c, t), t) })
}
