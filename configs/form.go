package configs

import (
	"regexp"
	"sync"
)

// form returns a regular expression that is compiled at its first use. Most commands check no configuration, and to
// compile these expressions takes longer than the start of the rest of the program.
func form(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
