package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A reach says how a management command finds its server, and how it prints.
type reach struct {
	data    string
	account string
	json    bool
	flags   *pflag.FlagSet
}

// defaultData is where the service's unit and the container keep their records.
const defaultData = "/var/lib/ostiary"

// reaching gives a command the flags of those that speak to a server.
func reaching(cmd *cobra.Command) *reach {
	r := &reach{flags: cmd.PersistentFlags()}
	dataFlag(r.flags, &r.data)
	r.flags.BoolVar(&r.json, "json", false, "print the objects of the API as JSON")
	return r
}

// onAccount gives it the flag of those that work on one account.
func (r *reach) onAccount() *reach {
	r.flags.StringVar(&r.account, "account", "",
		"short `NAME` or id of the account to work on; needed where there are several")
	return r
}

func dataFlag(flags *pflag.FlagSet, data *string) {
	flags.StringVar(data, "data", "", "data folder `DIR` of the server (OSTIARY_DATA, or else "+defaultData+")")
}

// dataFolder is the folder that a flag, the environment or the default names.
func dataFolder(flag string) string { return cmp.Or(flag, os.Getenv("OSTIARY_DATA"), defaultData) }

// client is the socket of the data folder, or HTTP where OSTIARY_URL names a server and --data does not.
func (r *reach) client(cmd *cobra.Command) (*client, error) {
	base := os.Getenv("OSTIARY_URL")
	if r.data != "" || base == "" {
		c := newSocketClient(dataFolder(r.data))
		c.account, c.notes = r.account, cmd.ErrOrStderr()
		return c, nil
	}
	token := os.Getenv("OSTIARY_TOKEN")
	if token == "" {
		return nil, wrongUsage("OSTIARY_URL is set and OSTIARY_TOKEN is not; set it, or name a data folder with --data")
	}
	c := newHTTPClient(base, token, cmp.Or(os.Getenv("OSTIARY_APP"), "ostiary"))
	c.account, c.notes = r.account, cmd.ErrOrStderr()
	return c, nil
}

// speak is the RunE of a command that speaks to its server.
func (r *reach) speak(do func(*cobra.Command, *client, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := r.client(cmd)
		if err != nil {
			return err
		}
		return do(cmd, c, args)
	}
}

// group is a command of commands that speak to a server.
func group(use, short string) (*cobra.Command, *reach) {
	cmd := &cobra.Command{Use: use, Short: short}
	return cmd, reaching(cmd).onAccount()
}
