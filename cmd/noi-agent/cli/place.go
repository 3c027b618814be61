package cli

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"noi-agent/configs"
)

// place is one slave on a line, with the socket of the daemon that may own the line.
type place struct {
	line   *configs.Line
	slave  *configs.Slave
	socket string // "": no daemon owns the line
}

// placeOf finds a slave in the configuration. name may be "" if there is only one line, and unit may be nil if the line
// has only one slave.
func placeOf(config *configs.Config, name string, unit *int) (place, error) {
	line, err := lineOf(config, name)
	if err != nil {
		return place{}, err
	}
	at := place{line: line, socket: config.Status.Socket}
	units := make([]string, len(line.Slaves))
	for i := range line.Slaves {
		units[i] = strconv.Itoa(line.Slaves[i].ID)
		if unit != nil && line.Slaves[i].ID == *unit {
			at.slave = &line.Slaves[i]
		}
	}
	switch {
	case at.slave != nil:
	case unit != nil: // a unit that is not configured may be read too
		if err := tcpUnits(line.Port, []byte{byte(*unit)}); err != nil {
			return place{}, misused(fmt.Errorf("--unit: %w", err), "")
		}
		at.slave = unknownSlave(*unit)
	case len(line.Slaves) == 1:
		at.slave = &line.Slaves[0]
	default:
		return place{}, misused(fmt.Errorf("line %s has %d slaves (%s): say which with --unit", line.Name, len(units),
			strings.Join(units, ", ")), "")
	}
	return at, nil
}

func lineOf(config *configs.Config, name string) (*configs.Line, error) {
	names := make([]string, len(config.Lines))
	for i := range config.Lines {
		names[i] = config.Lines[i].Name
	}
	switch at := slices.Index(names, name); {
	case at >= 0:
		return &config.Lines[at], nil
	case len(names) == 0:
		return nil, misused(errors.New("the configuration has no line; name a port with --port"), "")
	case name != "":
		return nil, misused(fmt.Errorf("no line %q; there are %s", escaped(name), strings.Join(names, ", ")),
			nearest(name, names))
	case len(names) == 1:
		return &config.Lines[0], nil
	default:
		return nil, misused(fmt.Errorf("the configuration has %d lines (%s): say which with --line", len(names),
			strings.Join(names, ", ")), "")
	}
}

func unknownSlave(unit int) *configs.Slave {
	s := new(configs.Slave)
	s.SetDefaults()
	s.ID = unit
	return s
}
