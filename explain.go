package ostiary

import (
	"fmt"
	"strings"
	"time"
)

// Explain gives every fact that led to a decision, in words, in the order in which Decide looks.
func Explain(f *Facts, q *Question) []string {
	all := explain(f, q, Role.String)
	words := make([]string, len(all))
	for i, one := range all {
		words[i] = one.Words
	}
	return words
}

// An Explained is a fact that led to a decision, in words.
type Explained struct {
	Words   string
	Decides bool // the decision hangs on this one
	refuses bool
}

// ExplainOnPage is Explain with roles as pages write them, and with the fact that decides: the first that
// refuses, and where none does, what is so about the application.
func ExplainOnPage(f *Facts, q *Question) []Explained {
	all := explain(f, q, Role.Label)
	for i, one := range all {
		if one.refuses {
			all[i].Decides = true
			return all
		}
	}
	all[2].Decides = true
	return all
}

func explain(f *Facts, q *Question, say func(Role) string) []Explained {
	if !f.MayDecide() || !f.Known {
		return []Explained{{Words: "The token is not on record.", refuses: true}}
	}
	t, can := f.Token, CanUse(f.Token, f.Owner)
	all := []Explained{
		{Words: explainOwner(f, say), refuses: can == NoRole},
		{Words: explainLife(t, q.At), refuses: t.Retired || Expired(t, q.At)},
	}
	if reason := CheckAppName(q.App); reason != OK {
		words := fmt.Sprintf("The application name is not valid: %s.", reason)
		return append(all, Explained{Words: words, refuses: true})
	}
	all = append(all, Explained{Words: explainApp(f, q.App), refuses: AnswerApp(f.App.State, t.Default) != OK})
	if len(t.Networks) > 0 {
		on, word := onNetwork(t.Networks, q.From), "is on"
		if !on {
			word = "is not on"
		}
		words := fmt.Sprintf("The address %s %s the token's list of networks.", q.From, word)
		if !q.From.IsValid() {
			words = "The token has a list of networks, and the address of the request is not known."
		}
		all = append(all, Explained{Words: words, refuses: !on})
	}
	if q.Unclear {
		words := "The path could mean two things, and a rule about paths could be dodged by it."
		all = append(all, Explained{Words: words, refuses: true})
	}
	if q.Need != NoRole {
		words := fmt.Sprintf("The request needs %s; the token can use %s.", say(q.Need), say(can))
		all = append(all, Explained{Words: words, refuses: can < q.Need})
	}
	return append(all, Explained{Words: fmt.Sprintf("This is so at revision %d.", f.Revision)})
}

func explainOwner(f *Facts, say func(Role) string) string {
	t := f.Token
	if t.Kind == AccountToken {
		return fmt.Sprintf("The token belongs to the account %s and was granted %s.", f.AccountName, say(t.Privilege))
	}
	if f.Owner == NoRole {
		return fmt.Sprintf("The token belongs to %s, who is disabled or no longer a member of %s, "+
			"so it may do nothing.", f.Email, f.AccountName)
	}
	limited := ""
	if can := CanUse(t, f.Owner); can < t.Privilege {
		limited = fmt.Sprintf(", so it can use %s", say(can))
	}
	return fmt.Sprintf("The token belongs to %s, whose role on %s is %s; it was granted %s%s.",
		f.Email, f.AccountName, say(f.Owner), say(t.Privilege), limited)
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
