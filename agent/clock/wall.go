package clock

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"noi-agent/configs"
)

const (
	// stepLimit is the largest change of the wall clock against the uptime that does not count as a step. A time
	// service that only changes the speed of the clock changes both, and so makes no difference. A leap second makes a
	// difference of one second.
	stepLimit = 2 * time.Second
	// giveAfter is the largest error of the time of the boot for which samples are not corrected.
	giveAfter = time.Second
	// backLimit is the longest time by which a right clock may be before the last good time. The clock may have been
	// ahead then, and was corrected since.
	backLimit = 2 * time.Minute
	// jumpLimit is the longest step, and the longest time without power, after which ages are trusted without the
	// confirmation of a time service.
	jumpLimit = 24 * time.Hour
	// vouchSlack is the allowed difference between the times of a service's measurement and of a step.
	vouchSlack = time.Minute
	// lifetime is the time after the build from which on no clock is trusted without a time service. No gateway runs
	// for so long without an update, and clocks without a battery often start in 2036, 2080 or 2099.
	lifetime = 20 * 365 * 24 * time.Hour

	// ProbeUnsure is the time between two requests to the time services while the clock is unsure.
	ProbeUnsure = 10 * time.Second
	probeGood   = time.Minute // the same while the clock is good
)

// ApartLimit is the largest difference between two readings of the clocks that counts as equal. A busy process cannot
// read two clocks more exactly.
const ApartLimit = 500 * time.Millisecond

// Wall judges the wall clock. The uptime is always right. The wall clock is the uptime plus the time of the boot, so
// only one number can be wrong, and a step is a change of this number.
type Wall struct {
	now    func() time.Time
	source Source
	log    *slog.Logger
	store  Keeper        // set by Begin
	kick   chan struct{} // has a signal if Run must ask the services now
	Ended  chan struct{} // closed when Run has ended
	phased chan struct{} // closed when the clock has become good for the first time in this run

	mu      sync.Mutex // not locked during calls of the store, because the store calls Ages and Old under its own lock
	keys    configs.Clock
	begun   bool
	asked   bool // the services were asked at least once
	synch   Synch
	floor   time.Time     // the last time that is known to be right
	given   time.Time     // the value of trusted that the store has
	trusted time.Time     // time of the boot by a clock that was right; zero: no clock was right in this boot
	booted  time.Time     // time of the boot by the present clock
	from    time.Time     // wall time of the last step, or of the boot if there was none
	seen    time.Duration // uptime of the last look
	steps   uint64        // number of steps since the start
	moved   time.Duration // size of the last step
	unasked bool          // no service was asked since the last step
	verdict verdict
	since   time.Duration // uptime of the last change of verdict.Good
	turn    chan struct{} // closed when samples that wait for the clock must be checked again
}

// verdict is the judgement of the wall clock.
type verdict struct {
	Good   bool   // the clock is right: samples get their time by it
	ages   bool   // samples of this boot may expire by it
	old    bool   // samples of earlier boots may expire by it
	reason string // in words
}

// Options are the parts of a Wall. All but Source are required.
type Options struct {
	Now     func() time.Time
	Elapsed func() time.Duration // monotonic time since the start of the run
	Source  Source               // zero: only Now is known
	Keys    configs.Clock        // of the configuration
	Log     *slog.Logger
}

// Keeper keeps the knowledge about the clock between runs. A store is a Keeper.
type Keeper interface {
	LastGood() time.Time        // the last time that is known to be right; zero: none
	Booted() time.Time          // time of this boot by a clock that was right; zero: not known
	SetBooted(booted time.Time) // sets the time of the boot if it is known now, or more exactly than before
}

// NewWall returns a Wall that has not judged the clock yet. Call Begin, then Run.
func NewWall(o Options) *Wall {
	w := &Wall{
		now: o.Now, source: o.Source, log: o.Log, keys: o.Keys, turn: make(chan struct{}),
		kick: make(chan struct{}, 1), Ended: make(chan struct{}), phased: make(chan struct{}),
	}
	if w.source.Boot == "" || w.source.Uptime == nil { // then each run counts as a boot
		w.source.Boot, w.source.Uptime = "run-"+rand.Text(), o.Elapsed
	}
	return w
}

