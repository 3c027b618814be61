// Package strictyaml decodes one YAML document into a struct and reports the place of every error. It is the only
// package of the agent that imports a YAML library.
//
// Promises:
//   - All errors of a document come at once. Each has its line, its key path, and what to write instead.
//   - All parts without an error are decoded, so that the caller can check them too.
//   - Numbers and booleans have only one spelling: 0010 is not eight, 1.5 is not one, yes is not true.
//
// Refused:
//   - unknown and repeated keys, keys without a value, a second document;
//   - leading zeros, hexadecimal and underscored numbers, quoted numbers. A field for 0x0012 must be an
//     encoding.TextUnmarshaler, and gets the text;
//   - tags, anchors, aliases and merge keys;
//   - more than MaxSize bytes, and more than MaxDepth levels.
//
// A text field gets a scalar as it is written: `rs485: off` is the text "off".
//
// The tag `yaml:"name"` gives the key of a field; a field without the tag is not decoded. Supported types are string,
// bool, integers, floats, time.Duration ("500ms", 0), structs, slices, pointers, maps with string keys,
// encoding.TextUnmarshaler and Unmarshaler. Any other type, or a target that is not a pointer to a struct, causes a
// panic: it is an error of the program.
//
// In reading order:
//
//   - decode.go: Decode and Document
//   - parse.go, node.go, scalar.go: from text to nodes to values
//   - fault.go, nearest.go: the errors; "did you mean"
//
// Example:
//
//	var c struct {
//		Lines []struct {
//			Baud int `yaml:"baud"`
//		} `yaml:"lines"`
//	}
//	doc, faults := strictyaml.Decode(data, &c)
//	if len(c.Lines) == 0 {
//		faults = append(faults, doc.Fault("lines", "want at least one line"))
//	}
//	return faults.Err() // line 12: lines[0].baud: want a whole number, not 1.5
package strictyaml
