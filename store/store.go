package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"noi-agent/store/internal/record"

	"noi-agent/store/internal/file"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// The errors by which callers decide.
var (
	// ErrClosed comes from every call after Close.
	ErrClosed = errors.New("store is closed")
	// ErrFull comes from Append when the disk is full even after the oldest samples were deleted: the sweeps are not
	// kept. The store continues; a later Append may succeed.
	ErrFull = errors.New("store is full")
	// ErrUnknownIntegration comes from calls with an integration that SetIntegrations never got, or that was removed a
	// month ago.
	ErrUnknownIntegration = errors.New("unknown integration")
	// ErrNoTrigger comes from Trigger for a row that never existed, or is no longer kept.
	ErrNoTrigger = errors.New("no trigger")
)

// Options of a store. The zero Options are usable.
type Options struct {
	Limits
	Now   func() time.Time
	Clock Clock // whether Now can be trusted; zero: always
	// run numbers that are used elsewhere: this store's numbers are above it, so a store on the disk and its
	// replacement in memory never share a number
	Runs   uint64
	Note   string       // a file in memory that survives a kill, for facts that no commit has; "": none
	Logger *slog.Logger // nil: silent
}

func (o Options) withDefaults() Options {
	o.Limits = o.Limits.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Store is the open outbox, trigger log and identity. Its methods may be called from any goroutine. The store's own
// goroutine does all writes.
type Store struct {
	opts    Options // only the writer changes Limits, under mu: so the writer, or a holder of mu, may read them
	path    string
	db      *bolt.DB
	id      string
	run     uint64
	origins []record.Origin
	names   record.Dictionary
	update  func(func(*bolt.Tx) error) error // db.Update; tests make it fail
	reading sync.RWMutex                     // locked for writing while db is replaced
	mapping mapping

	signals

	mu           sync.Mutex
	closed       bool
	err          error // what stopped the store
	device       string
	integrations integrations
	totals       record.Totals
	window
	clockBook
	figures
	unwritten
	offered  offers
	next     uint64 // sequence number of the next sweep; totals.next is the file's
	accounts accounts
	own      map[record.Accounted]record.Account // accounts of the file when it was opened
	known    []string                            // integrations of the run before, by its note
	// number of the first sweep of the last commit that wrote sweeps; in a new run: the first number of the run
	lastWritten uint64
	damaged     map[uint64]struct{} // records reported so far
	tail        *record.Heading     // of the oldest sweep in the file
	wanted      *Limits             // not active yet; nil: none
}

// signals are the channels between the writer and other goroutines.
type signals struct {
	kick  chan struct{} // something new for the writer
	stop  chan struct{} // closed by Close
	done  chan struct{} // closed when the writer has ended
	fatal chan struct{} // closed when the store has stopped itself
}

// unwritten is what a commit must write in addition to sweeps.
type unwritten struct {
	dirty           bool      // something other than sweeps waits for a commit
	dirtyRows       int       // rows that wait
	lastRows        time.Time // time of the last commit with rows, or of the begin of the run
	unsaved         bool      // a delivery that is pending in the file is settled, and no commit has this yet
	identityChanged bool
}

// Open opens the store and counts a new run: when it returns, the run number is durable. If there is no file, Open
// makes one; its directory must exist. It fails with ErrLocked when another process has the file open for longer than a
// second, and with ErrDamaged when the file cannot be trusted. If the file is damaged in its inner structure, bbolt may
// also panic on its own goroutine, where no caller can recover.
func Open(path string, o Options) (*Store, error) {
	s := &Store{
		opts: o.withDefaults(), path: path,
		unwritten: unwritten{lastRows: time.Now()},
		signals: signals{
			kick: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
			fatal: make(chan struct{}),
		},
		window: window{newest: newGroup()}, damaged: map[uint64]struct{}{},
	}
	s.clockBook = clockBook{now: s.opts.Now, clock: s.opts.Clock, newStarts: map[uint64]record.Start{}}
	if err := file.CreateIfMissing(path); err != nil {
		return nil, fmt.Errorf("create store %s: %w%s", path, err, file.Hint(err))
	}
	file.TakeClean(path)
	db, err := bolt.Open(path, 0o600, file.BoltOptions(s.opts.MaxSize))
	if err != nil {
		return nil, file.OpenError(path, err)
	}
	db.AllocSize = file.AllocSize
	s.db, s.update, s.pageSize = db, db.Update, db.Info().PageSize
	w := &writer{Store: s, noteNames: record.DictionaryOf(nil, 0)}
	if err = s.start(); err == nil {
		err = w.lookAhead()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w%s", path, err, file.Hint(err)), db.Close())
	}
	w.letGoPages()
	warnNoCopy(s.opts.Logger, file.WriteNamesCopy(path, s.identityLocked(), &s.names))
	file.RemoveStale(path) // only now it is sure that no other process creates one
	go w.loop()
	return s, nil
}

// Close commits all waiting data, then closes the file. It returns the error of either step, or the error that had
// stopped the store before. Calls after the first return nil.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	if again {
		<-s.done
		return nil
	}
	close(s.stop)
	<-s.done
	if s.Err() == nil {
		if err := file.LeaveClean(s.path); err != nil {
			s.opts.Logger.Warn("the next start will check the store", "error", err)
		}
	}
	err := s.db.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.integrations {
		it.wake()
	}
	return errors.Join(s.err, err)
}

