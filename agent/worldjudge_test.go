package agent_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"noi-agent/status/api"
)

// look judges the problems that are shown at a moment.
func (w *world) look(now time.Duration) {
	problems := w.site.status().Problems
	for _, p := range problems {
		if p.Code != "line_silent" && p.Code != "line_garbled" {
			continue
		}
		for _, f := range p.Folded { // the silence of each controller
			problems = append(problems, api.Problem{Code: f.Code, Subject: f.Subject, Detail: p.Detail, Since: p.Since})
		}
	}
	for _, p := range problems {
		if !w.isTrue(p, now) {
			w.finding("at %v a problem is shown that is none: %s %s: %s", now, p.Subject, p.Code, p.Detail)
		}
	}
	// All log intervals begin a sweep at a whole minute. During the sweep, for about a second, the state is that of
	// the last read. So missing problems are judged only between two sweeps.
	if now%lookEvery != 0 {
		w.lookForFaults(now, problems)
	}
}

// lookForFaults finds faults that last and are not shown.
func (w *world) lookForFaults(now time.Duration, problems []api.Problem) {
	shown := func(subject string, codes ...string) bool {
		return slices.ContainsFunc(problems, func(p api.Problem) bool {
			return p.Subject == subject && slices.Contains(codes, p.Code)
		})
	}
	if f, ok := lasted(w.line, now, shownWithin); ok && f.fault == faultPort && !shown("a", "line_port_missing", "line_down") {
		w.finding("at %v the port is gone since %v, and no problem says so", now, f.from)
	}
	if during(w.line, now-2*shownWithin, now) {
		return // the line was away, and the slaves are identified again
	}
	for _, in := range w.slaves {
		f := in.at(now)
		codes := f.codes()
		subject := fmt.Sprintf("a/%d", in.unit)
		if codes == nil || shown(subject, codes...) || f.fault == faultMute && in.silentAt(f.object, subject, problems) {
			in.shown = now
			continue
		}
		every := slices.Max(in.every)
		// Until a fault of one object is proven, the state is that of the last read. It is ok after a sweep in which
		// another object was read last.
		if f.ofOneObject() && in.shown > f.from && in.shown >= now-every {
			continue
		}
		if f.ofOneObject() {
			every = max(in.every[f.object], slices.Min(in.every))
		}
		unseen := shownWithin + every + lookEvery
		if during(in.spells, f.from-2*shownWithin, f.from-time.Second) {
			unseen += shownWithin // the slave still counts as away
		}
		if f.from > now-unseen {
			continue
		}
		w.finding("at %v unit %d is not shown: %v; problems %+v", now, in.unit, f, problems)
	}
}

// codes returns the problems that may show a fault; nil: the fault need not be shown.
func (f spell) codes() []string {
	if f.fault == faultException && (f.code == 10 || f.code == 11) {
		return []string{"slave_silent"}
	}
	return map[string][]string{
		faultSilent: {"slave_silent"}, faultDamaged: {"slave_garbled", "slave_silent"}, faultException: {"slave_refusing"},
		faultMute: {"object_refused"}, faultRefuses: {"object_refused"}, faultSpoils: {"object_refused", "slave_garbled"},
	}[f.fault]
}

// silentAt reports whether a slave counts as silent because of a read of this object alone. The silence is proven to
// be the object's only after some reads of others were answered in between, and these may be due every five minutes.
// Until then the problem names the failing read.
func (in *inhabitant) silentAt(object int, subject string, problems []api.Problem) bool {
	addr, count := in.objects[object].Span()
	read := fmt.Sprintf("0x%04X+%d: timeout", addr, count)
	return slices.ContainsFunc(problems, func(p api.Problem) bool {
		return p.Subject == subject && p.Code == "slave_silent" && strings.HasSuffix(p.Detail, read)
	})
}

