package objects

import "strings"

// MatchesName reports whether a name or a pattern matches an object's name, case-sensitive. * matches any characters,
// also none. Brackets are literal, because names such as T_ind[U] have them.
func MatchesName(word, name string) bool {
	first, rest, pattern := strings.Cut(word, "*")
	if !pattern {
		return word == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		// The first match leaves the longest rest for the next parts, so no other match is tried.
		at := strings.Index(name, part)
		if at < 0 {
			return false
		}
		name, rest = name[at+len(part):], after
	}
}
