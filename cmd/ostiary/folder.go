package main

import (
	"os"

	"github.com/spf13/cobra"

	"ostiary/internal/config"
	"ostiary/internal/store"
)

// folderFlags are those of commands that work on a data folder which no server uses: serve's own.
type folderFlags struct{ cfg *config.Config }

func (f *folderFlags) register(cmd *cobra.Command) {
	f.cfg = config.Register(cmd.Flags(), "data", "mark", "database", "database-file")
}

// read gives the folder, and where the records and the mark are.
func (f *folderFlags) read(cmd *cobra.Command) (dir string, o store.Options, err error) {
	if _, err := f.cfg.Load(cmd.Flags(), os.Environ()); err != nil {
		return "", o, &usageError{err}
	}
	return f.cfg.Data, store.Options{Mark: f.cfg.Mark, Database: f.database()}, nil
}

// database is the zero DSN for SQLite.
func (f *folderFlags) database() store.DSN { return store.ReadDSN(f.cfg.Database.Reveal()) }

// shared says that the records are in PostgreSQL.
func (f *folderFlags) shared() bool { return f.cfg.Database.Reveal() != "" }