// Source returns the sources about time. Its Boot and Uptime are always set.
func (w *Wall) Source() Source { return w.source }

// Ages reports whether ages may be counted by the wall clock.
func (w *Wall) Ages() bool {
	_, v := w.Look()
	return v.ages
}

// Old reports whether samples of earlier boots may be too old by the wall clock.
func (w *Wall) Old() bool {
	_, v := w.Look()
	return v.old
}

// Read returns wall time and uptime of one moment. The wall time has no monotonic part, so that differences between two
// wall times show steps.
func (w *Wall) Read() (wall time.Time, up time.Duration) {
	const tries, apart = 5, time.Millisecond
	for range tries {
		before := w.source.Uptime()
		wall = w.now().Round(0)
		up = w.source.Uptime()
		if up-before < apart { // otherwise the process was stopped between the two
			break
		}
	}
	return wall, up
}

// BootedAt returns the time of the boot by the present wall clock.
func (w *Wall) BootedAt() time.Time {
	wall, up := w.Read()
	return wall.Add(-up)
}

// Begin reads the knowledge of the store, and judges the clock for the first time. Call it once, before Run.
func (w *Wall) Begin(st Keeper) {
	w.mu.Lock()
	w.store = st
	w.floor, w.trusted, w.given = st.LastGood(), st.Booted(), st.Booted()
	w.asked, w.begun = w.source.Probe == nil, true
	w.mu.Unlock()
	w.offer(st.LastGood())
	if _, v := w.Look(); v.Good {
		close(w.phased) // schedules begin in phase
		w.give()
	}
}

// offer logs the last good time if the clock is before it, with a command that sets the clock. The agent itself never
// sets the clock.
func (w *Wall) offer(last time.Time) {
	if wall := w.now(); w.keys.Source != configs.ClockSystem && wall.Before(last.Add(-backLimit)) {
		w.log.Warn("the system's clock is before the last time known to be right",
			"clock", wall.UTC().Format(time.RFC3339), "last_good", last.UTC().Format(time.RFC3339),
			"to_set_it", fmt.Sprintf("date -u -s @%d", last.Unix()))
	}
}

// Look judges the present wall clock, and returns the time of the boot by it. It asks no service. It may be called from
// any goroutine, also by the store under its own lock.
func (w *Wall) Look() (booted time.Time, v verdict) {
	wall, up := w.Read()
	booted = wall.Add(-up)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun {
		return booted, verdict{}
	}
	w.noticeStep(booted, up)
	v = w.judge(wall, booted)
	if v.old = v.ages && !w.leapt(wall, booted); v.ages && !v.old {
		v.reason += "; it is more than a day after the last time known to be right, and no sample of earlier boots " +
			"expires by it"
	}
	if v.ages {
		w.trust(wall, booted)
	}
	if v != w.verdict {
		if v.Good != w.verdict.Good {
			w.since = up
		}
		w.verdict = v
		w.turnOver()
		w.again()
	}
	return booted, v
}

// noticeStep compares the clock with the last look. w.mu is locked.
func (w *Wall) noticeStep(booted time.Time, up time.Duration) {
	by := booted.Sub(w.booted)
	switch {
	case w.booted.IsZero():
		w.from = booted
	case by.Abs() > stepLimit:
		w.steps++
		w.from = booted.Add(w.seen) // the clock was set after the last look
		w.moved, w.unasked = by, w.source.Probe != nil
		w.again()
	}
	w.booted, w.seen = booted, up
}

// quiet is the reason why a clock without a time service is trusted.
const quiet = "no time service found; clock looks plausible"

