package assertion

// Kept counts the assertions that a signer keeps.
func (s *Signer) Kept() (n int) {
	for i := range s.cache {
		n += len(s.cache[i].new) + len(s.cache[i].old)
	}
	return n
}

// Remembered counts the records of which it is known that they were touched.
func (r *Recent) Remembered() int { return len(r.new) + len(r.old) }

// Printable are the keys, for a test that prints them.
func (k *Keys) Printable() any { return *k.set.Load() }
