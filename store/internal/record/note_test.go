package record

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// noteOf returns a note about so many objects, as an agent with one controller writes it.
func noteOf(objects int) Note {
	n := Note{Run: 7, Device: "5300520006504b5957343920", Good: 1656404429000, Accounts: map[Accounted]Account{},
		Starts: map[uint64]Start{
			6: {Boot: "c7a8", Booted: 1656400000000, Floor: 1656300000000},
			7: {Boot: "d4f1"},
		}, Integrations: []string{"FFjU28MMaL3W9B9hhhhH", "gcp"}}
	booted := time.Date(2022, 6, 28, 8, 0, 0, 0, time.UTC)
	for i := range objects {
		uptime := time.Minute + time.Duration(i)*time.Millisecond
		n.Accounts[Accounted{"rs485/1", fmt.Sprintf("object_%d", i)}] = Account{
			Until: Instant{Run: uint64(6 + i%2), At: booted.Add(uptime), Uptime: uptime}, Every: time.Second}
	}
	return n
}

func TestANoteComesBackExactly(t *testing.T) {
	names := DictionaryOf(nil, 0)
	for _, objects := range []int{0, 3, 52} { // the later notes use the names of those before
		want := noteOf(objects)
		sealed := want.Encode(names)
		got, ok := DecodeNote(sealed)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%d objects: %v %s", objects, ok, diff)
		}
		for n := range sealed {
			if _, ok := DecodeNote(sealed[:n]); ok {
				t.Fatalf("the first %d of %d bytes count as a note", n, len(sealed))
			}
		}
	}
}

// A note is written each time the clouds have accepted a sweep.
func TestANoteCostsLittle(t *testing.T) {
	note, names := noteOf(52), DictionaryOf(nil, 0)
	if n := testing.AllocsPerRun(100, func() { note.Encode(names) }); n > 16 {
		t.Errorf("%.0f allocations for a note about 52 objects", n)
	}
}