// judge applies the rules of docs/time.md. w.mu is locked.
func (w *Wall) judge(wall, booted time.Time) verdict {
	off := booted.Sub(w.trusted).Abs()
	known := !w.trusted.IsZero()
	switch {
	case w.keys.Source == configs.ClockSystem:
		return verdict{Good: true, ages: true, reason: "clock.source is system"}
	case wall.Before(w.source.Built):
		return verdict{reason: "it is before the program was built, " + w.source.Built.UTC().Format(time.RFC3339)}
	case w.vouched(wall):
		return verdict{Good: true, ages: true, reason: w.synch.Service + " has synchronised it"}
	case w.beyond(wall):
		return verdict{reason: "it is more than 20 years after the program was built"}
	case known && off <= stepLimit && w.synch.Service == "":
		return verdict{Good: true, ages: true, reason: quiet}
	case known && off <= stepLimit:
		return verdict{Good: true, ages: true, reason: "it was right in this boot, and was not set since"}
	case !w.asked:
		return verdict{reason: "the time services are being asked"}
	case w.synch.Synched:
		return verdict{reason: "it was set, and " + w.synch.Service + " has not confirmed this"}
	case w.synch.Service != "":
		return verdict{reason: w.synch.Service + " has not synchronised it"}
	case wall.Before(w.floor.Add(-backLimit)):
		return verdict{reason: "it is before the last time known to be right, " + w.floor.UTC().Format(time.RFC3339)}
	case known && off > jumpLimit:
		return verdict{Good: true, ages: false,
			reason: "it was set by more than a day, and no time service has confirmed this: no sample expires by it"}
	default:
		return verdict{Good: true, ages: true, reason: quiet}
	}
}

// vouched reports whether a time service confirms the present clock. The service must have been asked after the last
// step. If it reports the time of its measurement, this must be after the last step too. w.mu is locked.
func (w *Wall) vouched(wall time.Time) bool {
	at := w.synch.At
	return w.synch.Synched && !w.unasked && (at.IsZero() || !at.Before(w.from.Add(-vouchSlack)) &&
		!at.After(wall.Add(vouchSlack)))
}

// beyond reports whether a time is more than lifetime after the build.
func (w *Wall) beyond(t time.Time) bool {
	return !w.source.Built.IsZero() && t.After(w.source.Built.Add(lifetime))
}

// leapt reports whether a clock that no service confirms is more than jumpLimit after the last good time. Either the
// gateway was off for long, or its RTC is wrong. So samples of earlier boots must not expire, and the last good time
// does not change. It is false if the last good time is of this boot, because this proves the time of the boot. w.mu is
// locked.
func (w *Wall) leapt(wall, booted time.Time) bool {
	known := w.floor.After(w.source.Built) && w.floor.Before(booted)
	return known && w.keys.Source != configs.ClockSystem && !w.vouched(wall) && wall.Sub(w.floor) > jumpLimit
}

// trust notes a clock that is right. w.mu is locked.
func (w *Wall) trust(wall, booted time.Time) {
	if by := booted.Sub(w.trusted); w.trusted.IsZero() || by.Abs() > giveAfter {
		w.again()
	}
	w.trusted = booted
	if wall.After(w.floor) && !w.leapt(wall, booted) || w.vouched(wall) || w.keys.Source == configs.ClockSystem {
		w.floor = wall
	}
}

// again makes Run ask and look at once.
func (w *Wall) again() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

// Run asks the time services until ctx ends, more often while the clock is unsure. It logs changes, and gives the time
// of the boot to the store.
func (w *Wall) Run(ctx context.Context) {
	defer close(w.Ended)
	said, steps := "", uint64(0)
	for ctx.Err() == nil {
		asked := w.ask(ctx)
		_, v := w.Look()
		steps = w.reportSteps(steps)
		if line := fmt.Sprint(v.Good, v.reason); line != said && ctx.Err() == nil {
			said = line
			w.report(v)
		}
		w.give()
		w.settle(asked)
		pause := ProbeUnsure
		if v.Good {
			pause = probeGood
			w.becomeGood()
		}
		w.rest(ctx, pause)
	}
}

