package poll

import (
	"maps"
	"sync"
	"time"

	"noi-agent/agent/clock"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// board has a copy of a poller's data, so that the status never waits for the line. The poller writes to it, and any
// goroutine reads from it. Slaves have their place in the configuration of the line as number. The zero value is the
// board of a line without slaves.
type board struct {
	mu     sync.Mutex // guards the fields below
	view   lineView
	latest []map[string]reading // by slave, by object
	alarms []alarms             // by slave
	orders []order              // of latest, by slave; made when first needed
}

// begin makes room for the slaves of a line that opens now.
func (b *board) begin(slaves int, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.state, b.view.since = lineOpening, now
	for range slaves {
		b.latest, b.alarms = append(b.latest, map[string]reading{}), append(b.alarms, alarms{})
	}
}

// inherit takes over the troubles of the board before. Otherwise old counts would look like new troubles.
func (b *board) inherit(before *board) {
	v := before.snapshot()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.rivals, b.view.collisions = v.rivals, v.collisions
	b.view.lost, b.view.losses = v.lost, v.losses
}

// show takes over the state of all slaves, and the counters of their line.
func (b *board) show(slaves []slaveView, c modbus.Counters, open bool, elapsed time.Duration, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range slaves {
		before := slaveView{}
		if i < len(b.view.slaves) {
			before = b.view.slaves[i]
		}
		slaves[i].follow(before, elapsed, now)
		if slaves[i].state == slaveGarbled {
			b.view.garbledAt = elapsed
		}
	}
	b.view.slaves = slaves
	b.view.losses.Seen(b.view.lost, elapsed, now)
	b.view.rivals.Seen(c.Rivals, elapsed, now)
	b.view.collisions.Seen(c.Collisions, elapsed, now)
	b.view.noise.look(slaves, elapsed, now)
	if open {
		b.view.state = LineOK
	}
}

// opened notes that the line is open.
func (b *board) opened() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.state, b.view.err, b.view.fault = LineOK, "", nil
}

// failed notes why the line is down.
func (b *board) failed(err error, elapsed time.Duration, now time.Time) {
	holder := ""
	if modbus.IsBusy(err) {
		holder = modbus.Holder("/proc")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.view.state != lineFailed {
		b.view.since, b.view.begun = now, elapsed
	}
	b.view.state, b.view.err, b.view.fault, b.view.holder = lineFailed, err.Error(), err, holder
}

// busy notes since when an exchange is under way; 0: none is.
func (b *board) busy(since time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.busySince = since
}

// lose counts samples that are lost because the queue was full.
func (b *board) lose(samples int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.lost += uint64(samples)
}

// remember keeps the latest values of a slave.
func (b *board) remember(slave int, readings []reading) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range readings {
		if !r.none {
			b.latest[slave][r.object] = r
			b.alarms[slave].see(r)
		}
	}
}

// forget removes a value that a slave no longer has, for example of a sensor that was unplugged.
func (b *board) forget(slave int, object string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.latest[slave], object)
	delete(b.alarms[slave], object)
}

// forgetAlarms drops the faults and alarms of the controller before.
func (b *board) forgetAlarms(slave int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.alarms[slave])
}

// snapshot returns the data of the line for the status, without the latest values.
func (b *board) snapshot() lineView {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.view
	v.alarms = make([]alarms, len(b.alarms))
	for i := range v.alarms {
		v.alarms[i] = maps.Clone(b.alarms[i])
	}
	return v
}

// order is the list of objects of a slave in Latest, in the order of the register map.
type order struct {
	family  string // family of the list; "": not known yet
	objects []listed
}

// listed is one object and its log interval, in words.
type listed struct{ object, interval string }

// of returns the list of a slave with this family. It makes the list again only if the family has changed.
func (o *order) of(slug string, slave *configs.Slave, catalog *objects.Catalog) []listed {
	if o.family == slug {
		return o.objects
	}
	*o = order{family: slug}
	if family, ok := catalog.Family(slug); ok {
		for _, polled := range slave.Polled(family) {
			o.objects = append(o.objects, listed{polled.Object.Name, polled.Interval.String()})
		}
	}
	return o.objects
}

// rows returns the last good value of each object that a slave of the line is polled for, in the order of the register
// map. While a client watches, it is called each second, so it allocates only the rows.
func (b *board) rows(line *configs.Line, catalog *objects.Catalog, c clock.Clock) (rows []api.Latest) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for i := range b.latest {
		n += len(b.latest[i])
	}
	rows = make([]api.Latest, 0, n)
	now := c.Elapsed()
	if b.orders == nil {
		b.orders = make([]order, len(b.latest))
	}
	for i := range b.view.slaves {
		sv := &b.view.slaves[i]
		for _, l := range b.orders[i].of(sv.family, &line.Slaves[i], catalog) {
			r, ok := b.latest[i][l.object]
			if !ok {
				continue
			}
			rows = append(rows, api.Latest{
				Line: line.Name, Slave: sv.name, UnitID: sv.cfgID, Object: r.object, Unit: r.unit,
				Value:     r.value.AppendJSON(nil),
				SampledAt: c.Wall.Shown(r.at, r.booted).UTC().Truncate(time.Second),
				AgeS:      int64((now - r.read).Seconds()),
				Interval:  l.interval,
			})
		}
	}
	return rows
}
