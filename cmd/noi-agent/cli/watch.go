package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// news says when it is worth to ask the daemon again: the daemon's events say so at once. Where they cannot be had (too
// many watch already, the daemon is of an older version, or away) the daemon is asked every other second.
type news struct {
	cli    *commandLine
	events <-chan struct{} // nil: there is no stream
}

// connect opens a stream of events unless there is one. What happens after it has returned makes an event.
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
		default: // one is waiting already
		}
	}
}

// wait returns when it is worth to ask again, or when the context ends.
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
