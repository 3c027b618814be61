package budget

import (
	"maps"
	"math"
	"slices"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
)

// The bytes that the outbox writes, measured with `make bench-store`. A commit writes whole pages of 4 KiB. Most of
// them are written by every commit. The others grow with the number of samples. Sent samples are deleted in the same
// pages.
const (
	commitBytes = 14_400 // a commit with one sample
	sampleBytes = 42     // each further sample: 6.5 in the record, the rest because pages are half full
	logBytes    = 13_000 // a commit with rows of one integration's log
	rowBytes    = 90     // each such row, with the old row that it replaces
)

// FlashRate has the flash writes of a configuration, in megabytes (10^6 bytes) per day.
type FlashRate struct {
	Samples float64 // samples per day that at least one integration gets
	// Online is the rate while every cloud accepts its samples in time. It includes trigger rows, and samples that wait
	// for `publish_every` or are kept for a replay.
	Online float64
	// Offline is the rate while no cloud can be reached, and every sweep is written. The few rows of the failures are
	// not counted.
	Offline float64
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

// flash predicts the writes. interval returns the time between two samples that an integration gets of an object, from
// the object's log interval; 0: the integration gets no samples.
func flash(config *configs.Config, catalog *objects.Catalog,
	interval func(*configs.Integration, time.Duration) time.Duration) FlashRate {
	// samples that at least one integration gets; samples that wait longer than a commit window in spite of a good
	// cloud
	var kept, held sweepRate
	rows := make([]float64, len(config.Integrations)) // rows per second
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
	window := math.Inf(1) // most commits per second
	if every := config.Buffer.CommitEvery; every > 0 {
		window = 1 / every.Seconds()
	}
	flush := 1 / config.Triggers.FlushEvery.Seconds()
	logs := 0.0 // a flush writes at most as many rows as the log keeps
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

// sooner returns the shorter of two intervals. 0 means that there is no interval.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// sweepRate has the sweeps and samples that go into the outbox per second.
type sweepRate struct{ sweeps, samples float64 }

// add adds the objects of one slave. due has the number of objects with each interval between two samples. Objects with
// the interval 0 have no samples.
func (r *sweepRate) add(due map[time.Duration]int) {
	delete(due, 0)
	for every, n := range due {
		r.samples += float64(n) / every.Seconds()
	}
	for _, m := range moments(slices.Sorted(maps.Keys(due))) {
		r.sweeps += m.Rate
	}
}

// bytes returns the bytes per second if each sweep has its own commit, up to a number of commits per second.
func (r sweepRate) bytes(commits float64) float64 {
	return min(r.sweeps, commits)*commitBytes + r.samples*sampleBytes
}

// wants reports whether an integration gets an object of a slave, by the names in the configuration.
func wants(in *configs.Integration, line *configs.Line, slave *configs.Slave, object string) bool {
	names := slices.DeleteFunc([]string{slave.Name, slave.ProductCode, slave.Model},
		func(n string) bool { return n == "" })
	return in.Wants(line.Name, slave.ID, names, object)
}
