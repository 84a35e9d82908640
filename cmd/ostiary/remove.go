package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// A leaving says what stops when a member is removed.
type leaving struct {
	Confirm string   `json:"confirm"`
	Users   []string `json:"users"`
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
	a, err := readAccount(cmd, c)
	if err != nil {
		return err
	}
	stay := slices.DeleteFunc(a.Users, func(m member) bool { return m.User == u.CID })
	// Asked before anything is promoted, which has no way back: the member may not be one who can go.
	list, err := whatStops(cmd, c, stay)
	if err != nil {
		return err
	}
	tokens, err := tokensOf(cmd, c, u, promote)
	if err != nil {
		return err
	}
	if !yes {
		return showStops(cmd, to, u, list, tokens)
	}
	if err := promoteBefore(cmd, c, u, tokens); err != nil {
		return err
	}
	if list, err = whatStops(cmd, c, stay); err != nil {
		return err
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

// tokensOf finds the tokens to promote: those of the leaver alone.
func tokensOf(cmd *cobra.Command, c *client, u user, names []string) ([]token, error) {
	found := make([]token, len(names))
	for i, name := range names {
		t, err := findToken(cmd.Context(), c, name)
		if err != nil {
			return nil, err
		}
		if t.Owner == nil || *t.Owner != u.CID {
			return nil, fmt.Errorf("token %s is not a user token of %s; nothing was done", number(t.CID), plain(u.Email))
		}
		found[i] = t
	}
	return found, nil
}

func promoteBefore(cmd *cobra.Command, c *client, u user, tokens []token) error {
	for _, t := range tokens {
		if _, err := c.post(cmd.Context(), "/v2"+t.CID+"/promote", nil); err != nil {
			return fmt.Errorf("token %s was not promoted, and %s was not removed.\n%w",
				number(t.CID), plain(u.Email), err)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Token %s is an account token now.\n", number(t.CID))
	}
	return nil
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
