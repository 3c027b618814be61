package history

import (
	"sync"
	"time"

	"noi-agent/objects"
	"noi-agent/status/api"
)

const (
	// buckets of a series that is kept in full: 24 h of 3 minutes.
	buckets = 480
	// mostBytes is what all series take together, as Bytes counts them.
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
	factor  time.Duration // by which buckets are longer than span/buckets, for all to fit
	reasons []string      // of gaps, by their number
	bytes   int
}

// New returns a store of the last span, which begins at an uptime of the machine. It is nil, and keeps nothing, when
// span is 0.
func New(span, uptime time.Duration) *Store {
	if span <= 0 {
		return nil
	}
	return &Store{span: span, begins: uptime, series: map[Key]*series{}, factor: 1}
}

// Add takes a sweep. It allocates nothing when its objects are known and no state changes.
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

// of returns the series of a sample, made or changed to fit its kind and log interval.
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

// unitOf returns the unit that a family gives an object; "" when it is not known.
func unitOf(f *objects.Family, name string) string {
	if f == nil {
		return ""
	}
	if o, ok := f.Object(name); ok {
		return o.Unit
	}
	return ""
}

// step is the length of a bucket. No bucket of an object is shorter than its log interval: it would be empty.
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

// forget drops the series without data in the span: their controllers are gone.
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

// reason returns the number of a reason. The last one stands for all that come when the list is full.
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

// Bytes returns what the history takes in memory.
func (h *Store) Bytes() int {
	if h == nil {
		return 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bytes
}

// Span returns how far back the history goes; 0 when none is kept.
func (h *Store) Span() time.Duration {
	if h == nil {
		return 0
	}
	return h.span
}

// kindOf is the word of an answer for a kind of value.
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
