package ostiary

import (
	"fmt"
	"strings"
	"time"
)

// Explain gives every fact that led to a decision, in words, in the order in which Decide looks.
func Explain(f *Facts, q *Question) []string {
	if !f.Ready || !f.Known {
		return []string{"The token is not on record."}
	}
	t := f.Token
	words := []string{explainOwner(f), explainLife(t, q.At)}
	if reason := CheckAppName(q.App); reason != OK {
		return append(words, fmt.Sprintf("The application name is not valid: %s.", reason))
	}
	words = append(words, explainApp(f, q.App))
	if len(t.Networks) > 0 {
		word := "is on"
		if !onNetwork(t.Networks, q.From) {
			word = "is not on"
		}
		words = append(words, fmt.Sprintf("The address %s %s the token's list of networks.", q.From, word))
	}
	if q.Unclear {
		words = append(words, "The path could mean two things, and a rule about paths could be dodged by it.")
	}
	if q.Need != NoRole {
		can := CanUse(t, f.Owner)
		words = append(words, fmt.Sprintf("The request needs %s; the token can use %s.", q.Need, can))
	}
	return append(words, fmt.Sprintf("This is so at revision %d.", f.Revision))
}

func explainOwner(f *Facts) string {
	t := f.Token
	if t.Kind == AccountToken {
		return fmt.Sprintf("The token belongs to the account %s and was granted %s.", f.AccountName, t.Privilege)
	}
	if f.Owner == NoRole {
		return fmt.Sprintf("The token belongs to %s, who is disabled or no longer a member of %s, "+
			"so it may do nothing.", f.Email, f.AccountName)
	}
	limited := ""
	if can := CanUse(t, f.Owner); can < t.Privilege {
		limited = fmt.Sprintf(", so it can use %s", can)
	}
	return fmt.Sprintf("The token belongs to %s, whose role on %s is %s; it was granted %s%s.",
		f.Email, f.AccountName, f.Owner, t.Privilege, limited)
}

func explainLife(t TokenFact, at time.Time) string {
	switch {
	case t.Retired:
		return "The token is retired."
	case Expired(t, at):
		return "The token expired at " + time.Unix(t.ExpiresOn, 0).UTC().Format(time.RFC3339) + "."
	case t.ExpiresOn != 0:
		return "The token is live until " + time.Unix(t.ExpiresOn, 0).UTC().Format(time.RFC3339) + "."
	}
	return "The token is live."
}

func explainApp(f *Facts, name string) string {
	var b strings.Builder
	switch {
	case f.App.ID == 0:
		fmt.Fprintf(&b, "The application %q is not on record", name)
	case f.App.State == Waiting:
		fmt.Fprintf(&b, "Nobody has decided about the application %q", name)
	default:
		fmt.Fprintf(&b, "The application %q is %s.", name, f.App.State)
		return b.String()
	}
	fmt.Fprintf(&b, ", so the token's default app state answers: %s.", f.Token.Default)
	return b.String()
}
