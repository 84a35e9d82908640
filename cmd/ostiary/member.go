package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"ostiary"
)

// What is done to members goes through the account: its users and invites are lists that are read,
// changed and sent back.

const currentAccount = "/v2/account/current"

func readAccount(cmd *cobra.Command, c *client) (account, error) {
	text, err := c.get(cmd.Context(), currentAccount)
	if err != nil {
		return account{}, err
	}
	return decode[account](text)
}

func invitePerson(cmd *cobra.Command, to *reach, c *client, email string, role ostiary.Role) error {
	a, err := readAccount(cmd, c)
	if err != nil {
		return err
	}
	invites := slices.DeleteFunc(a.Invites, func(i invite) bool { return strings.EqualFold(i.Email, email) })
	invites = append(invites, invite{Email: email, Role: role.String()})
	text, err := c.put(cmd.Context(), currentAccount, map[string]any{"invites": invites})
	if err != nil {
		return err
	}
	changed, err := decode[struct {
		Invites []json.RawMessage `json:"invites"`
	}](text)
	if err != nil {
		return err
	}
	mine, err := keep(changed.Invites, func(i invite) bool { return strings.EqualFold(i.Email, email) })
	if err != nil || len(mine) == 0 {
		return errors.Join(err, fmt.Errorf("the server did not invite %s", email))
	}
	return printLink(cmd, to, mine[0])
}

// printLink prints an invitation's link, alone on standard output.
func printLink(cmd *cobra.Command, to *reach, text json.RawMessage) error {
	if to.json {
		return printJSON(cmd.OutOrStdout(), text)
	}
	i, err := decode[invite](text)
	if err != nil {
		return err
	}
	if i.Link == "" {
		return fmt.Errorf("%s is invited already; 'ostiary user link %[1]s' prints a new link", plain(i.Email))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s is invited as %s. Send this link; it works once, for 72 hours:\n",
		plain(i.Email), label(i.Role))
	_, err = fmt.Fprintln(cmd.OutOrStdout(), i.Link)
	return err
}

func setRole(cmd *cobra.Command, to *reach, c *client, u user, role ostiary.Role) error {
	a, err := readAccount(cmd, c)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(a.Users, func(m member) bool { return m.User == u.CID })
	if at < 0 {
		return fmt.Errorf("%s is not a member of this account; invite with 'ostiary user invite'", plain(u.Email))
	}
	was := a.Users[at].Role
	a.Users[at].Role = role.String()
	text, err := c.put(cmd.Context(), currentAccount, map[string]any{"users": a.Users})
	if err != nil {
		return err
	}
	return said(cmd, to, text, func(account) string {
		return fmt.Sprintf("%s is %s now; before: %s.", plain(u.Email), role.Label(), label(was))
	})
}

// A leaving says what stops when a member is removed.
type leaving struct {
	Confirm string   `json:"confirm"`
	Stops   []stop   `json:"stops"`
	Knows   []string `json:"knows"`
}

type stop struct {
	CID         string `json:"_cid"`
	Description string `json:"description"`
	LastUsedOn  *int64 `json:"_last_used_on"`
	Apps        []struct {
		Name       string `json:"name"`
		State      string `json:"state"`
		LastSeenOn *int64 `json:"_last_seen_on"`
	} `json:"apps"`
}

