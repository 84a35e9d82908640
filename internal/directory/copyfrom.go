package directory

import (
	"fmt"
	"os"
)

// CopyFrom is [OpenCopy] for a file that is open, and read from its beginning.
func CopyFrom(f *os.File) (*Directory, Copy, error) {
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(0, 0)
	}
	var d *Directory
	var about Copy
	if err == nil {
		d, about, err = readCopy(f, info.Size())
	}
	if err != nil {
		return nil, Copy{}, fmt.Errorf("%w: %w", ErrCopy, err)
	}
	return d, about, nil
}
