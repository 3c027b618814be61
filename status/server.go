package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/status/bundle"
	"noi-agent/status/guard"
	"noi-agent/status/logs"
	"noi-agent/status/web"
)

// Reporter reports the state of the agent. The answers must not change after they are returned.
type Reporter interface {
	// Status returns identity, clock, lines, integrations, store and problems.
	Status() api.Status
	// Objects returns the latest value of each object.
	Objects() api.Objects
	// History returns the values of an object in the last span, or as far back as they are kept; false if the object is
	// not polled.
	History(line string, unit int, object string, span time.Duration) (api.History, bool)
}

// TriggerLog lists publications.
type TriggerLog interface {
	// Triggers returns the rows that match, the newest first.
	Triggers(q api.TriggerQuery) (api.Triggers, error)
	// Trigger returns one row with all its details; an *api.Error if it is not kept.
	Trigger(id uint64) (api.TriggerDetail, error)
	// PublishTrigger publishes the sample of a row again and returns when the cloud has answered. It fails with an
	// *api.Error if the sample cannot be published, or the cloud does not accept it.
	PublishTrigger(ctx context.Context, id uint64) (api.Replay, error)
}

// Health reports whether the agent works. The error's text is in the answer.
type Health interface {
	// Healthy returns nil while the process works.
	Healthy() error
	// Ready returns nil while lines and store work.
	Ready() error
}

// Reader sends a person's requests to a line, between two of its sweeps.
type Reader interface {
	// Read reads count registers from addr with function 03 or 04, or bits with 01 or 02, and returns them and the time
	// of the reply. It stops waiting for the line when ctx ends, with ctx's error.
	Read(ctx context.Context, line string, unit int, function byte, addr, count uint16) ([]uint16, time.Time, error)
	// Probe asks with function 03 or 04 whether a unit is on a line, and what it is. It waits as Read does.
	Probe(ctx context.Context, line string, unit int, function byte) (api.Probe, error)
}

// Options has the parts of the endpoint and its addresses. Reporter, TriggerLog and Health must be set.
type Options struct {
	Reporter   Reporter
	TriggerLog TriggerLog
	Health     Health
	Metrics    http.Handler    // answers GET /metrics; nil: there are none
	Reader     Reader          // nil: registers cannot be read
	ReadStatus func(error) int // HTTP status of a Reader's error other than ctx's; nil: 502

	Exporter     Exporter         // nil: there is no export
	Replayer     Replayer         // nil: there is no replay
	DeadLetters  DeadLetters      // nil: dead letters are not served
	Gaps         Gaps             // nil: gaps cannot be acknowledged
	Control      Control          // nil: the agent takes no requests of an operator
	Integrations Integrations     // nil: integrations are not served
	ReplayStatus func(error) int  // HTTP status of a Replayer's error before its first line; nil: 500
	Now          func() time.Time // the time from which "24h" is counted back; nil: time.Now

	StateDir string               // directory of the admin token, made at the first start; "": there is none
	DeviceID string               // names the cookie of a session
	Hosts    []string             // more accepted host names, in addition to its own
	Hostname string               // of this machine; "": not known
	Elapsed  func() time.Duration // monotonic time; nil: the system's

	Listen   string         // IP address and port, "127.0.0.1:8780"; port 0 picks one; empty: no TCP
	TLS      TLS            // certificate of TCP
	Socket   string         // path of the unix socket, at most 107 bytes; empty: none
	Logger   *slog.Logger   // nil: nothing is logged
	Logs     *logs.Ring     // the last lines of the log; nil: there are none
	Files    []bundle.File  // files of the configuration, for a support bundle; a missing file is left out
	Run      uint64         // counts the starts of the agent: events of two runs differ by it
	Location *time.Location // zone of the times on the page; nil: time.Local

	// Doctor checks the gateway; nil: not served.
	Doctor func(ctx context.Context) api.Diagnosis

	// LineFaults lists the last failed exchanges of all lines, the newest first; nil: not served.
	LineFaults func() api.LineFaults

	// Families returns a family of the catalogue by its slug, for the meaning of objects on the page; nil: without.
	Families func(slug string) (*objects.Family, bool)
}

// limits has the limits for clients. All are per server, except that connections is per listener.
type limits struct {
	header      time.Duration // from the connection to the end of the header
	write       time.Duration // from the header's end to the last byte of the answer
	line        time.Duration // instead of write, until a line has read registers
	event       time.Duration // instead of write, for each event of a stream
	pause       time.Duration // without an event; after that a comment is sent, so that a proxy keeps the connection
	abandoned   time.Duration // until a connection ends whose other side does not answer
	idle        time.Duration // between two requests of a kept connection
	grace       time.Duration // for requests in flight when the server ends
	headerBytes int           // request line and header; net/http adds 4 KiB of slack
	connections int           // open at once, over TCP and over the socket; one more closes one without a request
	scarce      int           // requests at once that read much of the store
	queue       time.Duration // longest wait of such a request for a free place
}

// defaultLimits: the largest answer, a thousand triggers, has about 700 KB. An ssh tunnel with 400 kbit/s transfers
// it in 15 s. 128 connections are twenty browsers. A sweep at 2400 baud with late replies takes 20 s; on a free line
// the answer comes at once.
var defaultLimits = limits{
	header:      5 * time.Second,
	write:       15 * time.Second,
	line:        20 * time.Second,
	event:       10 * time.Second,
	pause:       15 * time.Second,
	abandoned:   10 * time.Second,
	idle:        30 * time.Second,
	grace:       2 * time.Second,
	headerBytes: 8 << 10,
	connections: 128,
	scarce:      4,
	queue:       time.Second,
}

