package api

// Probe is the answer of POST /api/v1/probe: whether one unit is on a line, and the texts that the unit gives. A text
// that the unit does not give is "".
type Probe struct {
	UnitID      int    `json:"unit_id"`
	State       string `json:"state"`     // present | absent | garbled
	Exception   int    `json:"exception"` // code of the Modbus exception that was the answer; 0: it gave a register
	Vendor      string `json:"vendor"`
	ProductCode string `json:"product_code"`
	Revision    string `json:"revision"`
	ServerID    string `json:"server_id"` // by function 0x11, if the unit gives no product code
}

// The states of a Probe.
const (
	UnitPresent = "present"
	UnitAbsent  = "absent"  // no answer
	UnitGarbled = "garbled" // bytes came, but no valid frame
)
