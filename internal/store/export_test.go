package store

import "slices"

// BackupTables are those that a backup holds, and those that it does not.
func BackupTables() (carries, leaves []string) {
	return slices.Clone(carried[:]), append(slices.Clone(notCarried[:]), "sqlite_sequence")
}
