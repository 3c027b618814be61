package configs

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// Limits of a line and its slaves.
const (
	leastTimeout  = 10 * time.Millisecond // less than the latency timer of common USB adapters, 16 ms
	mostTimeout   = 30 * time.Second
	leastInterval = 10 * time.Millisecond
	mostInterval  = 366 * 24 * time.Hour
	mostRegisters = 125 // of one reply: MODBUS Application Protocol V1.1b3 §6.3
	mostName      = 64  // bytes; far above any product code
)

// baudRates are the rates that serial ports of gateways and controllers usually have.
func baudRates() []int { return []int{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400} }

// lineNameForm keeps "line/unit id" readable in filters, attributes and keys.
var lineNameForm = form(`^[A-Za-z0-9._-]{1,64}$`)

func (v *validator) lines() {
	names := map[string]string{}
	var ports []portPlace
	for i := range v.config.Lines {
		l := &v.config.Lines[i]
		path := strictyaml.Index("lines", i)
		if v.shapeless(path, "port") {
			continue
		}
		v.line(path, l)
		if first, ok := names[l.Name]; ok && l.Name != "" {
			v.fault(path+".name", "%s is the name of %s too; give each line one of its own", l.Name, first)
		}
		names[l.Name] = path
		if here, ok := placeOf(path, l); ok && l.Enabled {
			v.sharedPort(here, ports)
			ports = append(ports, here)
		}
	}
	if len(v.config.Lines) == 0 && !v.broken("lines") {
		v.notice("lines", "no line is configured: nothing is read")
	}
}

func (v *validator) line(path string, l *Line) {
	switch {
	case l.Name == "":
		v.fault(path+".name", "a line needs a name, as in rs485")
	case !lineNameForm().MatchString(l.Name) || l.Name == "all":
		v.fault(path+".name", "want letters, digits, dots, - and _, 64 at most, and not all; not %q", clip(l.Name))
	}
	v.port(path, l)
	if rates := baudRates(); !slices.Contains(rates, l.Baud) {
		v.fault(path+".baud", "%d is not a usual rate; want one of %s (the controllers ship with 9600)", l.Baud,
			numbers(rates))
	}
	if l.DataBits != 8 {
		v.fault(path+".data_bits", "want 8, not %d: Modbus RTU has no other", l.DataBits)
	}
	v.oneOf(path+".parity", l.Parity, "none", "even", "odd")
	v.between(path+".stop_bits", l.StopBits, 1, 2, "")
	v.span(path+".timeout", l.Timeout, leastTimeout, mostTimeout)

	units := map[int]string{}
	for i := range l.Slaves {
		at := strictyaml.Index(path+".slaves", i)
		s := &l.Slaves[i]
		if v.shapeless(at, "id") {
			continue
		}
		v.slave(at, l, s)
		if first, ok := units[s.ID]; ok && v.doc.Has(at+".id") {
			v.fault(at+".id", "%d is the unit id of %s too; each controller on a line needs its own", s.ID, first)
		}
		units[s.ID] = at
	}
	if len(l.Slaves) == 0 && !v.broken(path+".slaves") {
		v.notice(path, "the line has no slaves: nothing is read from it")
	}
}

// unitID checks a unit id. On Modbus TCP 0 and 255 mean the device itself (MODBUS Messaging on TCP/IP V1.0b §4.4.1.2).
// On a serial line, also behind a gateway, 0 means all devices, and no device answers.
func (v *validator) unitID(path string, l *Line, id int) {
	scheme, _ := l.Network()
	switch {
	case scheme == ModbusTCP && (id == 0 || id == 255):
	case scheme == ModbusTCP:
		v.between(path, id, 1, 247, ", or 0 or 255 for the device itself")
	case id == 0 || id == 255:
		v.between(path, id, 1, 247, "; 0 and 255 are for tcp:// only, where they mean the device itself")
	default:
		v.between(path, id, 1, 247, "; the controllers ship with 1")
	}
}

