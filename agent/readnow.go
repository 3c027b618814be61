package agent

import (
	"context"
	"errors"
	"fmt"
	"noi-agent/agent/poll"
	"time"
)

// ErrNoLine means that no enabled line has this name.
var ErrNoLine = errors.New("no such line")

// Read reads registers of a slave now, as poll.Poller.Read does. Errors are ErrNoLine, those of modbus.Line.Read, and
// ctx's.
func (a *Agent) Read(
	ctx context.Context, line string, unit int, function byte, addr, count uint16,
) ([]uint16, time.Time, error) {
	for _, p := range a.current().pollers {
		if p.Line().Name != line {
			continue
		}
		reply, err := p.Read(ctx, unit, function, addr, count)
		if errors.Is(err, poll.ErrEnded) {
			return nil, time.Time{}, fmt.Errorf("%w: %s has ended", ErrNoLine, line)
		}
		return reply.Registers, reply.At, err
	}
	return nil, time.Time{}, fmt.Errorf("%w: %q", ErrNoLine, line)
}
