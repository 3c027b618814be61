package configs

import (
	"strings"

	"noi-agent/objects"
)

// Names of objects may be patterns. `*` matches any characters, also none. It is the only wildcard: brackets are
// literal, because names such as T_ind[U] have them.

// isPattern reports whether a word is a pattern.
func isPattern(word string) bool { return strings.Contains(word, "*") }

// matchesAnything reports whether a word is a pattern that matches every name.
func matchesAnything(word string) bool { return word != "" && strings.Trim(word, "*") == "" }

// match reports whether a name or a pattern matches an object's name, case-sensitive.
func match(word, name string) bool { return objects.MatchesName(word, name) }

// best returns the word that decides for a name: the exact name, else the longest pattern that matches. tie is another
// matching pattern of the same length; "" if there is none. If no word matches, both are "".
func best(words []string, name string) (winner, tie string) {
	for _, w := range words {
		switch {
		case w == name:
			return w, ""
		case !isPattern(w) || !match(w, name):
		case winner == "" || len(w) > len(winner):
			winner, tie = w, ""
		case len(w) == len(winner):
			tie = w
		}
	}
	return winner, tie
}