// ID returns the store's own id, 8 lower-case hex digits drawn when the file was made: a new file may use sample
// numbers again, and the id distinguishes the samples.
func (s *Store) ID() string { return s.id }

// Run returns how often the store was opened, including this time, from 1.
func (s *Store) Run() uint64 { return s.run }

// Next returns the number that the next sweep will get. All sweeps in the outbox have lower numbers.
func (s *Store) Next() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// DeviceID returns the id that SetDeviceID kept; "": none yet.
func (s *Store) DeviceID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.device
}

// SetDeviceID keeps the device id; it is durable when the call returns nil.
func (s *Store) SetDeviceID(id string) error {
	s.mu.Lock()
	if err := s.usableLocked(); err != nil {
		s.mu.Unlock()
		return err
	}
	if s.device == id {
		s.mu.Unlock()
		return nil
	}
	s.device, s.identityChanged = id, true
	b := s.hurryLocked()
	s.mu.Unlock()
	return b.waitState()
}

// Err returns what stopped the store, nil while it works. After a commit with an unknown result, every later call
// returns this error too. The agent must then end with a failure, so that the next start reads the real content of the
// file.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Fatal returns a channel that is closed when the store has stopped itself. Err returns the reason.
func (s *Store) Fatal() <-chan struct{} { return s.fatal }

// usableLocked returns the reason why the store serves no call; nil: it works.
func (s *Store) usableLocked() error {
	if s.err != nil {
		return s.err
	}
	if s.closed {
		return ErrClosed
	}
	return nil
}

// integrationLocked returns a known integration, also a removed one.
func (s *Store) integrationLocked(id string) (*integration, error) {
	if err := s.usableLocked(); err != nil {
		return nil, err
	}
	if it := s.integrations[id]; it != nil {
		return it, nil
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownIntegration, id)
}

// abort stops the store for good. The first reason stays.
func (s *Store) abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	s.opts.Logger.Error("store stopped", "error", err)
	close(s.fatal)
	for _, it := range s.integrations {
		it.wake()
	}
}

// view runs a short read transaction. fn copies out what it needs. If a page is so damaged that bbolt panics, the store
// stops.
func (s *Store) view(fn func(*bolt.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read: %w: %v", record.ErrDamaged, p)
			s.abort(err)
		}
	}()
	s.reading.RLock()
	defer s.reading.RUnlock()
	if err = s.db.View(fn); errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// warnNoCopy warns when the second copy of the names could not be written.
func warnNoCopy(log *slog.Logger, err error) {
	if err != nil {
		log.Warn("the store's names have no second copy", "error", err)
	}
}
