package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// readLimit is the time limit of one read by the daemon. It is longer than the daemon's own limit, whose error has more
// details.
const readLimit = 30 * time.Second

// source reads registers of one slave and finds its family.
type source interface {
	read(ctx context.Context, span modbus.Span) (modbus.Reply, error)
	family(ctx context.Context, catalog *objects.Catalog) (*objects.Family, error)
	mismatch(ctx context.Context, cfg *configs.Slave, catalog *objects.Catalog) string
	close() error
}

// open returns the daemon as the source if it runs and polls the line, because it then owns the port. Otherwise it
// opens the port.
func (at place) open(ctx context.Context, p *Program) (source, error) {
	var absent error
	if at.socket != "" {
		d := daemonSource{daemonSocket{at.socket, readLimit}, at}
		has, err := d.has(ctx)
		var noDaemon *noDaemonError
		switch {
		case errors.As(err, &noDaemon) && noDaemon.absent():
			absent = fmt.Errorf("no daemon answers at %s: %w", noDaemon.socket, noDaemon.err)
		case err != nil:
			return nil, err
		case has:
			return d, nil
		}
	}
	s := &lineSource{at: at, line: modbus.NewLine(modbus.Options{
		Settings: poll.PortSettings(at.line), Timeout: at.line.Timeout, Echo: modbus.Echo(at.line.Echo), Now: p.Now,
	})}
	s.line.SetUnit(byte(at.slave.ID), at.slave.Timeout, at.slave.Gap)
	s.line.SetLimits(byte(at.slave.ID), uint16(at.slave.MaxRegisters), avoided(at.slave.Avoid))
	if err := s.line.Open(); err != nil {
		return nil, errors.Join(err, absent)
	}
	return s, nil
}

// avoided converts the registers to avoid to the type of package modbus.
func avoided(registers configs.Registers) []modbus.Range {
	out := make([]modbus.Range, len(registers))
	for i, r := range registers {
		out[i] = modbus.Range(r)
	}
	return out
}

// daemonSource reads by the daemon, which does it between two of its sweeps.
type daemonSource struct {
	daemonSocket
	at place
}

// has reports whether the daemon polls the line. It fails if the line cannot be used now, because the daemon would wait
// for it.
func (d daemonSource) has(ctx context.Context) (bool, error) {
	line, err := d.status(ctx)
	if err != nil || line == nil {
		return false, err
	}
	if line.Error != "" {
		return false, fmt.Errorf("the daemon cannot work on line %s: %s", line.Name, line.Error)
	}
	return true, nil
}

// status returns the status of the line in the daemon; nil if the daemon has no such line, or the line is disabled.
func (d daemonSource) status(ctx context.Context) (*api.Line, error) {
	body, err := d.get(ctx, "/api/v1/status")
	if err != nil {
		return nil, err
	}
	var s api.Status
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	at := slices.IndexFunc(s.Lines, func(l api.Line) bool { return l.Name == d.at.line.Name && l.State != "disabled" })
	if at < 0 {
		return nil, nil
	}
	return &s.Lines[at], nil
}

func (d daemonSource) read(ctx context.Context, span modbus.Span) (modbus.Reply, error) {
	body, err := d.post(ctx, "/api/v1/read", map[string]any{
		"line": d.at.line.Name, "unit_id": d.at.slave.ID, "function": span.Function, "address": span.Addr,
		"count": span.Count,
	})
	var refused *refusedError
	if errors.As(err, &refused) {
		return modbus.Reply{},
			fmt.Errorf("the daemon: %s%s", refused.says.Error(), silenceHint(refused.code == http.StatusGatewayTimeout))
	}
	if err != nil {
		return modbus.Reply{}, err
	}
	var answer struct {
		Registers []uint16
		At        time.Time
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Registers) != int(span.Count) {
		return modbus.Reply{}, fmt.Errorf("the daemon's answer is not valid: %s", body)
	}
	return modbus.Reply{Registers: answer.Registers, At: answer.At}, nil
}

// probe asks one unit of the line, like modbus.Probe. The running agent sends the request.
func (d daemonSource) probe(ctx context.Context, unit, function byte) (*modbus.Found, error) {
	body, err := d.post(ctx, "/api/v1/probe",
		map[string]any{"line": d.at.line.Name, "unit_id": unit, "function": function})
	var refused *refusedError
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("the daemon: %s", refused.says.Error())
	}
	if err != nil {
		return nil, err
	}
	var probe api.Probe
	if err := json.Unmarshal(body, &probe); err != nil {
		return nil, fmt.Errorf("the daemon's answer is none: %s", body)
	}
	switch probe.State {
	case api.UnitAbsent:
		return nil, modbus.ErrTimeout
	case api.UnitGarbled:
		return nil, modbus.ErrFrame
	}
	found := &modbus.Found{Unit: unit, ServerID: probe.ServerID, Identity: modbus.Identity{
		Vendor: probe.Vendor, ProductCode: probe.ProductCode, Revision: probe.Revision,
	}}
	if probe.Exception != 0 {
		found.Exception = &modbus.Exception{Function: function, Code: byte(probe.Exception)}
	}
	return found, nil
}

