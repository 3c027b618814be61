package poll

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"noi-agent/objects"
)

// TestEachMomentIsOneSampleOrInOneGap uses a schedule as a poller does, at random. Reads succeed, fail, or take
// longer than the log interval. Replies wait for an identification. There is silence, a clock that becomes right,
// hourly reports of gaps, reloads and other families. Each regular moment must have one sample, or be counted in one
// gap.
func TestEachMomentIsOneSampleOrInOneGap(t *testing.T) {
	seeds := []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64(), rand.Uint64(), 1, 2, 3, 4}
	if text := os.Getenv("NOI_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seeds = []uint64{seed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("NOI_SEED=%d", seed), func(t *testing.T) {
			m := newMomentModel(t, seed)
			for range 3000 {
				m.step()
			}
			m.reload()
			if m.samples == 0 || m.missed == 0 {
				t.Errorf("%d samples and %d missing moments are too few to prove anything", m.samples, m.missed)
			}
		})
	}
}

// momentModel has the schedule and, independent of it, the moments.
type momentModel struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Duration // monotonic time, which is also the time since the boot
	wall  time.Time     // of the boot
	plan  *schedule
	items []momentItem
	taken bool // the clock became right once
	told  []string

	samples, missed int
}

type momentItem struct {
	open []time.Duration // moments without a sample that are in no gap yet
	next time.Duration

	held  bool // a reply waits for the identification
	read  time.Duration
	by    uint64 // index of the first moment after the reply
	mixed bool   // the open moments are of two phases
}

func newMomentModel(t *testing.T, seed uint64) *momentModel {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := &momentModel{t: t, rng: rng, now: time.Minute, wall: wall.Add(time.Duration(rng.IntN(3)) * 7 * time.Second / 2)}
	intervals := []time.Duration{time.Second, 10 * time.Second, 15 * time.Second, time.Minute, time.Hour}
	rng.Shuffle(len(intervals), func(i, j int) { intervals[i], intervals[j] = intervals[j], intervals[i] })
	m.plan = newSchedule(polledEvery(intervals[:1+rng.IntN(4)]...), m.now, m.at())
	m.items = make([]momentItem, len(m.plan.items))
	m.plan.beginAt(m.now, m.now, m.now, "start")
	m.begin(m.now)
	return m
}

func (m *momentModel) at() time.Time { return m.wall.Add(m.now) }

// begin makes the next moments multiples by the present clock, from begun itself on.
func (m *momentModel) begin(begun time.Duration) {
	for i := range m.items {
		it := &m.items[i]
		every := m.plan.items[i].polled.Interval
		it.next = begun - 1 + untilMultiple(m.wall.Add(begun-1), every)
	}
	m.pass(0)
}

// pass lets the time pass.
func (m *momentModel) pass(d time.Duration) {
	m.now += d
	for i := range m.items {
		for it := &m.items[i]; it.next <= m.now; it.next += m.plan.items[i].polled.Interval {
			it.open = append(it.open, it.next)
		}
	}
}

// some is a time that fits the log intervals: zero, a part of one, some of them, or exactly up to a moment.
func (m *momentModel) some() time.Duration {
	i := m.rng.IntN(len(m.items))
	every := m.plan.items[i].polled.Interval
	switch m.rng.IntN(6) {
	case 0:
		return 0
	case 1:
		return m.items[i].next - m.now
	case 2:
		return time.Duration(m.rng.Int64N(int64(3 * every)))
	default:
		return time.Duration(m.rng.Int64N(int64(every)))/3 + time.Millisecond
	}
}

func (m *momentModel) note(format string, args ...any) {
	m.told = append(m.told, fmt.Sprintf("%12v  ", m.now)+fmt.Sprintf(format, args...))
}

func (m *momentModel) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nthe last steps:\n%s", fmt.Sprintf(format, args...), strings.Join(m.told[max(0, len(m.told)-25):], "\n"))
}

func (m *momentModel) held() bool {
	return slices.ContainsFunc(m.items, func(it momentItem) bool { return it.held })
}

func (m *momentModel) step() {
	if m.rng.IntN(3) > 0 {
		m.pass(m.some())
	}
	n := m.rng.IntN(100)
	switch {
	case m.held() && n < 50:
		m.hand()
	case m.held() && n < 60:
		m.drop()
	case !m.held() && n < 60:
		m.sweep()
	case n < 80:
		m.note("silent")
		m.plan.passOver(m.now, "silent")
	case n < 88:
		m.soFar()
	case n < 92:
		m.rephase()
	case n < 96:
		m.reload()
	default:
		m.adopt()
	}
	m.check()
}

// sweep reads the due objects. Some reads fail.
func (m *momentModel) sweep() {
	begun := m.now
	due := m.plan.due(m.now)
	if len(due) == 0 {
		return
	}
	fails := map[int]bool{}
	for _, i := range due {
		if m.rng.IntN(4) == 0 {
			m.pass(m.some() / 4)
		}
		if m.rng.IntN(20) == 0 {
			m.rephase()
		}
		if fails[i] = m.rng.IntN(4) == 0; !fails[i] {
			it := &m.items[i]
			it.held, it.read, it.by = true, m.now, m.plan.items[i].moments+m.plan.items[i].passed(m.now)
		}
	}
	m.pass(m.some() / 4 * time.Duration(m.rng.IntN(2)))
	m.note("sweep of %v since %v, failed: %v", due, begun, fails)
	for _, i := range due {
		it := &m.plan.items[i]
		if it.read = !fails[i]; it.read {
			m.plan.done(i, begun, m.now, 0)
			it.failures = 0
			continue
		}
		if it.why == "" || it.next <= m.now {
			it.blame("failed", 1)
		}
		m.plan.done(i, begun, m.now, retryAfter)
	}
}

