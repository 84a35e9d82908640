package main

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"
)

type explanation struct {
	Status      int      `json:"status"`
	Code        string   `json:"code"`
	Message     string   `json:"message"`
	Explanation string   `json:"explanation"`
	Facts       []string `json:"facts"`
}

func explainCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "explain TOKEN APP [METHOD URI]",
		Short: "Say how a request would be answered, and every fact that leads to it",
		Long: "Say how a request with a token and an application name would be answered, and every fact that leads\n" +
			"to it. Nothing is put on record. Without METHOD and URI no role is asked for.",
		Example: `  ostiary explain 12 grafana
  ostiary explain 12 grafana DELETE /checks/7 --from 192.0.2.1`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 3 {
				return wrongUsage("URI is missing")
			}
			if len(args) == 4 {
				return nil
			}
			return takes("TOKEN", "APP")(cmd, args)
		},
	}
	to := reaching(cmd).onAccount()
	cmd.Flags().StringVar(&from, "from", "", "`ADDRESS` that the request comes from")
	cmd.RunE = to.speak(func(cmd *cobra.Command, c *client, args []string) error {
		body := map[string]string{"app": args[1]}
		if len(args) == 4 {
			body["method"], body["uri"] = args[2], args[3]
		}
		if from != "" {
			if _, err := netip.ParseAddr(from); err != nil {
				return wrongUsage("--from takes an address such as 192.0.2.1, not %q", from)
			}
			body["address"] = from
		}
		t, err := findToken(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		body["token"] = t.CID
		text, err := c.post(cmd.Context(), "/v2/explain", body)
		if err != nil {
			return err
		}
		return said(cmd, to, text, explained)
	})
	return cmd
}

func explained(e explanation) string {
	head := fmt.Sprintf("%d %s: %s", e.Status, e.Code, plain(e.Message))
	var b strings.Builder
	b.WriteString(head)
	for _, fact := range e.Facts {
		b.WriteString("\n  " + plain(fact))
	}
	return b.String()
}
