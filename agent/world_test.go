package agent_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus/modbustest"
	"noi-agent/sinks"
	"noi-agent/store/storetest"
)

// TestWorlds has random controllers on a random line, a random cloud and random edits, each for two hours. A judge
// knows each due moment of each object: the moment has a sample, or is in a gap with a true reason. An object that
// would be answered is not without samples for long. Each shown problem is true, and each fault that lasts is shown.
// NOI_SEED=n runs one world.
func TestWorlds(t *testing.T) {
	worlds := uint64(storetest.Rounds(storetest.Simulated(3, 8), 500))
	first := uint64(1)
	if one, err := strconv.ParseUint(os.Getenv("NOI_SEED"), 10, 64); err == nil {
		first, worlds = one, 1
	}
	for seed := first; seed < first+worlds; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, seed).run() })
		})
	}
}

const (
	worldLasts = 2 * time.Hour
	worldHeals = 20 * time.Minute // at the end of a world, without faults
	// lookEvery is how often the judge checks the problems, first during a sweep and then between two sweeps.
	lookEvery     = time.Minute
	betweenSweeps = 7 * time.Second
	// shownWithin is how long a fault may last before it is shown: a slave that is away is tried at least every five
	// minutes.
	shownWithin = 5 * time.Minute
	// sampledWithin is how long, in addition to its log interval, an object may be without samples although it would
	// be answered.
	sampledWithin = 10 * time.Minute
)

// The faults of a slave, and of its line.
const (
	faultNone      = ""
	faultSilent    = "silent"    // the slave is off
	faultDamaged   = "damaged"   // every reply is damaged
	faultException = "exception" // every read is answered with an exception
	faultLoss      = "loss"      // some replies are lost
	faultSlow      = "slow"      // replies are slow
	faultMute      = "mute"      // no answer to reads that include one object
	faultRefuses   = "refuses"   // an exception for these reads
	faultSpoils    = "spoils"    // damaged replies to these reads
	faultNameless  = "nameless"  // no answer to identification
	faultSwap      = "swap"      // another controller of the family replaces the slave
	faultOther     = "other"     // a controller of another family replaces the slave
	faultPort      = "port"      // the adapter is unplugged
	faultEdit      = "edit"      // the line gets a new configuration
)

// spell is a fault that lasts for some time.
type spell struct {
	from, to time.Duration // since the beginning
	fault    string
	object   int // of the slave, for a fault of one object
	code     byte
	loss     float64
}

func (f spell) ofOneObject() bool {
	return f.fault == faultMute || f.fault == faultRefuses || f.fault == faultSpoils
}

func (f spell) String() string {
	return fmt.Sprintf("%v-%v %s object %d code %d loss %.2f", f.from, f.to, f.fault, f.object, f.code, f.loss)
}

// inhabitant is one slave of a world.
type inhabitant struct {
	unit    int
	objects []objectT
	every   []time.Duration
	spells  []spell       // one after the other
	auto    bool          // configured with model: auto
	shown   time.Duration // when the judge last saw its fault among the problems
	// when a read that includes an object was answered with registers, by object
	answered [][]time.Duration
	// exception for reads that include a register of no object; muteHoles: silence; 0: it has all registers
	holes byte
}

const muteHoles = 0xFF

// overHole reports whether a read includes a register of none of its objects.
func (in *inhabitant) overHole(r modbustest.Request) bool {
	for at := r.Addr; at < r.Addr+r.Count; at++ {
		if r.Function != 4 || !slices.ContainsFunc(in.objects, func(o objectT) bool {
			addr, count := o.Span()
			return addr <= at && at < addr+count
		}) {
			return true
		}
	}
	return false
}

// at returns the fault at a moment.
func (in *inhabitant) at(d time.Duration) spell {
	for _, f := range in.spells {
		if f.from <= d && d < f.to {
			return f
		}
	}
	return spell{}
}

type world struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	begun  time.Time
	slaves []*inhabitant
	line   []spell // unplugged, or edited
	cloud  []spell // times in which the cloud fails
	site   *site
	pipe   *modbustest.Pipe
	wrong  int // number of findings of the judge
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 31)), begun: time.Now()}
	family, _ := mustCatalog(t).Family("PSPWM")
	all := slices.DeleteFunc(slices.Clone(family.Objects), func(o objectT) bool {
		return o.Table != "input" || len(o.Choices) > 0 || o.ByName || len(o.Names) > 0
	})
	intervals := []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute}
	for unit := 1; unit <= 1+w.rng.IntN(3); unit++ {
		in := &inhabitant{unit: unit}
		for _, at := range w.rng.Perm(len(all))[:3+w.rng.IntN(4)] {
			in.objects = append(in.objects, all[at])
			in.every = append(in.every, intervals[w.rng.IntN(len(intervals))])
		}
		in.answered = make([][]time.Duration, len(in.objects))
		in.spells = w.spells(len(in.objects), faultSilent, faultDamaged, faultException, faultLoss, faultSlow, faultMute, faultMute,
			faultRefuses, faultRefuses, faultSpoils, faultNameless, faultSwap)
		in.vary(rand.New(rand.NewPCG(seed, 100+uint64(unit))))
		w.slaves = append(w.slaves, in)
	}
	w.line = w.spells(1, faultPort, faultEdit, faultNone, faultNone, faultNone)
	w.cloud = w.spells(1, faultSilent, faultNone)
	return w
}

