// Package shell writes values into commands that people paste into a shell.
package shell

import "strings"

// plain has the characters, besides letters and digits, that have no special meaning in a shell.
const plain = "_@%+=:,./-"

// Quote returns a text as one word of a POSIX shell. A text of plain characters stays as it is; the empty text is ”.
func Quote(text string) string {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune(plain, r)
	}
	if text != "" && !strings.ContainsFunc(text, odd) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
