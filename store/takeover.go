package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"noi-agent/objects"

	bolt "go.etcd.io/bbolt"
)

// A store in memory stands in for the one on a disk that fails. When the disk is back, what the stand-in still owes goes over before
// anything else happens, behind what the disk's own store owes: it is younger.
//
// Sweeps get new numbers and keep the store and the run that took them, so that sample ids stay. Each chunk goes over in one transaction
// together with the mark of how far it reaches, so that a cut at any moment moves nothing twice. The stand-in is read only, and removed
// when the last transaction is on the disk.
type takeover struct {
	other        string   // where the stand-in was at work
	from         *bolt.Tx // of the stand-in
	mine, theirs *image
	mark         mark
	moved        map[uint64]uint64 // of the sweeps that rows refer to: the new number
	times        times             // of the stand-in, as it was found: looking at it may write. Zero when that was an earlier start's to do
	done         TakenOver
}

// TakenOver says what a start took over from a store that had stood in.
type TakenOver struct {
	Samples     uint64 // that somebody waits for
	Rows        uint64 // of the trigger log, those about gaps included
	DeadLetters uint64
	Unreadable  uint64 // sweeps
	// Left says why the stand-in is left where it is, for the next start to try again; "": it is not.
	Left string
	Full bool // for want of room
}

// mark is how far a stand-in has been taken over.
type mark struct {
	next  uint64 // its first sweep that was not
	row   uint64 // its last row that was
	whole bool   // it was to its end, counters included
}

// markPrefix begins the key of a mark in the meta bucket; the stand-in's id follows.
const markPrefix = "taken over "

func markKey(store string) []byte { return []byte(markPrefix + store) }

func (m mark) encode(key []byte) []byte {
	dst := binary.AppendUvarint(binary.AppendUvarint([]byte{metaVersion}, m.next), m.row)
	if m.whole {
		return seal(key, append(dst, 1))
	}
	return seal(key, append(dst, 0))
}

