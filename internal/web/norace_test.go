//go:build !race

package web_test

// How often a page is drawn to see how long it takes, how much longer it may take than it should, and what is in it.
const (
	draws = 9
	slack = 3
	apart = 24 // hours between two requests of an application
)