func (v *validator) slave(path string, l *Line, s *Slave) {
	if v.doc.Has(path + ".id") {
		v.unitID(path+".id", l, s.ID)
	} else {
		v.fault(path+".id", "a slave needs its unit id, 1 to 247; the controllers ship with 1")
	}
	v.label(path+".name", s.Name)
	v.label(path+".product_code", s.ProductCode)
	v.label(path+".firmware", s.Firmware)
	v.oneOf(path+".model_check", s.ModelCheck, ModelCheck, ModelIgnore)
	if v.doc.Has(path + ".max_registers") {
		v.between(path+".max_registers", s.MaxRegisters, 1, mostRegisters, "; leave the key out for the family's")
	}
	if s.Timeout != 0 && (s.Timeout < leastTimeout || s.Timeout > mostTimeout) {
		v.fault(path+".timeout", "want %s to %s, not %s; leave the key out for the line's", short(leastTimeout),
			short(mostTimeout), short(s.Timeout))
	}
	v.span(path+".gap", s.Gap, 0, mostGap)
	families := v.families(s)
	if len(families) == 0 {
		v.unknownModel(path, s)
		return
	}
	v.productCode(path+".product_code", s, families)
	v.slaveObjects(path+".objects", s, families)
	v.encodings(path+".encodings", s, families)
	v.intervals(path+".intervals", s, families)
	if len(families) == 1 {
		v.neverSampled(path, s, families[0])
	}
}

// label checks a text that is used in messages, and in the comma separated `slaves` of integrations.
func (v *validator) label(path, text string) {
	odd := func(r rune) bool { return r < ' ' || r == 0x7F || r == ',' || r == '/' || r == '\uFFFD' }
	switch {
	case text == "":
		if v.doc.Has(path) {
			v.fault(path, "is empty; leave the key out")
		}
	case len(text) > mostName, strings.ContainsFunc(text, odd), strings.TrimSpace(text) != text, text == "all":
		v.fault(path, "want at most %d bytes without commas, slashes, control characters and blanks around them, and "+
			"not all; not %q", mostName, clip(text))
	}
}

// productCode adds a fault if the configured product code is of another family than the model.
func (v *validator) productCode(path string, s *Slave, families []*objects.Family) {
	if s.Auto() || s.ProductCode == "" || s.ModelCheck == ModelIgnore || len(families) != 1 {
		return
	}
	if _, other := v.cat.Fits(families[0], s.ProductCode); other != nil && other != families[0] {
		v.fault(path, "%s is a product code of %s, and the model is %s: correct one of the two, or write model_check: "+
			"ignore if the controller is no %s",
			clip(s.ProductCode), other.Slug, families[0].Slug, other.Slug)
	}
}

// families returns the families that the slave can have: one family, or all with model auto. It returns none if the
// model is not known.
func (v *validator) families(s *Slave) []*objects.Family {
	if f, ok := s.Family(v.cat); ok {
		return []*objects.Family{f}
	}
	// A slave with a configured product code and firmware is not asked.
	if s.Auto() && (s.ProductCode == "" || s.Firmware == "") {
		return v.cat.Families()
	}
	return nil
}

func (v *validator) unknownModel(path string, s *Slave) {
	var slugs []string
	for _, f := range v.cat.Families() {
		slugs = append(slugs, f.Slug)
	}
	if s.Auto() {
		v.fault(path+".product_code",
			"no family is known for product code %q; name the family as the slave's model: %s",
			clip(s.ProductCode), strings.Join(slugs, ", "))
		return
	}
	hint := "want auto, a product code, or one of " + strings.Join(slugs, ", ")
	if near := strictyaml.Nearest(s.Model, append(slugs, modelAuto)); near != "" {
		hint = "did you mean " + near + "?"
	}
	v.fault(path+".model", "no family and no product code known as %q; %s", clip(s.Model), hint)
}

// numbers joins numbers for an error message.
func numbers(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ", ")
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// keysOf returns a map's keys in ascending order, so that the faults have the same order each time.
func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
