package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"noi-agent/agent/poll"
	"noi-agent/modbus"
	"noi-agent/status/api"
)

// ErrNoLine means that no enabled line has this name.
var ErrNoLine = errors.New("no such line")

// Read reads registers of a slave now, as poll.Poller.Read does. Errors are ErrNoLine, those of modbus.Line.Read, and
// ctx's.
func (a *Agent) Read(
	ctx context.Context, line string, unit int, function byte, addr, count uint16,
) ([]uint16, time.Time, error) {
	var reply modbus.Reply
	err := onLine(a, line, func(p *poll.Poller) (err error) {
		reply, err = p.Read(ctx, unit, function, addr, count)
		return err
	})
	return reply.Registers, reply.At, err
}

// Probe asks now whether a unit is on a line, and what it is. No answer, and an answer that is no frame, are no errors:
// they are the state of the probe. Errors are ErrNoLine, modbus.ErrRefused, modbus.ErrPort, and ctx's.
func (a *Agent) Probe(ctx context.Context, line string, unit int, function byte) (api.Probe, error) {
	probe := api.Probe{UnitID: unit}
	err := onLine(a, line, func(p *poll.Poller) error {
		found, err := p.Probe(ctx, unit, function)
		switch {
		case errors.Is(err, modbus.ErrTimeout):
			probe.State = api.UnitAbsent
		case errors.Is(err, modbus.ErrFrame):
			probe.State = api.UnitGarbled
		case err != nil:
			return err
		default:
			probe.State, probe.ServerID = api.UnitPresent, found.ServerID
			probe.Vendor, probe.ProductCode = found.Identity.Vendor, found.Identity.ProductCode
			probe.Revision = found.Identity.Revision
			if found.Exception != nil {
				probe.Exception = int(found.Exception.Code)
			}
		}
		return nil
	})
	return probe, err
}

// onLine does something with the poller of a line.
func onLine(a *Agent, line string, do func(*poll.Poller) error) error {
	for _, p := range a.current().pollers {
		if p.Line().Name != line {
			continue
		}
		if err := do(p); !errors.Is(err, poll.ErrEnded) {
			return err
		}
		return fmt.Errorf("%w: %s has ended", ErrNoLine, line)
	}
	return fmt.Errorf("%w: %q", ErrNoLine, line)
}
