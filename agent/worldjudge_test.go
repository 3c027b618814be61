package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"noi-agent/status/api"
)

// sweepLasts is how long before a moment a sample may have been read that stands for it: their sweep ended after it.
const sweepLasts = 3 * time.Second

// look judges the problems that are shown at a moment.
func (w *world) look(now time.Duration) {
	status := w.site.status()
	for _, p := range status.Problems {
		if !w.isTrue(p, now) {
			w.finding("at %v a problem is shown that is none: %s %s: %s", now, p.Subject, p.Code, p.Detail)
		}
	}
	shown := func(subject string, codes ...string) bool {
		return slices.ContainsFunc(status.Problems, func(p api.Problem) bool {
			return p.Subject == subject && slices.Contains(codes, p.Code)
		})
	}
	if f, ok := lasted(w.line, now, shownWithin); ok && f.fault == faultPort && !shown("a", "line_down") {
		w.finding("at %v the port is gone since %v, and no problem says so", now, f.from)
	}
	if during(w.line, now-2*shownWithin, now) {
		return // the line was away, and the slaves are asked anew
	}
	for _, in := range w.slaves {
		f := in.at(now)
		every := slices.Max(in.every)
		if f.ofOneObject() {
			every = max(in.every[f.object], slices.Min(in.every))
		}
		if f.fault == faultNone || f.from > now-shownWithin-every-lookEvery || during(in.spells, f.from-2*shownWithin, f.from-time.Second) {
			continue
		}
		codes := map[string][]string{
			faultSilent: {"slave_silent"}, faultDamaged: {"slave_garbled", "slave_silent"}, faultException: {"slave_refusing"},
			faultMute: {"object_refused"}, faultRefuses: {"object_refused"}, faultSpoils: {"object_refused", "slave_garbled"},
		}[f.fault]
		if f.fault == faultException && (f.code == 10 || f.code == 11) {
			codes = []string{"slave_silent"}
		}
		if codes == nil || shown(fmt.Sprintf("a/%d", in.unit), codes...) {
			continue
		}
		w.finding("at %v unit %d is not shown: %v; problems %+v", now, in.unit, f, status.Problems)
	}
}

// isTrue reports whether a problem is, or was until the slave was asked last. A slave that is away is asked every
// five minutes, an object at its log interval.
func (w *world) isTrue(p api.Problem, now time.Duration) bool {
	late := 6 * time.Minute
	if p.Code == "line_down" {
		return during(w.line, now-time.Minute, now, faultPort)
	}
	if strings.HasPrefix(p.Code, "integration_") {
		return during(w.cloud, now-10*time.Minute, now)
	}
	var unit int
	if _, err := fmt.Sscanf(p.Subject, "a/%d", &unit); err != nil {
		return false
	}
	in := w.slaves[unit-1]
	late += slices.Max(in.every)
	if during(w.line, now-late, now) { // the slave is asked anew
		return true
	}
	switch p.Code {
	case "slave_silent":
		return during(in.spells, now-late, now, faultSilent, faultDamaged, faultException, faultLoss, faultMute, faultRefuses, faultNameless)
	case "slave_garbled":
		outOfStep := strings.Contains(p.Detail, "out of step") // silence made it so
		return outOfStep && during(in.spells, now-late, now) || during(in.spells, now-late, now, faultDamaged, faultSpoils)
	case "slave_refusing":
		return during(in.spells, now-late, now, faultException, faultRefuses)
	case "object_refused":
		return during(in.spells, now-late, now, faultMute, faultRefuses, faultSpoils, faultException, faultSilent, faultDamaged)
	case "slave_not_identified":
		return during(in.spells, now-late-time.Hour, now)
	case "line_overrun":
		late += 10 * time.Minute
		return slices.ContainsFunc(w.slaves, func(other *inhabitant) bool { return during(other.spells, now-late, now) })
	}
	return false
}

