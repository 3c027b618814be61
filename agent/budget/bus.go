package budget

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"time"

	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

// BusLoad is the average load of a line from the log intervals. Identification, retries and probes of dead slaves are
// not included.
type BusLoad struct {
	Share  float64 // share of the time in which the line is busy; above 1, due times are skipped
	Timed  bool    // false for Modbus TCP, which has no bus time: Share and all bus times are 0
	Reads  float64 // reads per second
	AtMost bool    // Share is a maximum, because a slave has more than `combined` log intervals
	Apart  float64 // the value that Share would have if each object had its own read
	Slaves []SlaveLoad
}

// SlaveLoad is the part of one slave in a BusLoad.
type SlaveLoad struct {
	Config  *configs.Slave
	Family  *objects.Family // nil: not identified yet (`model: auto`); it counts nothing
	Objects int             // number of polled objects
	TooLong []string        // objects longer than the slave's max_registers, which cannot be read
	Moments []Moment        // the most frequent first
	Apart   float64         // the part of the slave in BusLoad.Apart
}

// Moment is a set of log intervals of a slave that are due together, with the reads for their objects.
type Moment struct {
	Intervals []time.Duration // ascending
	Rate      float64         // how often it occurs, per second
	Reads     []PlannedRead
}

// PlannedRead is one read of a plan.
type PlannedRead struct {
	modbus.Span
	Objects []string      // the objects that it reads, by address
	BusTime time.Duration // with the silences of the bus; 0 if BusLoad.Timed is false
}

// BusTime returns the bus time of all reads of the moment.
func (m Moment) BusTime() (sum time.Duration) {
	for _, r := range m.Reads {
		sum += r.BusTime
	}
	return sum
}

// Share returns the share of the time in which the line is busy with the slave.
func (s SlaveLoad) Share() (sum float64) {
	for _, m := range s.Moments {
		sum += m.Rate * m.BusTime().Seconds()
	}
	return sum
}

// Bus computes the load of a line, also of a disabled one. Objects are due at UTC multiples of their log intervals.
// Objects of one slave that are due together share reads, as its poller plans them.
func Bus(line *configs.Line, catalog *objects.Catalog) BusLoad {
	scheme, _ := line.Network()
	l := BusLoad{Timed: scheme != configs.ModbusTCP}
	for i := range line.Slaves {
		c := costs{settings: poll.PortSettings(line), slave: &line.Slaves[i], timed: l.Timed}
		s, atMost := c.load(catalog)
		l.Slaves = append(l.Slaves, s)
		l.AtMost = l.AtMost || atMost
		l.Share += s.Share()
		l.Apart += s.Apart
		for _, m := range s.Moments {
			l.Reads += m.Rate * float64(len(m.Reads))
		}
	}
	return l
}

// costs has the cost of the reads of one slave.
type costs struct {
	settings modbus.Settings
	slave    *configs.Slave
	timed    bool
	planner  *modbus.Planner
}

func (c *costs) load(catalog *objects.Catalog) (s SlaveLoad, atMost bool) {
	s.Config = c.slave
	family, ok := c.slave.Family(catalog)
	if !ok {
		return s, false
	}
	most := family.MaxRegisters
	if c.slave.MaxRegisters > 0 {
		most = uint16(c.slave.MaxRegisters)
	}
	s.Family = family
	c.planner = modbus.NewPlanner(c.settings, most, poll.Ranges(c.slave.Avoid))

	byInterval := map[time.Duration][]objects.Object{}
	for _, p := range c.slave.Polled(family) {
		s.Objects++
		byInterval[p.Interval] = append(byInterval[p.Interval], p.Object)
		if poll.SpanOf(&p.Object).Count > most {
			s.TooLong = append(s.TooLong, p.Object.Name)
		}
		if c.timed {
			s.Apart += c.busTime(poll.SpanOf(&p.Object).Count).Seconds() / p.Interval.Seconds()
		}
	}
	intervals := slices.Sorted(maps.Keys(byInterval))
	for _, m := range moments(intervals) {
		var due []objects.Object
		for _, d := range m.Intervals {
			due = append(due, byInterval[d]...)
		}
		m.Reads = c.plan(due)
		s.Moments = append(s.Moments, m)
	}
	return s, len(intervals) > combined
}

