package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits of a document. A configuration is much smaller.
const (
	MaxSize  = 1 << 20 // bytes
	MaxDepth = 32      // levels of lists and maps
	maxKey   = 200     // bytes of one key; the paths of all keys below it contain it
)

// parse reads exactly one document into a tree of nodes. It returns nil for an empty document.
func parse(data []byte) (*node, Faults) {
	if len(data) > MaxSize {
		return nil, Faults{{Text: fmt.Sprintf("is larger than %d bytes; this is probably the wrong file",
			MaxSize)}}
	}
	docs, err := load(data)
	if err != nil {
		return nil, Faults{syntaxFault(data, err)}
	}
	if len(docs) == 0 {
		return nil, nil
	}
	c := converter{}
	var root *node
	if first := docs[0]; len(first.Content) > 0 {
		root = c.node(first.Content[0], "", 0)
	}
	if len(docs) > 1 {
		c.faults.add(docs[1].Line, "", "a second document starts here; keep one and remove the line with ---")
	}
	return root, c.faults
}

// load reads at most two documents. The second one is only needed for the fault.
func load(data []byte) (docs []*yaml.Node, err error) {
	// The library converts its own panics into errors, but not all of them: some unusual comments caused a panic. Such
	// a panic must not end the daemon when it reads its configuration again.
	defer func() {
		if r := recover(); r != nil {
			docs, err = nil, fmt.Errorf("cannot be read as YAML: %v", r)
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for len(docs) < 2 {
		n := new(yaml.Node)
		err := dec.Decode(n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, n)
	}
	return docs, nil
}

// converter converts the library's tree into a tree of nodes. It collects the faults.
type converter struct{ faults Faults }

func (c *converter) node(y *yaml.Node, path string, depth int) *node {
	n := &node{line: y.Line}
	switch {
	case y.Kind == yaml.AliasNode:
		c.faults.add(y.Line, path, "aliases (*name) are not supported; write the value out")
		return n
	case y.Anchor != "":
		c.faults.add(y.Line, path, "anchors (&name) are not supported; remove &"+clip(y.Anchor))
	case y.Style&yaml.TaggedStyle != 0:
		c.faults.add(y.Line, path, "tags (!name) are not supported; remove "+clip(y.Tag))
		return n
	}
	if depth >= MaxDepth && y.Kind != yaml.ScalarNode {
		c.faults.add(y.Line, path, fmt.Sprintf("is nested deeper than %d levels", MaxDepth))
		return n
	}
	switch y.Kind {
	case yaml.ScalarNode:
		n.kind, n.text = KindScalar, y.Value
		n.quoted = y.Style != 0
	case yaml.SequenceNode:
		n.kind = KindList
		for i, item := range y.Content {
			n.items = append(n.items, c.node(item, Index(path, i), depth+1))
		}
	case yaml.MappingNode:
		n.kind = KindMap
		c.mapping(n, y, path, depth)
	}
	return n
}

// mapping adds the keys of y to n. If a key is repeated, the first one counts.
func (c *converter) mapping(n *node, y *yaml.Node, path string, depth int) {
	lines := make(map[string]int, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if text := refuseKey(key); text != "" {
			c.faults.add(key.Line, path, text)
			continue
		}
		if first, ok := lines[key.Value]; ok {
			c.faults.addFault(Fault{key.Line, Key(path, key.Value),
				fmt.Sprintf("is given twice; it is on line %d already", first), CodeRepeatedKey})
			continue
		}
		lines[key.Value] = key.Line
		child := c.node(value, Key(path, key.Value), depth+1)
		n.entries = append(n.entries, entry{key: key.Value, line: key.Line, value: child})
	}
}

// refuseKey returns the reason why a key is refused; "" for a valid key.
func refuseKey(k *yaml.Node) string {
	plain := k.Style == 0
	switch {
	case k.Kind == yaml.AliasNode:
		return "aliases (*name) are not supported; write the key out"
	case k.Kind != yaml.ScalarNode:
		return "a key must be plain text, not a list or a map"
	case k.Anchor != "":
		return "anchors (&name) are not supported; remove &" + clip(k.Anchor)
	case k.Style&yaml.TaggedStyle != 0:
		return "tags (!name) are not supported; remove " + clip(k.Tag)
	case plain && k.Value == "<<":
		return "merge keys (<<) are not supported; write the keys out"
	case plain && isNull(k.Value), k.Value == "":
		return "a key is missing before the colon"
	case len(k.Value) > maxKey:
		return fmt.Sprintf("the key %s is longer than %d bytes", clip(k.Value), maxKey)
	}
	return ""
}

// syntaxMessage matches a message of the library, such as "yaml: line 3: did not find expected key".
var syntaxMessage = regexp.MustCompile(`^yaml: (?:line (\d+): )?((?s:.*))$`)

// syntaxFault returns the fault for a document that is not YAML. The library reports the line where the block of the
// error began, or a line near it. So firstBadLine searches the line.
func syntaxFault(data []byte, err error) Fault {
	f := Fault{Text: "is not YAML: " + err.Error()}
	if m := syntaxMessage.FindStringSubmatch(err.Error()); m != nil {
		f.Line, _ = strconv.Atoi(m[1]) // a message without a line: 0
		f.Text = "is not YAML: " + m[2]
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if k := firstBadLine(lines); k > 0 {
		f.Line = k
	}
	switch {
	case notUTF8(data):
		f.Text += " (the file is not UTF-8 text: save it as UTF-8)"
	case f.Line > 0 && oddSpace(lines[max(f.Line-2, 0):min(f.Line, len(lines))]):
		f.Text += " (a line here has a no-break space, as copied from a web page: type spaces)"
	case f.Line > 0 && f.Line <= len(lines) && tabIndented(lines[f.Line-1]):
		f.Text += " (indent with spaces, not with tabs)"
	case strings.Contains(f.Text, "mapping values are not allowed"):
		f.Text += " (check the indentation, and quote a text that holds a colon and a space)"
	case strings.Contains(f.Text, "alphabetic or numeric character"):
		f.Text += ` (quote a text that begins with *: "*")`
	default:
		f.Text += " (check indentation, quotes and brackets up to here)"
	}
	return f
}

// Limits of the search for the bad line. A file of this size is parsed in milliseconds. Configurations have no lists or
// quoted texts with more lines than lookahead.
const (
	searchSize = 64 << 10 // bytes
	lookahead  = 40       // lines
	searchRuns = 400      // parses
)

// firstBadLine returns the number of the first bad line: the lines before it can be parsed, and no further line makes
// the file valid again. It returns 0 if it did not find the line.
func firstBadLine(lines [][]byte) int {
	whole := bytes.Join(lines, nil)
	if len(whole) > searchSize {
		return 0
	}
	runs := 0
	bad := func(k int) bool { // reports whether the first k lines are not YAML
		runs++
		_, err := load(bytes.Join(lines[:k], nil))
		return err != nil
	}
	good := 0
	for runs < searchRuns {
		lo, hi := good, len(lines) // the first lo lines are YAML, the first hi lines are not
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; bad(mid) {
				hi = mid
			} else {
				lo = mid
			}
		}
		// A list or a quoted text over several lines is not YAML when it is cut, and is YAML when it is whole. The
		// search continues after it.
		good = 0
		for k := hi + 1; k <= min(hi+lookahead, len(lines)-1); k++ {
			if !bad(k) {
				good = k
			}
		}
		if good == 0 {
			return hi
		}
	}
	return 0
}

// notUTF8 reports whether a file is of another encoding: bytes that are no UTF-8, or the zero bytes of UTF-16 without a
// mark at its begin.
func notUTF8(data []byte) bool { return !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 }

// oddSpace reports whether one of the lines begins with white space that YAML reads as text.
func oddSpace(lines [][]byte) bool {
	for _, line := range lines {
		if bytes.HasPrefix(bytes.TrimLeft(line, " "), []byte("\u00a0")) {
			return true
		}
	}
	return false
}

// tabIndented reports whether a tab is in the white space at the beginning of a line.
func tabIndented(line []byte) bool {
	text := bytes.TrimLeft(line, " \t")
	return bytes.ContainsRune(line[:len(line)-len(text)], '\t')
}
