package store

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzTextsReadBackFromPostgreSQL(f *testing.F) {
	for _, s := range []string{"", "plain", "a\x00b", "\xff\xfe", "\x10", "\x1000", "\x10\x10zz", "é\xc3", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		hidden := hide(s)
		if !utf8.ValidString(hidden) || strings.IndexByte(hidden, 0) >= 0 {
			t.Errorf("%q is sent as %q, which PostgreSQL does not take", s, hidden)
		}
		if got := show(hidden); got != s {
			t.Errorf("%q reads back as %q", s, got)
		}
	})
}

func TestEveryErrorOfPostgreSQLMeansSomething(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]fault{
		"40001": conflict, "40P01": conflict,
		"23505": caller, "23503": caller, "22021": caller,
		"25006": lost, "57P01": lost, "57P02": lost, "57P03": lost, "08006": lost,
		"53100": refused, "55P03": refused, "57014": refused, "58030": refused, "XX000": refused, "42501": refused,
		"25P02": unknown,
	} {
		if got := postgresFault(state); got != want {
			t.Errorf("%s means %d, want %d", state, got, want)
		}
	}
}
