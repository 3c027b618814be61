package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"noi-agent/configs"
	"noi-agent/internal/shell"
	"noi-agent/modbus"
	"noi-agent/status/api"
)

// controllers reports which units answer. The daemon reports about its own lines. Without a daemon the check sends
// requests itself.
func controllers(ctx context.Context, s *Site) (found []Finding) {
	if s.Status != nil {
		return answering(s.Status)
	}
	if s.Ask == nil {
		return notLooked("controllers", "the daemon does not answer")
	}
	for i := range s.Config.Lines {
		line := &s.Config.Lines[i]
		path := s.device(line)
		if !line.Enabled || len(line.Slaves) == 0 || path != "" && len(s.port(line, path)) > 0 {
			continue // the port cannot be used, which the check of the ports reports
		}
		found = append(found, s.ask(ctx, line)...)
	}
	return found
}

// answering returns a finding for each line of the daemon. The problems of the daemon name the units that do not
// answer.
func answering(status *api.Status) (found []Finding) {
	for i := range status.Lines {
		line := &status.Lines[i]
		if line.State == "disabled" {
			continue
		}
		good := 0
		for _, slave := range line.Slaves {
			if slave.State == "ok" {
				good++
			}
		}
		all, busy := len(line.Slaves), fmt.Sprintf("is busy for %.0f %% of the time", 100*line.Load)
		evidence := fmt.Sprintf("%d of %d controllers answer as configured; the line %s", good, all, busy)
		if good < all {
			evidence = fmt.Sprintf("the daemon reads the line, which %s; the problems below are of %d of %d "+
				"controllers", busy, all-good, all)
		}
		found = append(found, Finding{ID: "controllers", Level: OK, Subject: line.Name, Evidence: evidence})
	}
	return found
}

// ask sends a read to each slave of a line. If no unit answers, it tries other baud rates and parities.
func (s *Site) ask(ctx context.Context, line *configs.Line) (found []Finding) {
	heard, err := s.Ask(ctx, line, false)
	if err != nil {
		return []Finding{{
			ID: api.LineDown.Code, Level: Fault, Subject: line.Name, Evidence: firstLine(err.Error()),
			Why: "the line cannot be read", Command: "noi-agent scan --line " + shell.Quote(line.Name),
		}}
	}
	serial := s.device(line) != ""
	if len(heard.Found) == 0 && serial {
		if other, err := s.Ask(ctx, line, true); err == nil && len(other.Found) > 0 {
			return []Finding{otherSettings(line, other)}
		}
	}
	for _, slave := range line.Slaves {
		if slices.ContainsFunc(heard.Found, func(f modbus.Found) bool { return int(f.Unit) == slave.ID }) {
			continue
		}
		f := Finding{
			ID: api.SlaveNoReply.Code, Level: Fault, Subject: fmt.Sprintf("%s/%d", line.Name, slave.ID),
			Evidence: "unit " + fmt.Sprint(slave.ID) + " does not answer",
			Why:      "it gives no samples. " + suspect(serial, len(heard.Found) > 0, len(heard.Garbled) > 0),
			Command:  "sudo noi-agent scan --line " + shell.Quote(line.Name),
		}
		if len(heard.Garbled) > 0 {
			f.ID, f.Evidence = api.SlaveDamaged.Code, f.Evidence+", and bytes arrive that are no valid reply"
		}
		found = append(found, f)
	}
	if len(found) == 0 {
		return []Finding{{ID: "controllers", Level: OK, Subject: line.Name,
			Evidence: count(len(line.Slaves), "controller") + ": all answer"}}
	}
	return found
}

func otherSettings(line *configs.Line, heard modbus.ScanResult) Finding {
	at := heard.Settings
	return Finding{
		ID: "line_settings", Level: Fault, Subject: line.Name,
		Evidence: fmt.Sprintf("unit %d answers at %d baud, parity %s; the configuration has %d baud, parity %s",
			heard.Found[0].Unit, at.Baud, at.Parity, line.Baud, line.Parity),
		Why: "no controller answers at the configured settings; the wires are right",
		Command: fmt.Sprintf("noi-agent scan --line %s --baud %d --parity %s", shell.Quote(line.Name), at.Baud,
			at.Parity),
	}
}

// suspect returns the likely cause if a slave gives no valid reply. It depends on whether other slaves on the line
// answer, and whether any bytes arrive.
func suspect(serial, othersAnswer, noise bool) string {
	switch {
	case othersAnswer && noise:
		return "Other controllers on this line answer, so the wires, the baud rate and the parity are right. Perhaps " +
			"two controllers have this unit id: disconnect one of them, and scan again."
	case othersAnswer:
		return "Other controllers on this line answer, so the wires, the baud rate and the parity are right: check " +
			"its power and its unit id."
	case !serial:
		return "Check its power, its unit id, and the gateway's own status."
	case noise:
		return "Bytes arrive, so the wires are connected: check baud rate and parity first, then whether A and B " +
			"are swapped, and whether two controllers have the same unit id."
	default:
		return "Nothing at all arrives: check its power, the port, and whether A and B are swapped or open. A wrong " +
			"unit id, baud rate or parity has the same signs."
	}
}

// suspectOf is suspect for a slave that the daemon polls. The subject of p is "rs485/1"; for other subjects it returns
// "". The last requests decide whether bytes arrive: the counters of the line began with the daemon.
func suspectOf(status *api.Status, p api.Problem) string {
	name, unit, _ := strings.Cut(p.Subject, "/")
	i := slices.IndexFunc(status.Lines, func(l api.Line) bool { return l.Name == name })
	if i < 0 || unit == "" {
		return ""
	}
	line := &status.Lines[i]
	others := slices.ContainsFunc(line.Slaves, func(o api.Slave) bool {
		return fmt.Sprint(o.UnitID) != unit && o.State == "ok"
	})
	serial := !strings.Contains(line.Port, "://")
	text := suspect(serial, others, p.Code == api.SlaveDamaged.Code)
	if serial && !others {
		text += " If the daemon is stopped, `sudo noi-agent doctor` also tries other baud rates and parities."
	}
	return text
}
