package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"ostiary"
)

type user struct {
	CID       string `json:"_cid"`
	Email     string `json:"email"`
	FirstName string `json:"firstname"`
	LastName  string `json:"lastname"`
	Disabled  bool   `json:"_disabled"`
}

func userCommand() *cobra.Command {
	cmd, to := group("user", "Add, invite, list, change and remove the people of an account")
	cmd.AddCommand(userAdd(to), userInvite(to), userLink(to), userRole(to), userRemove(to),
		userAble(to, "disable", "Stop a user's login and user tokens on every account",
			"may not sign in, and the user's tokens do nothing until 'ostiary user enable'"),
		userAble(to, "enable", "Let a disabled user's login and tokens work again",
			"may sign in again, and the user's tokens work again"),
		userReset(to), userList(to))
	return cmd
}

func userAdd(to *reach) *cobra.Command {
	var role roleFlag
	var first, last, file string
	cmd := &cobra.Command{
		Use:   "add EMAIL",
		Short: "Make a user with a login, and a member; only the operator may",
		Long: "Make a user with a login, and a member of the account where --role is given. Only the operator may.\n\n" +
			"The password is read from --password-file, or made and printed alone on standard output.",
		Example: `  ostiary user add bob@example.com --first-name Bob --role Normal
  ostiary user add bob@example.com --role Normal --password-file - < password`,
		Args: takes("EMAIL"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			password, made, err := passwordFor(cmd, file)
			if err != nil {
				return err
			}
			body := filled(map[string]string{
				"email": args[0], "firstname": first, "lastname": last, "password": password,
			})
			if role.role != ostiary.NoRole {
				body["role"] = role.role.String()
			}
			text, err := c.post(cmd.Context(), "/v2/user", body)
			if err != nil {
				return err
			}
			return to.withSecret(cmd, text, "password", made, fmt.Sprintf("%s is a user now.", args[0]))
		}),
	}
	cmd.Flags().Var(&role, "role", "make the user a member with this role: Read-Only, Normal or Admin")
	cmd.Flags().StringVar(&first, "first-name", "", "`TEXT`")
	cmd.Flags().StringVar(&last, "last-name", "", "`TEXT`")
	passwordFlag(cmd, &file)
	return cmd
}

func userInvite(to *reach) *cobra.Command {
	var role roleFlag
	cmd := &cobra.Command{
		Use:   "invite EMAIL --role ROLE",
		Short: "Invite a person to the account, and print the link to send",
		Long: "Invite a person to the account, and print the link to send, alone on standard output. It works once,\n" +
			"for 72 hours. Who has a login already accepts after signing in.",
		Example: `  ostiary user invite dave@example.com --role Normal`,
		Args:    takes("EMAIL"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			return invitePerson(cmd, to, c, args[0], role.role)
		}),
	}
	cmd.Flags().Var(&role, "role", "the role that the person gets: Read-Only, Normal or Admin")
	cmd.MarkFlagRequired("role")
	return cmd
}

func userLink(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:     "link EMAIL",
		Short:   "Print a new link for an invitation; the old one ends",
		Example: `  ostiary user link dave@example.com`,
		Args:    takes("EMAIL"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			text, err := c.post(cmd.Context(), "/v2/invite/link", map[string]string{"email": args[0]})
			if err != nil {
				return err
			}
			return printLink(cmd, to, text)
		}),
	}
}

func userRole(to *reach) *cobra.Command {
	return &cobra.Command{
		Use:   "role USER ROLE",
		Short: "Change a member's role; the user's tokens follow at once",
		Example: `  ostiary user role bob@example.com Read-Only
  ostiary user role 2 Admin`,
		Args: takes("USER", "ROLE"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			role, err := ostiary.ParseRole(args[1])
			if err != nil {
				return wrongUsage("%w", err)
			}
			u, err := findUser(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return setRole(cmd, to, c, u, role)
		}),
	}
}

func userAble(to *reach, verb, short, now string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " USER",
		Short:   short + "; only the operator may",
		Example: "  ostiary user " + verb + " bob@example.com",
		Args:    takes("USER"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			u, err := findUser(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			text, err := c.post(cmd.Context(), "/v2"+u.CID+"/"+verb, nil)
			if err != nil {
				return err
			}
			return said(cmd, to, text, func(user) string { return plain(u.Email) + " " + now + "." })
		}),
	}
}

func userReset(to *reach) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "reset USER",
		Short: "Give a user a new password; only the operator may",
		Long: "Give a user a new password. Only the operator may. Whoever is signed in with the old one is signed out.\n\n" +
			"The password is read from --password-file, or made and printed alone on standard output.",
		Example: `  ostiary user reset bob@example.com`,
		Args:    takes("USER"),
		RunE: to.speak(func(cmd *cobra.Command, c *client, args []string) error {
			password, made, err := passwordFor(cmd, file)
			if err != nil {
				return err
			}
			u, err := findUser(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			text, err := c.post(cmd.Context(), "/v2"+u.CID+"/reset", map[string]string{"password": password})
			if err != nil {
				return err
			}
			return to.withSecret(cmd, text, "password", made, plain(u.Email)+" has a new password.")
		}),
	}
	passwordFlag(cmd, &file)
	return cmd
}

func userList(to *reach) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the account's members and their roles",
		Long: "List the account's members, their roles, and who is invited. Where there are several accounts and\n" +
			"--account names none, the operator sees everybody, without roles.",
		Example: `  ostiary user list
  ostiary user list --all`,
		Args: takes(),
		RunE: to.speak(func(cmd *cobra.Command, c *client, _ []string) error {
			return listUsers(cmd, to, c, all)
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "list everybody with a login, members or not; only the operator may")
	return cmd
}
