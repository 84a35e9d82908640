package authority

import (
	"slices"
	"strings"

	"ostiary"
)

// mostWords is how many words of a filter count.
const mostWords = 8

// filter keeps the tokens in which every word is found, each anywhere.
func (v *view) filter(tokens []ostiary.Token, text string) ([]ostiary.Token, error) {
	words := strings.Fields(strings.ToLower(text))
	words = words[:min(len(words), mostWords)]
	if len(words) == 0 {
		return tokens, nil
	}
	if slices.ContainsFunc(words, func(word string) bool { return len(word) > ostiary.MaxText }) {
		return nil, nil // no text is so long
	}
	hints, err := v.hints()
	if err != nil {
		return nil, err
	}
	for _, word := range words {
		if tokens, err = v.withWord(tokens, hints, word); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

func (v *view) hints() (map[ostiary.ID]string, error) {
	all, err := v.SecretsOf(v.account)
	hints := make(map[ostiary.ID]string, len(all))
	for _, s := range all {
		hints[s.Token] = strings.ToLower(s.Hint)
	}
	return hints, err
}

func (v *view) withWord(tokens []ostiary.Token, hints map[ostiary.ID]string, word string) ([]ostiary.Token, error) {
	ids, err := v.TokensWithApp(v.account, word)
	if err != nil {
		return nil, err
	}
	byApp := make(map[ostiary.ID]bool, len(ids))
	for _, id := range ids {
		byApp[id] = true
	}
	owners := map[ostiary.ID]bool{}
	var kept []ostiary.Token
	for _, t := range tokens {
		owned, known := owners[t.Owner]
		if !known && t.Owner != 0 {
			u, err := v.person(t.Owner)
			if err != nil {
				return nil, err
			}
			owned = holds(Name(u), word) || holds(u.Email, word)
			owners[t.Owner] = owned
		}
		if owned || byApp[t.ID] || holds(t.Description, word) || strings.Contains(hints[t.ID], word) {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// holds says whether a text holds a word, which is in lower case.
func holds(text, word string) bool { return strings.Contains(strings.ToLower(text), word) }