// answers reports whether an object of a slave would be answered at each moment of a stretch.
func (w *world) answers(in *inhabitant, object int, from, to time.Duration) bool {
	if during(w.line, from, to) {
		return false
	}
	a, n := in.objects[object].Span()
	for _, f := range in.spells {
		if f.to < from || f.from > to {
			continue
		}
		switch {
		case f.ofOneObject(): // it spoils objects that share its registers, too
			b, m := in.objects[f.object].Span()
			if a < b+m && b < a+n {
				return false
			}
		case f.fault != faultNone && f.fault != faultSlow && f.fault != faultSwap:
			return false
		}
	}
	return true
}

// judge looks at each moment of each object once the world has healed.
func (w *world) judge() {
	samples := map[string][]time.Duration{}
	for _, m := range w.site.messages() {
		at, err := time.Parse(time.RFC3339, m.SampledAt)
		if err != nil {
			w.t.Fatal(err)
		}
		key := m.Slave + " " + m.Object
		samples[key] = append(samples[key], at.Sub(w.begun))
	}
	status := w.site.status().Lines[0]
	for i, in := range w.slaves {
		for o := range in.objects {
			name := in.objects[o].Name
			if status.Slaves[i].NoValue[name] != "" {
				continue // it has none, ever
			}
			of := samples[fmt.Sprintf("unit%d %s", in.unit, name)]
			slices.Sort(of)
			w.judgeMoments(in, o, of)
			w.judgeStarving(in, o, of)
		}
	}
}

// judgeMoments finds the moments without sample and gap, and gaps for no reason.
func (w *world) judgeMoments(in *inhabitant, object int, samples []time.Duration) {
	unit, name, every := fmt.Sprintf("a/%d", in.unit), in.objects[object].Name, in.every[object]
	watcher := &watcher{w.site, w.begun}
	gaps := watcher.gaps(unit, name)
	var untold []time.Duration
	next := 0
	for m := every; m < worldLasts-every-time.Minute; m += every {
		for next < len(samples) && samples[next] < m-sweepLasts {
			next++
		}
		told := next < len(samples) && samples[next] < m+every
		for _, g := range gaps {
			told = told || g.from.Sub(w.begun) < m+every && g.to.Sub(w.begun) >= m
		}
		if !told {
			untold = append(untold, m)
		}
	}
	if len(untold) > 0 {
		w.finding("%s %s every %v has neither sample nor gap at %v; gaps %v", unit, name, every, untold, gaps)
	}
	for _, g := range gaps {
		if from, to := g.from.Sub(w.begun), g.to.Sub(w.begun); !w.right(in, g.reason, from, to) {
			w.finding("%s %s: a gap from %v to %v for no such reason: %s", unit, name, from, to, g.reason)
		}
	}
}

// right reports whether the reason of a gap was the case in it.
func (w *world) right(in *inhabitant, reason string, from, to time.Duration) bool {
	word, detail, _ := strings.Cut(reason, ": ")
	switch word {
	case "line":
		return during(w.line, from, to, faultPort)
	case "bus":
		faults := map[string][]string{
			"no answer":               {faultSilent, faultLoss, faultMute, faultException, faultRefuses, faultNameless, faultDamaged, faultSpoils},
			"the answer came damaged": {faultDamaged, faultSpoils},
			"the controller answered with an exception": {faultException, faultRefuses},
		}[detail]
		return len(faults) > 0 && during(in.spells, from, to, faults...)
	case "identity":
		return during(in.spells, from, to) || during(w.line, from, to)
	case "overrun": // whichever slave held the line
		return during(w.line, from, to) || slices.ContainsFunc(w.slaves, func(other *inhabitant) bool {
			return during(other.spells, from-time.Minute, to)
		})
	}
	return false
}

// judgeStarving finds stretches without a sample in which the object would have been answered.
func (w *world) judgeStarving(in *inhabitant, object int, samples []time.Duration) {
	long := sampledWithin + in.every[object]
	last := time.Duration(0)
	for _, at := range append(slices.Clone(samples), worldLasts) {
		for from := last + time.Second; from+long < at; from += time.Minute {
			if w.answers(in, object, from, from+long) {
				w.finding("unit %d %s every %v would be answered from %v on, and there is no sample between %v and %v",
					in.unit, in.objects[object].Name, in.every[object], from, last, at)
				break
			}
		}
		last = at
	}
}
