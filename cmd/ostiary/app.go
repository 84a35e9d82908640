package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"ostiary"
)

type app struct {
	CID         string `json:"_cid"`
	Token       string `json:"_token"`
	Name        string `json:"name"`
	State       string `json:"state"`
	Answer      string `json:"_answer"`
	DecidedBy   string `json:"_decided_by"`
	FirstSeenOn *int64 `json:"_first_seen_on"`
	LastSeenOn  *int64 `json:"_last_seen_on"`
	Count       uint64 `json:"_count"`
}

func appCommand() *cobra.Command {
	cmd, to := group("app", "List, allow, deny and forget the applications of tokens")
	cmd.AddCommand(appList(to), appAdd(to),
		appDecide(to, "allow", "Let an application in", ostiary.Allowed),
		appDecide(to, "deny", "Keep an application out", ostiary.Denied),
		appForget(to))
	return cmd
}

func appList(to *reach) *cobra.Command {
	var pending bool
	cmd := &cobra.Command{
		Use:   "list [TOKEN]",
		Short: "List the applications of a token, or of all",
		Example: `  ostiary app list --pending
  ostiary app list 12`,
		Args: takesAtMost("TOKEN"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			path, query := "/v2/app", url.Values{}
			if pending {
				query.Set("f__answer", "pending")
			}
			if len(args) == 1 {
				t, err := findToken(cmd.Context(), c, args[0])
				if err != nil {
					return err
				}
				path = "/v2" + t.CID + "/app"
			}
			texts, err := c.list(cmd.Context(), path, query, everything)
			if err != nil {
				return err
			}
			t := newTable("ID", "TOKEN", "APPLICATION", "STATE", "DECIDED BY", "REQUESTS", "FIRST SEEN", "LAST SEEN")
			return printed(cmd, to, texts, t, func(a app) []string {
				return []string{
					number(a.CID), number(a.Token), plain(a.Name), ostiary.Standing(a.State, a.Answer), orDash(a.DecidedBy),
					strconv.FormatUint(a.Count, 10), when(a.FirstSeenOn), when(a.LastSeenOn),
				}
			})
		}),
	}
	cmd.Flags().BoolVar(&pending, "pending", false, "list only those that wait for a decision")
	return cmd
}

func appAdd(to *reach) *cobra.Command {
	state := decisionFlag{ostiary.Allowed}
	cmd := &cobra.Command{
		Use:   "add TOKEN NAME",
		Short: "Allow or deny a name before it turns up",
		Example: `  ostiary app add 12 nightly-import
  ostiary app add 12 old-script --state denied`,
		Args: takes("TOKEN", "NAME"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			t, err := findToken(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			body := map[string]string{"name": args[1], "state": state.state.String()}
			text, err := c.post(cmd.Context(), "/v2"+t.CID+"/app", body)
			if err != nil {
				return err
			}
			return said(cmd, to, text, decided)
		}),
	}
	cmd.Flags().Var(&state, "state", "allowed or denied")
	return cmd
}

func decided(a app) string {
	return fmt.Sprintf("Application %q of token %s is %s.", plain(a.Name), number(a.Token), a.State)
}

// An appName says which application is meant: a name or an id, unless a flag says which of the two.
type appName struct{ byID, byName bool }

func (n *appName) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&n.byID, "id", false, "APP is an id")
	cmd.Flags().BoolVar(&n.byName, "name", false, "APP is a name")
}

func appDecide(to *reach, verb, short string, state ostiary.AppState) *cobra.Command {
	var which appName
	cmd := &cobra.Command{
		Use:   verb + " TOKEN APP",
		Short: short + "; the next request sees it",
		Example: fmt.Sprintf(`  ostiary app %[1]s 12 grafana
  ostiary app %[1]s 12 7 --id`, verb),
		Args: takes("TOKEN", "APP"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			a, err := which.find(cmd.Context(), c, args[0], args[1])
			if err != nil {
				return err
			}
			text, err := c.put(cmd.Context(), a.path(), map[string]string{"state": state.String()})
			if err != nil {
				return err
			}
			return said(cmd, to, text, decided)
		}),
	}
	which.flags(cmd)
	return cmd
}

func appForget(to *reach) *cobra.Command {
	var which appName
	cmd := &cobra.Command{
		Use:     "forget TOKEN APP",
		Short:   "Remove an application's record; its next request is a first one again",
		Example: `  ostiary app forget 12 old-script`,
		Args:    takes("TOKEN", "APP"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			a, err := which.find(cmd.Context(), c, args[0], args[1])
			if err != nil {
				return err
			}
			text, err := c.delete(cmd.Context(), a.path())
			if err != nil {
				return err
			}
			return said(cmd, to, text, func(json.RawMessage) string {
				return fmt.Sprintf("Application %q of token %s is forgotten; its next request is a first one.",
					plain(a.Name), number(a.Token))
			})
		}),
	}
	which.flags(cmd)
	return cmd
}

func (a app) path() string { return "/v2/token/" + number(a.Token) + "/app/" + number(a.CID) }

// find finds an application. Its name was chosen by whoever sent the request, and may look like
// another one's id: where both fit, neither is taken.
func (n appName) find(ctx context.Context, c *client, tokenName, name string) (app, error) {
	if n.byID && n.byName {
		return app{}, wrongUsage("APP is an id or a name: --id and --name do not go together")
	}
	t, err := findToken(ctx, c, tokenName)
	if err != nil {
		return app{}, err
	}
	texts, err := c.list(ctx, "/v2"+t.CID+"/app", nil, everything)
	if err != nil {
		return app{}, err
	}
	all, err := decodeAll[app](texts)
	if err != nil {
		return app{}, err
	}
	var found []app
	for _, a := range all {
		if !n.byID && a.Name == name || !n.byName && number(a.CID) == name {
			found = append(found, a)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return app{}, fmt.Errorf("token %s has no application %q on record; 'ostiary app list %s' shows them, "+
			"and 'ostiary app add' decides about a name beforehand", number(t.CID), name, number(t.CID))
	}
	return app{}, fmt.Errorf("%q is the name of one application and the id of another; say --id or --name", name)
}
