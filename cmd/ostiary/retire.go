package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"ostiary"
)

func tokenRetire(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:   "retire TOKEN",
		Short: "End a token for good",
		Long: "End a token for good: it never works again, and cannot be brought back. Tokens that were made with it\n" +
			"go on working; they are listed, so that they can be retired too.",
		Example: `  ostiary token retire 12`,
		Args:    takes("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onToken(cmd, to, args[0], func(c *client, t token) (json.RawMessage, error) {
				return c.delete(cmd.Context(), "/v2"+t.CID)
			}, retired)
		},
	}
}

// retired says that a token is, and what goes on that was made with it.
func retired(_ emails, t token) string {
	text := fmt.Sprintf("Token %s (%s) is retired.", number(t.CID), t.Hint)
	if len(t.Descendants) == 0 {
		return text
	}
	ids := make([]string, len(t.Descendants))
	for i, cid := range t.Descendants {
		ids[i] = number(cid)
	}
	return text + "\nTokens that were made with it still work: " + strings.Join(ids, ", ") +
		". Retire them too if they must stop."
}

func tokenPromote(to *reach) *cobra.Command {
	var privilege roleFlag
	cmd := &cobra.Command{
		Use:   "promote TOKEN",
		Short: "Make a user token an account token; there is no way back",
		Long: "Make a user token an account token, so that it no longer depends on its owner. Its secret, its\n" +
			"applications and their states stay; its privilege becomes what it can use now. There is no way back.",
		Example: `  ostiary token promote 12
  ostiary token promote 12 --privilege Read-Only`,
		Args: takes("TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]string{}
			if privilege.role != ostiary.NoRole {
				body["privilege"] = privilege.role.String()
			}
			return onToken(cmd, to, args[0], func(c *client, t token) (json.RawMessage, error) {
				return c.post(cmd.Context(), "/v2"+t.CID+"/promote", body)
			}, func(_ emails, t token) string {
				return fmt.Sprintf("Token %s (%s) is an account token now, with %s.",
					number(t.CID), t.Hint, label(t.Privilege))
			})
		},
	}
	cmd.Flags().Var(&privilege, "privilege", "lower it further; needed where its owner can do nothing")
	return cmd
}
