// Package objects is the domain: families of controllers, their objects, how registers become
// values, and the samples and sweeps that travel from the line to the clouds. It is the bottom of the house:
// every other package may import it, it imports none of them.
//
// A family is data, not code: one YAML file under families/, with its source document in the header.
// No address in them is guessed; what no source gives is absent. Where the sources dispute an encoding the
// object lists its Choices and is not sampled until the configuration picks one.
//
// Promises:
//
//   - Decode never yields NaN or infinity. Registers that hold no value give ErrNoSample, which says why (ErrAbsent,
//     ErrOutOfRange, ErrFirmware), and nothing is sent.
//   - What an object leans on (a scale, a mode, a firmware number in other registers) comes in the same read:
//     Object.Span.
//   - A state or bit that no source names comes out as UNKNOWN_9 or bit_23, never as a neighbour's name.
//   - A value prints the same way everywhere: at most six decimals, no exponent, no "-0" (Value.AppendJSON).
//   - Families, objects and values do not change after they are made, so all goroutines may share them.
//
// Log intervals in the family files are ours; neither the vendor nor the service this agent replaces
// publishes any. They are chosen by how fast a quantity moves: faults and alarms 30 s, electrical values
// and states 60 s, temperatures 5 min, totals 15 min, daily values and settings 1 h. The configuration
// overrides each of them.
//
// One object, from registers to the message:
//
//	catalog, err := objects.LoadCatalog()
//	family, _ := catalog.Family("PSPWM")
//	object, _ := family.Object("adc_vbterm")          // 0x0012, f16, V
//	value, err := object.Decode([]uint16{0x4A0F})     // 12.1171875
//	fmt.Printf("%s", value.AppendJSON(nil))           // 12.117188
package objects