// isTrue reports whether a problem is true, or was true at the last request to the slave. A slave that is away is
// tried every five minutes, an object at its log interval.
func (w *world) isTrue(p api.Problem, now time.Duration) bool {
	late := 6 * time.Minute
	if p.Code == "line_port_missing" || p.Code == "line_down" {
		return during(w.line, now-time.Minute, now, faultPort)
	}
	if strings.HasPrefix(p.Code, "integration_") {
		return during(w.cloud, now-10*time.Minute, now)
	}
	if p.Code == "line_silent" || p.Code == "line_garbled" { // the problem includes those of its controllers, which are judged one by one
		return len(w.slaves) > 1 && len(p.Folded) > 0
	}
	if transient, ok := map[string][]string{
		"line_noisy":      {faultDamaged, faultSpoils},
		"line_unanswered": {faultLoss, faultSilent, faultException, faultMute, faultRefuses, faultNameless, faultDamaged},
	}[p.Code]; ok {
		// A failure counts for twenty minutes from the next answer to the read.
		return slices.ContainsFunc(w.slaves, func(in *inhabitant) bool {
			return during(in.spells, now-20*time.Minute-late-slices.Max(in.every), now, transient...)
		})
	}
	var unit int
	if _, err := fmt.Sscanf(p.Subject, "a/%d", &unit); err != nil {
		return false
	}
	in := w.slaves[unit-1]
	if e := w.editOf(active(w.line, now-time.Minute)); e.what == editSlave && e.slave == in && e == w.editOf(active(w.line, now)) {
		return false // the slave is not in the configuration
	}
	late += slices.Max(in.every)
	if during(w.line, now-late, now) { // the slave is identified again
		return true
	}
	if in.learns(w, now-late, now) && slices.Contains([]string{"slave_silent", "slave_garbled", "slave_refusing"}, p.Code) {
		return true
	}
	// Silence to a read that includes holes counts as a missed reply: the holes are not known yet, or are tested
	// again each hour. It is shown until the next reply, which comes soon.
	if in.holes == muteHoles && p.Code == "slave_silent" && w.begun.Add(now).Sub(p.Since) < lookEvery {
		return true
	}
	switch p.Code {
	// the slave is identified every ten minutes
	case "slave_wrong_model", "slave_model_unknown", "slave_without_objects":
		return during(in.spells, now-late-10*time.Minute, now, faultOther) || in.auto && during(in.spells, now-late-10*time.Minute, now)
	case "slave_silent":
		return during(in.spells, now-late, now, faultSilent, faultDamaged, faultException, faultLoss, faultMute, faultRefuses, faultNameless)
	case "slave_garbled":
		outOfStep := strings.Contains(p.Detail, "out of step") // because of an earlier silence
		return outOfStep && during(in.spells, now-late, now) || during(in.spells, now-late, now, faultDamaged, faultSpoils)
	case "slave_refusing":
		return during(in.spells, now-late, now, faultException, faultRefuses)
	case "object_refused":
		// The controller of the other family has only the registers of the first family. So it does not give the
		// other objects of its family. It is identified every ten minutes.
		misread := in.auto && in.holes != 0 && during(in.spells, now-late-10*time.Minute, now, faultOther)
		faults := []string{faultMute, faultRefuses, faultSpoils, faultException, faultSilent, faultDamaged}
		return misread || during(in.spells, min(now-late, in.stuck(p.Detail, now)), now, faults...)
	case "slave_not_identified":
		return during(in.spells, now-late-time.Hour, now)
	case "line_overrun":
		late += 10 * time.Minute
		return slices.ContainsFunc(w.slaves, func(other *inhabitant) bool { return during(other.spells, now-late, now) })
	}
	return false
}

// stuck returns the earliest time from which a problem about objects may still be true: the last answer to a read of
// one of them, before the last minute. On a line that loses replies, requests for an object may fail for long.
func (in *inhabitant) stuck(detail string, now time.Duration) time.Duration {
	since := now
	names, _, _ := strings.Cut(detail, ": ")
	for i := range in.objects {
		if !slices.Contains(strings.Split(names, ", "), in.objects[i].Name) {
			continue
		}
		last := time.Duration(0)
		for _, at := range in.answered[i] {
			if at < now-lookEvery {
				last = at
			}
		}
		since = min(since, last)
	}
	return since
}

// learns reports whether the slave has holes that the agent may not know yet at some time in a period: at the start,
// and after each possible exchange.
func (in *inhabitant) learns(w *world, from, to time.Duration) bool {
	return in.holes != 0 && (from < sampledWithin || during(in.spells, from-sampledWithin, to) || during(w.line, from-sampledWithin, to))
}

