package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	system "os/user"
	"path/filepath"

	"github.com/spf13/cobra"

	"ostiary"
	"ostiary/internal/authority"
	"ostiary/internal/directory"
	"ostiary/internal/follow"
	"ostiary/internal/login"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

// firstPassword is the file in the data folder for the first password that nobody typed.
const firstPassword = "first-password"

// A beginning is what 'ostiary init' is told.
type beginning struct {
	data                               string
	options                            store.Options
	database                           string // the URL of PostgreSQL; empty: SQLite
	account, name, email, passwordFile string
	ifMissing                          bool
}

func initCommand() *cobra.Command {
	var b beginning
	folder := &folderFlags{}
	cmd := &cobra.Command{
		Use:   "init --account NAME --email ADDRESS",
		Short: "Make the records, the first account and its first admin",
		Long: "Make the records in a data folder, or in an empty database of PostgreSQL, the first account and its first\n" +
			"admin.\n\n" +
			"The admin's password is asked for on a terminal, or read from --password-file. Otherwise one is made and\n" +
			"written to DIR/" + firstPassword + ", which only its owner can read.",
		Example: `  ostiary init --data /var/lib/ostiary --account social_networks --email alice@example.com
  ostiary init --account social_networks --email alice@example.com --if-missing
  ostiary init --database-file /etc/ostiary/database --account social_networks --email alice@example.com`,
		Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if b.data, b.options, err = folder.read(cmd); err != nil {
				return err
			}
			b.database = folder.cfg.Database.Reveal()
			return b.begin(cmd)
		},
	}
	folder.register(cmd)
	cmd.Flags().StringVar(&b.account, "account", "", "short `NAME` of the account: lower-case letters, digits and _")
	cmd.Flags().StringVar(&b.name, "name", "", "`TEXT`, the account's full name (the short name)")
	cmd.Flags().StringVar(&b.email, "email", "", "`ADDRESS` of the first admin")
	cmd.Flags().BoolVar(&b.ifMissing, "if-missing", false, "do nothing where the records are there already")
	passwordFlag(cmd, &b.passwordFile)
	cmd.MarkFlagRequired("account")
	cmd.MarkFlagRequired("email")
	return cmd
}

// begin goes on where an earlier init was cut short.
func (b *beginning) begin(cmd *cobra.Command) error {
	ctx := cmd.Context()
	db, err := store.Create(ctx, b.data, b.options)
	if errors.Is(err, store.ErrExists) {
		db, err = store.Open(ctx, b.data, b.options)
	}
	if errors.Is(err, store.ErrInUse) {
		return b.exists(cmd)
	}
	if err != nil {
		return err
	}
	defer db.Close()
	return asOperator(ctx, b.data, b.database, db, func(a *authority.Authority, me authority.Caller) error {
		account, err := b.firstAccount(ctx, a, me)
		if err != nil {
			return err
		}
		if account == 0 {
			return b.exists(cmd)
		}
		me.Account = account
		return b.firstAdmin(cmd, a, me)
	})
}

func (b *beginning) exists(cmd *cobra.Command) error {
	if b.ifMissing {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s has its records already; nothing was done.\n", b.place())
		return nil
	}
	if b.database != "" {
		return fmt.Errorf("the database has its records already; name an empty one, or start a node of this one with "+
			"'ostiary serve --data %s' and the same database", b.data)
	}
	return fmt.Errorf("%s has its records already; choose another folder, or start them with 'ostiary serve --data %s'",
		b.data, b.data)
}

// place is where the records are, for people. The database's URL is never shown.
func (b *beginning) place() string {
	if b.database != "" {
		return "The database"
	}
	return b.data
}

// firstAccount makes the account, or finds the one that an init which was cut short has made. Zero:
// the records were begun already.
func (b *beginning) firstAccount(ctx context.Context, a *authority.Authority, me authority.Caller) (
	ostiary.ID, error,
) {
	all, err := a.Accounts(ctx, me)
	if err != nil {
		return 0, err
	}
	if len(all) == 1 && len(all[0].Members) == 0 && all[0].ShortName == b.account {
		return all[0].ID, nil
	}
	if len(all) > 0 {
		return 0, nil
	}
	made, _, err := a.CreateAccount(ctx, me, authority.NewAccount{ShortName: b.account, Name: b.name})
	return made.ID, err
}

func (b *beginning) firstAdmin(cmd *cobra.Command, a *authority.Authority, me authority.Caller) error {
	password, where, err := b.password(cmd)
	if err != nil {
		return err
	}
	hash, err := login.Hash(password)
	if err != nil {
		return err
	}
	admin := authority.NewUser{Email: b.email, PasswordHash: hash, Role: ostiary.Admin}
	_, _, err = a.CreateUser(cmd.Context(), me, admin)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s holds the account %s, and %s is its admin.\n", b.place(), b.account, b.email)
	if where != "" {
		fmt.Fprintf(out, "The password is in %s; delete the file once it is known.\n", where)
	}
	same := ""
	if b.database != "" {
		same = ", and the same database"
	}
	_, err = fmt.Fprintf(out, "Start it with: %s serve --data %s%s\n", calling(), quoted(b.data), same)
	return err
}

// password reads the password, asks for it, or makes one and says where it was written.
func (b *beginning) password(cmd *cobra.Command) (password, where string, err error) {
	if b.passwordFile != "" {
		password, _, err = passwordFor(cmd, b.passwordFile)
		return password, "", err
	}
	if tty, ok := terminal(cmd.InOrStdin()); ok {
		password, err = askPassword(cmd, tty)
		return password, "", err
	}
	password, where = login.NewPassword(), filepath.Join(b.data, firstPassword)
	return password, where, os.WriteFile(where, []byte(password+"\n"), 0o600)
}

// asOperator opens an authority on records that no server uses.
func asOperator(ctx context.Context, data string, database string, db *store.DB,
	do func(*authority.Authority, authority.Caller) error,
) error {
	dir := directory.New()
	if err := dir.Load(ctx, db); err != nil {
		return err
	}
	used, err := openUsage(ctx, data, database, usage.Options{})
	if err != nil {
		return err
	}
	a := authority.New(db, dir, follow.New(db, dir, slog.New(slog.DiscardHandler)), used, authority.Settings{})
	err = do(a, authority.Caller{Operator: systemUser(), Agent: "ostiary-command/" + programVersion()})
	return errors.Join(err, a.Close(ctx), used.Close())
}

func systemUser() string {
	u, err := system.Current()
	if err != nil {
		return fmt.Sprintf("uid-%d", os.Getuid())
	}
	return cmp.Or(u.Username, "uid-"+u.Uid)
}
