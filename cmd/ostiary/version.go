package main

import (
	"database/sql"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // to ask it for its version
)

// A build says what this program was made from.
type build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"` // empty where it is not known
	Go      string `json:"go"`
	SQLite  string `json:"sqlite"`
}

func versionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Say which version this is, and of SQLite",
		Example: `  ostiary version`,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := thisBuild()
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), b)
			}
			commit := ""
			if b.Commit != "" {
				commit = ", commit " + b.Commit
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "ostiary %s%s\n%s, SQLite %s\n", b.Version, commit, b.Go, b.SQLite)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func thisBuild() (build, error) {
	b := build{Version: programVersion(), Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.Commit = s.Value
			}
		}
	}
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return b, err
	}
	defer db.Close()
	return b, db.QueryRow(`SELECT sqlite_version()`).Scan(&b.SQLite)
}

// programVersion is the module's: that of a release, or "(devel)" when built from a working tree.
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
