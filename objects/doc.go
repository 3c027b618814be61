// Package objects is the domain: families of controllers, their objects, the decoding of registers into values, and the
// samples and sweeps that travel from the line to the clouds. Every other package may import it. It imports only
// internal/strictyaml.
//
// A family is data, not code: one YAML file under families/, with its source document in the header. No address in a
// file is guessed: if no source has an object, the file does not have it. If the sources contradict each other about an
// encoding, the object lists its Choices, and is not sampled until the configuration selects one.
//
// Promises:
//
//   - Decode never gives NaN or infinity. Registers without a value give ErrNoSample with the reason (ErrAbsent,
//     ErrOutOfRange, ErrFirmware), and nothing is sent.
//   - If an object depends on other registers (a scale, a mode, a firmware number), all are read in the same request:
//     Object.Span.
//   - A state or bit without a name in the sources becomes UNKNOWN_9 or bit_23, never the name of a neighbour.
//   - A value is printed in the same way everywhere: at most six decimals, no exponent, no "-0" (Value.AppendJSON).
//   - Families, objects and values do not change after they are made, so all goroutines may share them.
//
// The log intervals in the family files are our own; the vendor publishes none. They depend on how fast a quantity
// changes: faults and alarms 30 s, electrical values and states 60 s, temperatures 5 min, totals 15 min, daily values
// and settings 1 h. The configuration can override each of them.
//
// In reading order:
//
//   - value.go, sample.go: a value; a sample, a sweep and a gap
//   - period.go: a duration as text for people
//   - family.go, catalog.go: a family with its objects; all families
//   - encoding.go, field.go, decode.go, span.go: from registers to a value
//   - file.go, address.go: a family file as it is written
//   - build.go, build_place.go, build_raw.go, build_reach.go: from the file to a Family, with every check
//   - pattern.go: names with *
//
// One object, from registers to the message:
//
//	catalog, err := objects.LoadCatalog()
//	family, _ := catalog.Family("PSPWM")
//	object, _ := family.Object("adc_vbterm")          // 0x0012, f16, V
//	value, err := object.Decode([]uint16{0x4A0F})     // 12.1171875
//	fmt.Printf("%s", value.AppendJSON(nil))           // 12.117188
package objects
