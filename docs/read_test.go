package docs_test

import (
	"slices"
	"testing"
)

func TestBlocksAreReadWithWhatTheyPrint(t *testing.T) {
	t.Parallel()
	got := read("a\n```sh\necho 1\n```\n\n```text\n1\n```\n\n```console\n$ echo 2\n2\n$ echo 3\n```\n" +
		"```sh\necho 4\n```\nwords\n```text\nno\n```\n")
	want := []block{
		{line: 2, run: "echo 1\n", wants: "1\n", shown: true},
		{line: 11, run: "echo 2\n", wants: "2\n", shown: true, console: true},
		{line: 13, run: "echo 3\n", shown: true, console: true},
		{line: 15, run: "echo 4\n"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	fit := map[string]bool{"a b\nx\ny\nc\n": true, "a b\nc": true, "a\nc": false, "a b\nc d": false}
	for text, fits := range fit {
		if pattern("a …\n…\nc\n").MatchString(text) != fits {
			t.Errorf("pattern on %q: not %v", text, fits)
		}
	}
}
