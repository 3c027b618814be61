package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"noi-agent/modbus"
)

// ask is a read that a person has requested. It is done between two sweeps.
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
func (p *Poller) answer(ctx context.Context, a ask) {
	p.asked = true
	read := p.line.Try
	if slices.ContainsFunc(p.slaves, func(s *slave) bool { return s.cfg.ID == a.unit }) {
		read = p.line.Read
	}
	reply, err := read(ctx, byte(a.unit), a.span.Function, a.span.Addr, a.span.Count)
	if p.open && errors.Is(err, modbus.ErrPort) {
		p.portFailed(err)
	}
	a.result <- askResult{reply, err}
}

// ErrEnded comes from Read when the poller has ended.
var ErrEnded = errors.New("the line has ended")

// Read reads registers of a slave now, as soon as the line is free: unit 1 to 247 (0 and 255 too on tcp://), function
// 01 to 04, count 1 to 125. The slave need not be one of the configuration. Errors are ErrEnded, those of
// modbus.Line.Read, and ctx's.
func (p *Poller) Read(ctx context.Context, unit int, function byte, addr, count uint16) (modbus.Reply, error) {
	result := make(chan askResult, 1)
	select {
	case p.asks <- ask{unit, modbus.Span{Function: function, Addr: addr, Count: count}, result}:
	case <-ctx.Done():
		return modbus.Reply{}, fmt.Errorf("wait for line %s: %w", p.cfg.Name, ctx.Err())
	case <-p.worker.Done():
		return modbus.Reply{}, ErrEnded
	}
	select {
	case r := <-result:
		return r.reply, r.err
	case <-p.worker.Done():
		return modbus.Reply{}, ErrEnded
	}
}
