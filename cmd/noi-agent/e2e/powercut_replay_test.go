package e2e

import (
	"math/rand/v2"
	"slices"
)

// sector is the number of bytes that a medium writes in one step.
const sector = 512

// medium is a disk with a cache at the moment when the power goes off. Everything that was synced is on it. Of the
// rest any part is on it, written in any order.
type medium struct {
	rnd    *rand.Rand
	files  map[int]*cached
	names  map[string]int // name → file
	moving []late         // changes of names that are not synced
}

// cached is one file of a medium.
type cached struct {
	data []byte
	size int64 // as the daemon sees it, which is the place of an append
	late []late
}

// late is a step that is done and not synced, and its place among all steps.
type late struct {
	step
	place int
}

// cutAt plays the first n steps and cuts the power. It returns the files that are left, by name.
func cutAt(steps []step, n int, rnd *rand.Rand) map[string][]byte {
	m := &medium{rnd: rnd, files: map[int]*cached{}, names: map[string]int{}}
	for i, s := range steps[:n] {
		m.play(s, i)
	}
	m.cut()
	out := map[string][]byte{}
	for name, file := range m.names {
		out[name] = m.file(file).data
	}
	return out
}

func (m *medium) file(n int) *cached {
	if m.files[n] == nil {
		m.files[n] = &cached{}
	}
	return m.files[n]
}

func (m *medium) play(s step, place int) {
	switch f := m.file(s.File); s.Deed {
	case wrote:
		if s.Offset < 0 {
			s.Offset = f.size
		}
		f.size = max(f.size, s.Offset+int64(len(s.Data)))
		f.late = append(f.late, late{s, place})
	case resized:
		f.size = s.Size
		f.late = append(f.late, late{s, place})
	case synced:
		f.late = slices.DeleteFunc(f.late, func(l late) bool {
			if l.place >= s.Covers {
				return false
			}
			f.apply(l.step)
			return true
		})
	case named, renamed, unnamed:
		m.moving = append(m.moving, late{s, place})
	case syncedNames:
		m.moving = slices.DeleteFunc(m.moving, func(l late) bool {
			if l.place >= s.Covers {
				return false
			}
			m.move(l.step)
			return true
		})
	}
}

// cut decides how much of each late step survives. Names keep their order, as on every file system with a journal.
func (m *medium) cut() {
	for _, l := range m.moving[:m.rnd.IntN(len(m.moving)+1)] {
		m.move(l.step)
	}
	for n := range len(m.files) { // in order, so that a seed is enough to repeat a cut
		f := m.file(n)
		m.rnd.Shuffle(len(f.late), func(i, j int) { f.late[i], f.late[j] = f.late[j], f.late[i] })
		for _, l := range f.late {
			switch m.rnd.IntN(3) {
			case 0: // never arrived
			case 1:
				f.apply(l.step)
			default:
				f.tear(l.step, m.rnd)
			}
		}
	}
}

func (m *medium) move(s step) {
	switch s.Deed {
	case named:
		m.names[s.Name] = s.File
	case renamed:
		m.names[s.To] = s.File
		delete(m.names, s.Name)
	default:
		delete(m.names, s.Name)
	}
}

func (f *cached) apply(s step) {
	if s.Deed == resized {
		f.resize(s.Size)
		return
	}
	f.resize(max(int64(len(f.data)), s.Offset+int64(len(s.Data))))
	copy(f.data[s.Offset:], s.Data)
}

func (f *cached) resize(size int64) {
	if grow := size - int64(len(f.data)); grow > 0 {
		f.data = append(f.data, make([]byte, grow)...)
	}
	f.data = f.data[:size]
}

// tear applies each sector of a write or not.
func (f *cached) tear(s step, rnd *rand.Rand) {
	for at := 0; at < len(s.Data); at += sector {
		if rnd.IntN(2) == 0 {
			f.apply(step{Deed: wrote, Offset: s.Offset + int64(at), Data: s.Data[at:min(at+sector, len(s.Data))]})
		}
	}
}

// headPage is the size of bbolt's pages. The first two are its heads, and each commit writes one of them last.
const headPage = 4096

func writesHead(s step) bool {
	return s.Deed == wrote && len(s.Data) == headPage && (s.Offset == 0 || s.Offset == headPage)
}

// spoilers change a true record of the daemon into that of an unsafe program. The replay must detect each of them.
var spoilers = map[string]func([]step) []step{
	"no sync is honoured": func(steps []step) []step {
		return recount(slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return s.Deed == synced }))
	},
	"no sync before the head is written": func(steps []step) []step {
		var out []step
		for i, s := range steps {
			if s.Deed != synced || !beforeHead(steps[i:], s.File) {
				out = append(out, s)
			}
		}
		return recount(out)
	},
	"acknowledged before the commit": func(steps []step) []step {
		out := slices.Clone(steps)
		for i := range out {
			if out[i].Deed == acknowledged {
				ack, to := out[i], commitOf(out[:i])
				copy(out[to+1:i+1], out[to:i])
				out[to] = ack
			}
		}
		return recount(out)
	},
}

// beforeHead reports whether the next write to a file is its head.
func beforeHead(steps []step, file int) bool {
	for _, s := range steps {
		if s.Deed == wrote && s.File == file {
			return writesHead(s)
		}
	}
	return false
}

// commitOf returns where the last commit before the end of steps begins: after the sync of the last head.
func commitOf(steps []step) int {
	heads := 0
	for i := len(steps) - 1; i >= 0; i-- {
		if writesHead(steps[i]) {
			if heads++; heads == 2 {
				return i + 2 // the head and its sync
			}
		}
	}
	return 0
}

// recount corrects the places of the syncs in a changed record. The daemon does one thing at a time to a file, so
// each sync covers everything before it.
func recount(steps []step) []step {
	for i := range steps {
		if steps[i].Deed == synced || steps[i].Deed == syncedNames {
			steps[i].Covers = i
		}
	}
	return steps
}
