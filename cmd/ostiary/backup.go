package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ostiary"
	"ostiary/internal/store"
)

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the records while the server runs",
		Long: "Write a consistent copy of the records into a new file, while the server runs. The copy holds hashes of\n" +
			"tokens and passwords, and no token itself: keep it as safe as the records. Only the operator may.",
		Example: `  ostiary backup /var/backups/ostiary-monday.db`,
		Args:    takes("FILE"),
	}
	to := reaching(cmd)
	cmd.RunE = to.speak(func(cmd *cobra.Command, c *client, args []string) error {
		file, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		if _, err := os.Lstat(file); err == nil {
			return fmt.Errorf("%s exists already; choose another name", file)
		}
		text, err := c.post(cmd.Context(), "/v2/operator/backup", map[string]string{"file": file})
		if err != nil {
			return err
		}
		return said(cmd, to, text, func(json.RawMessage) string {
			return "The records are copied to " + file + "."
		})
	})
	return cmd
}

func restoreCommand() *cobra.Command {
	folder := &folderFlags{}
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring back the records from a backup, into a folder that no server uses",
		Long: "Bring back the records from a backup, into a folder that no server uses. Records that are there are set\n" +
			"aside, not deleted. What was changed since the backup is lost, but tokens that this node knows to be\n" +
			"retired stay retired.",
		Example: `  ostiary restore /var/backups/ostiary-monday.db --data /var/lib/ostiary`,
		Args:    takes("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, options, err := folder.read(cmd)
			if err != nil {
				return err
			}
			by := ostiary.By("operator:" + systemUser())
			r, err := store.Restore(cmd.Context(), dir, args[0], options, by)
			if errors.Is(err, store.ErrInUse) {
				return fmt.Errorf("a server runs on %s; stop it first, then restore", dir)
			}
			if err != nil {
				return err
			}
			tellRestored(cmd.OutOrStdout(), dir, r)
			return nil
		},
	}
	folder.register(cmd)
	return cmd
}

func tellRestored(out io.Writer, dir string, r store.RestoreReport) {
	fmt.Fprintf(out, "%s holds the backup, which ends at revision %d.\n", dir, r.Backup)
	if r.Previous > r.Backup {
		fmt.Fprintf(out, "What was changed after it, up to revision %d, is lost.\n", r.Previous)
	}
	if r.Retired > 0 {
		fmt.Fprintf(out, "%s again, since this node knows that.\n",
			count(r.Retired, "token was retired", "tokens were retired"))
	}
	if r.Aside != "" {
		fmt.Fprintf(out, "The records that were there are in %s now.\n", r.Aside)
	}
}