// plan returns the reads of objects that are due together.
func (c *costs) plan(due []objects.Object) []PlannedRead {
	spans := make([]modbus.Span, len(due))
	for i := range due {
		spans[i] = poll.SpanOf(&due[i])
	}
	var reads []PlannedRead
	for _, r := range c.planner.Plan(spans) {
		read := PlannedRead{Span: r.Span}
		for _, m := range r.Members {
			read.Objects = append(read.Objects, due[m].Name)
		}
		if c.timed {
			read.BusTime = c.busTime(r.Words())
		}
		reads = append(reads, read)
	}
	return reads
}

// busTime returns the bus time of one read. It includes the slave's own gap if that is longer than t3.5, and the time
// for switching an RS-485 line.
func (c *costs) busTime(count uint16) time.Duration {
	t := modbus.ReadTime(c.settings, 0, count) + max(0, c.slave.Gap-c.settings.Silence())
	return t + c.settings.RS485.Before + c.settings.RS485.After
}

// combined is the most log intervals of one slave that are combined exactly. At most 2^combined plans must be made.
// Families have five log intervals, and configurations seldom add more than three.
const combined = 12

// moments returns which of the intervals (ascending, above 0) fall together, and how often. The rates are exact for any
// intervals, by inclusion and exclusion over the sets of intervals: all intervals of a set are due together once in
// their least common multiple. Intervals beyond the shortest `combined` count as if they shared no read, which is the
// most that they can cost.
func moments(intervals []time.Duration) []Moment {
	n := min(len(intervals), combined)
	common := make([]time.Duration, 1<<n) // least common multiple of each set; 0: more than 290 years
	rate := make([]float64, 1<<n)
	common[0] = 1
	for set := 1; set < 1<<n; set++ {
		first := bits.TrailingZeros(uint(set))
		common[set] = commonMultiple(common[set&(set-1)], intervals[first])
		if common[set] > 0 {
			rate[set] = 1 / common[set].Seconds()
		}
	}
	for i := range n { // from the rate of "all of these are due" to the rate of "these and no others are due"
		for set := range rate {
			if set&(1<<i) == 0 {
				rate[set] -= rate[set|1<<i]
			}
		}
	}
	var out []Moment
	for set := 1; set < 1<<n; set++ {
		if alone(common[set], set, intervals[:n]) {
			out = append(out, Moment{Intervals: members(set, intervals), Rate: max(0, rate[set])})
		}
	}
	for _, d := range intervals[n:] {
		out = append(out, Moment{Intervals: []time.Duration{d}, Rate: 1 / d.Seconds()})
	}
	slices.SortStableFunc(out, func(a, b Moment) int { return cmp.Compare(b.Rate, a.Rate) })
	return out
}

// alone reports whether a set of intervals is ever due without another interval. It is not if its common multiple is
// also a multiple of another interval.
func alone(common time.Duration, set int, intervals []time.Duration) bool {
	for i, d := range intervals {
		if set&(1<<i) == 0 && common%d == 0 { // true for common 0 too: a set that is never due is not due alone
			return false
		}
	}
	return common > 0
}

func members(set int, intervals []time.Duration) (out []time.Duration) {
	for ; set != 0; set &= set - 1 {
		out = append(out, intervals[bits.TrailingZeros(uint(set))])
	}
	return out
}

// commonMultiple returns the least common multiple; 0 if it is longer than the longest Duration, about 290 years.
func commonMultiple(a, b time.Duration) time.Duration {
	if a == 0 {
		return 0
	}
	divisor, rest := a, b
	for rest != 0 {
		divisor, rest = rest, divisor%rest
	}
	high, low := bits.Mul64(uint64(a/divisor), uint64(b))
	if high != 0 || low > 1<<63-1 {
		return 0
	}
	return time.Duration(low)
}
