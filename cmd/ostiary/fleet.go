package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"ostiary"
)

// A receipt is what a change's answer says about the nodes.
type receipt struct {
	Revision    uint64   `json:"revision"`
	Confirmed   []string `json:"confirmed"`
	Unconfirmed []struct {
		Node      string          `json:"node"`
		SafeAfter json.RawMessage `json:"safe_after"` // seconds since 1970, or "never"
	} `json:"unconfirmed"`
	AfterMS    int64 `json:"after_ms"`
	Incomplete bool  `json:"incomplete"`
}

// noteReceipt says on which nodes a change is in force, where there are several.
func (c *client) noteReceipt(answer json.RawMessage) {
	var with struct {
		Receipt receipt `json:"_receipt"`
	}
	if json.Unmarshal(answer, &with) != nil {
		return
	}
	r := ostiary.Receipt{
		Confirmed: with.Receipt.Confirmed, After: time.Duration(with.Receipt.AfterMS) * time.Millisecond,
		Incomplete: with.Receipt.Incomplete,
	}
	for _, u := range with.Receipt.Unconfirmed {
		one := ostiary.Unconfirmed{Node: plain(u.Node)}
		if seconds, err := strconv.ParseInt(string(u.SafeAfter), 10, 64); err == nil {
			one.SafeAfter = time.Unix(seconds, 0)
		}
		r.Unconfirmed = append(r.Unconfirmed, one)
	}
	where := r.Where()
	if where == "" {
		return
	}
	fmt.Fprintf(c.notes, "In force %s.\n", where)
	for _, words := range r.Words(time.RFC3339, time.UTC) {
		fmt.Fprintln(c.notes, words)
	}
}

type nodeObject struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Version  string  `json:"version"`
	Via      *string `json:"via"`
	Revision uint64  `json:"revision"`
	Lease    int64   `json:"lease_seconds"`
	Stale    bool    `json:"serves_stale"`
	Stopped  bool    `json:"stopped"`
	Quiet    int64   `json:"_quiet_seconds"`
	Differs  bool    `json:"_differs"`
}

func nodeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "List the nodes that decide, and say which programs may follow them"}
	to := reaching(cmd)
	cmd.AddCommand(nodeList(to), nodeCompare(to), nodeForget(to), nodeIssue(to), nodeIssued(to), nodeRevoke(to))
	return cmd
}

func nodeList(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the nodes, and the revision that each has applied",
		Long: "List the nodes, and the revision that each has applied. A node decides until its lease has run out since\n" +
			"it was last heard of; one that serves stale records never stops.",
		Example: "  ostiary node list",
		Args:    takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			texts, err := c.list(cmd.Context(), "/v2/operator/node", nil, everything)
			if err != nil {
				return err
			}
			if to.json {
				return printList(cmd.OutOrStdout(), texts)
			}
			t := newTable("ID", "NODE", "VERSION", "REVISION", "HEARD OF", "STATE")
			for _, text := range texts {
				n, err := decode[nodeObject](text)
				if err != nil {
					return err
				}
				t.row(n.ID, plain(n.Name), plain(n.Version), strconv.FormatUint(n.Revision, 10),
					fmt.Sprintf("%d s ago", n.Quiet), n.state())
			}
			t.print(cmd.OutOrStdout())
			return nil
		}),
	}
}

// state says whether the node may still decide, and whether it holds what it should.
func (n nodeObject) state() string {
	if n.Differs {
		return n.life() + ", differs from this node"
	}
	return n.life()
}

func (n nodeObject) life() string {
	switch {
	case n.Stale && n.Quiet > n.Lease:
		return "away, serves stale"
	case n.Quiet > n.Lease:
		return "away, its lease is over"
	case n.Stopped:
		return "stopped"
	case n.Via != nil:
		return "follows " + plain(*n.Via)
	}
	return "decides"
}

