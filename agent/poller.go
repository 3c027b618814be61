package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
)

// Waits of a line that cannot be opened: an adapter that was plugged in again is found within seconds, and a
// port that never comes costs next to nothing.
const (
	reopenFirst = time.Second
	reopenLimit = 15 * time.Second
)

// readTries is how often a read is sent to a slave that answered the last time. One that did not is
// asked once, so that a dead slave costs its neighbours one timeout.
const readTries = 3

// reading is one object's value as the line gave it, before it has a number.
type reading struct {
	object string
	unit   string
	value  objects.Value
	at     time.Time
}

// taken is the outcome of one sweep, on its way from a poller to the sampler.
type taken struct {
	source  objects.Source
	names   []string // words by which filters may mean the slave
	samples []objects.Sample
}

// poller reads the slaves of one line. Its goroutine owns the line: nobody else touches the port.
type poller struct {
	cfg      *configs.Line
	settings modbus.Settings
	line     *modbus.Line
	catalog  *objects.Catalog
	version  string
	clock    clock
	log      *slog.Logger
	out      chan<- taken
	slaves   []*slave
	repeat   repeats // faults of the port, and of the queue to the store
	open     bool
	reopenAt time.Duration
	reopen   time.Duration // the last wait for the port

	mu   sync.Mutex
	view lineView // what status shows; a copy, so that status never waits for the line
}

// run polls until ctx ends. It returns within one exchange.
func (p *poller) run(ctx context.Context) {
	defer p.line.Close()
	now := p.clock.elapsed()
	for _, s := range p.slaves {
		if s.family != nil {
			s.adopt(s.family, p.settings, now, p.clock.now())
		}
	}
	for ctx.Err() == nil {
		p.show()
		if !p.ready(ctx) {
			continue
		}
		at, ok := p.nextDue()
		if !ok {
			<-ctx.Done()
			return
		}
		if p.clock.waitUntil(ctx, at) != nil {
			return
		}
		p.round(ctx)
	}
}

// nextDue returns the earliest moment at which a slave wants the line.
func (p *poller) nextDue() (at time.Duration, ok bool) {
	for _, s := range p.slaves {
		if t, has := s.nextDue(); has && (!ok || t < at) {
			at, ok = t, true
		}
	}
	return at, ok
}

// round gives each slave that is due its sweep, in the order of the configuration.
func (p *poller) round(ctx context.Context) {
	for _, s := range p.slaves {
		if at, ok := s.nextDue(); !ok || at > p.clock.elapsed() {
			continue
		}
		p.busy(p.clock.elapsed())
		p.sweep(ctx, s)
		p.busy(0)
		p.show()
		if ctx.Err() != nil || !p.open {
			return
		}
	}
}

// ready opens the port when it is closed. While it stays closed the misses are counted and nothing is queued.
func (p *poller) ready(ctx context.Context) bool {
	if p.open {
		return true
	}
	if p.clock.waitUntil(ctx, p.reopenAt) != nil {
		return false
	}
	for _, s := range p.slaves {
		if s.plan != nil {
			s.missed += s.plan.passOver(p.clock.elapsed())
		}
	}
	if err := p.line.Open(); err != nil {
		p.portFailed(err)
		return false
	}
	for _, s := range p.slaves {
		s.lastErr = nil // that was the port's fault; the slave has not been asked since
	}
	p.open, p.reopen = true, 0
	p.setError(nil)
	p.repeat.recovered(p.log, p.clock.elapsed(), "line is open again")
	p.log.Info("line open", "port", p.cfg.Port, "baud", p.cfg.Baud)
	return true
}

// portFailed closes the line and sets the next moment to try.
func (p *poller) portFailed(err error) {
	p.line.Close()
	p.open = false
	p.reopen = min(max(2*p.reopen, reopenFirst), reopenLimit)
	p.reopenAt = p.clock.elapsed() + p.reopen
	p.setError(err)
	p.repeat.failed(p.log, p.clock.elapsed(), "line failed", err)
	for _, s := range p.slaves {
		s.miss(err)
	}
}

