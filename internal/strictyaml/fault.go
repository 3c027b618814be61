package strictyaml

import (
	"slices"
	"strconv"
	"strings"
)

// Fault is one error in a document.
type Fault struct {
	Line int    // from 1; 0: the fault is about the whole document
	Path string // key path, as in "lines[0].baud"; "": the fault is about the whole document
	Text string // the error, and what to write instead; begins in lower case
	Code string // kind of fault, for programs: CodeUnknownKey or another word; "": the value is wrong
}

// The codes of the faults of Decode.
const (
	CodeUnknownKey  = "unknown_key"
	CodeRepeatedKey = "repeated_key"
	CodeNoValue     = "no_value"
)

// Error returns "line 12: lines[0].baud: want a whole number, not 1.5".
func (f Fault) Error() string {
	var b strings.Builder
	if f.Line > 0 {
		b.WriteString("line " + strconv.Itoa(f.Line) + ": ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// Faults has the errors in a document.
type Faults []Fault

// Error returns one line for each fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the faults as an error; nil if there are none.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Sort sorts the faults by their lines. Faults of the same line keep their order.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int { return a.Line - b.Line })
}

// maxFaults is the most faults in a report, besides one that says that there are more. A file with more faults is
// probably not a configuration.
const maxFaults = 1000

// add appends a fault if the report is not full.
func (fs *Faults) add(line int, path, text string) {
	fs.addFault(Fault{Line: line, Path: path, Text: text})
}

func (fs *Faults) addFault(f Fault) {
	if len(*fs) == maxFaults {
		f = Fault{Text: "more than " + strconv.Itoa(maxFaults) + " faults; the rest is not listed"}
	}
	if len(*fs) <= maxFaults {
		*fs = append(*fs, f)
	}
}
