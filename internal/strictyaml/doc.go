// Package strictyaml decodes one YAML document into a struct and says where everything that is
// wrong with it stands. It is the one place of the agent that imports a YAML library.
//
// It promises
//   - every fault of a document at once, each with its line, its key path and the way out;
//   - whatever has no fault is decoded, so that the caller can go on checking it;
//   - numbers and booleans judged by their text: 0010 is not eight, 1.5 is not one, yes is not true.
//
// It refuses unknown and repeated keys, a second document, keys without a value, leading zeros,
// hexadecimal and underscored numbers (a field that wants 0x0012 takes the text, as an
// encoding.TextUnmarshaler), quoted numbers, tags, anchors, aliases and merge keys, more than
// MaxSize bytes and more than MaxDepth levels.
//
// A text field takes a scalar as it is written: `rs485: off` is the text "off".
//
// Fields are named by the tag `yaml:"name"`; a field without one is not decoded. Supported are
// string, bool, integers, floats, time.Duration ("500ms", 0), structs, slices, pointers, maps with
// string keys, encoding.TextUnmarshaler and Unmarshaler. Any other type, or a target that is not a
// pointer to a struct, is a mistake of the program and panics.
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