// sweep reads what is due of one slave, asks who answered when that is due, and hands the samples on.
func (p *poller) sweep(ctx context.Context, s *slave) {
	if s.family == nil {
		p.findFamily(ctx, s)
		return
	}
	due := s.plan.due(p.clock.elapsed())
	read := make([]bool, len(due))
	readings := p.readAll(ctx, s, due, read)
	for i, n := range due {
		refused := s.refused[s.plan.items[n].polled.Object.Name]
		s.plan.done(n, p.clock.elapsed(), read[i] || refused) // what it does not know it will not know in ten seconds
		if !read[i] {
			s.missed++
		}
	}
	if len(readings) == 0 {
		return
	}
	family := s.family
	if !p.identify(ctx, s) || s.family != family { // of another family, the registers meant something else
		s.missed += uint64(len(readings))
		return
	}
	p.hand(s, readings)
}

// readAll reads the due items and marks in read which of them the slave answered. After a timeout or a port
// fault it lets the rest be: they are asked again soon.
func (p *poller) readAll(ctx context.Context, s *slave, due []int, read []bool) []reading {
	var readings []reading
	for _, rd := range s.reads(due) {
		got, err := p.readMembers(ctx, s, rd, due, read)
		readings = append(readings, got...)
		if err != nil && !answered(err) {
			return readings
		}
	}
	return readings
}

// readMembers does one planned read. When the slave refuses a merged one it asks for the parts: first without the
// gaps, which may hold registers it does not know, then object by object.
func (p *poller) readMembers(ctx context.Context, s *slave, rd modbus.Read, due []int, read []bool) ([]reading, error) {
	reply, err := p.read(ctx, s, rd.Span)
	if err == nil {
		for _, m := range rd.Members {
			read[m] = true
			delete(s.refused, s.plan.items[due[m]].polled.Object.Name) // the refusal was of the moment
		}
		return p.decode(s, rd, due, reply), nil
	}
	if !refusesAddress(err) {
		return nil, err
	}
	if len(rd.Members) == 1 {
		s.refused[s.plan.items[due[rd.Members[0]]].polled.Object.Name] = true
		return nil, err
	}
	var readings []reading
	for _, part := range s.parts(rd, due) {
		got, err := p.readMembers(ctx, s, part, due, read)
		readings = append(readings, got...)
		if err != nil && !answered(err) {
			return readings, err
		}
	}
	return readings, nil
}

// parts splits a refused read. A slave that refuses gaps is never asked for one again.
func (s *slave) parts(rd modbus.Read, due []int) []modbus.Read {
	if !s.limits.NoGaps {
		s.limits.NoGaps = true
		if parts := s.mergedReads(due, rd.Members); len(parts) > 1 {
			return parts
		}
	}
	parts := make([]modbus.Read, len(rd.Members))
	for i, m := range rd.Members {
		parts[i] = modbus.Read{Span: spanOf(&s.plan.items[due[m]].polled.Object), Members: []int{m}}
	}
	return parts
}

// read sends one read, again when the reply was damaged or missing and the slave was well before.
func (p *poller) read(ctx context.Context, s *slave, span modbus.Span) (modbus.Reply, error) {
	tries := 1
	if s.answered {
		tries = readTries
	}
	for {
		reply, err := p.line.Read(ctx, byte(s.cfg.ID), span.Function, span.Addr, span.Count)
		if err == nil {
			s.good(p.clock.elapsed(), reply.At)
			s.repeat.recovered(p.log, p.clock.elapsed(), fmt.Sprintf("unit %d answers again", s.cfg.ID))
			return reply, nil
		}
		if ctx.Err() != nil {
			return reply, err
		}
		s.miss(err)
		if errors.Is(err, modbus.ErrPort) {
			p.portFailed(err)
			return reply, err
		}
		s.repeat.failed(p.log, p.clock.elapsed(), "read failed", err)
		tries--
		if tries <= 0 || answered(err) {
			return reply, err
		}
	}
}

// decode turns a reply into readings. What holds no value is counted and left out.
func (p *poller) decode(s *slave, rd modbus.Read, due []int, reply modbus.Reply) []reading {
	readings := make([]reading, 0, len(rd.Members))
	for _, m := range rd.Members {
		o := &s.plan.items[due[m]].polled.Object
		from := o.Address - rd.Addr
		value, err := o.Decode(reply.Registers[from : from+o.Registers])
		if err != nil {
			s.noSample++
			p.forget(s, o.Name)
			p.log.Debug("no sample", "unit", s.cfg.ID, "object", o.Name, "reason", err)
			continue
		}
		readings = append(readings, reading{object: o.Name, unit: o.Unit, value: value, at: reply.At})
	}
	return readings
}

