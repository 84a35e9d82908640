package directory

import (
	"context"
	"time"

	"ostiary"
)

// WriteFile is WriteCopy for who knows the boot, and the clock of it when memory was last known to be all of the log.
func (d *Directory) WriteFile(ctx context.Context, path, boot string, asOf time.Duration) (ostiary.Head, error) {
	return d.WriteCopy(ctx, path, Copy{Boot: boot, Queried: asOf, At: time.Now().Truncate(time.Millisecond)})
}
