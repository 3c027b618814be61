package strictyaml

import (
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a document.
type Fault struct {
	Line int    // 1-based; 0 when it concerns the document as a whole
	Path string // "lines[0].baud"; empty when it concerns the document as a whole
	Text string // what is wrong and what to write instead, lower case
	Code string // the kind of fault, for programs: CodeUnknownKey or another word; "": the value is wrong
}

// The codes of the faults that decoding finds.
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

// Faults is everything that is wrong with a document, in the order of its lines.
type Faults []Fault

// Error returns one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns the faults as an error, nil when there is none.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Sort puts the faults in the order of their lines; those of one line keep their order.
func (fs Faults) Sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int { return a.Line - b.Line })
}

// maxFaults bounds the report: a file with more than this is not a configuration with mistakes
// but another kind of file.
const maxFaults = 1000

// add appends a fault unless the report is full.
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