// decodeMark returns a mark; one that does not read is none.
func decodeMark(key, sealed []byte) (m mark, ok bool) {
	value, ok := unseal(key, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != metaVersion {
		return mark{}, false
	}
	m = mark{next: r.uvarint(), row: r.uvarint(), whole: r.byte() == 1}
	return m, r.done()
}

// further reports whether a mark is newer than another of the same stand-in.
func (m mark) further(than mark) bool {
	return m.next > than.next || m.row > than.row || m.whole && !than.whole
}

// takeoverChunk is how many bytes of sweeps share a transaction: it bounds memory. Tests make it smaller, and look between the chunks.
var (
	takeoverChunk int64 = 1 << 20
	chunkMoved          = func() {}
)

// errStandIn marks errors that are the stand-in's and not ours.
var errStandIn = errors.New("the store that stood in")

// takingSuffix is a stand-in's name from when its taking over begins. Should the disk fail again before it is over, another stand-in is
// made: this one would send what has gone over already.
const takingSuffix = ".taking"

// takeOver empties the store at ro.TakeOver, which nobody has open, into the one at path. No store there is nothing to do. What fails on
// the side of the other, and for want of room, is in TakenOver.Left; an error is about the file at path.
func takeOver(ctx context.Context, path string, o Options, ro RecoverOptions) (done TakenOver, err error) {
	other := ro.TakeOver
	ro.TakeOver = ""
	for _, name := range []string{other + takingSuffix, other} {
		if _, err := os.Lstat(name); other == "" || err != nil {
			continue
		}
		if err := createIfMissing(path); err != nil {
			return done, err
		}
		x := &takeover{other: other, moved: map[uint64]uint64{}}
		err := x.run(ctx, path, name == other, o, ro)
		done.add(x.done)
		switch {
		case errors.Is(err, errStandIn), err != nil && (isFull(err) || isFullDisk(err)):
			done.Left, done.Full = err.Error(), !errors.Is(err, errStandIn)
		case err != nil:
			return done, fmt.Errorf("take over %s: %w", name, err)
		}
		o.Logger.Warn("taken over from the store that stood in", "path", name, "samples", x.done.Samples, "rows", x.done.Rows,
			"dead_letters", x.done.DeadLetters, "unreadable", x.done.Unreadable, "left", done.Left)
		if done.Left != "" {
			break
		}
	}
	return done, nil
}

func (t *TakenOver) add(more TakenOver) {
	t.Samples, t.Rows, t.DeadLetters, t.Unreadable = t.Samples+more.Samples, t.Rows+more.Rows, t.DeadLetters+more.DeadLetters, t.Unreadable+more.Unreadable
}

// run does all of it. fresh says that it has not been begun before.
func (x *takeover) run(ctx context.Context, path string, fresh bool, o Options, ro RecoverOptions) (err error) {
	taking := x.other + takingSuffix
	if fresh {
		sound, _, err := Recover(ctx, x.other, o, ro) // whatever state it was left in
		if err == nil {
			x.times = sound.found()
			err = errors.Join(sound.Close(), os.Rename(x.other, taking))
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errStandIn, err)
		}
		for _, suffix := range []string{cleanSuffix, spareSuffix} {
			_ = os.Remove(x.other + suffix) // the next one makes its own
		}
	} else if reason, err := ro.check(ctx, taking); err != nil || reason != "" {
		return fmt.Errorf("%w: %w", errStandIn, cmp.Or(err, errors.New(reason)))
	}
	defer func() {
		if p := recover(); p != nil { // bbolt panics on damaged pages: ours, since the stand-in has just been checked
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	from, err := bolt.Open(taking, 0o600, &bolt.Options{ReadOnly: true, Timeout: lockWait})
	if err != nil {
		return fmt.Errorf("%w: %w", errStandIn, err)
	}
	defer from.Close()
	takeClean(path)
	to, err := bolt.Open(path, 0o600, boltOptions(o.MaxSize))
	if err != nil {
		return sortError(err)
	}
	to.AllocSize = allocSize
	err = from.View(func(tx *bolt.Tx) error {
		x.from = tx
		return x.move(ctx, to)
	})
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := os.Remove(taking); err != nil {
		o.Logger.Warn("the store that stood in is empty, and stays", "path", taking, "error", err) // the mark says so too
	}
	return nil
}

func (x *takeover) move(ctx context.Context, to *bolt.DB) (err error) {
	if x.theirs, err = load(x.from); err != nil {
		return fmt.Errorf("%w: %w", errStandIn, err)
	}
	if err := to.Update(x.begin); err != nil {
		return err
	}
	for more := true; more; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := to.Update(func(tx *bolt.Tx) (err error) {
			more, err = x.moveSweeps(tx)
			return errors.Join(err, x.conclude(tx))
		})
		if err != nil {
			return err
		}
		x.mine.names.keep()
		chunkMoved()
	}
	return to.Update(func(tx *bolt.Tx) error {
		return errors.Join(x.moveLogs(tx), x.moveRuns(tx), x.conclude(tx))
	})
}

// begin reads what is there, and makes known who is not. Runs go on behind those of the stand-in: a sample's run stays what it was.
func (x *takeover) begin(tx *bolt.Tx) (err error) {
	if x.mine, err = load(tx); err != nil {
		return err
	}
	x.mine.repair(tx)
	if err := x.findMark(tx.Bucket(bucketMeta)); err != nil {
		return err
	}
	x.mine.identity.run = max(x.mine.identity.run, x.theirs.identity.run)
	x.mine.identity.device = cmp.Or(x.mine.identity.device, x.theirs.identity.device)
	x.pruneOrigins(tx)
	for id, it := range x.theirs.integrations {
		if _, lane := isLane(id); lane || x.mine.integrations[id] != nil {
			continue
		}
		made := newIntegration(id, it.topic, x.mine.totals.next)
		made.orphanedAt, made.madeNow = it.orphanedAt, true
		x.mine.integrations[id] = made
	}
	t := times{good: cmp.Or(x.times.good, x.mine.times.good), wrote: cmp.Or(x.times.wrote, x.mine.times.wrote)}
	return errors.Join(tx.Bucket(bucketMeta).Put(keyClock, t.encode()), x.conclude(tx))
}

// findMark finds how far this stand-in was taken over, and forgets those of others, which are no more.
func (x *takeover) findMark(meta *bolt.Bucket) (err error) {
	key := markKey(x.theirs.identity.id)
	x.mark, _ = decodeMark(key, meta.Get(key))
	var old [][]byte
	c := meta.Cursor()
	for k, _ := c.Seek([]byte(markPrefix)); bytes.HasPrefix(k, []byte(markPrefix)); k, _ = c.Next() {
		if !bytes.Equal(k, key) {
			old = append(old, bytes.Clone(k))
		}
	}
	for _, k := range old {
		err = errors.Join(err, meta.Delete(k))
	}
	return err
}

// pruneOrigins forgets the stores of which no sweep is left; dead letters know theirs.
func (x *takeover) pruneOrigins(tx *bolt.Tx) {
	oldest := x.mine.totals.next
	if k, _ := tx.Bucket(bucketSweeps).Cursor().First(); k != nil {
		oldest, _ = keySeq(k)
	}
	m := &x.mine.identity
	m.origins = slices.DeleteFunc(m.origins, func(o origin) bool { return o.until <= oldest })
}

// number gives the next number to what the store of that id has taken.
func (x *takeover) number(store string) uint64 {
	seq, m := x.mine.totals.next, &x.mine.identity
	x.mine.totals.next++
	last := origin{}
	if n := len(m.origins); n > 0 {
		last = m.origins[n-1]
	}
	switch {
	case last.store == store && last.until == seq:
		m.origins[len(m.origins)-1].until++
		return seq
	case last.until < seq:
		m.origins = append(m.origins, origin{until: seq, store: m.id})
	}
	m.origins = append(m.origins, origin{until: seq + 1, store: store})
	return seq
}

// moveSweeps moves the next chunk; more says that it was not the last.
func (x *takeover) moveSweeps(tx *bolt.Tx) (more bool, err error) {
	b, ns := tx.Bucket(bucketSweeps), names(x.theirs.names.published())
	b.FillPercent = 1
	referred := x.referred()
	size := int64(0)
	c := x.from.Bucket(bucketSweeps).Cursor()
	for k, v := c.Seek(seqKey(x.mark.next)); k != nil && size < takeoverChunk; k, v = c.Next() {
		seq, ok := keySeq(k)
		if !ok {
			continue
		}
		x.mark.next, more = seq+1, true
		sw, ok := decodeSweep(ns, k, v)
		if !ok {
			x.done.Unreadable++
			continue
		}
		if sw.Routes = x.owed(seq, sw); len(sw.Routes) == 0 {
			continue
		}
		moved := x.number(x.theirs.identity.of(seq))
		key := seqKey(moved)
		record := x.mine.names.encodeSweep(key, sw)
		if err := b.Put(key, record); err != nil {
			return false, err
		}
		if referred[seq] {
			x.moved[seq] = moved
		}
		x.count(sw, recordSize(key, record))
		size += recordSize(key, record)
	}
	return more, nil
}

// referred are the sweeps of which a delivery is being retried.
func (x *takeover) referred() map[uint64]bool {
	out := map[uint64]bool{}
	for _, it := range x.theirs.integrations {
		for at := range it.open {
			out[at.seq] = true
		}
	}
	return out
}

// count adds a sweep to what the store holds and owes.
func (x *takeover) count(sw objects.Sweep, bytes int64) {
	t := &x.mine.totals
	t.sweeps++
	t.samples += uint64(len(sw.Samples))
	t.bytes += bytes
	owed := map[int]bool{} // a sample counts once, however many integrations it goes to
	for _, route := range sw.Routes {
		x.mine.integrations[route.Integration].backlog += uint64(len(route.Picked))
		for _, i := range route.Picked {
			owed[i] = true
		}
	}
	x.done.Samples += uint64(len(owed))
}

// owed returns the routes by which a sweep has still to go, by the lanes that are open here: the stand-in may have had others.
func (x *takeover) owed(seq uint64, sw objects.Sweep) []objects.Route {
	sets := map[string]bitset{}
	for _, route := range sw.Routes {
		it := x.theirs.integrations[route.Integration]
		owner, _ := isLane(route.Integration)
		main := x.mine.integrations[owner]
		if it == nil || main == nil {
			continue
		}
		for _, i := range route.Picked {
			if seq < it.cursor || it.resume[seq].has(i) {
				continue
			}
			id := owner
			if main.lane != nil && main.lane.topic != laneClosed && sw.Samples[i].Alarm {
				id = main.lane.id
			}
			if sets[id] == nil {
				sets[id] = newBitset(len(sw.Samples))
			}
			sets[id].set(i)
		}
	}
	routes := make([]objects.Route, 0, len(sets))
	for _, id := range slices.Sorted(maps.Keys(sets)) {
		routes = append(routes, objects.Route{Integration: id, Picked: picks{set: sets[id]}.indexes(len(sw.Samples))})
	}
	return routes
}

// conclude writes what has changed beside the sweeps, and the mark.
func (x *takeover) conclude(tx *bolt.Tx) error {
	m, meta, key := x.mine, tx.Bucket(bucketMeta), markKey(x.theirs.identity.id)
	var errs []error
	for id, it := range m.integrations {
		errs = append(errs, tx.Bucket(bucketCursors).Put([]byte(id), it.encode(0)))
	}
	m.totals.names = uint64(len(m.names.entries))
	return errors.Join(append(errs,
		m.names.put(tx.Bucket(bucketNames)),
		meta.Put(keyTotals, m.totals.encode()),
		meta.Put(keyIdentity, m.identity.encode()),
		meta.Put(key, x.mark.encode(key)),
	)...)
}

// moveLogs moves rows, dead letters and counters.
func (x *takeover) moveLogs(tx *bolt.Tx) error {
	base := x.mine.totals.row
	for _, id := range slices.Sorted(maps.Keys(x.theirs.integrations)) {
		if _, lane := isLane(id); lane {
			continue
		}
		it, theirs := x.mine.integrations[id], x.theirs.integrations[id]
		if !x.mark.whole {
			it.sent, it.failed, it.dropped = it.sent+theirs.sent, it.failed+theirs.failed, it.dropped+theirs.dropped
			it.traffic.add(theirs.traffic)
		}
		for _, log := range [][]byte{bucketTriggers, bucketGaps, bucketDead} {
			if err := x.moveLog(tx, log, theirs, base); err != nil {
				return err
			}
		}
	}
	x.mark.row, x.mark.whole = x.theirs.totals.row, true
	list := slices.Collect(maps.Values(x.mine.integrations))
	return tx.Bucket(bucketMeta).Put(keyTraffic, encodeTraffic(list))
}

// moveLog moves one integration's rows of one kind, under new ids in the same order.
func (x *takeover) moveLog(tx *bolt.Tx, kind []byte, theirs *integration, base uint64) (err error) {
	it := x.mine.integrations[theirs.id]
	all := x.from.Bucket(kind)
	if all == nil || all.Bucket([]byte(theirs.id)) == nil {
		return nil
	}
	b, err := bucketOf(tx, kind, theirs.id)
	if err != nil {
		return err
	}
	x.theirs.eachRow(all, theirs, func(w *row) {
		if w.ID <= x.mark.row || err != nil {
			return
		}
		if w.undated != nil && !x.findBegin(it, w) {
			return
		}
		w.ID += base
		x.mine.totals.row = max(x.mine.totals.row, w.ID)
		switch {
		case w.store != "":
			w.place = place{seq: x.number(w.store)} // where no sweep is: a replay must not find it by a number of the stand-in's
			x.done.DeadLetters++
		case w.Open && !w.isGap(): // an open gap is one to be announced still
			moved, ok := x.moved[w.seq]
			w.seq, w.Open = moved, ok
			x.done.Rows++
		default:
			x.done.Rows++
		}
		key := seqKey(w.ID)
		err = b.Put(key, x.mine.names.encodeRow(key, w))
	})
	return err
}

// findBegin gives a gap its begin that the stand-in did not know: a power cut had taken the note, and the disk could not be opened. False:
// nothing was missing, since the object or the integration was not there before.
func (x *takeover) findBegin(it *integration, w *row) bool {
	if w.undated.Begins.Run != 0 {
		return true
	}
	before, known := x.mine.accounts[Accounted{Unit: w.Gap.Unit, Object: w.Gap.Object}]
	if !known || it.madeNow || before.Until.Run >= w.undated.Ends.Run {
		return false
	}
	sp := *w.undated
	sp.Begins, sp.Every = before.Until, before.Every
	w.undated = &sp
	return true
}

// moveRuns moves what is known of the time of the stand-in's runs. A number that both have used, as when the disk failed just after it had
// counted, says what both know of one boot, and else nothing of either.
func (x *takeover) moveRuns(tx *bolt.Tx) error {
	for run, st := range x.theirs.starts {
		if known, twice := x.mine.starts[run]; twice {
			st = known.with(st)
		}
		if err := tx.Bucket(bucketRuns).Put(seqKey(run), st.encode(seqKey(run))); err != nil {
			return err
		}
	}
	put(x.mine.accounts, x.theirs.accounts)
	return tx.Bucket(bucketMeta).Put(keyAccounts, x.mine.names.encodeAccounts(tx.ID(), x.mine.accounts))
}
