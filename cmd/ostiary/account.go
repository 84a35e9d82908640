package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

type account struct {
	CID         string `json:"_cid"`
	ShortName   string `json:"_short_name"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Timezone    string `json:"timezone"`
	Usage       []struct {
		Type  string `json:"_type"`
		Limit int64  `json:"_limit"`
		Used  int64  `json:"_used"`
	} `json:"_usage"`
	Users   []member `json:"users"`
	Invites []invite `json:"invites"`
}

type member struct {
	User string `json:"user"`
	Role string `json:"role"`
}

type invite struct {
	Email string `json:"email"`
	Role  string `json:"role"`
	Link  string `json:"_link,omitempty"` // only where it was just made
}

func accountCommand() *cobra.Command {
	cmd, to := group("account", "Make, list and change accounts")
	cmd.AddCommand(accountAdd(to), accountList(to), accountSet(to))
	return cmd
}

func accountAdd(to *reach) *cobra.Command {
	var name, description, zone string
	cmd := &cobra.Command{
		Use:   "add SHORT_NAME",
		Short: "Make an account; only the operator may",
		Example: `  ostiary account add social_networks --name "Social Networks" --timezone America/New_York
  ostiary user add alice@example.com --role Admin --account social_networks`,
		Args: takes("SHORT_NAME"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			body := map[string]string{"short_name": args[0], "name": name, "description": description, "timezone": zone}
			text, err := c.post(cmd.Context(), "/v2/account", filled(body))
			if err != nil {
				return err
			}
			return said(cmd, to, text, func(a account) string {
				return fmt.Sprintf("The account %s has id %s. Nobody is a member yet: see 'ostiary user add'.",
					args[0], number(a.CID))
			})
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "`TEXT`, its full name (the short name)")
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` that says what it is for")
	cmd.Flags().StringVar(&zone, "timezone", "", "`ZONE`, such as America/New_York (UTC)")
	return cmd
}

func accountList(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the accounts",
		Example: `  ostiary account list`,
		Args:    takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			texts, err := c.list(cmd.Context(), "/v2/account", nil, everything)
			if err != nil {
				return err
			}
			t := newTable("ID", "ACCOUNT", "NAME", "MEMBERS", "INVITED", "METRICS", "TIME ZONE", "DESCRIPTION")
			return printed(cmd, to, texts, t, func(a account) []string {
				return []string{
					number(a.CID), orDash(a.ShortName), orDash(a.Name),
					strconv.Itoa(len(a.Users)), strconv.Itoa(len(a.Invites)), metrics(a), orDash(a.Timezone), orDash(a.Description),
				}
			})
		}),
	}
}

func metrics(a account) string {
	for _, u := range a.Usage {
		if strings.EqualFold(u.Type, "metrics") {
			return fmt.Sprintf("%d of %d", u.Used, u.Limit)
		}
	}
	return "-"
}

// accountFields are the flags of 'account set', and the fields of the API that they change.
var accountFields = [][3]string{
	{"name", "name", "`TEXT`, its full name"},
	{"description", "description", "`TEXT` that says what it is for"},
	{"timezone", "timezone", "`ZONE`, such as America/New_York"},
	{"address1", "address1", "`TEXT`, the first line of its postal address"},
	{"address2", "address2", "`TEXT`, the second line"},
	{"city", "city", "`TEXT`"},
	{"state", "state_prov", "`TEXT`, state or province"},
	{"country", "country_code", "`CODE` of two capital letters, such as US"},
	{"cc-email", "cc_email", "`ADDRESS` that gets a copy of mails about the account"},
}

func accountSet(to *reach) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "set",
		Short:   "Change the account's name, description, time zone or address",
		Example: `  ostiary account set --account social_networks --description "Monitoring for The Social Network."`,
		Args:    takes(),
	}
	for _, f := range accountFields {
		cmd.Flags().String(f[0], "", f[2])
	}
	cmd.RunE = to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
		body := map[string]string{}
		cmd.Flags().Visit(func(flag *pflag.Flag) {
			for _, f := range accountFields {
				if f[0] == flag.Name {
					body[f[1]] = flag.Value.String()
				}
			}
		})
		if len(body) == 0 {
			return wrongUsage("say what to change, for example --name")
		}
		text, err := c.put(cmd.Context(), "/v2/account/current", body)
		if err != nil {
			return err
		}
		return said(cmd, to, text, func(a account) string {
			return "The account " + plain(a.Name) + " is changed."
		})
	})
	return cmd
}

// filled drops what was not given.
func filled(body map[string]string) map[string]string {
	for k, v := range body {
		if v == "" {
			delete(body, k)
		}
	}
	return body
}
