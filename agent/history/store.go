package history

import (
	"sync"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
)

const (
	// buckets is the number of buckets of a series with the full resolution: 24 h with 3 minutes each.
	buckets = 480
	// mostBytes is the most memory for all series together, as Bytes counts it.
	mostBytes = 4 << 20
)

// Key names an object of a controller.
type Key struct {
	Line   string
	UnitID uint8
	Object string
}

// Sweep is the argument of Add: the samples of one sweep, with the gaps before them.
type Sweep struct {
	Source   *objects.Source
	Family   *objects.Family // for the units; nil: not known
	BootedAt time.Time       // of the machine, by the clock that stamped the samples and gaps
	Samples  []objects.Sample
	Every    []time.Duration // the log interval of each sample
	Gaps     []objects.Gap
}

// Store keeps the history of all objects. Its methods may be called from any goroutine. A nil Store keeps nothing.
type Store struct {
	span   time.Duration
	begins time.Duration // uptime at which the history begins

	mu      sync.Mutex
	series  map[Key]*series
	factor  time.Duration // a bucket has at least factor times span/buckets, so that all series fit
	reasons []string      // reasons of gaps, by their number
	bytes   int
}

// New returns a store for the last span. uptime is the present uptime of the machine, at which the history begins. If
// span is 0 it returns nil, which keeps nothing.
func New(span, uptime time.Duration) *Store {
	if span <= 0 {
		return nil
	}
	return &Store{span: span, begins: uptime, series: map[Key]*series{}, factor: 1}
}

// Add adds a sweep. It allocates nothing if its objects are known and no state changes.
func (h *Store) Add(t Sweep) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	key := Key{Line: t.Source.Line, UnitID: t.Source.UnitID}
	for i := range t.Gaps {
		g := &t.Gaps[i]
		key.Object = g.Object
		if s := h.series[key]; s != nil && g.To.Sub(g.From) >= h.span/buckets {
			before := s.bytes()
			s.miss(g.From.Sub(t.BootedAt), g.To.Sub(t.BootedAt), h.reason(g.Reason))
			h.bytes += s.bytes() - before
		}
	}
	for i := range t.Samples {
		sample := &t.Samples[i]
		key.Object = sample.Object
		s := h.of(key, &t, i)
		before := s.bytes()
		s.add(sample.SampledAt.Sub(t.BootedAt), sample.Value)
		h.bytes += s.bytes() - before
	}
	if h.bytes > mostBytes {
		h.coarsen()
	}
}

// of returns the series for a sample. It makes a series for a new object or kind, and adapts it to a new log interval.
func (h *Store) of(key Key, t *Sweep, i int) *series {
	kind, every, now := t.Samples[i].Value.Kind(), t.Every[i], t.Samples[i].SampledAt.Sub(t.BootedAt)
	s := h.series[key]
	switch {
	case s == nil || s.kind != kind:
		h.drop(key)
		h.forget(now)
		s = newSeries(kind, every)
		s.unit = unitOf(t.Family, key.Object)
	case s.every == every:
		return s
	default:
		h.drop(key)
		s.was, s.every, s.changed = max(s.was, s.every), every, now
	}
	s.resize(h.step(every), h.span)
	h.series[key] = s
	h.bytes += s.bytes()
	return s
}

// unitOf returns the unit of an object in its family; "" if it is not known.
func unitOf(f *objects.Family, name string) string {
	if f == nil {
		return ""
	}
	if o, ok := f.Object(name); ok {
		return o.Unit
	}
	return ""
}

// step returns the length of a bucket for a log interval. It is not shorter than the log interval, because some buckets
// would be empty.
func (h *Store) step(every time.Duration) time.Duration {
	base := h.factor * h.span / buckets
	return max(base, (min(every, h.span)+base-1)/base*base)
}

// drop removes a series, if there is one.
func (h *Store) drop(key Key) {
	if s := h.series[key]; s != nil {
		h.bytes -= s.bytes()
		delete(h.series, key)
	}
}

// forget drops the series without a sample in the last span. Their objects are no longer polled.
func (h *Store) forget(now time.Duration) {
	for key, s := range h.series {
		if now-s.last > h.span {
			h.drop(key)
		}
	}
}

// coarsen doubles the length of the buckets until everything fits.
func (h *Store) coarsen() {
	for h.bytes > mostBytes && h.factor < buckets {
		h.factor *= 2
		h.bytes = 0
		for _, s := range h.series {
			s.resize(h.step(s.every), h.span)
			s.shed(int(h.factor))
			h.bytes += s.bytes()
		}
	}
}

// mostReasons limits the list of reasons, because their texts have details of each case.
const mostReasons = 1000

// reason returns the number of a reason. If the list is full, it returns the number of the last one.
func (h *Store) reason(text string) uint16 {
	for i, known := range h.reasons {
		if known == text {
			return uint16(i)
		}
	}
	if len(h.reasons) == mostReasons {
		return mostReasons - 1
	}
	h.reasons = append(h.reasons, text)
	return uint16(len(h.reasons) - 1)
}

// Bytes returns the size of the history in memory.
func (h *Store) Bytes() int {
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bytes
}

// Span returns the time for which the history is kept; 0 if none is kept.
func (h *Store) Span() time.Duration {
	if h == nil {
		return 0
	}
	return h.span
}

// kindOf returns the word for a kind of value in an answer.
func kindOf(k objects.Kind) string {
	switch k {
	case objects.KindNumber:
		return api.HistoryNumber
	case objects.KindBits:
		return api.HistoryBits
	case objects.KindBool:
		return api.HistoryBool
	default:
		return api.HistoryText
	}
}
