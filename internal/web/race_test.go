//go:build race

package web_test

// Under the race detector a page takes some fifteen times as long.
const (
	draws = 2
	slack = 100
	apart = 84
)
