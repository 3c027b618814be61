package webtest

import (
	"time"

	"noi-agent/status/api"
)

// LineFaults returns three failed exchanges of the first line; none if the scene has no problems. The reply of one of
// them is longer than the part of it that is kept.
func (s *Scene) LineFaults() api.LineFaults {
	faults := []api.LineFault{}
	if len(s.State.Problems) > 0 && len(s.State.Lines) > 0 {
		const asked = "02 04 00 12 00 21 90 24"
		faults = append(faults,
			s.fault(9*time.Second, "timeout", "timeout", asked, "", 0),
			s.fault(70*time.Second, "checksum", "bad frame: wrong CRC", asked,
				"02 04 42 4A 0F 4A 1A 4A 0D 3C 5A 41 D0 47 28 00 00 00 00 00 3A 11 49 C2 48 88 10 22 10 22 10 23 "+
					"10 0D 00 06 00 00 00 00 00 00 00 05 00 00 00 00 00 00 3C 5A 3C 5A 42 28 47 28 "+
					"00 00 00 00 00 00", 71),
			s.fault(4*time.Minute, "exception", "illegal data address (02)",
				"01 04 E0 00 00 01 07 CA", "01 84 02 C2 C1", 5))
	}
	return api.LineFaults{Faults: faults}
}

func (s *Scene) fault(ago time.Duration, kind, text, request, received string, length int) api.LineFault {
	return api.LineFault{
		Line: s.State.Lines[0].Name, UnitID: int(request[1] - '0'), At: at(ago), AgeS: int64(ago.Seconds()), Kind: kind,
		Error: text, Request: request, Received: received, Length: length,
	}
}
