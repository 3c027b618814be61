package record

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
	KeyIdentity = []byte("identity")
	KeyTotals   = []byte("totals")
	KeyClock    = []byte("clock") // the last time known to be right
)

// Errors of a file.
var (
	// ErrDamaged comes from Open, Check and Verify if the content of the file is impossible: the file must be moved
	// aside, as Recover does.
	ErrDamaged = errors.New("file is damaged")
	// ErrVersion comes from Open, Check, Verify and Recover when the file was made by a newer version of the agent, in
	// a format that this version does not know. The file is not changed: the newer version can still use it.
	ErrVersion = errors.New("made by a newer version of the agent")
)

// Identity is the identity of the store.
type Identity struct {
	ID      string // 8 hex digits
	Run     uint64
	Device  string
	Origins []Origin // ascending; empty but after a recovery
}

// Origin is the store from which salvaged sweeps come: their samples keep the ids of that store.
type Origin struct {
	Until uint64 // sequence number of the first sweep that is not from this store
	Store string
}

// Of returns the id of the store in which a sweep was taken.
func (i Identity) Of(seq uint64) string {
	for _, o := range i.Origins {
		if seq < o.Until {
			return o.Store
		}
	}
	return i.ID
}

func (i Identity) Encode() []byte {
	version := metaVersion
	if len(i.Origins) > 0 {
		version = identityOrigins
	}
	dst := AppendText([]byte{version}, i.ID)
	dst = binary.AppendUvarint(dst, i.Run)
	dst = AppendText(dst, i.Device)
	if version == identityOrigins {
		dst = binary.AppendUvarint(dst, uint64(len(i.Origins)))
		for _, o := range i.Origins {
			dst = AppendText(binary.AppendUvarint(dst, o.Until), o.Store)
		}
	}
	return Seal(KeyIdentity, dst)
}

func DecodeIdentity(sealed []byte) (i Identity, err error) {
	value, ok := Unseal(KeyIdentity, sealed)
	if !ok || len(value) == 0 {
		return i, fmt.Errorf("%w: the identity record", ErrDamaged)
	}
	r := &Reader{B: value[1:]}
	switch format := value[0]; {
	case format > identityOrigins: // a format that older versions cannot read must have a number of its own here
		return i, fmt.Errorf("%w (format %d, the highest known is %d)", ErrVersion, format, identityOrigins)
	case format < metaVersion:
		return i, fmt.Errorf("%w: the identity record has format %d", ErrDamaged, format)
	}
	i = Identity{ID: r.Text(), Run: r.Uvarint(), Device: r.Text()}
	if value[0] == identityOrigins {
		for range r.count() {
			i.Origins = append(i.Origins, Origin{Until: r.Uvarint(), Store: r.Text()})
		}
	}
	if !r.Done() {
		return i, fmt.Errorf("%w: the identity record", ErrDamaged)
	}
	return i, nil
}

// Totals are updated with each commit, so that opening a store does not read its backlog.
type Totals struct {
	Next    uint64 // sequence number of the next sweep
	Row     uint64 // the last row id given
	Names   uint64 // the first name number never given
	Sweeps  uint64
	Samples uint64
	Bytes   int64 // keys and values of the sweeps
}

func (t Totals) Encode() []byte {
	dst := []byte{metaVersion}
	for _, n := range []uint64{t.Next, t.Row, t.Names, t.Sweeps, t.Samples, uint64(t.Bytes)} {
		dst = binary.AppendUvarint(dst, n)
	}
	return Seal(KeyTotals, dst)
}

func DecodeTotals(sealed []byte) (t Totals, ok bool) {
	value, ok := Unseal(KeyTotals, sealed)
	r := &Reader{B: value}
	if !ok || r.Byte() != metaVersion {
		return t, false
	}
	t = Totals{Next: r.Uvarint(), Row: r.Uvarint(), Names: r.Uvarint(), Sweeps: r.Uvarint(), Samples: r.Uvarint()}
	t.Bytes = int64(r.Uvarint())
	return t, r.Done()
}
