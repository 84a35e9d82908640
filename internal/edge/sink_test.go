package edge

import (
	"bytes"
	"strings"
	"testing"
)

func TestACopyHasASizeWithinBounds(t *testing.T) {
	t.Parallel()
	for text, fits := range map[string]bool{"1234": true, "12345": false} {
		var got bytes.Buffer
		if err := receive(&got, strings.NewReader(text), 4); (err == nil) != fits {
			t.Errorf("%d bytes where 4 are the most: %v", len(text), err)
		}
		if got.Len() > 5 {
			t.Errorf("%d bytes were kept", got.Len())
		}
	}
}
