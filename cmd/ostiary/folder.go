package main

import (
	"os"

	"github.com/spf13/cobra"

	"ostiary/internal/config"
)

// folderFlags are those of commands that work on a data folder which no server uses: serve's own.
type folderFlags struct{ cfg *config.Config }

func (f *folderFlags) register(cmd *cobra.Command) {
	f.cfg = config.Register(cmd.Flags(), "data", "mark")
}

// read gives the folder, and where the mark lies.
func (f *folderFlags) read(cmd *cobra.Command) (dir, mark string, err error) {
	if _, err := f.cfg.Load(cmd.Flags(), os.Environ()); err != nil {
		return "", "", &usageError{err}
	}
	return f.cfg.Data, f.cfg.Mark, nil
}