// vary chooses at random how the slave is configured and which registers it lacks, and makes some exchanges exchanges
// within the family.
func (in *inhabitant) vary(rng *rand.Rand) {
	in.auto = rng.IntN(4) == 0
	in.holes = []byte{0, 0, 2, muteHoles}[rng.IntN(4)]
	for i := range in.spells {
		if in.spells[i].fault == faultSwap && rng.IntN(2) == 0 {
			in.spells[i].fault = faultOther
		}
	}
}

// spells chooses at random the faults that follow one another, until the world heals.
func (w *world) spells(objects int, faults ...string) (out []spell) {
	for at := time.Duration(0); ; {
		if w.rng.IntN(3) > 0 {
			at += time.Duration(w.rng.IntN(20*60)) * time.Second
		}
		lasts := time.Duration(1+w.rng.IntN(30)) * time.Second
		if w.rng.IntN(3) > 0 {
			lasts = time.Duration(1+w.rng.IntN(25)) * time.Minute
		}
		if at+lasts > worldLasts-worldHeals {
			return out
		}
		codes := []byte{1, 2, 3, 4, 5, 6, 7, 8, 10, 11}
		out = append(out, spell{
			from: at, to: at + lasts, fault: faults[w.rng.IntN(len(faults))], object: w.rng.IntN(objects),
			code: codes[w.rng.IntN(len(codes))], loss: 0.05 + 0.35*w.rng.Float64(),
		})
		at += lasts
	}
}

// script returns the faults of a slave's replies.
func (w *world) script(in *inhabitant, noise *rand.Rand) func(modbustest.Request) modbustest.Fault {
	spoil := func(f []byte) []byte { f[len(f)-1] ^= 1; return f }
	return func(r modbustest.Request) (out modbustest.Fault) {
		f, read := in.at(time.Since(w.begun)), r.Function == 3 || r.Function == 4
		if read && in.holes != 0 && in.overHole(r) {
			defer func() {
				if out.Silent = out.Silent || in.holes == muteHoles; out.Exception == 0 && !out.Silent {
					out.Exception = in.holes
				}
			}()
		}
		if f.ofOneObject() {
			addr, count := in.objects[f.object].Span()
			if !read || r.Addr >= addr+count || addr >= r.Addr+r.Count {
				return out
			}
		}
		switch f.fault {
		case faultSilent, faultMute:
			out.Silent = true
		case faultDamaged, faultSpoils:
			out.Mangle = spoil
		case faultException, faultRefuses:
			if read {
				out.Exception = f.code
			}
		case faultLoss:
			out.Silent = noise.Float64() < f.loss
		case faultSlow:
			out.Late = 400 * time.Millisecond
		case faultNameless:
			out.Silent = !read
		}
		return out
	}
}

// noted records when a script allows an answer to a read.
func (w *world) noted(in *inhabitant, script func(modbustest.Request) modbustest.Fault) func(modbustest.Request) modbustest.Fault {
	return func(r modbustest.Request) modbustest.Fault {
		out := script(r)
		for i := range in.objects {
			addr, count := in.objects[i].Span()
			holds := r.Function == 4 && r.Addr <= addr && addr+count <= r.Addr+r.Count
			if holds && !out.Silent && out.Mangle == nil && out.Exception == 0 {
				in.answered[i] = append(in.answered[i], time.Since(w.begun))
			}
		}
		return out
	}
}

// edit is a change in the configuration of the line. Each change restarts the line.
type edit struct {
	what   string
	slave  *inhabitant // the changed slave; nil: none
	object int
}

const (
	editTimeout = "timeout"
	editEvery   = "every"  // the log intervals of a slave are twice as long
	editObject  = "object" // one object is no longer listed
	editSlave   = "slave"  // the slave is no longer listed
)

// editOf returns the change in a spell of the line.
func (w *world) editOf(f spell) edit {
	if f.fault != faultEdit {
		return edit{}
	}
	draw := int(f.loss * 1e6)
	e := edit{what: []string{editTimeout, editEvery, editObject, editSlave}[draw%4], slave: w.slaves[draw/4%len(w.slaves)]}
	if e.what == editSlave && len(w.slaves) == 1 {
		e.what = editTimeout
	}
	e.object = draw / 16 % len(e.slave.objects)
	return e
}