// editedOut reports whether an object may have no moment at this time because of an edit. An object of `model: auto`
// that is removed before the slave is identified was never due.
func (w *world) editedOut(in *inhabitant, object int, m time.Duration) bool {
	every := in.every[object]
	return slices.ContainsFunc(w.line, func(f spell) bool {
		e := w.editOf(f)
		switch {
		case e.slave != in:
			return false
		case e.what == editObject && e.object == object && in.unknown(w, m, f.from):
			return true
		case m < f.from-every || m > f.to+every:
			return false
		}
		return e.what == editSlave || e.what == editObject && e.object == object || e.what == editEvery && m%(2*every) != 0
	})
}

// unknown reports whether a slave of `model: auto` may have been unidentified from the last start of its line before
// m until another time, because there was a fault all the time.
func (in *inhabitant) unknown(w *world, m, until time.Duration) bool {
	start, faults := time.Duration(0), slices.Concat(in.spells, w.line)
	for _, f := range w.line {
		for _, at := range []time.Duration{f.from, f.to} {
			if f.fault == faultEdit && at <= m {
				start = max(start, at)
			}
		}
	}
	for at := start; at < until; {
		i := slices.IndexFunc(faults, func(f spell) bool { return f.fault != faultNone && f.from <= at && f.to > at })
		if i < 0 || !in.auto {
			return false
		}
		at = faults[i].to
	}
	return in.auto
}

// lacks reports whether a slave of `model: auto` may count as the other family at some time in a period, and that
// family does not have this object. Then the object is not due. The slave is identified every ten minutes, if it
// answers. The first identification after a start of its line counts from that start on.
func (in *inhabitant) lacks(w *world, object string, from, to time.Duration) bool {
	other, _ := mustCatalog(w.t).Family("TSMPPT")
	if _, ok := other.Object(object); !in.auto || ok {
		return false
	}
	for _, f := range in.spells {
		if f.fault != faultOther {
			continue
		}
		until := f.to + 11*time.Minute
		for _, g := range slices.Concat(in.spells, w.line, in.spells, w.line) {
			if g.fault != faultNone && g.from <= until {
				until = max(until, g.to+11*time.Minute)
			}
		}
		if f.from <= to && from <= until || to <= f.from && in.unknown(w, from, f.from) {
			return true
		}
	}
	return false
}

// answers reports whether an object of a slave would be answered at each moment of a period.
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
		case f.ofOneObject(): // also affects objects that share its registers
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

// judge checks each moment of each object after the world has healed.
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
				continue // the controller does not have this object
			}
			of := samples[fmt.Sprintf("unit%d %s", in.unit, name)]
			slices.Sort(of)
			w.judgeMoments(in, o, of)
			w.judgeStarving(in, o, of)
		}
	}
}

// judgeMoments finds moments without a sample and without a gap, and gaps without a reason.
func (w *world) judgeMoments(in *inhabitant, object int, samples []time.Duration) {
	unit, name, every := fmt.Sprintf("a/%d", in.unit), in.objects[object].Name, in.every[object]
	watcher := &watcher{w.site, w.begun}
	gaps := watcher.gaps(unit, name)
	var untold []time.Duration
	next := 0
	for m := every; m < worldLasts-every-time.Minute; m += every {
		for next < len(samples) && samples[next] < m {
			next++
		}
		// A late sample counts for the last moment before it, by the log interval at that time.
		told := next < len(samples) && samples[next] < m+in.everyIn(w.editOf(active(w.line, m)), object)
		for _, g := range gaps {
			told = told || g.from.Sub(w.begun) < m+every && g.to.Sub(w.begun) >= m
		}
		if !told && !w.editedOut(in, object, m) && !in.lacks(w, name, m, m+every) {
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

// right reports whether the reason of a gap was true in its time.
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
		return len(faults) > 0 && (during(in.spells, from, to, faults...) || in.learns(w, from, to))
	case "identity":
		return during(in.spells, from, to) || during(w.line, from, to) || in.learns(w, from, to)
	case "overrun": // any slave may have used the line
		return during(w.line, from, to) || slices.ContainsFunc(w.slaves, func(other *inhabitant) bool {
			return during(other.spells, from-time.Minute, to)
		})
	}
	return false
}

// judgeStarving finds periods without a sample in which the object would have been answered.
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