// Server is the endpoint. Use New, Listen, Serve, in this order and once each.
type Server struct {
	o         Options
	limits    limits
	hosts     guard.Hosts
	origins   guard.Origins
	door      *door
	site      *web.Site
	tap       func(http.Handler) http.Handler // around all handlers; nil except in tests
	listeners []net.Listener
	listened  bool

	place     *place
	tcp, unix *guard.Connections // separate, so that many clients on TCP do not block the operator
	scarce    chan struct{}      // one for each request that reads much of the store
	flights   flights
	watch     *watch
}

// New returns a server that is not bound yet. It panics when Reporter, TriggerLog or Health is missing.
func New(o Options) *Server {
	if o.Reporter == nil || o.TriggerLog == nil || o.Health == nil {
		panic("status: Reporter, TriggerLog and Health must be set")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ReadStatus == nil {
		o.ReadStatus = func(error) int { return http.StatusBadGateway }
	}
	if o.ReplayStatus == nil {
		o.ReplayStatus = func(error) int { return http.StatusInternalServerError }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Elapsed == nil {
		began := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(began) }
	}
	if o.Doctor != nil {
		o.Doctor = inTurn(o.Doctor)
	}
	s := &Server{o: o, limits: defaultLimits, hosts: guard.NewHosts(o.Hostname, o.Hosts), place: &place{o: &o}}
	s.door, s.o.Reporter = newDoor(o), placed{o.Reporter, s.place}
	s.site = newSite(&s.o, s.door)
	s.watch = newWatch(&s.o)
	return s
}

// newSite returns the pages.
func newSite(o *Options, keeper web.Keeper) *web.Site {
	var letters web.SetAside
	var gaps web.Gaps // a nil pointer must stay a nil interface
	if o.Gaps != nil {
		gaps = o.Gaps
	}
	if o.DeadLetters != nil {
		letters = pageLetters{o}
	}
	return web.New(web.Options{
		Source: struct {
			Reporter
			TriggerLog
		}{o.Reporter, o.TriggerLog},
		Integrations: pageIntegrations(o.Integrations), Keeper: keeper, Families: o.Families, SetAside: letters,
		Gaps:   gaps,
		Doctor: o.Doctor, LineFaults: o.LineFaults, Logs: o.Logs, Name: o.Hostname, Zone: o.Location, Now: o.Now,
	})
}

// Addr returns the bound TCP address, "127.0.0.1:8780"; empty before Listen and when there is no TCP.
func (s *Server) Addr() string { return s.place.addr }

// Page is the address of the page; "" when the server does not listen over TCP.
func (s *Server) Page() string {
	if e := s.place.endpoint(); e != nil {
		return e.Addresses[0]
	}
	return ""
}

// Serve answers requests until ctx ends, then gives those in flight a short grace, removes the socket and returns nil.
// When it returns, no request is being answered: Reporter, TriggerLog and Health are not called any more. The error is
// that of a failed listener. To stop after Listen without serving, call Serve with a context that has ended.
func (s *Server) Serve(ctx context.Context) error {
	if !s.listened {
		return errors.New("serve status: Listen was not called")
	}
	s.tcp, s.unix = guard.NewConnections(s.limits.connections), guard.NewConnections(s.limits.connections)
	s.scarce = make(chan struct{}, s.limits.scarce)
	srv := &http.Server{
		Handler: s.handler(),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return s.connections(c).Open(ctx, c)
		},
		ConnState:                    func(c net.Conn, state http.ConnState) { s.connections(c).State(c, state) },
		ReadHeaderTimeout:            s.limits.header,
		ReadTimeout:                  s.limits.header,
		WriteTimeout:                 s.limits.write,
		IdleTimeout:                  s.limits.idle,
		MaxHeaderBytes:               s.limits.headerBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(s.o.Logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { ended <- srv.Serve(l) }()
	}
	var broken error
	left := len(s.listeners)
	select {
	case <-ctx.Done():
	case err := <-ended:
		broken = fmt.Errorf("serve status: %w", err)
		left--
	}
	s.shutdown(ctx, srv)
	for range left {
		<-ended
	}
	return broken
}

// connections returns the set of connections that counts this one: of the socket or of TCP.
func (s *Server) connections(c net.Conn) *guard.Connections {
	if _, ok := c.LocalAddr().(*net.UnixAddr); ok {
		return s.unix
	}
	return s.tcp
}

// shutdown ends srv and waits for its handlers.
func (s *Server) shutdown(ctx context.Context, srv *http.Server) {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.limits.grace)
	defer cancel()
	s.watch.close()
	if err := srv.Shutdown(grace); err != nil {
		// For a client too slow for the grace: its write fails now, and its handler returns.
		_ = srv.Close()
	}
	s.flights.land()
}

// flights counts the requests being answered. http.Server.Close cuts connections but does not wait for
// handlers, and those call into an agent that is about to close its store.
type flights struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// start reports whether a request may begin; if so, f.wg.Done must follow. Wait and the first Add of a
// WaitGroup must not race, therefore the mutex.
func (f *flights) start() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.wg.Add(1)
	return true
}

// land allows no more requests to begin, and waits for the present ones.
func (f *flights) land() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wg.Wait()
}

// pageIntegrations hands the integrations to the pages; nil stays nil.
func pageIntegrations(i Integrations) web.Integrations {
	if i == nil {
		return nil
	}
	return i
}
