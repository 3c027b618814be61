package sim

import (
	"fmt"

	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
)

// Vendor is the manufacturer that the controllers report.
const Vendor = "Morningstar Corp."

// model describes one family: its site, its registers, and the quantity for each object.
type model struct {
	product  string // product code; "": the controller does not identify itself
	hardware string // hardware version, as in 01.04
	software int    // software version, 0 to 99

	site    site
	blocks  []run           // the registers that answer
	roles   map[string]role // what faults, alarms and states do to the plant, by object
	lowLoad string          // bit of the alarms that means "load off because the battery is low"; "": none
	table   table
}

// run is a range of register addresses, both ends included. All registers in it answer, with and without an object.
type run struct{ first, last uint16 }

// modelOf returns the model of a family.
func modelOf(slug string) (model, bool) {
	build, ok := map[string]func(settings) model{
		"PSPWM": pspwm, "PSMPPT": psmppt, "SSMPPT": ssmppt, "TSMPPT": tsmppt, "TSMPPT600": tsmppt600, "TSPWM": tspwm,
		"SSDUO": ssduo, "SURESINE": suresine, "GENSTAR": genstar,
	}[slug]
	if !ok {
		return model{}, false
	}
	return build(sealed()), true
}

// identity returns the identity that the controller reports; nil if it does not identify itself.
func (m *model) identity() *modbustest.Identity {
	if m.product == "" {
		return nil
	}
	return &modbustest.Identity{Vendor: Vendor, Product: m.product,
		Revision: fmt.Sprintf("v%s.%02d", m.hardware, m.software)}
}

// serial returns a serial number of eight characters. It differs for each unit id.
func serial(p *plant, _ *objects.Object) objects.Value {
	return objects.Text(fmt.Sprintf("21053%03d", 416+int(p.unit)))
}
