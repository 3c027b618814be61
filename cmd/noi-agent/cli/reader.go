package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/status/wording"
)

// reader reads objects and registers of one slave.
type reader struct {
	from    source
	slave   *configs.Slave
	catalog *objects.Catalog
	model   string // model of the command line; "": none
	family  *objects.Family
}

// find returns an object of the slave's family. If the family is not known, it asks the slave first.
func (r *reader) find(ctx context.Context, name string) (*objects.Object, error) {
	if r.family == nil {
		family, err := r.findFamily(ctx)
		if err != nil {
			return nil, err
		}
		r.family = family
		if direct, ok := r.from.(*lineSource); ok {
			direct.limit(family)
		}
	}
	o, ok := r.family.Object(name)
	if !ok {
		return nil, noObject(r.family, name)
	}
	return o, nil
}

// noObject returns the error for an object that a family does not have.
func noObject(f *objects.Family, name string) error {
	names := make([]string, len(f.Objects))
	for i := range f.Objects {
		names[i] = f.Objects[i].Name
	}
	return misused(fmt.Errorf("%s has no object %q", f.Slug, escaped(name)),
		cmp.Or(nearest(name, names), "noi-agent objects --family "+f.Slug))
}

// configured returns the slave of the configuration, with the model of the command line if there is one.
func (r *reader) configured() *configs.Slave {
	slave := *r.slave
	if r.model != "" {
		slave.Model = r.model
	}
	return &slave
}

// doubts returns a text if the slave is of another family than the one that was used for the objects; otherwise "". It
// asks the slave after the reads, because some slaves do not answer for a moment after an identification request that
// they do not know.
func (r *reader) doubts(ctx context.Context) string {
	if _, named := r.configured().Family(r.catalog); !named || r.family == nil {
		return "" // the family comes from the slave itself
	}
	return r.from.mismatch(ctx, r.configured(), r.catalog)
}

func (r *reader) findFamily(ctx context.Context) (*objects.Family, error) {
	slave := r.configured()
	if f, ok := slave.Family(r.catalog); ok {
		return f, nil
	}
	if r.model != "" && !slave.Auto() {
		return nil, misused(fmt.Errorf("no family and no product code known as %q; the families are %s",
			escaped(r.model), slugs(r.catalog.Families())), "")
	}
	return r.from.family(ctx, r.catalog)
}

// registers reads raw registers.
func (r *reader) registers(ctx context.Context, word string, function byte) registerReading {
	span, err := parseRegisters(word)
	if err != nil {
		panic(err) // Validate has let it pass
	}
	span.Function = function
	row := registerReading{Function: function, Address: fmt.Sprintf("0x%04X", span.Addr), Count: span.Count,
		Registers: []registerRow{}}
	reply, err := r.from.read(ctx, span)
	if err != nil {
		row.Error = err.Error()
		return row
	}
	row.SampledAt = stamp(reply.At)
	if function <= modbus.FuncReadDiscrete {
		row.Bits = bitRows(span.Addr, reply.Registers)
		return row
	}
	row.Registers = decodings(span.Addr, reply.Registers)
	row.TextHighFirst, row.TextLowFirst = texts(reply.Registers)
	return row
}

// object reads one object. If the encoding of the object must be chosen, it decodes the value in every possible
// encoding.
func (r *reader) object(ctx context.Context, o *objects.Object) objectReading {
	span := spanOf(o)
	row := objectReading{Object: o.Name, Unit: o.Unit, Address: fmt.Sprintf("0x%04X", span.Addr),
		Function: span.Function, Registers: []string{}}
	reply, err := r.from.read(ctx, span)
	if err != nil {
		row.Error = err.Error()
		return row
	}
	row.SampledAt = stamp(reply.At)
	for _, register := range reply.Registers {
		row.Registers = append(row.Registers, fmt.Sprintf("0x%04X", register))
	}
	if len(o.Choices) == 0 {
		row.Value, row.NoValue = valueOf(o, reply.Registers)
		return row
	}
	chosen := r.slave.Encodings[o.Name]
	expected := r.expect(ctx, o)
	for _, choice := range o.Choices {
		c := r.candidate(o, choice.Name, reply.Registers, expected)
		if c.Chosen = choice.Name == chosen; c.Chosen {
			row.Value, row.NoValue = c.Value, c.NoValue
		}
		row.Candidates = append(row.Candidates, c)
	}
	row.Expected = expected
	return row
}

// candidate decodes registers in one of the object's encodings.
func (r *reader) candidate(o *objects.Object, name string, registers []uint16, e *expectation) candidate {
	c := candidate{Encoding: name}
	encoded, err := o.With(name)
	if err != nil {
		panic(err) // cannot happen: the name is one of the object's choices
	}
	c.Value, c.NoValue = valueOf(&encoded, registers)
	if e != nil && e.Value > 0 && c.Value != nil && encoded.Kind() == objects.KindNumber {
		ratio := c.Value.Float() / e.Value
		c.Ratio = &ratio
	}
	return c
}

// expect returns the approximate value of an energy in kWh. It is calculated from a counter of charge in the same
// controller: Ah × V / 1000. It returns nil for other objects, or if there is no such counter.
func (r *reader) expect(ctx context.Context, o *objects.Object) *expectation {
	if o.Unit != "kWh" {
		return nil
	}
	charge, ok := r.family.Object(strings.Replace(o.Name, "kWh", "Ah", 1))
	if !ok || charge.Unit != "Ah" {
		return nil
	}
	volts := r.batteryVoltage()
	if volts == nil {
		return nil
	}
	ah, ok := r.number(ctx, charge)
	v, sound := r.number(ctx, volts)
	if !ok || !sound {
		return nil
	}
	return &expectation{Value: ah * v / 1000,
		From: fmt.Sprintf("%s × %s / 1000 = %.6g Ah × %.4g V / 1000", charge.Name, volts.Name, ah, v)}
}

// batteryVoltage returns the object of the family with the battery voltage, or with the nominal voltage if there is no
// other; nil if there is none.
func (r *reader) batteryVoltage() *objects.Object {
	for _, name := range append(wording.BatteryVoltage(), "n_sys_v") {
		if o, ok := r.family.Object(name); ok && o.Unit == "V" && len(o.Choices) == 0 {
			return o
		}
	}
	return nil
}

// number reads the value of an object that is a number. ok is false for other objects, and without a value.
func (r *reader) number(ctx context.Context, o *objects.Object) (f float64, ok bool) {
	if len(o.Choices) > 0 || o.Kind() != objects.KindNumber {
		return 0, false
	}
	reply, err := r.from.read(ctx, spanOf(o))
	if err != nil {
		return 0, false
	}
	v, _ := valueOf(o, reply.Registers)
	if v == nil {
		return 0, false
	}
	return v.Float(), true
}

// spanOf returns the registers that must be read to decode an object.
func spanOf(o *objects.Object) modbus.Span {
	addr, count := o.Span()
	return modbus.Span{Function: o.Function(), Addr: addr, Count: count}
}

// valueOf decodes the registers of an object. Without a value it returns nil and the reason.
func valueOf(o *objects.Object, registers []uint16) (v *objects.Value, reason string) {
	value, err := o.DecodeSpan(registers)
	if err != nil {
		return nil, err.Error()
	}
	return &value, ""
}

// stamp prints a time in the format of the messages.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
