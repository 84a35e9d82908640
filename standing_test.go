package ostiary_test

import (
	"fmt"
	"strings"
	"testing"

	"ostiary"
)

// The page shows how people read every application, and what it does to forget its record.
func TestStandingPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("record   default  told      read as               forgotten  asks first\n")
	for _, state := range []ostiary.AppState{ostiary.Waiting, ostiary.Denied, ostiary.Allowed} {
		for _, def := range []ostiary.DefaultAppState{ostiary.Deny, ostiary.Pending, ostiary.Allow} {
			told := ostiary.AnswerApp(state, def).AppAnswer()
			then, asks := ostiary.Forgotten(state, def)
			asked := ""
			if asks {
				asked = "yes"
			}
			line := fmt.Sprintf("%-8s %-8s %-9s %-21s %-10s %s",
				state, def, told, ostiary.Standing(state.String(), told), then.AppAnswer(), asked)
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	golden(t, "standing.txt", b.String())
}
