package api

import "time"

// LineFaults is the answer of GET /api/v1/lines/faults: the last failed exchanges of each line and failures of its
// port, for a person who looks for the cause on the wire.
type LineFaults struct {
	// the newest first; at most 20 of each line, since the start
	Faults []LineFault `json:"faults"`
}

// LineFault is one exchange that gave no values. The bytes are in hex, "01 04 00 12 00 08 51 C9"; on Modbus TCP they
// begin with the unit id and have no checksum.
type LineFault struct {
	Line   string    `json:"line"`
	UnitID int       `json:"unit_id"` // of the request; 0 with the kind port
	At     time.Time `json:"at"`      // end of the exchange, by the present clock
	AgeS   int64     `json:"age_s"`
	// timeout | late | checksum | garbled | collision | other_master | foreign | foreign_unit | foreign_id |
	// wrong_length | ambiguous | exception | port
	Kind     string `json:"kind"`
	Error    string `json:"error"`          // the same in words: "illegal data address (02)"
	Request  string `json:"request"`        // the bytes that were sent; "" with the kind port
	Received string `json:"received"`       // the first 64 bytes that came before the timeout; "": none
	Length   int    `json:"received_bytes"` // how many bytes came in all
}
