package configs

import (
	"regexp"
	"sync"
)

// form is a regular expression that is compiled when it is first used: most commands of the command line check no
// configuration, and these expressions cost more than the start of the rest of the program.
func form(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
