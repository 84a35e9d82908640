package directory

import (
	"bytes"
	"context"
	"io"

	"ostiary"
)

// CopyTo writes a copy to where a test can hold it up, or make it fail.
func (d *Directory) CopyTo(out io.Writer, about Copy) (ostiary.Head, error) {
	return d.copyTo(context.Background(), out, about)
}

// ReadCopy opens a copy that lies in memory.
func ReadCopy(text []byte) (*Directory, Copy, error) {
	return readCopy(bytes.NewReader(text), int64(len(text)))
}

// KeepsChanges says whether changes are kept for a copy that is being written.
func (d *Directory) KeepsChanges() bool { return d.tail != nil }

// AppendFact and ReadFact are the form of a fact in bytes, there and back.
func AppendFact(b []byte, f ostiary.Fact) []byte       { return appendFact(b, f) }
func ReadFact(text []byte) (f ostiary.Fact, err error) { return new(room).read(text) }
