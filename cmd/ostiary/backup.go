package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ostiary"
	"ostiary/internal/store"
	"ostiary/internal/usage"
)

func backupCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the records while the server runs",
		Long: "Write a consistent copy of the records into a new file, while the server runs. The file is the same\n" +
			"whether the records are in SQLite or in PostgreSQL, and can be restored into either. It holds hashes of\n" +
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
		Short: "Bring back the records from a backup, where no server uses them",
		Long: "Bring back the records from a backup, into a folder that no server uses, or with --database into\n" +
			"PostgreSQL while no node is at work on it. Records that are there are set aside, not deleted. What was\n" +
			"changed since the backup is lost, but tokens that the old records or this node know to be retired stay\n" +
			"retired, and those that another node knows are retired again when it starts.\n\n" +
			"A backup of SQLite can be restored into PostgreSQL and the other way round: so records move.",
		Example: "  ostiary restore /var/backups/ostiary-monday.db --data /var/lib/ostiary\n" +
			"  ostiary restore monday.db --data /var/lib/ostiary --database-file /etc/ostiary/database",
		Args: takes("FILE"),
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
			where := dir
			if folder.shared() {
				where = "The database"
			}
			tellRestored(cmd.OutOrStdout(), where, r)
			if err := forgetUse(cmd.Context(), dir, folder.cfg.Database.Reveal(), r); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "Tokens that get the numbers of lost ones may show their use: %v.\n", err)
			}
			return nil
		},
	}
	folder.register(cmd)
	return cmd
}

// forgetUse takes away the use of tokens and applications that were made after the backup: others get their
// numbers.
func forgetUse(ctx context.Context, dir, database string, r store.RestoreReport) error {
	if _, err := os.Stat(filepath.Join(dir, "use.db")); database == "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	u, err := openUsage(ctx, dir, database, usage.Options{Patience: time.Minute})
	if err != nil {
		return err
	}
	return errors.Join(u.ForgetAfter(ctx, r.Token, r.App), u.Close())
}

func tellRestored(out io.Writer, where string, r store.RestoreReport) {
	fmt.Fprintf(out, "%s holds the backup, which ends at revision %d.\n", where, r.Backup)
	if r.Previous > r.Backup {
		fmt.Fprintf(out, "What was changed after it, up to revision %d, is lost.\n", r.Previous)
	}
	if r.Retired > 0 {
		fmt.Fprintf(out, "%s again, since that is known.\n",
			count(r.Retired, "token was retired", "tokens were retired"))
	}
	if r.Aside != "" {
		fmt.Fprintf(out, "The records that were there are in %s now.\n", r.Aside)
	}
	fmt.Fprintf(out, "Epoch %d of the log begins. Nodes that have seen an older one go on from here.\n", r.Epoch)
}
