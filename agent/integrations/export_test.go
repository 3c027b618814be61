package integrations

// Functions for the tests of crashes and of texts.

// Step is one operation of a change of the file.
type Step struct {
	What string
	Do   func() error
}

// ReplaceSteps are the operations that replace a file by a text.
func ReplaceSteps(path string, text []byte) (list []Step) {
	for _, s := range replaceSteps(path, text) {
		list = append(list, Step{s.what, s.do})
	}
	return list
}

// TextOf is the file of a set.
var TextOf = textOf