func userRemove(to *reach) *cobra.Command {
	var yes bool
	var promote []string
	cmd := &cobra.Command{
		Use:   "remove USER",
		Short: "Remove a member, and retire the user tokens that the member has here",
		Long: "Remove a member from the account, and retire the user tokens that the member has on it.\n\n" +
			"Without --yes it only shows what would stop. A token that other people depend on can be made an account\n" +
			"token first, with --promote: its secret and its applications stay.",
		Example: `  ostiary user remove bob@example.com
  ostiary user remove bob@example.com --promote 12 --yes`,
		Args: takes("USER"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			u, err := findUser(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return remove(cmd, to, c, u, promote, yes)
		}),
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it, instead of showing what would stop")
	cmd.Flags().StringSliceVar(&promote, "promote", nil, "`TOKENS`, by id or hint, to make account tokens before")
	return cmd
}

func remove(cmd *cobra.Command, to *reach, c *client, u user, promote []string, yes bool) error {
	tokens, err := findTokens(cmd.Context(), c, promote)
	if err != nil {
		return err
	}
	if yes {
		for _, t := range tokens {
			if _, err := c.post(cmd.Context(), "/v2"+t.CID+"/promote", nil); err != nil {
				return fmt.Errorf("token %s was not promoted, and %s was not removed.\n%w",
					number(t.CID), plain(u.Email), err)
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Token %s is an account token now.\n", number(t.CID))
		}
	}
	a, err := readAccount(cmd, c)
	if err != nil {
		return err
	}
	stay := slices.DeleteFunc(a.Users, func(m member) bool { return m.User == u.CID })
	list, err := whatStops(cmd, c, stay)
	if err != nil {
		return err
	}
	if !yes {
		return showStops(cmd, to, u, list, tokens)
	}
	fresh, err := c.put(cmd.Context(), currentAccount+"?confirm="+list.Confirm, map[string]any{"users": stay})
	if err != nil {
		return err
	}
	return said(cmd, to, fresh, func(account) string {
		return fmt.Sprintf("%s is no longer a member. %s retired.",
			plain(u.Email), count(len(list.Stops), "token was", "tokens were"))
	})
}

// whatStops asks for a removal without confirming it, and reads from the refusal what would stop.
func whatStops(cmd *cobra.Command, c *client, stay []member) (leaving, error) {
	_, err := c.put(cmd.Context(), currentAccount, map[string]any{"users": stay})
	var no *refused
	if !errors.As(err, &no) || no.Detail == nil {
		if err == nil {
			err = errors.New("the user is not a member of this account")
		}
		return leaving{}, err
	}
	return decode[leaving](no.Detail)
}

// showStops prints what would stop, and fails: nothing was removed.
func showStops(cmd *cobra.Command, to *reach, u user, list leaving, promoted []token) error {
	list.Stops = slices.DeleteFunc(list.Stops, func(s stop) bool {
		return slices.ContainsFunc(promoted, func(t token) bool { return t.CID == s.CID })
	})
	if to.json {
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		if err := printJSON(cmd.OutOrStdout(), json.RawMessage(text)); err != nil {
			return err
		}
		return errors.New("nothing was removed; run it again with --yes")
	}
	t := newTable("TOKEN", "DESCRIPTION", "LAST USED", "APPLICATION", "STATE", "LAST SEEN")
	for _, s := range list.Stops {
		t.row(number(s.CID), orDash(s.Description), when(s.LastUsedOn), "-", "-", "-")
		for _, app := range s.Apps {
			t.row("", "", "", plain(app.Name), app.State, when(app.LastSeenOn))
		}
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "If %s is removed, %s.\n", plain(u.Email), count(len(list.Stops), "token stops", "tokens stop"))
	if len(t.rows) > 0 {
		t.print(out)
	}
	for _, cid := range list.Knows {
		fmt.Fprintf(out, "The secret of account token %s was shown to %s: it goes on working.\n", number(cid), plain(u.Email))
	}
	return errors.New("nothing was removed; run it again with --yes, and with --promote for tokens that must go on")
}

func listUsers(cmd *cobra.Command, to *reach, c *client, everybody bool) error {
	texts, err := c.list(cmd.Context(), "/v2/user", nil, everything)
	if err != nil {
		return err
	}
	a, err := readAccount(cmd, c)
	var no *refused
	if err != nil && !errors.As(err, &no) {
		return err // no single account is meant: everybody is listed, without roles
	}
	roles := map[string]string{}
	for _, m := range a.Users {
		roles[m.User] = m.Role
	}
	if err == nil && !everybody {
		texts, err = keep(texts, func(u user) bool { return roles[u.CID] != "" })
		if err != nil {
			return err
		}
	}
	t := newTable("ID", "EMAIL", "NAME", "ROLE", "STATE")
	if !to.json {
		defer func() {
			for _, i := range a.Invites {
				fmt.Fprintf(cmd.ErrOrStderr(), "Invited: %s as %s.\n", plain(i.Email), label(i.Role))
			}
		}()
	}
	return printed(cmd, to, texts, t, func(u user) []string {
		state := "active"
		if u.Disabled {
			state = "disabled"
		}
		return []string{
			number(u.CID), plain(u.Email), orDash(strings.TrimSpace(u.FirstName + " " + u.LastName)),
			label(roles[u.CID]), state,
		}
	})
}

// count is a number with its words: "1 token was", "3 tokens were".
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
