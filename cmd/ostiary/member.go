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
