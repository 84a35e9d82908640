package main

import "testing"

func TestPlainShowsNothingThatMovesTheCursor(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Bob's laptop":  "Bob's laptop",
		"Käse 3…9":      "Käse 3…9",
		"a\x1b[2Jb":     "a�[2Jb",
		"a\u202egnp.sh": "a�gnp.sh",
		"a\tb\nc":       "a�b�c",
	} {
		if got := plain(text); got != want {
			t.Errorf("plain(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestQuotedIsOneWordForAShell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"/tmp/ostiary-demo-1": "/tmp/ostiary-demo-1",
		"":                    "''",
		"/home/me/my files":   "'/home/me/my files'",
		"it's;rm":             `'it'\''s;rm'`,
		"$HOME":               "'$HOME'",
	} {
		if got := quoted(text); got != want {
			t.Errorf("quoted(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestProgramOfGoRunIsKnownByItsPath(t *testing.T) {
	t.Parallel()
	for exe, want := range map[string]bool{
		"/tmp/go-build34828162/b001/exe/ostiary":           true,
		"/home/me/.cache/go-build/ab/cd-d/ostiary":         false,
		"/usr/local/bin/ostiary":                           false,
		"/tmp/go-build3482/b001/ostiary.test":              false,
		"/home/me/go-build12/project/bin/ostiary":          false,
		"/var/tmp/scratch/go-build1/b001/exe/ostiary-demo": true,
	} {
		if got := startedByGoRun(exe); got != want {
			t.Errorf("startedByGoRun(%s) = %v, want %v", exe, got, want)
		}
	}
}
