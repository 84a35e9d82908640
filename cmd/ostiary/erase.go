package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ostiary"
	"ostiary/internal/store"
)

func auditErase() *cobra.Command {
	var account string
	var before timeFlag
	folder := &folderFlags{}
	cmd := &cobra.Command{
		Use:   "erase --account NAME --before TIME",
		Short: "Erase who did what on an account before a time; the server must be stopped",
		Long: "Erase the stories of an account's changes before a time: who made them, from where, in which words. What\n" +
			"they changed stays, and the chain still verifies. The server must be stopped. Backups keep their copies.",
		Example: `  ostiary audit erase --data /var/lib/ostiary --account social_networks --before 2030-01-01T00:00:00Z`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, options, err := folder.read(cmd)
			if err != nil {
				return err
			}
			db, err := store.Open(cmd.Context(), dir, options)
			if errors.Is(err, store.ErrInUse) {
				return fmt.Errorf("a server runs on %s; stop it first", dir)
			}
			if err != nil {
				return err
			}
			return errors.Join(erase(cmd, db, account, before.at), db.Close())
		},
	}
	folder.register(cmd)
	cmd.Flags().StringVar(&account, "account", "", "`NAME` of the account")
	cmd.Flags().Var(&before, "before", "`TIME` (RFC 3339)")
	cmd.MarkFlagRequired("account")
	cmd.MarkFlagRequired("before")
	return cmd
}

func erase(cmd *cobra.Command, db *store.DB, name string, before time.Time) error {
	erased := 0
	err := db.Update(cmd.Context(), func(w ostiary.Writer) error {
		account, err := w.AccountByName(name)
		if errors.Is(err, ostiary.ErrNotFound) {
			return fmt.Errorf("there is no account %q", name)
		}
		if err != nil {
			return err
		}
		if erased, err = w.EraseStories(account.ID, before); err != nil || erased == 0 {
			return err
		}
		story := ostiary.Story{
			What: "audit.erase", By: ostiary.By("operator:" + systemUser()),
			Details: map[string]string{
				"before": before.UTC().Format(time.RFC3339), "erased": fmt.Sprint(erased),
			},
		}
		_, err = w.Append(account.ID, time.Now().UTC().Truncate(time.Millisecond), story, nil)
		return err
	})
	if err != nil {
		return err
	}
	if err := db.Compact(cmd.Context()); err != nil {
		return fmt.Errorf("%s erased, but the text still lies in free space of the database's file; run this again.\n%w",
			count(erased, "story was", "stories were"), err)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s erased.\n", count(erased, "story was", "stories were"))
	return err
}
