package store

import (
	"time"

	"noi-agent/objects"
	"noi-agent/store/internal/record"
)

// clockBook is what is known of time: of the runs, and of now. It gives moments of any run the best time that is known.
// Guarded by Store.mu.
type clockBook struct {
	now       func() time.Time
	clock     Clock
	starts    map[uint64]record.Start
	newStarts map[uint64]record.Start // of starts, what no commit carries yet
	times     record.Times
}

// stamp adds what is known of the run in which a sample was taken.
func (s *clockBook) stamp(run uint64, p Stamp) Stamp {
	st := s.starts[run]
	p.SameBoot = st.Boot != "" && st.Boot == s.clock.Boot
	p.Booted, p.Floor = record.FromMilli(st.Booted), record.FromMilli(st.Floor)
	return p
}

// moment is a point in time as far as the store knows: unix ms by the clock, and whether that
// counts for what is past; ms since the boot, below zero when not known.
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

// age is how old a sweep is, in ms, at a moment; 0 when it is not known. Within one boot the
// clock does not matter. Across boots the clock has to be right, and the sample has the time that it has
// everywhere (Stamp.Time): a clock that jumps makes no sample
// old before its time.
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

// date gives a span its times and its count; false: it has to wait for the clock.
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
		// the sample itself stands for the last moment
		g.Count = uint64(max(0, multiples(to, sp.Every)-multiples(from, sp.Every)-1))
		g.To = g.From.Add(time.Duration(max(1, g.Count)-1) * sp.Every)
	}
	return g, true
}

// mayHaveLeapt reports whether a span reaches into this boot from another, and the clock may have come up far too late.
func (s *clockBook) mayHaveLeapt(sp record.Span) bool {
	clock, end := s.clock, s.starts[sp.Ends.Run]
	if end.Boot == "" || end.Boot != clock.Boot || s.starts[sp.Begins.Run].Boot == end.Boot || clock.Uptime == nil {
		return false
	}
	return !clock.old() && clock.Uptime()-sp.Ends.Uptime < leapWait
}

// withoutLeap corrects the end of the time without an agent where the clock had leapt, and was set right later in that
// boot. The samples of the leap stay as they were published.
func (s *clockBook) withoutLeap(in record.Instant, at time.Time) time.Time {
	booted := record.FromMilli(s.starts[in.Run].Booted)
	if right := booted.Add(in.Uptime); !booted.IsZero() && in.Uptime >= 0 && right.Sub(at).Abs() > leapLimit {
		return right
	}
	return at
}

// leapWait is how long a gap that began in another boot waits for a service to confirm a clock that has come up far
// ahead (Clock.Old).
const leapWait = time.Hour

// leapLimit is how far a clock may have come up ahead of the last time known to be right before a leap is thought of.
const leapLimit = 24 * time.Hour