// identify makes sure that the samples carry the right identity. It returns false when that could not be
// settled because the line failed or the agent ends: then the samples are dropped and counted, since nobody knows whose
// they are. A `model: auto` slave that does not tell any more loses its family too: another controller may have come.
func (p *poller) identify(ctx context.Context, s *slave) bool {
	if !s.identityDue(p.clock.elapsed()) {
		return true
	}
	for range identifyTries {
		id, err := p.line.Identify(ctx, byte(s.cfg.ID))
		if err == nil {
			p.identifiedAs(s, id)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if errors.Is(err, modbus.ErrPort) {
			p.portFailed(err)
			return false
		}
		p.log.Debug("identification failed", "unit", s.cfg.ID, "reason", err)
	}
	s.settleIdentity(modbus.Identity{}, p.clock.elapsed())
	if s.cfg.Auto() {
		p.loseFamily(s, errors.New("it answers, but does not say who it is: name the model in the configuration"))
		return false
	}
	return true
}

// loseFamily stops polling a `model: auto` slave until it names a product code that a family fits.
func (p *poller) loseFamily(s *slave, err error) {
	s.family, s.plan, s.lastErr = nil, nil, err
	s.tryAgain = p.clock.elapsed() + retryAfter
}

// identifiedAs takes an identity and, with `model: auto`, the family that goes with it.
func (p *poller) identifiedAs(s *slave, id modbus.Identity) {
	changed := s.identity.ProductCode != id.ProductCode || s.identity.Revision != id.Revision
	s.settleIdentity(id, p.clock.elapsed())
	if changed {
		p.log.Info("slave identified", "unit", s.cfg.ID, "product_code", id.ProductCode, "firmware", id.Revision)
	}
	if !s.cfg.Auto() {
		return
	}
	family, ok := p.catalog.ByProductCode(id.ProductCode)
	switch {
	case !ok:
		p.loseFamily(s, fmt.Errorf("no family fits product code %q: name the model in the configuration", id.ProductCode))
	case family != s.family:
		s.adopt(family, p.settings, p.clock.elapsed(), p.clock.now())
	}
}

// findFamily asks a `model: auto` slave who it is; without an answer nothing can be polled.
func (p *poller) findFamily(ctx context.Context, s *slave) {
	s.tryAgain = p.clock.elapsed() + retryAfter
	id, err := p.line.Identify(ctx, byte(s.cfg.ID))
	if err == nil {
		s.good(p.clock.elapsed(), id.At)
		s.repeat.recovered(p.log, p.clock.elapsed(), fmt.Sprintf("unit %d answers again", s.cfg.ID))
		p.identifiedAs(s, id)
		return
	}
	if ctx.Err() != nil {
		return
	}
	s.miss(err)
	if errors.Is(err, modbus.ErrPort) {
		p.portFailed(err)
		return
	}
	s.repeat.failed(p.log, p.clock.elapsed(), "identification failed", err)
}

// hand gives a sweep to the sampler. The queue holds minutes of sweeps; when the store is stuck for longer
// than that, the sweep is lost and counted. The line never waits.
func (p *poller) hand(s *slave, readings []reading) {
	t := taken{source: s.source(p.cfg.Name, p.version), names: s.names(), samples: make([]objects.Sample, len(readings))}
	for i, r := range readings {
		t.samples[i] = objects.Sample{Object: r.object, Value: r.value, SampledAt: r.at}
	}
	p.remember(s, readings)
	select {
	case p.out <- t:
	default:
		p.lose(len(readings))
		p.repeat.failed(p.log, p.clock.elapsed(), "samples lost", errors.New("the store does not keep up"))
	}
}

// answered reports whether the error is an answer of the slave: the line is well and the rest may be asked.
func answered(err error) bool {
	var exception *modbus.Exception
	return errors.As(err, &exception)
}

// refusesAddress reports whether the slave does not know the registers (exceptions 02 and 03).
func refusesAddress(err error) bool {
	var exception *modbus.Exception
	return errors.As(err, &exception) && (exception.Code == 2 || exception.Code == 3)
}
