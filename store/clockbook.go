package store

import (
	"time"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

// clockBook has all that the store knows about the times of the runs, and about the present. It finds the best known
// time for a moment of any run. Guarded by Store.mu.
type clockBook struct {
	now       func() time.Time
	clock     Clock
	starts    map[uint64]record.Start
	newStarts map[uint64]record.Start // starts that no commit has written yet
	times     record.Times
}

// stamp adds the known time of the run in which a sample was taken.
func (s *clockBook) stamp(run uint64, p Stamp) Stamp {
	st := s.starts[run]
	p.SameBoot = st.Boot != "" && st.Boot == s.clock.Boot
	p.Booted, p.Floor = record.FromMilli(st.Booted), record.FromMilli(st.Floor)
	return p
}

// moment is a point in time: unix ms by the clock, and whether samples of earlier boots may expire by this time; ms
// since the boot, below zero if not known.
type moment struct {
	wall   int64
	old    bool
	uptime int64
}

func (s *clockBook) moment() moment {
	m := moment{wall: s.now().UnixMilli(), old: s.clock.old(), uptime: -1}
	if s.clock.Uptime != nil {
		m.uptime = s.clock.Uptime().Milliseconds()
	}
	return m
}

// age returns the age of a sweep at a moment, in ms; 0 if it is not known. Within one boot the age does not depend on
// the clock. Across boots the clock must be right, and the time of the sweep is its corrected time (Stamp.Time). So a
// clock that jumps expires no sample.
func (s *clockBook) age(h *record.Heading, now moment) int64 {
	st := s.starts[h.Run]
	switch {
	case h.Uptime >= 0 && now.uptime >= 0 && st.Boot != "" && st.Boot == s.clock.Boot:
		return now.uptime - h.Uptime
	case !now.old:
		return 0
	}
	at, _ := s.dateOf(h.Instant())
	return now.wall - at.UnixMilli()
}

// dateOf returns the time of an instant; false: the clock may still become right.
func (s *clockBook) dateOf(in record.Instant) (time.Time, bool) {
	p := s.stamp(in.Run, Stamp{Unsure: in.Unsure, Uptime: in.Uptime})
	at, estimated := p.Time(in.At)
	return at, !estimated || !p.SameBoot
}

// date returns the span as a gap with times and count; false: the span must wait for the clock.
func (s *clockBook) date(sp record.Span) (objects.Gap, bool) {
	if sp.Begins.Run == 0 {
		return objects.Gap{}, false
	}
	from, known := s.dateOf(sp.Begins)
	to, alsoKnown := s.dateOf(sp.Ends)
	if !known || !alsoKnown || s.mayHaveLeapt(sp) {
		return objects.Gap{}, false
	}
	g := sp.Gap
	g.From, g.To = from, to
	if sp.Every > 0 {
		to = s.withoutLeap(sp.Ends, to)
		g.From = from.Add(untilNext(from, sp.Every))
		// the last due moment has a sample, so it is not missing
		g.Count = uint64(max(0, multiples(to, sp.Every)-multiples(from, sp.Every)-1))
		g.To = g.From.Add(time.Duration(max(1, g.Count)-1) * sp.Every)
	}
	return g, true
}

// mayHaveLeapt reports whether a span began in another boot and ends in this one, and the clock may be far ahead.
func (s *clockBook) mayHaveLeapt(sp record.Span) bool {
	clock, end := s.clock, s.starts[sp.Ends.Run]
	if end.Boot == "" || end.Boot != clock.Boot || s.starts[sp.Begins.Run].Boot == end.Boot || clock.Uptime == nil {
		return false
	}
	return !clock.old() && clock.Uptime()-sp.Ends.Uptime < leapWait
}

// withoutLeap corrects the end of the time without an agent if the clock was far ahead, and was corrected later in that
// boot. Samples that were published meanwhile keep their times.
func (s *clockBook) withoutLeap(in record.Instant, at time.Time) time.Time {
	booted := record.FromMilli(s.starts[in.Run].Booted)
	if right := booted.Add(in.Uptime); !booted.IsZero() && in.Uptime >= 0 && right.Sub(at).Abs() > leapLimit {
		return right
	}
	return at
}

// leapWait is how long a gap that began in another boot waits for a time service, if the clock may be far ahead after
// the boot (Clock.Old).
const leapWait = time.Hour

// leapLimit is how far after the last good time a clock may be after a boot before it counts as far ahead.
const leapLimit = 24 * time.Hour
