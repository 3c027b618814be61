package sim

import (
	"fmt"

	"noi-agent/modbus/modbustest"
	"noi-agent/objects"
)

// Vendor is the manufacturer that the controllers report.
const Vendor = "Morningstar Corp."

// model is how one family stands on the plant: data, the same shape for each.
type model struct {
	product  string // product code; "": it does not identify itself
	hardware string // version, as 01.04
	software int    // version, two digits

	site    site
	blocks  []run           // the registers that answer
	roles   map[string]role // what its faults and states do to the plant
	lowLoad string          // the alarm of a load that is off to save the battery; "": it has none
	table   table
}

// run is a run of registers that all answer, whether an object names them or not; both ends are included.
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

// identity is what the controller reports of itself; nil for one that does not.
func (m *model) identity() *modbustest.Identity {
	if m.product == "" {
		return nil
	}
	return &modbustest.Identity{Vendor: Vendor, Product: m.product,
		Revision: fmt.Sprintf("v%s.%02d", m.hardware, m.software)}
}

// serial is the unit's serial number, eight characters, another one for each unit id.
func serial(p *plant, _ *objects.Object) objects.Value {
	return objects.Text(fmt.Sprintf("21053%03d", 416+int(p.unit)))
}
