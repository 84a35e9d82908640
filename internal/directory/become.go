package directory

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"

	"ostiary"
)

// Become takes over all that another directory holds, which nobody must use any more, and is ready if that
// is. It never goes back to an older revision.
func (d *Directory) Become(o *Directory) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	o.changing.Lock()
	defer o.changing.Unlock()
	if at, to := d.revision.Load(), o.revision.Load(); to < at {
		return fmt.Errorf("%w: %d before %d", ErrBack, to, at)
	}
	d.keeping.take(o.found)
	d.found = nil
	d.lock()
	d.contents, d.ready, d.chain = o.contents, o.ready, o.chain
	d.revision.Store(o.revision.Load())
	d.unlock()
	d.held.begin(d.digests())
	d.waiting.wake()
	return nil
}

// Stream writes what WriteCopy writes into a file, but for what is in doubt: whoever follows from there learns how
// that ends from the log. No other copy is written meanwhile, so w must not wait for anybody.
func (d *Directory) Stream(ctx context.Context, w io.Writer) (ostiary.Head, error) {
	d.copying.Lock()
	defer d.copying.Unlock()
	return d.copyBy(&copier{ctx: ctx, dir: d, out: w, sum: sha256.New(), certain: true}, Copy{}, nil)
}
