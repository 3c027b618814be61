package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"noi-agent/modbus"
)

// ask is a request that a person has sent. It is done between two sweeps.
type ask struct {
	do   func(context.Context) error
	done chan<- error // has room for the one result
}

// answer handles a request on the goroutine of the line.
func (a ask) answer(ctx context.Context, p *Poller) {
	p.asked = true
	err := a.do(ctx)
	if p.open && errors.Is(err, modbus.ErrPort) {
		p.portFailed(err)
	}
	a.done <- err
}

// ErrEnded comes from Read and Probe when the poller has ended.
var ErrEnded = errors.New("the line has ended")

// Read reads registers of a slave now, as soon as the line is free: unit 1 to 247 (0 and 255 too on tcp://), function
// 01 to 04, count 1 to 125. The slave need not be one of the configuration. Errors are ErrEnded, those of
// modbus.Line.Read, and ctx's.
func (p *Poller) Read(
	ctx context.Context, unit int, function byte, addr, count uint16,
) (reply modbus.Reply, err error) {
	err = between(ctx, p, func(ctx context.Context) (err error) {
		read := p.line.Try
		if slices.ContainsFunc(p.slaves, func(s *slave) bool { return s.cfg.ID == unit }) {
			read = p.line.Read
		}
		reply, err = read(ctx, byte(unit), function, addr, count)
		if err == nil || isReply(err) {
			p.heard(unit)
		}
		return err
	})
	return reply, err
}

// Probe asks now, as soon as the line is free, whether a unit is there, and what it is. Results and errors are those of
// modbus.Probe, and ErrEnded.
func (p *Poller) Probe(ctx context.Context, unit int, function byte) (found *modbus.Found, err error) {
	err = between(ctx, p, func(ctx context.Context) (err error) {
		if found, err = modbus.Probe(ctx, p.line, byte(unit), function); err == nil {
			p.heard(unit)
		}
		return err
	})
	return found, err
}

// heard makes a slave due now that was silent before and has just answered the request of a person. Otherwise the
// status would report it as silent for some more minutes, and the person would think that the line is still broken.
func (p *Poller) heard(unit int) {
	for _, s := range p.slaves {
		if s.cfg.ID == unit && (s.dead() || s.judged.barred()) {
			s.probeAt, s.probing = p.clock.Elapsed(), 0
		}
	}
}

// between makes the goroutine of the line call do between two sweeps, and waits for its end.
func between(ctx context.Context, p *Poller, do func(context.Context) error) error {
	done := make(chan error, 1)
	select {
	case p.asks <- ask{do, done}:
	case <-ctx.Done():
		return fmt.Errorf("wait for line %s: %w", p.cfg.Name, ctx.Err())
	case <-p.worker.Done():
		return ErrEnded
	}
	select {
	case err := <-done:
		return err
	case <-p.worker.Done():
		return ErrEnded
	}
}
