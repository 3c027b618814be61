package agent

import (
	"slices"

	"noi-agent/configs"
	"noi-agent/objects"
)

// What the outbox writes, from `make bench-store`: a commit costs whole pages of 4 KiB, mostly the same ones, and what it carries on top
// of that, with the share of pages that are begun. Samples that go are deleted in the same pages.
const (
	commitBytes = 14_400 // with one sample in it
	sampleBytes = 42     // each further one: 6.5 in the record, the rest for half full pages
	rowBytes    = 240    // a trigger row that is written and the one that it pushes out
)

// FlashBudget is what a configuration writes to flash, in megabytes (10^6 bytes) a day.
type FlashBudget struct {
	Samples float64 // a day, of those that any integration gets
	Online  float64 // while every cloud takes its samples within the commit window: trigger rows only
	Offline float64 // while no cloud can be reached: every sweep. The rows of the failures are few, and not counted
}

const secondsPerDay = 86400

// Flash predicts what the outbox writes. A `model: auto` slave counts nothing: what it will be is not known.
func Flash(config *configs.Config, catalog *objects.Catalog) FlashBudget {
	var sweeps, samples, rows float64 // a second
	eachMoment(config, catalog, func(line *configs.Line, slave *configs.Slave, m Moment) {
		kept, sent := wanted(config, line, slave, m)
		if kept > 0 {
			sweeps += m.Rate
		}
		samples += m.Rate * float64(kept)
		rows += m.Rate * float64(sent)
	})
	perCommit := func(limit float64) float64 { return min(sweeps, limit) * commitBytes }
	window := sweeps
	if every := config.Buffer.CommitEvery; every > 0 {
		window = 1 / every.Seconds()
	}
	flush := 1 / config.Triggers.FlushEvery.Seconds()
	online := perCommit(flush) + rows*rowBytes
	if config.Buffer.RetainAfterAck > 0 {
		online += perCommit(window) + samples*sampleBytes
	}
	const mega = secondsPerDay / 1e6
	return FlashBudget{
		Samples: samples * secondsPerDay, Online: online * mega, Offline: (perCommit(window) + samples*sampleBytes) * mega,
	}
}

// eachMoment calls fn for every moment of every slave on the lines that are enabled.
func eachMoment(config *configs.Config, catalog *objects.Catalog, fn func(*configs.Line, *configs.Slave, Moment)) {
	for i := range config.Lines {
		line := &config.Lines[i]
		if !line.Enabled {
			continue
		}
		for _, slave := range Load(line, catalog).Slaves {
			for _, m := range slave.Moments {
				fn(line, slave.Config, m)
			}
		}
	}
}

// wanted counts the objects of a moment that any integration gets, and how many messages that makes.
func wanted(config *configs.Config, line *configs.Line, slave *configs.Slave, m Moment) (kept, sent int) {
	for _, r := range m.Reads {
		for _, object := range r.Objects {
			n := 0
			for i := range config.Integrations {
				if in := &config.Integrations[i]; in.Enabled && wants(in, line, slave, object) {
					n++
				}
			}
			sent += n
			kept += min(n, 1)
		}
	}
	return kept, sent
}

// wants reports whether an integration gets an object of a slave, as far as the configuration tells what that will be called.
func wants(in *configs.Integration, line *configs.Line, slave *configs.Slave, object string) bool {
	names := slices.DeleteFunc([]string{slave.Name, slave.ProductCode, slave.Model}, func(n string) bool { return n == "" })
	return in.Wants(line.Name, slave.ID, names, object)
}
