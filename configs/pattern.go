package configs

import (
	"strings"

	"noi-agent/objects"
)

// Names of objects may be patterns. `*` stands for any characters, none included, and is the only
// wildcard: names like T_ind[U] hold brackets, which are literal.

// isPattern reports whether a word is a pattern.
func isPattern(word string) bool { return strings.Contains(word, "*") }

// matchesAnything reports whether a word is a pattern that says nothing about the name.
func matchesAnything(word string) bool { return word != "" && strings.Trim(word, "*") == "" }

// match reports whether a name or pattern fits an object's name, case-sensitive.
func match(word, name string) bool { return objects.MatchesName(word, name) }

// best returns the word that decides for a name: the exact name before any pattern, then the
// longest pattern. tie is another pattern of the same length that fits as well, "" when there is
// none. Both are empty when nothing fits.
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
