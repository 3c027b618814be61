package strictyaml

import (
	"strconv"
	"strings"
)

// Kind is the kind of a Node.
type Kind uint8

// The kinds. The zero Kind is a node that was refused while reading. Its fault is in the report.
const (
	KindScalar Kind = 1 // one value, as a text
	KindList   Kind = 2
	KindMap    Kind = 3
)

// node is one value of the tree.
type node struct {
	kind    Kind
	line    int
	text    string // scalar
	quoted  bool   // scalar in quotes or as a block (| or >)
	items   []*node
	entries []entry
}

// entry is one key of a map, in the order of the file.
type entry struct {
	key   string
	line  int
	value *node
}

// null reports whether the node is a key without a value.
func (n *node) null() bool { return n.kind == KindScalar && !n.quoted && isNull(n.text) }

// child returns the value of a key and the key's line; nil if the node does not have the key.
func (n *node) child(key string) (*node, int) {
	for _, e := range n.entries {
		if e.key == key {
			return e.value, e.line
		}
	}
	return nil, 0
}

// isNull reports whether a plain scalar means "no value" in YAML.
func isNull(text string) bool {
	switch text {
	case "", "~", "null", "Null", "NULL":
		return true
	}
	return false
}

// Unmarshaler is a type that decodes itself from a node of any kind, for example from `a, b` or `[a, b]`. UnmarshalNode
// is not called for a missing value. Its error gets the line and the path of the node, but a Fault or Faults keeps its
// own.
type Unmarshaler interface {
	UnmarshalNode(n Node) error
}

// Node is a value of the document, for an Unmarshaler.
type Node struct {
	n    *node
	path string
}

// Kind returns the kind; 0 for a value that was refused.
func (n Node) Kind() Kind { return n.n.kind }

// Text returns a scalar's text without its quotes; "" for the other kinds.
func (n Node) Text() string { return n.n.text }

// Quoted reports whether a scalar is in quotes or is a block text (| or >).
func (n Node) Quoted() bool { return n.n.quoted }

// Null reports whether the node has no value: it is empty, ~ or null.
func (n Node) Null() bool { return n.n.null() }

// Line returns the node's line, from 1.
func (n Node) Line() int { return n.n.line }

// Items returns a list's items; empty for the other kinds.
func (n Node) Items() []Node {
	items := make([]Node, 0, len(n.n.items))
	for i, item := range n.n.items {
		items = append(items, Node{n: item, path: Index(n.path, i)})
	}
	return items
}

// Entries returns a map's keys and values in the order of the file; nil for the other kinds.
func (n Node) Entries() (keys []string, values []Node) {
	for _, e := range n.n.entries {
		keys, values = append(keys, e.key), append(values, Node{n: e.at(), path: Key(n.path, e.key)})
	}
	return keys, values
}

// Fault returns a fault at this node.
func (n Node) Fault(text string) Fault { return Fault{Line: n.n.line, Path: n.path, Text: text} }

// Key returns the path of a key below path, as in "lines[0].baud". A key with special characters is in quotes:
// `intervals["T_ind[U]"]`.
func Key(path, key string) string {
	if !plainKey(key) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// Index returns the path of item i of the list path, as in "lines[0]".
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// plainKey reports whether a key needs no quotes in a path.
func plainKey(key string) bool {
	for _, r := range key {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (r < '0' || r > '9') && !strings.ContainsRune("_-*", r) {
			return false
		}
	}
	return key != ""
}

// Document has the lines of the keys of a decoded document. The nil Document is an empty document.
type Document struct{ root *node }

// Line returns the line of a key path, or of its nearest parent that exists; 0 for an empty document.
func (d *Document) Line(path string) int {
	line, _ := d.find(path)
	return line
}

// Has reports whether the document has a key path.
func (d *Document) Has(path string) bool {
	_, ok := d.find(path)
	return ok
}

// Fault returns a fault at a key path. Its line is the line that Line returns.
func (d *Document) Fault(path, text string) Fault {
	return Fault{Line: d.Line(path), Path: path, Text: text}
}

// find returns the line of the path, or of its nearest parent that exists. found: the whole path exists.
func (d *Document) find(path string) (line int, found bool) {
	if d == nil || d.root == nil {
		return 0, false
	}
	n := d.root
	line = n.line
	for path != "" {
		key, index, rest, ok := cutStep(path)
		if !ok {
			return line, false
		}
		var at int
		if index >= 0 {
			if n.kind != KindList || index >= len(n.items) {
				return line, false
			}
			n = n.items[index]
			at = n.line
		} else if n, at = n.child(key); n == nil {
			return line, false
		}
		line, path = at, rest
	}
	return line, true
}

// Steps returns the keys and indices of a key path, in its order. An index is a decimal number. If a part of path is
// not valid, Steps returns the steps before it.
func Steps(path string) (steps []string) {
	for path != "" {
		key, index, rest, ok := cutStep(path)
		if !ok {
			break
		}
		if index >= 0 {
			key = strconv.Itoa(index)
		}
		steps, path = append(steps, key), rest
	}
	return steps
}

// cutStep splits the first step off a path: a key (index -1) or an index.
func cutStep(path string) (key string, index int, rest string, ok bool) {
	if !strings.HasPrefix(path, "[") {
		path = strings.TrimPrefix(path, ".")
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		return path[:end], -1, path[end:], end > 0
	}
	path = path[1:]
	if quoted, err := strconv.QuotedPrefix(path); err == nil {
		key, _ = strconv.Unquote(quoted) // QuotedPrefix returns what Unquote takes
		rest, ok = strings.CutPrefix(path[len(quoted):], "]")
		return key, -1, rest, ok
	}
	digits, rest, ok := strings.Cut(path, "]")
	index, err := strconv.Atoi(digits)
	return "", index, rest, ok && err == nil && index >= 0
}
