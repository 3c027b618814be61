package budget

import (
	"maps"
	"math"
	"slices"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

// The bytes that the outbox writes, from `make bench-store`. A commit writes whole pages of 4 KiB, mostly the same
// ones, plus its content, with the share of new pages. Sent samples are deleted in the same pages.
const (
	commitBytes = 14_400 // with one sample in it
	sampleBytes = 42     // each further one: 6.5 in the record, the rest for half full pages
	logBytes    = 13_000 // the pages of an integration's log that a commit with rows begins
	rowBytes    = 90     // each row in it, and the row that it replaces
)

// FlashRate has the flash writes of a configuration, in megabytes (10^6 bytes) per day.
type FlashRate struct {
	Samples float64 // a day, of those that any integration gets
	// Online: while every cloud accepts its samples in time: trigger rows, and samples that wait for `publish_every` or
	// are kept for a replay
	Online  float64
	Offline float64 // while no cloud can be reached: every sweep. The rows of the failures are few, and not counted
}

const secondsPerDay = 86400

// Flash predicts the writes of the outbox, as a minimum and a maximum. The two differ only with `when: change`, because
// all samples may change, or none. A slave with `model: auto` is not counted, because its objects are not known.
func Flash(config *configs.Config, catalog *objects.Catalog) (least, most FlashRate) {
	most = flash(config, catalog, func(_ *configs.Integration, every time.Duration) time.Duration { return every })
	least = flash(config, catalog, func(in *configs.Integration, every time.Duration) time.Duration {
		switch {
		case in.When != configs.WhenChange:
			return every
		case in.Heartbeat == 0:
			return 0
		}
		return beat(in.Heartbeat, every)
	})
	return least, most
}

// flash predicts the writes. interval returns how far apart the samples are that an integration gets of an object; 0:
// none.
func flash(config *configs.Config, catalog *objects.Catalog,
	interval func(*configs.Integration, time.Duration) time.Duration) FlashRate {
	// what any integration gets; what one lets wait for longer than a commit does
	var kept, held sweepRate
	rows := make([]float64, len(config.Integrations)) // a second
	for i := range config.Lines {
		line := &config.Lines[i]
		for j := range line.Slaves {
			family, ok := line.Slaves[j].Family(catalog)
			if !ok || !line.Enabled {
				continue
			}
			some, late := map[time.Duration]int{}, map[time.Duration]int{}
			for _, p := range line.Slaves[j].Polled(family) {
				var soonest, soonestLate time.Duration
				for k := range config.Integrations {
					in := &config.Integrations[k]
					every := interval(in, p.Interval)
					if !in.Enabled || every == 0 || !wants(in, line, &line.Slaves[j], p.Object.Name) {
						continue
					}
					rows[k] += 1 / every.Seconds()
					soonest = sooner(soonest, every)
					if in.PublishEvery > config.Buffer.CommitEvery || config.Buffer.RetainAfterAck > 0 {
						soonestLate = sooner(soonestLate, every)
					}
				}
				some[soonest]++
				late[soonestLate]++
			}
			kept.add(some)
			held.add(late)
		}
	}
	window := math.Inf(1) // commits a second, at the most
	if every := config.Buffer.CommitEvery; every > 0 {
		window = 1 / every.Seconds()
	}
	flush := 1 / config.Triggers.FlushEvery.Seconds()
	logs := 0.0 // of the rows that wait, a log takes as many as it keeps
	for _, r := range rows {
		logs += min(r, flush)*logBytes + min(r, flush*float64(config.Triggers.Keep))*rowBytes
	}
	const mega = secondsPerDay / 1e6
	return FlashRate{
		Samples: kept.samples * secondsPerDay,
		Online:  (min(kept.sweeps, flush)*commitBytes + logs + held.bytes(window)) * mega,
		Offline: kept.bytes(window) * mega,
	}
}

// sooner is the shorter of two intervals; 0 is none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// sweepRate is what goes into the outbox, a second.
type sweepRate struct{ sweeps, samples float64 }

// add counts one slave's objects by how often each has a sample; those under 0 have none.
func (r *sweepRate) add(due map[time.Duration]int) {
	delete(due, 0)
	for every, n := range due {
		r.samples += float64(n) / every.Seconds()
	}
	for _, m := range moments(slices.Sorted(maps.Keys(due))) {
		r.sweeps += m.Rate
	}
}

// bytes is what is written when there is a commit for each sweep, so many a second at the most.
func (r sweepRate) bytes(commits float64) float64 {
	return min(r.sweeps, commits)*commitBytes + r.samples*sampleBytes
}

// wants reports whether an integration gets an object of a slave, by the names in the configuration.
func wants(in *configs.Integration, line *configs.Line, slave *configs.Slave, object string) bool {
	names := slices.DeleteFunc([]string{slave.Name, slave.ProductCode, slave.Model},
		func(n string) bool { return n == "" })
	return in.Wants(line.Name, slave.ID, names, object)
}
