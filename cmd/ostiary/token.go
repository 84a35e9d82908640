package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

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
		RunE: func(cmd *cobra.Command, _ []string) error {
			if owner != "" && forAccount {
				return wrongUsage("a token has an owner or is an account token: --owner and --account-token do not go together")
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
			c, err := to.client()
			if err != nil {
				return err
			}
			text, err := c.post(cmd.Context(), "/v2/token", body)
			if err != nil {
				return err
			}
			return printMade(cmd, to, text)
		},
	}
	cmd.Flags().StringVar(&owner, "owner", "", "`USER` whose token it is: an e-mail address or /user/ID")
	cmd.Flags().BoolVar(&forAccount, "account-token", false, "make it the account's own, instead of a user's")
	cmd.Flags().Var(&privilege, "privilege", "the most that it may do: Read-Only, Normal or Admin")
	tokenFlags(cmd, &state, &description)
	return cmd
}

func tokenFlags(cmd *cobra.Command, state *defaultFlag, description *string) {
	cmd.Flags().Var(state, "default-app-state", "what it answers to an application that nobody decided about:\nAllow, Pending or Deny")
	cmd.Flags().StringVar(description, "description", "", "`TEXT` that says what it is for")
}

func printMade(cmd *cobra.Command, to *reach, text json.RawMessage) error {
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
		whose = "a user token of " + plain(*made.Owner)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Token %s is %s, %s, and new applications are %s. This is its secret; it is not shown again:\n",
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := to.client()
			if err != nil {
				return err
			}
			texts, err := c.list(cmd.Context(), "/v2/token", nil, everything)
			if err != nil {
				return err
			}
			texts, err = keep(texts, func(t token) bool { return (t.RetiredOn != nil) == retired })
			if err != nil {
				return err
			}
			owners, err := owners(cmd.Context(), c)
			if err != nil {
				return err
			}
			if retired {
				return printRetired(cmd, to, texts, owners)
			}
			t := table{head: []string{"ID", "HINT", "OWNER", "PRIVILEGE", "CAN USE", "NEW APPS", "LAST USED", "DESCRIPTION"}}
			return printed(cmd, to, texts, &t, func(t token) []string {
				return []string{
					number(t.CID), t.Hint, owners.of(t), label(t.Privilege), canUse(t), t.Default, when(t.LastUsedOn), orDash(t.Description),
				}
			})
		},
	}
	cmd.Flags().BoolVar(&retired, "retired", false, "list the retired tokens, with who retired them and when")
	return cmd
}

func printRetired(cmd *cobra.Command, to *reach, texts []json.RawMessage, owners emails) error {
	t := table{head: []string{"ID", "HINT", "OWNER", "PRIVILEGE", "LAST USED", "RETIRED", "BY", "DESCRIPTION"}}
	return printed(cmd, to, texts, &t, func(t token) []string {
		return []string{
			number(t.CID), t.Hint, owners.of(t), label(t.Privilege), when(t.LastUsedOn), when(t.RetiredOn), orDash(t.RetiredBy),
			orDash(t.Description),
		}
	})
}

// emails are the addresses of the users whom the caller may see, by cid.
type emails map[string]string

func owners(ctx context.Context, c *client) (emails, error) {
	texts, err := c.list(ctx, "/v2/user", nil, everything)
	if err != nil {
		return nil, err
	}
	users, err := decodeAll[user](texts)
	known := emails{}
	for _, u := range users {
		known[u.CID] = u.Email
	}
	return known, err
}

// of is a token's owner: the address, or the cid of somebody who is no longer a member.
func (e emails) of(t token) string {
	if t.Owner == nil {
		return "account"
	}
	return plain(cmp.Or(e[*t.Owner], *t.Owner))
}

func ownerOf(t token) string { return emails{}.of(t) }

func canUse(t token) string {
	if t.CanUse == nil {
		return "-"
	}
	return label(*t.CanUse)
}

// keep drops the objects of a list that are not wanted.
func keep[T any](texts []json.RawMessage, want func(T) bool) (kept []json.RawMessage, err error) {
	for _, text := range texts {
		one, err := decode[T](text)
		if err != nil {
			return nil, err
		}
		if want(one) {
			kept = append(kept, text)
		}
	}
	return kept, nil
}

func tokenWhich(to *reach) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "which",
		Short: "Read a secret, and say which token it belongs to; the operator may",
		Example: `  ostiary token which < secret
  ostiary token which --file secret`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			secret, err := readSecret(cmd, file, "Secret: ")
			if err != nil {
				return err
			}
			c, err := to.client()
			if err != nil {
				return err
			}
			text, err := c.post(cmd.Context(), "/v2/token/which", map[string]string{"secret": secret})
			if err != nil {
				return err
			}
			return said(cmd, to, text, describe)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "`FILE` with the secret, instead of standard input")
	return cmd
}

func describe(t token) string {
	text := fmt.Sprintf("Token %s (%s) of %s", number(t.CID), t.Hint, ownerOf(t))
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
			}, describe)
		},
	}
	cmd.Flags().Var(&privilege, "privilege", "the most that it may do: Read-Only, Normal or Admin")
	tokenFlags(cmd, &state, &description)
	return cmd
}

// onToken does something to one token, and says how it stands then.
func onToken(cmd *cobra.Command, to *reach, name string,
	do func(*client, token) (json.RawMessage, error), say func(token) string,
) error {
	c, err := to.client()
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
	return said(cmd, to, text, say)
}

func findToken(ctx context.Context, c *client, name string) (token, error) {
	found, err := findTokens(ctx, c, []string{name})
	if err != nil {
		return token{}, err
	}
	return found[0], nil
}

// findTokens finds tokens by id, cid or hint. A hint may be spelt with three dots. Where a hint fits
// two tokens, nothing is found: the operator must not retire the wrong one.
func findTokens(ctx context.Context, c *client, names []string) ([]token, error) {
	if len(names) == 0 {
		return nil, nil
	}
	texts, err := c.list(ctx, "/v2/token", nil, everything)
	if err != nil {
		return nil, err
	}
	all, err := decodeAll[token](texts)
	if err != nil {
		return nil, err
	}
	var found []token
	for _, name := range names {
		hint := strings.ReplaceAll(name, "...", "…")
		fits := func(t token) bool { return t.CID == name || number(t.CID) == name || t.Hint == hint }
		at := slices.IndexFunc(all, fits)
		if at < 0 {
			return nil, fmt.Errorf("there is no token %q that you may see; 'ostiary token list' shows them by id and hint", name)
		}
		if slices.ContainsFunc(all[at+1:], fits) {
			return nil, fmt.Errorf("more than one token has the hint %s; name it by its id", hint)
		}
		found = append(found, all[at])
	}
	return found, nil
}
