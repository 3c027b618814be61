package store

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	metaVersion     byte = 1
	identityOrigins byte = 2 // version of an identity with origins; one without stays at 1
)

// Keys of the meta bucket.
var (
	keyIdentity = []byte("identity")
	keyTotals   = []byte("totals")
	keyClock    = []byte("clock") // the last time known to be right
)

// Errors of a file.
var (
	// ErrDamaged comes from Open, Check and Verify when the file says things that cannot be: it
	// has to be moved aside, as Recover does by itself.
	ErrDamaged = errors.New("file is damaged")
	// ErrVersion comes from Open, Check, Verify and Recover when the file was made by a newer version of the agent, in a
	// format that this version does not know. The file stays as it is: the newer version can go on with it.
	ErrVersion = errors.New("made by a newer version of the agent")
)

// identity is who the store is.
type identity struct {
	id      string // 8 hex digits
	run     uint64
	device  string
	origins []origin // ascending; empty but after a recovery
}

// origin says from which store salvaged sweeps come: their samples keep the ids they had there.
type origin struct {
	until uint64 // sequence number of the first sweep that does not
	store string
}

// of returns the id of the store in which a sweep was taken.
func (i identity) of(seq uint64) string {
	for _, o := range i.origins {
		if seq < o.until {
			return o.store
		}
	}
	return i.id
}

func (i identity) encode() []byte {
	version := metaVersion
	if len(i.origins) > 0 {
		version = identityOrigins
	}
	dst := appendText([]byte{version}, i.id)
	dst = binary.AppendUvarint(dst, i.run)
	dst = appendText(dst, i.device)
	if version == identityOrigins {
		dst = binary.AppendUvarint(dst, uint64(len(i.origins)))
		for _, o := range i.origins {
			dst = appendText(binary.AppendUvarint(dst, o.until), o.store)
		}
	}
	return seal(keyIdentity, dst)
}

func decodeIdentity(sealed []byte) (i identity, err error) {
	value, ok := unseal(keyIdentity, sealed)
	if !ok || len(value) == 0 {
		return i, fmt.Errorf("%w: the identity record", ErrDamaged)
	}
	r := &reader{b: value[1:]}
	switch format := value[0]; {
	case format > identityOrigins: // a format that older versions cannot read must have a number of its own here
		return i, fmt.Errorf("%w (format %d, the highest known is %d)", ErrVersion, format, identityOrigins)
	case format < metaVersion:
		return i, fmt.Errorf("%w: the identity record has format %d", ErrDamaged, format)
	}
	i = identity{id: r.text(), run: r.uvarint(), device: r.text()}
	if value[0] == identityOrigins {
		for range r.count() {
			i.origins = append(i.origins, origin{until: r.uvarint(), store: r.text()})
		}
	}
	if !r.done() {
		return i, fmt.Errorf("%w: the identity record", ErrDamaged)
	}
	return i, nil
}

// totals are counted along, so that opening a store does not read its backlog.
type totals struct {
	next    uint64 // sequence number of the next sweep
	row     uint64 // the last row id given
	names   uint64 // the first name number never given
	sweeps  uint64
	samples uint64
	bytes   int64 // keys and values of the sweeps
}

func (t totals) encode() []byte {
	dst := []byte{metaVersion}
	for _, n := range []uint64{t.next, t.row, t.names, t.sweeps, t.samples, uint64(t.bytes)} {
		dst = binary.AppendUvarint(dst, n)
	}
	return seal(keyTotals, dst)
}

func decodeTotals(sealed []byte) (t totals, ok bool) {
	value, ok := unseal(keyTotals, sealed)
	r := &reader{b: value}
	if !ok || r.byte() != metaVersion {
		return t, false
	}
	t = totals{next: r.uvarint(), row: r.uvarint(), names: r.uvarint(), sweeps: r.uvarint(), samples: r.uvarint()}
	t.bytes = int64(r.uvarint())
	return t, r.done()
}