// hand hands on the readings. The last moment before the reply gets its sample.
func (m *momentModel) hand() {
	m.note("hand")
	for i := range m.items {
		it, planned := &m.items[i], &m.plan.items[i]
		if !it.held {
			continue
		}
		it.held = false
		later := planned.later(it.by)
		gap, ok := planned.gap(m.wall.Add(it.read), it.read, later)
		planned.delivered(it.read, later)
		n := 0
		for n < len(it.open) && it.open[n] <= it.read {
			n++
		}
		m.gap(i, gap, ok, it.open[:max(n, 1)-1])
		it.open = it.open[n:]
		it.mixed = it.mixed && len(it.open) > 0
		m.samples += min(n, 1)
	}
}

// gap compares a gap with the moments that it must count.
func (m *momentModel) gap(i int, gap objects.Gap, ok bool, want []time.Duration) {
	m.t.Helper()
	if ok != (len(want) > 0) || gap.Count != uint64(len(want)) && ok {
		m.fatalf("item %d each %v: a gap (%v) of %d moments, want %v", i, m.plan.items[i].polled.Interval, ok, gap.Count, want)
	}
	if ok && !m.items[i].mixed && (gap.From.After(m.wall.Add(want[0])) || gap.To.Before(m.wall.Add(want[len(want)-1]))) {
		m.fatalf("item %d: a gap from %v to %v for %v", i, gap.From.Sub(m.wall), gap.To.Sub(m.wall), want)
	}
	if ok {
		m.missed += len(want)
	}
}

func (m *momentModel) drop() {
	m.note("drop")
	for i := range m.items {
		if m.items[i].held {
			m.items[i].held = false
			m.plan.items[i].blame("nameless", 1)
		}
	}
}

func (m *momentModel) rephase() {
	if m.taken && m.rng.IntN(10) > 0 { // a real clock becomes right once; a second time is rare here
		return
	}
	m.taken = true
	by := time.Duration(m.rng.Int64N(int64(2 * time.Minute)))
	m.note("the clock is right: %v later", by)
	m.pass(0)
	m.wall = m.wall.Add(by)
	m.plan.rephase(m.now, m.at())
	for i := range m.items {
		m.items[i].next = m.now + untilMultiple(m.at(), m.plan.items[i].polled.Interval)
		m.items[i].mixed = len(m.items[i].open) > 0
	}
}

// soFar reports the samples that are missing so far. It leaves out the last moment, and those that wait for the
// identification.
func (m *momentModel) soFar() {
	m.note("so far")
	for i := range m.items {
		it, planned := &m.items[i], &m.plan.items[i]
		later := uint64(0)
		if it.held {
			later = planned.later(it.by)
		}
		gap, after, ok := planned.soFar(m.now, m.at(), m.now, later)
		if !ok {
			continue
		}
		*planned = after
		n := m.passed(i)
		for it.held && it.open[n-1] > it.read {
			n--
		}
		m.gap(i, gap, ok, it.open[:n-1])
		it.open = it.open[n-1:]
	}
}

// passed returns how many of the open moments the schedule has counted so far.
func (m *momentModel) passed(i int) (n int) {
	for n < len(m.items[i].open) && m.items[i].open[n] < m.plan.items[i].next {
		n++
	}
	return n
}

// end reports the samples that are missing at the end of a poller.
func (m *momentModel) end() {
	for i := range m.items {
		it, planned := &m.items[i], &m.plan.items[i]
		gap, after, ok := planned.atEnd(m.now, m.at(), m.now)
		if !ok {
			continue
		}
		*planned = after
		n := m.passed(i)
		m.gap(i, gap, ok, it.open[:n])
		it.open = it.open[n:]
	}
}

// reload ends the poller and starts another one.
func (m *momentModel) reload() {
	m.note("reload")
	if m.rng.IntN(2) == 0 {
		m.drop()
	}
	for i := range m.items {
		m.items[i].held = false
	}
	m.end()
	if m.rng.IntN(2) == 0 {
		m.pass(m.some())
	}
	before, begun := m.plan, m.now
	if m.rng.IntN(2) == 0 {
		m.pass(m.some())
	}
	m.plan = newSchedule(polledOf(before), m.now, m.at())
	m.plan.beginAt(begun, begun, m.now, "unidentified")
	m.plan.takeUp(before, begun)
}

// adopt changes the slave to another family with the same objects.
func (m *momentModel) adopt() {
	m.note("adopt")
	m.drop()
	before := m.plan
	m.plan = newSchedule(polledOf(before), m.now, m.at())
	m.plan.beginAt(m.now, m.now, m.now, "unidentified")
	m.plan.inherit(before, m.now, "unidentified")
}

// check compares the number of missing moments with the model.
func (m *momentModel) check() {
	for i := range m.items {
		if n := m.passed(i); uint64(n) != m.plan.items[i].owed {
			m.fatalf("item %d each %v: %d moments are owed, %v are open", i, m.plan.items[i].polled.Interval,
				m.plan.items[i].owed, m.items[i].open[:n])
		}
	}
}
