package directory

import "ostiary"

// AppendFact and ReadFact are the form of a fact in bytes, there and back.
func AppendFact(b []byte, f ostiary.Fact) []byte       { return appendFact(b, f) }
func ReadFact(text []byte) (f ostiary.Fact, err error) { return new(room).read(text) }
