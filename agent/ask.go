package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"noi-agent/modbus"
)

// ask is a read that somebody wants now, between two sweeps.
type ask struct {
	unit   int
	span   modbus.Span
	result chan<- askResult
}

type askResult struct {
	reply modbus.Reply
	err   error
}

// answer does the read. The channel has room for the one result.
func (p *poller) answer(ctx context.Context, a ask) {
	p.asked = true
	reply, err := p.line.Read(ctx, byte(a.unit), a.span.Function, a.span.Addr, a.span.Count)
	if p.open && errors.Is(err, modbus.ErrPort) {
		p.portFailed(err)
	}
	a.result <- askResult{reply, err}
}

// ErrNoLine: no line of that name is enabled.
var ErrNoLine = errors.New("no such line")

// Read reads registers of a slave now, as soon as the line is free: unit 1 to 247 (0 and 255 too on tcp://), function 03 or 04, count 1 to 125. The slave
// need not be one of the configuration. Errors are ErrNoLine, those of modbus.Line.Read, and ctx's.
func (a *Agent) Read(ctx context.Context, line string, unit int, function byte, addr, count uint16) ([]uint16, time.Time, error) {
	for _, p := range a.current().pollers {
		if p.cfg.Name != line {
			continue
		}
		result := make(chan askResult, 1)
		select {
		case p.asks <- ask{unit, modbus.Span{Function: function, Addr: addr, Count: count}, result}:
		case <-ctx.Done():
			return nil, time.Time{}, fmt.Errorf("wait for line %s: %w", line, ctx.Err())
		case <-p.post.ended:
			return nil, time.Time{}, fmt.Errorf("%w: %s has ended", ErrNoLine, line)
		}
		select {
		case r := <-result:
			return r.reply.Registers, r.reply.At, r.err
		case <-p.post.ended:
			return nil, time.Time{}, fmt.Errorf("%w: %s has ended", ErrNoLine, line)
		}
	}
	return nil, time.Time{}, fmt.Errorf("%w: %q", ErrNoLine, line)
}
