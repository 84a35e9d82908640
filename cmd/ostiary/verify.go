package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"ostiary"
	"ostiary/internal/directory"
	"ostiary/internal/store"
)

// databaseName is the database's name in a data folder.
const databaseName = "ostiary.db"

// A verified log says how far it holds.
type verified struct {
	Revision uint64 `json:"revision"`
	Chain    string `json:"chain"`
	Epoch    uint64 `json:"epoch"`
	Erased   int    `json:"erased"` // stories; their digests hold
}

func auditVerify() *cobra.Command {
	var asJSON bool
	folder := &folderFlags{}
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Walk the log from its beginning, and compare the records with it",
		Long: "Walk the log from its beginning: every digest and the chain must hold, and replaying every change must\n" +
			"give exactly the records. While a server runs, a copy that the server makes is verified, or with PostgreSQL\n" +
			"what all servers share. Write down revision and chain elsewhere: whoever can change the database could write\n" +
			"a new log as a whole.",
		Example: `  ostiary audit verify --data /var/lib/ostiary`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, options, err := folder.read(cmd)
			if err != nil {
				return err
			}
			db, err := store.Open(cmd.Context(), dir, options)
			if errors.Is(err, store.ErrInUse) && folder.shared() {
				return verifyShared(cmd, options.Database, asJSON)
			}
			if errors.Is(err, store.ErrInUse) {
				return verifyCopy(cmd, dir, asJSON)
			}
			if err != nil {
				return err
			}
			return errors.Join(verify(cmd, db, asJSON), db.Close())
		},
	}
	folder.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

// verifyCopy verifies a copy of the records that the running server makes: a consistent one, while
// nobody has to wait.
func verifyCopy(cmd *cobra.Command, data string, asJSON bool) (err error) {
	dir, err := os.MkdirTemp(data, "verify-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := giveTo(dir, data); err != nil {
		return err
	}
	file, err := filepath.Abs(filepath.Join(dir, databaseName))
	if err != nil {
		return err
	}
	server := newSocketClient(data)
	if _, err := server.post(cmd.Context(), "/v2/operator/backup", map[string]string{"file": file}); err != nil {
		return err
	}
	db, err := store.Open(cmd.Context(), dir, store.Options{})
	if err != nil {
		return err
	}
	return errors.Join(verify(cmd, db, asJSON), db.Close())
}

// verifyShared verifies the records that a running server shares with others, as one more of them.
func verifyShared(cmd *cobra.Command, database store.DSN, asJSON bool) (err error) {
	dir, err := os.MkdirTemp("", "ostiary-verify-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := store.Open(cmd.Context(), dir, store.Options{Database: database})
	if err != nil {
		return err
	}
	return errors.Join(verify(cmd, db, asJSON), db.Close())
}

// giveTo makes a folder belong to the server's user, where root made it.
func giveTo(dir, data string) error {
	info, err := os.Stat(data)
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(dir, int(owner.Uid), int(owner.Gid))
}

func verify(cmd *cobra.Command, db *store.DB, asJSON bool) error {
	report, err := store.Verify(cmd.Context(), db)
	if errors.Is(err, store.ErrBroken) {
		return fmt.Errorf("%w.\nThe log holds up to revision %d. Keep the folder as it is, and compare it with a backup",
			err, report.Head.Revision)
	}
	if err != nil {
		return err
	}
	if err := sameByReplay(cmd.Context(), db); err != nil {
		return err
	}
	v := verified{report.Head.Revision, fmt.Sprintf("%x", report.Head.Chain[:]), db.Epoch(), report.Erased}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), v)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "The log holds from revision 1 to %d, and the records are what it says.\nChain: %s\nEpoch: %d\n",
		v.Revision, v.Chain, v.Epoch)
	if v.Erased > 0 {
		fmt.Fprintf(out, "%s erased; what they changed still holds.\n",
			count(v.Erased, "story was", "stories were"))
	}
	return nil
}

var errEnough = errors.New("enough")

// sameByReplay compares the records with what the log makes of nothing.
func sameByReplay(ctx context.Context, db *store.DB) error {
	records, replayed := directory.New(), directory.New()
	if err := records.Load(ctx, db); err != nil {
		return err
	}
	err := db.Changes(ctx, 0, func(c ostiary.Change) error {
		if c.Revision > records.Revision() {
			return errEnough // another node goes on meanwhile
		}
		return replayed.Apply(c, nil)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if records.Digest() != replayed.Digest() {
		return errors.New("the records are not what the log says: somebody changed them behind its back.\n" +
			"Keep the folder as it is, and compare it with a backup")
	}
	return nil
}