func nodeForget(to *reach) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "forget NODE",
		Short: "Take a node that is gone for good off the record",
		Long: "Take a node that is gone for good off the record, so that receipts no longer name it. NODE is its id. One\n" +
			"that may still decide is refused: its lease must be over, by the clock of the node that is asked, since that\n" +
			"last heard of it; so it is with one that was stopped, which may start again from its local copy.\n\n" +
			"--force forgets it all the same, also one that serves stale records, whose lease is never over. It is for a\n" +
			"node whose machine or data folder is destroyed. A node that is not, and cannot reach the records, goes on\n" +
			"letting in what is retired, and no receipt says so any more.",
		Example: "  ostiary node forget 7HKX2MZQ4T5N6P3R2B4C6D7FGH",
		Args:    takes("NODE"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			var body any
			if force {
				body = map[string]bool{"force": true}
			}
			text, err := c.call(cmd.Context(), http.MethodDelete, "/v2/operator/node/"+args[0], body)
			if err != nil {
				return err
			}
			if to.json {
				return printJSON(cmd.OutOrStdout(), text)
			}
			n, err := decode[nodeObject](text)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The node %s is forgotten.\n", plain(n.Name))
			return err
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "forget it although it may still decide, because it is destroyed")
	return cmd
}

type edgeObject struct {
	CID       string `json:"_cid"`
	Name      string `json:"name"`
	Hint      string `json:"_hint"`
	Secret    string `json:"_secret"`
	CreatedOn *int64 `json:"_created_on"`
	CreatedBy string `json:"_created_by"`
	RevokedOn *int64 `json:"_revoked_on"`
}

func nodeIssue(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:   "issue NAME",
		Short: "Issue the credential of an edge, and print it: this once",
		Long: "Issue a credential with which an edge, or a program with the Go library, may follow the log. It is printed\n" +
			"alone on standard output, this once; the rest goes to standard error.",
		Example: "  ostiary node issue api-1 > edge-credential",
		Args:    takes("NAME"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			text, err := c.post(cmd.Context(), "/v2/operator/edge", map[string]string{"name": args[0]})
			if err != nil {
				return err
			}
			if to.json {
				return printJSON(cmd.OutOrStdout(), text)
			}
			e, err := decode[edgeObject](text)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "The edge %s may follow, with credential %s (%s).\n",
				plain(e.Name), number(e.CID), e.Hint)
			_, err = fmt.Fprintln(cmd.OutOrStdout(), e.Secret)
			return err
		}),
	}
}

func nodeIssued(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:     "issued",
		Short:   "List the credentials of edges, revoked ones too",
		Example: "  ostiary node issued",
		Args:    takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			texts, err := c.list(cmd.Context(), "/v2/operator/edge", nil, everything)
			if err != nil {
				return err
			}
			if to.json {
				return printList(cmd.OutOrStdout(), texts)
			}
			t := newTable("ID", "EDGE", "CREDENTIAL", "ISSUED", "REVOKED")
			for _, text := range texts {
				e, err := decode[edgeObject](text)
				if err != nil {
					return err
				}
				t.row(number(e.CID), plain(e.Name), e.Hint, when(e.CreatedOn), when(e.RevokedOn))
			}
			t.print(cmd.OutOrStdout())
			return nil
		}),
	}
}

func nodeRevoke(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:   "revoke CREDENTIAL",
		Short: "Revoke the credential of an edge",
		Long: "Revoke the credential of an edge: it is cut off, and decides no longer than its lease. CREDENTIAL is the id\n" +
			"that 'ostiary node issued' shows.",
		Example: "  ostiary node revoke 3",
		Args:    takes("CREDENTIAL"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			text, err := c.delete(cmd.Context(), "/v2/operator/edge/"+args[0])
			if err != nil {
				return err
			}
			if to.json {
				return printJSON(cmd.OutOrStdout(), text)
			}
			e, err := decode[edgeObject](text)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The credential %s (%s) of the edge %s is revoked.\n",
				number(e.CID), e.Hint, plain(e.Name))
			return err
		}),
	}
}
