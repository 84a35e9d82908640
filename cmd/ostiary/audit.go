package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// An entry is one change, as the log tells it.
type entry struct {
	Revision uint64 `json:"_revision"`
	At       *int64 `json:"_at"`
	From     string `json:"from"`
	Says     string `json:"says"`
}

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "Read the log of changes, and verify it"}
	cmd.AddCommand(auditList(), auditVerify(), auditErase())
	return cmd
}

func auditList() *cobra.Command {
	var limit int
	var since, until timeFlag
	var what, by, token, user, app string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Read the log, newest first",
		Example: `  ostiary audit list --limit 20
  ostiary audit list --what 'token.*' --since 2030-01-01T00:00:00Z
  ostiary audit list --token 12 --json`,
		Args: takes(),
	}
	to := reaching(cmd).onAccount()
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this `NUMBER` of entries")
	cmd.Flags().StringVar(&what, "what", "", "`KIND` of change, such as token.retire or app.*")
	cmd.Flags().StringVar(&by, "by", "", "`ACTOR` who made it: an address, /user/2, /token/12 or operator:NAME")
	cmd.Flags().StringVar(&token, "token", "", "`TOKEN` that it is about, by id or hint")
	cmd.Flags().StringVar(&user, "user", "", "`USER` whom it is about, by id or address")
	cmd.Flags().StringVar(&app, "app", "", "`NAME` of the application that it is about")
	cmd.Flags().Var(&since, "since", "not before this `TIME` (RFC 3339)")
	cmd.Flags().Var(&until, "until", "before this `TIME` (RFC 3339)")
	cmd.RunE = to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
		if limit < 1 {
			return wrongUsage("--limit is at least 1")
		}
		q := url.Values{}
		fill(q, "f_what", what)
		fill(q, "f_app_name", app)
		fill(q, "f__at_ge", since.epoch())
		fill(q, "f__at_lt", until.epoch())
		if by != "" {
			who, err := actor(cmd.Context(), c, by)
			if err != nil {
				return err
			}
			q.Set("f_by", who)
		}
		if token != "" {
			t, err := findToken(cmd.Context(), c, token)
			if err != nil {
				return err
			}
			q.Set("f_token", t.CID)
		}
		if user != "" {
			u, err := findUser(cmd.Context(), c, user)
			if err != nil {
				return err
			}
			q.Set("f_user", u.CID)
		}
		texts, err := readLog(cmd.Context(), c, q, limit)
		if err != nil {
			return err
		}
		t := newTable("REVISION", "TIME", "FROM", "WHAT HAPPENED")
		return printed(cmd, to, texts, t, func(e entry) []string {
			return []string{strconv.FormatUint(e.Revision, 10), when(e.At), orDash(e.From), plain(e.Says)}
		})
	})
	return cmd
}

// readLog goes on from the last entry that it read, since new ones come in at the front.
func readLog(ctx context.Context, c *client, q url.Values, limit int) ([]json.RawMessage, error) {
	const page = 1000
	var all []json.RawMessage
	for {
		want := min(page, limit-len(all))
		texts, err := c.list(ctx, "/v2/audit", q, want)
		if err != nil {
			return nil, err
		}
		all = append(all, texts...)
		if len(texts) < want || len(all) == limit {
			return all, nil
		}
		last, err := decode[entry](all[len(all)-1])
		if err != nil {
			return nil, err
		}
		q.Set("f__revision_lt", strconv.FormatUint(last.Revision, 10))
	}
}

// actor is how the log names who made a change; an e-mail address names a user.
func actor(ctx context.Context, c *client, name string) (string, error) {
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, "operator:") {
		return name, nil
	}
	u, err := findUser(ctx, c, name)
	return u.CID, err
}

func fill(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

// A timeFlag takes a time in RFC 3339.
type timeFlag struct{ at time.Time }

func (f *timeFlag) Set(s string) (err error) {
	f.at, err = time.Parse(time.RFC3339, s)
	return err
}
func (f *timeFlag) Type() string { return "TIME" }
func (f *timeFlag) String() string {
	if f.at.IsZero() {
		return ""
	}
	return f.at.Format(time.RFC3339)
}

func (f *timeFlag) epoch() string {
	if f.at.IsZero() {
		return ""
	}
	return strconv.FormatInt(f.at.Unix(), 10)
}
