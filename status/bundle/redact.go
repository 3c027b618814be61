package bundle

import (
	"fmt"
	"regexp"
	"strings"
)

// gone replaces each removed text.
const gone = "(removed)"

// secretKey matches a key that names a secret, and its value on the same line.
func secretKey() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(["']?)([\w.-]*(?:external_?id|passw(?:or)?d|passphrase|secret|token|credential|api_?key|` +
		`access_?key|private_?key)[\w.-]*)(["']?\s*:\s*)("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|[^\s,}\]#][^,}\]#]*|$)`)
}

// inAddress matches user and password in an address. keyID matches the id of an AWS access key.
func inAddress() *regexp.Regexp { return regexp.MustCompile(`://[^/\s"'@]*@`) }
func keyID() *regexp.Regexp     { return regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{12,}\b`) }

const (
	beginKey = "-----BEGIN "
	endKey   = "-----END "
)

// Redact returns a YAML text without comments and secrets, with the same number of lines. It also returns the list of
// removed texts, such as ":12: external_id". The text need not be valid YAML: Redact removes everything that may be a
// secret or a comment.
func Redact(text string) (clean string, removed []string) {
	comments, below := 0, -1 // below: the indentation of a secret key whose value is on the lines after it
	keys := secretKey()
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		bare := withoutComment(line)
		if len(bare) < len(strings.TrimRight(line, " \r")) {
			comments++
		}
		indent := len(bare) - len(strings.TrimLeft(bare, " "))
		if below >= 0 && (strings.TrimSpace(bare) == "" || indent > below) {
			lines[i] = ""
			continue
		}
		below = -1
		lines[i] = keys.ReplaceAllStringFunc(bare, func(found string) string {
			m := keys.FindStringSubmatch(found)
			if isPath(m[2]) {
				return found
			}
			removed = append(removed, fmt.Sprintf(":%d: %s", i+1, m[2]))
			if value := strings.TrimSpace(m[4]); value == "" || strings.ContainsAny(value[:1], `|>"'&!`) {
				below = indent
			}
			return m[1] + m[2] + m[3] + gone
		})
	}
	clean, more := Scrub(strings.Join(lines, "\n"))
	removed = append(removed, more...)
	if comments > 0 {
		removed = append(removed, ": "+counted(comments))
	}
	return clean, removed
}

// counted returns a number of comments in words.
func counted(comments int) string {
	if comments == 1 {
		return "1 comment"
	}
	return fmt.Sprintf("%d comments", comments)
}

// isPath reports whether a key with the name of a secret has the path of a file as its value.
func isPath(key string) bool { return strings.HasSuffix(strings.ToLower(key), "_file") }

// withoutComment removes the comment of a line. A comment begins with a # after a blank. A # in quotes that end on the
// same line begins no comment.
func withoutComment(line string) string {
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		begins := i == 0 || strings.IndexByte(" \t[{,:", line[i-1]) >= 0
		switch {
		case quote == '"' && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case begins && (c == '"' || c == '\'') && strings.IndexByte(line[i+1:], c) >= 0:
			quote = c
		case c == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return strings.TrimRight(line, " \t\r")
}

// Scrub returns a text without everything that has the form of a secret, and the list of removed texts.
func Scrub(text string) (clean string, removed []string) {
	address, key := inAddress(), keyID()
	lines := strings.Split(text, "\n")
	private := false
	for i, line := range lines {
		if private = private || strings.Contains(line, beginKey); private {
			lines[i] = gone
			removed = append(removed, fmt.Sprintf(":%d: key or certificate", i+1))
			private = !strings.Contains(line, endKey)
			continue
		}
		if address.MatchString(line) {
			line = address.ReplaceAllString(line, "://"+gone+"@")
			removed = append(removed, fmt.Sprintf(":%d: password in an address", i+1))
		}
		if key.MatchString(line) {
			line = key.ReplaceAllString(line, gone)
			removed = append(removed, fmt.Sprintf(":%d: AWS key id", i+1))
		}
		lines[i] = line
	}
	return strings.Join(lines, "\n"), removed
}