// family returns the family that the daemon has found.
func (d daemonSource) family(ctx context.Context, catalog *objects.Catalog) (*objects.Family, error) {
	line, err := d.status(ctx)
	if err != nil {
		return nil, err
	}
	if line != nil {
		for _, s := range line.Slaves {
			if f, ok := catalog.Family(s.Family); ok && s.UnitID == d.at.slave.ID {
				return f, nil
			}
		}
	}
	return nil, fmt.Errorf("the daemon does not know the family of unit %d: give it with --model", d.at.slave.ID)
}

// mismatch returns a text if the slave is of another family than cfg says. The daemon knows only the slaves that it
// polls. For others it returns "".
func (d daemonSource) mismatch(ctx context.Context, cfg *configs.Slave, catalog *objects.Catalog) string {
	line, err := d.status(ctx)
	if err != nil || line == nil {
		return ""
	}
	for _, s := range line.Slaves {
		if s.UnitID == d.at.slave.ID {
			return poll.Mismatch(cfg, catalog, escaped(s.ProductCode))
		}
	}
	return ""
}

func (daemonSource) close() error { return nil }

// lineSource reads directly at the port.
type lineSource struct {
	at   place
	line *modbus.Line
}

// readTries is the most attempts of a read whose replies arrive damaged.
const readTries = 3

func (s *lineSource) read(ctx context.Context, span modbus.Span) (reply modbus.Reply, err error) {
	for range readTries {
		reply, err = s.line.Read(ctx, byte(s.at.slave.ID), span.Function, span.Addr, span.Count)
		if !errors.Is(err, modbus.ErrFrame) {
			break
		}
	}
	if err != nil {
		return reply, fmt.Errorf("%w%s", err, silenceHint(errors.Is(err, modbus.ErrTimeout)))
	}
	return reply, nil
}

// silenceHint returns a hint for a unit that does not answer; "" if silent is false.
func silenceHint(silent bool) string {
	if !silent {
		return ""
	}
	return "; check the unit id, power, wires and baud rate. `noi-agent scan` finds the units that answer"
}

// mismatch returns a text if the slave reports another family than cfg has. A slave that reports nothing is accepted.
func (s *lineSource) mismatch(ctx context.Context, cfg *configs.Slave, catalog *objects.Catalog) string {
	code, text, _ := s.ask(ctx)
	if found, _, ok := catalog.InText(text); ok && code == "" {
		code = found
	}
	return poll.Mismatch(cfg, catalog, escaped(code))
}

// ask returns the product code that the slave reports. If it reports none, it returns the server id as text.
func (s *lineSource) ask(ctx context.Context) (code, text string, err error) {
	unit := byte(s.at.slave.ID)
	id, err := s.line.Identify(ctx, unit)
	if err != nil || id.ProductCode == "" {
		text, _, err = s.line.ServerID(ctx, unit)
	}
	return id.ProductCode, text, err
}

// family asks the slave for its identity.
func (s *lineSource) family(ctx context.Context, catalog *objects.Catalog) (*objects.Family, error) {
	unit := s.at.slave.ID
	code, text, err := s.ask(ctx)
	if f, ok := familyOf(catalog, code, text); ok {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w%s; or give its family with --model", err,
			silenceHint(errors.Is(err, modbus.ErrTimeout)))
	}
	return nil, fmt.Errorf("unit %d reports %q, which no family has: give its family with --model", unit, code+text)
}

// limit sets the most registers of a read from the family, if the configuration does not set them.
func (s *lineSource) limit(f *objects.Family) {
	if s.at.slave.MaxRegisters == 0 {
		s.line.SetLimits(byte(s.at.slave.ID), f.MaxRegisters, avoided(s.at.slave.Avoid))
	}
}

func (s *lineSource) close() error { return s.line.Close() }

// familyOf returns the family of a product code, or of a product code in the text of a server id (function 0x11).
func familyOf(catalog *objects.Catalog, productCode, serverID string) (*objects.Family, bool) {
	if f, ok := catalog.ByProductCode(productCode); ok {
		return f, true
	}
	_, f, ok := catalog.InText(serverID)
	return f, ok
}