// config returns the world's configuration with an edit.
func (w *world) config(e edit) string {
	timeout := "500ms"
	if e.what == editTimeout {
		timeout = "600ms"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "device_id: 5300520006504b5957343920\nlines:\n  - name: a\n    port: /dev/ttyA\n    timeout: %s\n    slaves:\n", timeout)
	for _, in := range w.slaves {
		if e.what == editSlave && e.slave == in {
			continue
		}
		var names, every []string
		for i := range in.objects {
			if e.what == editObject && e.slave == in && e.object == i {
				continue
			}
			names = append(names, strconv.Quote(in.objects[i].Name))
			every = append(every, fmt.Sprintf("%q: %v", in.objects[i].Name, in.everyIn(e, i)))
		}
		model := "PSPWM"
		if in.auto {
			model = "auto"
		}
		fmt.Fprintf(&b, "      - {id: %d, model: %s, name: unit%d, objects: [%s], intervals: {%s}}\n",
			in.unit, model, in.unit, strings.Join(names, ", "), strings.Join(every, ", "))
	}
	return b.String() + "integrations:\n  - {name: x, type: gcp, topic: projects/test-project/topics/Main, catch_up: {spread: 0s}}\n"
}

// everyIn returns the log interval of an object with an edit.
func (in *inhabitant) everyIn(e edit, object int) time.Duration {
	if e.what == editEvery && e.slave == in {
		return 2 * in.every[object]
	}
	return in.every[object]
}

func (w *world) run() {
	var slaves []*modbustest.Slave
	var become []func(code string)
	for _, in := range w.slaves {
		slave := controller(byte(in.unit))
		slave.Read = func(_ byte, _, count uint16) ([]uint16, byte) {
			return slices.Repeat([]uint16{0x4A00}, int(count)), 0 // a valid value in any encoding
		}
		slave.Script = w.noted(in, w.script(in, rand.New(rand.NewPCG(w.seed, uint64(in.unit)))))
		become = append(become, exchangeable(slave))
		slaves = append(slaves, slave)
	}
	w.pipe = modbustest.NewPipe(9600, 11, slaves...)
	dir := w.t.TempDir()
	w.site = startIn(w.t, dir, w.config(edit{}), map[string]*modbustest.Pipe{"/dev/ttyA": w.pipe}, "", &memorySink{})
	unplugged, edited, down := false, edit{}, false
	for now := time.Duration(0); now < worldLasts; now += time.Second {
		f := active(w.line, now)
		if gone := f.fault == faultPort; gone != unplugged {
			unplugged = gone
			if gone {
				w.pipe.Unplug()
			} else {
				w.pipe.Plug()
			}
		}
		if e := w.editOf(f); e != edited {
			edited = e
			w.site.reloadIn(dir, w.config(edited))
		}
		if fails := active(w.cloud, now).fault == faultSilent; fails != down {
			down = fails
			w.cloudFails(down)
		}
		for i, in := range w.slaves {
			code := "PS-PWM-30M"
			switch in.at(now).fault {
			case faultSwap:
				code = "PS-PWM-15"
			case faultOther:
				code = "TS-MPPT-60"
			}
			become[i](code)
		}
		time.Sleep(time.Until(w.begun.Add(now + time.Second)))
		if now%lookEvery == 0 || now%lookEvery == betweenSweeps {
			synctest.Wait()
			w.look(now)
		}
	}
	synctest.Wait()
	w.judge()
	w.site.stop()
	if w.wrong > 0 {
		w.t.Errorf("seed %d: %d findings in this world:\n%s\nline %v\ncloud %v\n%s", w.seed, w.wrong, w.config(edit{}),
			w.line, w.cloud, w.story())
	}
}

func active(spells []spell, now time.Duration) spell { return (&inhabitant{spells: spells}).at(now) }

func (w *world) cloudFails(down bool) {
	if !down {
		w.site.sink.answers(nil)
		return
	}
	w.site.sink.answers(func(sinks.Message) sinks.Result {
		return sinks.Failed(sinks.Retry, "Unavailable", "as the world has it")
	})
}

func (w *world) story() string {
	var b strings.Builder
	for _, in := range w.slaves {
		fmt.Fprintf(&b, "unit %d holes %d auto %v %v\n", in.unit, in.holes, in.auto, in.spells)
	}
	for _, f := range w.line {
		if e := w.editOf(f); e.what != "" {
			fmt.Fprintf(&b, "edit from %v to %v: %s of unit %d, object %d\n", f.from, f.to, e.what, e.slave.unit, e.object)
		}
	}
	return b.String()
}

// finding reports a finding of the judge, only the first few of a world.
func (w *world) finding(format string, args ...any) {
	if w.wrong++; w.wrong <= 8 {
		w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
	}
}

// during reports whether one of the faults was there at some time in a period.
func during(spells []spell, from, to time.Duration, faults ...string) bool {
	return slices.ContainsFunc(spells, func(f spell) bool {
		return f.fault != faultNone && f.from <= to && f.to >= from && (len(faults) == 0 || slices.Contains(faults, f.fault))
	})
}

// lasted reports whether a fault began so long before a moment and still lasts. It also returns the fault.
func lasted(spells []spell, now, long time.Duration) (spell, bool) {
	f := active(spells, now)
	return f, f.fault != faultNone && f.from <= now-long
}