// ask asks the services. It returns the number of steps that were noticed before the request: the answer is about the
// clock after these steps.
func (w *Wall) ask(ctx context.Context) (about uint64) {
	w.Look()
	w.mu.Lock()
	about = w.steps
	w.mu.Unlock()
	if w.source.Probe == nil {
		return about
	}
	answer := w.source.Probe(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() == nil {
		w.synch, w.asked = answer, true
	}
	return about
}

// settle notes that the services were asked after the last step, which was step number about, and wakes the goroutines
// that wait for this.
func (w *Wall) settle(about uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unasked && w.steps == about {
		w.unasked = false
		w.turnOver()
	}
}

// Unsettled reports whether the clock was just set: the services were not asked since the step, or the store does not
// have the new time of the boot yet.
func (w *Wall) Unsettled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unasked || !w.storeKnows()
}

// storeKnows reports whether the store has the best known time of the boot. w.mu is locked.
func (w *Wall) storeKnows() bool {
	return w.trusted.IsZero() || !w.given.IsZero() && w.trusted.Sub(w.given).Abs() <= giveAfter
}

// give gives the store the time of the boot, if it is known more exactly than before. The store corrects the times of
// samples with it. Only Begin and Run call give.
func (w *Wall) give() {
	w.mu.Lock()
	booted, known := w.trusted, w.storeKnows()
	w.mu.Unlock()
	if known {
		return
	}
	w.store.SetBooted(booted)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given = booted // only now: until then samples that were read with the old time of the boot wait
	w.turnOver()
}

// turnOver wakes the goroutines that wait for a change of the judgement. w.mu is locked.
func (w *Wall) turnOver() {
	close(w.turn)
	w.turn = make(chan struct{})
}

// Turned returns a channel that is closed when the judgement changes next.
func (w *Wall) Turned() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.turn
}

// becomeGood makes the schedules move to UTC multiples. It has an effect only once.
func (w *Wall) becomeGood() {
	select {
	case <-w.phased:
	default:
		close(w.phased)
	}
}

// Rephasing returns a channel that is closed when schedules that are made now must move to UTC multiples. It returns
// nil if they need not move, because the clock is already good.
func (w *Wall) Rephasing() <-chan struct{} {
	select {
	case <-w.phased:
		return nil
	default:
		return w.phased
	}
}

func (w *Wall) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.kick:
	case <-ctx.Done():
	}
}

// reportSteps logs the last step, if there was one since the last call, and returns the number of steps. before is the
// number at the last call.
func (w *Wall) reportSteps(before uint64) uint64 {
	w.mu.Lock()
	steps, by, to := w.steps, w.moved, w.booted.Add(w.seen)
	w.mu.Unlock()
	if steps != before {
		w.log.Warn("the system's clock was set", "by", by.Round(time.Millisecond), "to", to.UTC().Format(time.RFC3339),
			"steps", steps)
	}
	return steps
}

// Age returns the time since a moment. at is its wall time, uptime its uptime. If uptime is below zero, it is not known
// or is of another boot, and Age uses the wall clock.
func (w *Wall) Age(at time.Time, uptime time.Duration) time.Duration {
	if uptime >= 0 {
		return w.source.Uptime() - uptime
	}
	return w.now().Sub(at)
}

// Shown converts a time to the present wall clock. booted is the time of the boot by the clock of at.
func (w *Wall) Shown(at, booted time.Time) time.Time {
	if by := w.BootedAt().Sub(booted); by.Abs() > ApartLimit {
		return at.Round(0).Add(by)
	}
	return at
}

func (w *Wall) report(v verdict) {
	if v.Good {
		w.log.Info("the clock counts as right", "reason", v.reason)
		return
	}
	w.log.Warn("the clock is not known to be right: samples wait for it", "reason", v.reason, "at_most", w.MaxWait())
}

// Set applies other keys of the configuration.
func (w *Wall) Set(keys configs.Clock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys != keys {
		w.keys = keys
		w.turnOver()
		w.again()
	}
}

// MaxWait returns the longest time for which a sample waits for the clock (`clock.max_wait`).
func (w *Wall) MaxWait() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keys.MaxWait
}
