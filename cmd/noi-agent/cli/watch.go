package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// news waits for a change of the daemon's status. It uses the daemon's events. If there are none (too many clients, an
// older daemon, or no daemon), it waits for watchEvery.
type news struct {
	cli    *commandLine
	events <-chan struct{} // nil: there is no stream
}

// connect opens a stream of events if none is open. A change after its return makes an event.
func (n *news) connect(ctx context.Context) {
	if n.events != nil {
		return
	}
	socket, err := n.cli.socket()
	if err != nil {
		return
	}
	answer, err := daemonSocket{socket, 0}.open(ctx, http.MethodGet, "/api/v1/events?topics=status", nil)
	if err != nil {
		return
	}
	events := make(chan struct{}, 1)
	go passOn(answer.Body, events)
	n.events = events
}

// passOn passes each event on, and closes the channel when the stream has ended.
func passOn(stream io.ReadCloser, events chan<- struct{}) {
	defer close(events)
	defer stream.Close()
	for r := bufio.NewReader(stream); ; {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if !strings.HasPrefix(line, "event: ") || strings.HasPrefix(line, "event: hello") {
			continue
		}
		select {
		case events <- struct{}{}:
		default: // an event already waits
		}
	}
}

// wait returns after a change, after watchEvery without a stream, or when ctx ends.
func (n *news) wait(ctx context.Context) {
	var poll <-chan time.Time
	if n.events == nil {
		timer := time.NewTimer(watchEvery)
		defer timer.Stop()
		poll = timer.C
	}
	select {
	case <-ctx.Done():
	case <-poll:
	case _, ok := <-n.events:
		if !ok {
			n.events = nil
		}
	}
}
