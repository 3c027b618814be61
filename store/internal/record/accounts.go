package record

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// Account is the time up to which each due moment of an object is a sample or a gap that the store has. Samples that
// were due after this time, and before the first sample of the next run, are missing.
type Account struct {
	Until Instant
	Every time.Duration // the log interval at that time
}

// newer reports whether an account is of a later time than another.
func (a Account) newer(than Account) bool {
	if a.Until.Run != than.Until.Run {
		return a.Until.Run > than.Until.Run
	}
	return than.Until.before(a.Until)
}

// Accounted is one object of a unit.
type Accounted struct{ Unit, Object string }

// MergeAccounts adds the newer accounts of from to to.
func MergeAccounts(to, from map[Accounted]Account) (changed bool) {
	for key, a := range from {
		if old, known := to[key]; !known || a.newer(old) {
			to[key], changed = a, true
		}
	}
	return changed
}

// The record of the accounts has the clocks to which they refer, then the objects by unit. An account is a clock, and
// the time since its boot.
const accountsVersion byte = 1

var KeyAccounts = []byte("accounts")

// clockKey has the data that accounts of one run and clock share.
type clockKey struct {
	run    uint64
	booted int64 // unix ms of the boot, by the clock at that time; without an uptime: the clock's time
	unsure bool
	uptime bool // it is known
}

func clockOf(in Instant) clockKey {
	if in.Uptime < 0 {
		return clockKey{in.Run, 0, in.Unsure, false}
	}
	return clockKey{in.Run, in.At.UnixMilli() - in.Uptime.Milliseconds(), in.Unsure, true}
}

// EncodeAccounts returns the sealed record. A salvage uses the record with the highest number of the commit.
func (d *Dictionary) EncodeAccounts(commit int, all map[Accounted]Account) []byte {
	var clocks []clockKey
	for _, a := range all {
		if k := clockOf(a.Until); !slices.Contains(clocks, k) {
			clocks = append(clocks, k)
		}
	}
	slices.SortFunc(clocks, func(a, b clockKey) int {
		return cmp.Or(cmp.Compare(a.run, b.run),
			cmp.Compare(a.booted, b.booted))
	})
	dst := make([]byte, 0, 64+16*len(all)) // enough for nearly all
	dst = binary.AppendUvarint(append(dst, accountsVersion), uint64(commit))
	dst = binary.AppendUvarint(dst, uint64(len(clocks)))
	for _, k := range clocks {
		dst = append(binary.AppendUvarint(dst, k.run), bit(k.unsure)|bit(k.uptime)<<1)
		dst = binary.AppendVarint(dst, k.booted)
	}
	dst = binary.AppendUvarint(dst, uint64(len(all)))
	before := int64(0)
	for _, key := range slices.SortedFunc(maps.Keys(all), compareAccounted) {
		a := all[key]
		clock := clockOf(a.Until)
		ms := a.Until.At.UnixMilli() - clock.booted
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, d.text(key.Unit)), d.text(key.Object))
		dst = binary.AppendUvarint(dst, uint64(a.Every.Milliseconds()))
		dst = binary.AppendUvarint(dst, uint64(slices.Index(clocks, clock)))
		dst = binary.AppendVarint(dst, ms-before)
		before = ms
	}
	return Seal(KeyAccounts, dst)
}

func compareAccounted(a, b Accounted) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Object, b.Object))
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// DecodeAccounts is the inverse. An unreadable record gives no accounts.
func DecodeAccounts(ns Names, sealed []byte) map[Accounted]Account {
	value, ok := Unseal(KeyAccounts, sealed)
	r := &Reader{B: value}
	out := map[Accounted]Account{}
	if !ok || r.Byte() != accountsVersion {
		return out
	}
	r.Uvarint()
	clocks := make([]clockKey, r.count())
	for i := range clocks {
		clocks[i].run = r.Uvarint()
		flags := r.Byte()
		clocks[i].unsure, clocks[i].uptime = flags&1 != 0, flags&2 != 0
		clocks[i].booted = r.varint()
	}
	before := int64(0)
	for range r.count() {
		key := Accounted{Unit: ns.text(r), Object: ns.text(r)}
		every := time.Duration(r.Uvarint()) * time.Millisecond
		i := r.Uvarint()
		before += r.varint()
		if i >= uint64(len(clocks)) || key.Object == "" {
			continue
		}
		k := clocks[i]
		in := Instant{Run: k.run, At: time.UnixMilli(k.booted + before).UTC(), Uptime: -1, Unsure: k.unsure}
		if k.uptime {
			in.Uptime = time.Duration(before) * time.Millisecond
		}
		out[key] = Account{Until: in, Every: every}
	}
	if !r.Done() {
		return map[Accounted]Account{}
	}
	return out
}

// AccountsOf returns the number of the commit that wrote a record of accounts; false: it is none.
func AccountsOf(sealed []byte) (commit uint64, ok bool) {
	value, ok := Unseal(KeyAccounts, sealed)
	r := &Reader{B: value}
	if !ok || r.Byte() != accountsVersion {
		return 0, false
	}
	return r.Uvarint(), true
}
