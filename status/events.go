package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"noi-agent/status/api"
	"noi-agent/status/events"
)

const (
	// eventRetry is the time in milliseconds after which a browser connects again. eventLater is this time in seconds
	// for a browser that was refused because of too many streams.
	eventRetry = 3000
	eventLater = "10"
	// mostEventID bounds the header Last-Event-ID; ours have about ten bytes.
	mostEventID = 64
)

// serveEvents sends each change until the client disconnects.
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	values, err := readQuery(r.URL.RawQuery, "topics")
	if err != nil {
		fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	topics, err := events.ParseTopics(values["topics"])
	if err != nil {
		fail(w, r, http.StatusBadRequest, fmt.Sprintf("parameter %q: %v", "topics", err))
		return
	}
	last := r.Header.Get("Last-Event-ID")
	if len(last) > mostEventID {
		last = ""
	}
	watcher, err := s.watch.join(topics, last)
	if err != nil {
		w.Header().Set("Retry-After", eventLater)
		fail(w, r, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer watcher.Leave()
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // a browser sends nothing more
	out := s.stream(w)
	out.limit = s.limits.event
	defer out.stop()
	w.Header().Set("Content-Type", "text/event-stream")
	if err := s.sendEvents(r, watcher, out); err != nil {
		s.o.Logger.Debug("a stream of events was stopped", "error", err)
	}
}

// sendEvents returns nil when the client or the server has ended the stream, or the client's session has ended.
func (s *Server) sendEvents(r *http.Request, watcher *events.Watcher, out *stream) error {
	if _, err := out.Write(s.hello()); err != nil {
		return err
	}
	pause, session := time.NewTicker(s.limits.pause), time.NewTicker(lookEvery)
	defer pause.Stop()
	defer session.Stop()
	for {
		text := []byte(":\n\n")
		select {
		case <-r.Context().Done():
			return nil
		case <-watcher.Gone():
			return nil
		case <-session.C:
			if !s.door.stillReads(r) {
				return nil
			}
			continue
		case e := <-watcher.Events():
			text = appendEvent(nil, e)
			pause.Reset(s.limits.pause)
		case <-pause.C:
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
	}
}

// hello is the first event of a stream. It has no id, because it belongs to this stream alone.
func (s *Server) hello() []byte {
	now := s.o.Reporter.Status()
	body, _ := json.Marshal(api.Hello{Version: now.Version, BootID: now.Clock.BootID, DeviceID: now.DeviceID,
		Now: s.o.Now().UTC().Truncate(time.Millisecond)}) // texts and a time can always be encoded
	return fmt.Appendf(nil, "retry: %d\nevent: %s\ndata: %s\n\n", eventRetry, api.EventHello, body)
}

// appendEvent writes an event in the format text/event-stream. In JSON, line ends are escaped, so one line of data is
// enough.
func appendEvent(to []byte, e events.Event) []byte {
	return fmt.Appendf(to, "id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Name, bytes.ReplaceAll(e.Data, []byte("\n"), nil))
}

// listening makes the kernel end connections whose other side does not answer, such as a phone that has left the Wi-Fi.
// Keep-alive ends a silent connection. TCP_USER_TIMEOUT ends a connection whose data is not acknowledged; connections
// inherit it from their listener (tcp(7)). Without it the kernel waits for about a quarter of an hour.
func listening(abandoned time.Duration) net.ListenConfig {
	return net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: abandoned / 2, Interval: abandoned / 2, Count: 2},
		Control: func(_, _ string, c syscall.RawConn) error {
			var failed error
			err := c.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT,
					int(abandoned.Milliseconds()))
			})
			return errors.Join(err, failed)
		},
	}
}
