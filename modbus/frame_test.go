package modbus

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

// sum is an independent checksum: the bit by bit form of the specification.
func sum(p []byte) []byte {
	c := uint16(0xFFFF)
	for _, b := range p {
		c ^= uint16(b)
		for range 8 {
			if c&1 != 0 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
	}
	return append(bytes.Clone(p), byte(c), byte(c>>8))
}

func TestRequestFrames(t *testing.T) {
	cases := []struct {
		q    ask
		want []byte
	}{
		// The first case is the example of MODBUS Application Protocol V1.1b3 §6.3 (0x6B, 3) in RTU.
		{ask{0x11, FuncReadHolding, 0x006B, 3}, []byte{0x11, 3, 0, 0x6B, 0, 3, 0x76, 0x87}},
		{ask{1, FuncReadInput, 0x0012, 8}, sum([]byte{1, 4, 0, 0x12, 0, 8})},
		{ask{1, FuncReportServerID, 0, 0}, sum([]byte{1, 0x11})},
		{ask{1, FuncEncapsulated, 2, 0}, sum([]byte{1, 0x2B, 0x0E, 1, 2})},
	}
	for _, c := range cases {
		got := c.q.appendRequest(nil)
		if !bytes.Equal(got, c.want) {
			t.Errorf("%+v is % X, want % X", c.q, got, c.want)
		}
		if back, err := parseRequest(got, false); err != nil || back != c.q {
			t.Errorf("% X parses as %+v, %v", got, back, err)
		}
	}
}

var identityReply = sum([]byte{1, 0x2B, 0x0E, 1, 1, 0, 0, 3, 0, 2, 'M', 'C', 1, 1, 'P', 2, 0})

func TestReplyLengths(t *testing.T) {
	cases := []struct {
		name  string
		head  []byte
		need  int
		whole bool
		bad   bool
	}{
		{"nothing", nil, 3, false, false},
		{"two bytes", []byte{1, 4}, 3, false, false},
		{"a register", []byte{1, 4, 2}, 7, true, false},
		{"the most", []byte{1, 3, 250}, 255, true, false},
		{"more than the most", []byte{1, 3, 252}, 0, false, true},
		{"half a register", []byte{1, 4, 3}, 0, false, true},
		{"no register", []byte{1, 4, 0}, 0, false, true},
		{"exception", []byte{1, 0x84, 2}, 5, true, false},
		{"exception of identification", []byte{1, 0xAB, 1}, 5, true, false},
		{"exception of a write", []byte{1, 0x86, 1}, 0, false, true},
		{"a write", []byte{1, 6, 0}, 0, false, true},
		{"server id", []byte{1, 0x11, 9}, 14, true, false},
		{"identification, head", identityReply[:3], 8, false, false},
		{"identification, first object", identityReply[:8], 10, false, false},
		{"identification, second object", identityReply[:10], 14, false, false},
		{"identification, whole", identityReply, len(identityReply), true, false},
		{"identification without objects", []byte{1, 0x2B, 0x0E, 1, 1, 0, 0, 0}, 10, true, false},
		{"identification that is too long", []byte{1, 0x2B, 0x0E, 1, 1, 0, 0, 9, 0, 250}, 0, false, true},
		{"CANopen", []byte{1, 0x2B, 0x0D}, 0, false, true},
	}
	for _, c := range cases {
		need, whole, err := replyNeed(c.head)
		if need != c.need || whole != c.whole || (err != nil) != c.bad {
			t.Errorf("%s: %d %v %v", c.name, need, whole, err)
		}
	}
}

func TestJudge(t *testing.T) {
	q := ask{1, FuncReadInput, 0x12, 2}
	broken := sum([]byte{1, 4, 4, 0, 1, 0, 2})
	broken[4] ^= 1
	cases := []struct {
		name  string
		q     ask
		frame []byte
		want  verdict
	}{
		{"the answer", q, sum([]byte{1, 4, 4, 0, 1, 0, 2}), answer},
		{"exception", q, sum([]byte{1, 0x84, 2}), exception},
		{"wrong CRC", q, broken, damaged},
		{"other unit", q, sum([]byte{2, 4, 4, 0, 1, 0, 2}), foreign},
		{"other function", q, sum([]byte{1, 3, 4, 0, 1, 0, 2}), foreign},
		{"other function's exception", q, sum([]byte{1, 0x83, 2}), foreign},
		{"fewer registers", q, sum([]byte{1, 4, 2, 0, 1}), foreign},
		{"more registers", q, sum([]byte{1, 4, 6, 0, 1, 0, 2, 0, 3}), foreign},
		{"count and length differ", q, sum([]byte{1, 4, 4, 0, 1}), foreign},
		{"identification", ask{1, FuncEncapsulated, 0, 0}, identityReply, answer},
		{"too short", q, []byte{1, 4}, damaged},
	}
	for _, c := range cases {
		if got := judge(c.q, c.frame); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// FuzzReply: the code that reads lengths and checks replies never panics. It never takes a frame whose checksum,
// unit, function or byte count is wrong.
func FuzzReply(f *testing.F) {
	f.Add(byte(4), uint16(2), sum([]byte{1, 4, 4, 0, 1, 0, 2}))
	f.Add(byte(3), uint16(125), sum([]byte{1, 0x83, 2}))
	f.Add(byte(0x2B), uint16(0), identityReply)
	f.Add(byte(0x11), uint16(0), sum([]byte{1, 0x11, 2, 9, 0xFF}))
	f.Fuzz(func(t *testing.T, function byte, count uint16, stream []byte) {
		q := ask{unit: 1, function: function, count: count}
		if _, err := parseRequest(q.appendRequest(nil), false); err != nil {
			t.Skip("no such request is sent") // the line refuses to send the fuzzer's request
		}
		frame, ok := cutReply(t, stream)
		for _, candidate := range [][]byte{frame, stream, sum(stream), sum(frame[:max(0, len(frame)-2)])} {
			checkVerdict(t, q, candidate)
		}
		if !ok {
			return
		}
		if kind := judge(ask{unit: 1, function: FuncEncapsulated}, frame); kind == answer {
			new(Identity).take(frame)
		}
	})
}

// FuzzWindow feeds a stream to a window in pieces. The window never panics and never stops taking bytes. It never
// returns a frame that was not there with its checksum, and it finds an answer at the end of any noise.
func FuzzWindow(f *testing.F) {
	f.Add(uint16(2), []byte{1, 4, 2}, []byte{1, 2})
	f.Add(uint16(8), []byte{1, 4, 0, 0x12, 0, 8, 0x50, 0x09, 0xFF}, []byte{3, 3})
	f.Add(uint16(1), sum([]byte{1, 4, 0x02, 0x10, 0, 1}), []byte{200})
	f.Fuzz(func(t *testing.T, count uint16, noise, sizes []byte) {
		q := ask{unit: 1, function: FuncReadInput, addr: 0x12, count: 1 + count%maxRegisters}
		answer := sum(append([]byte{1, FuncReadInput, byte(2 * q.count)}, make([]byte, 2*q.count)...))
		stream := append(bytes.Clone(noise), answer...)
		var w window
		w.reset(q, q.appendRequest(nil))
		taken := feed(t, &w, stream, sizes)
		for _, frame := range taken {
			if !validCRC(frame) || !bytes.Contains(stream, frame) {
				t.Fatalf("took % X out of % X", frame, stream)
			}
		}
		// A frame that began in the noise may include the first bytes of the answer, but only a frame with a right
		// checksum.
		swallowed := slices.ContainsFunc(taken, func(frame []byte) bool { return !bytes.Contains(noise, frame) })
		if !swallowed {
			t.Fatalf("the answer at the end of % X was not found: % X", stream, taken)
		}
	})
}

// feed gives the window the stream as a port does, never more than it asks for, and returns the frames.
func feed(t *testing.T, w *window, stream, sizes []byte) (frames [][]byte) {
	take := func(final bool) {
		for frame := w.next(final); frame != nil; frame = w.next(final) {
			frames = append(frames, bytes.Clone(frame))
			w.drop(len(frame))
		}
	}
	for i := 0; len(stream) > 0; i++ {
		size := w.need()
		if len(sizes) > 0 {
			size = max(1, min(size, int(sizes[i%len(sizes)])))
		}
		space := w.space(size)
		if len(space) == 0 {
			t.Fatalf("no room for more after % X", w.buf[:w.have])
		}
		n := copy(space, stream)
		w.have += n
		stream = stream[n:]
		take(false)
	}
	take(true)
	return frames
}

// cutReply cuts the first frame from a stream, as receive does.
func cutReply(t *testing.T, stream []byte) ([]byte, bool) {
	have := 0
	for {
		need, whole, err := replyNeed(stream[:have])
		if err != nil {
			return nil, false
		}
		if need <= have && !whole || need > maxFrame {
			t.Fatalf("% X needs %d bytes", stream[:have], need)
		}
		if need > len(stream) {
			return nil, false
		}
		have = need
		if whole {
			return stream[:have], true
		}
	}
}

func checkVerdict(t *testing.T, q ask, frame []byte) {
	kind := judge(q, frame)
	if kind != answer && kind != exception {
		return
	}
	if !bytes.Equal(sum(frame[:len(frame)-2]), frame) {
		t.Fatalf("took % X, whose checksum is wrong", frame)
	}
	if frame[0] != q.unit || frame[1]&^exceptionBit != q.function {
		t.Fatalf("took % X for %+v", frame, q)
	}
	if kind == exception && len(frame) != exceptionSize {
		t.Fatalf("took % X for an exception", frame)
	}
	want := 2 * int(q.count) // bytes of registers
	if q.function == FuncReadCoils || q.function == FuncReadDiscrete {
		want = (int(q.count) + 7) / 8 // bytes of bits
	}
	if kind == answer && isRead(q.function) && (int(frame[2]) != want || len(frame) != 5+want) {
		t.Fatalf("took % X for %d registers or bits", frame, q.count)
	}
}

func TestTrustForgivesOnlyWhatCannotCome(t *testing.T) {
	data, probe, other := shape{FuncReadInput, 8}, shape{FuncReadInput, 1}, shape{FuncEncapsulated, 0}
	var u trust
	u.sent(data, false, time.Time{})
	u.sent(probe, true, time.Time{})
	u.sent(probe, true, time.Time{})
	if u.proves(data) || !u.proves(probe) || !u.proves(other) {
		t.Error("a probe must be younger than the requests that it settles")
	}
	u.answered(probe) // the reply to one of the two requests: the other may still come
	if u.blocked(data) || !u.blocked(probe) || u.clean() {
		t.Errorf("debts %+v", u.debts)
	}
	u.sent(other, true, time.Time{})
	u.answered(other)
	if !u.clean() {
		t.Errorf("debts %+v after a reply to the youngest request", u.debts)
	}
	u.sent(data, false, time.Time{})
	u.sent(probe, true, time.Time{})
	u.refused(FuncReadInput) // an exception to either request
	if !u.blocked(data) || !u.blocked(probe) {
		t.Errorf("debts %+v after an exception to either request", u.debts)
	}
}

func TestTrustForgetsWhatIsOldAndKeepsWhatIsYoung(t *testing.T) {
	old, young := shape{FuncReadInput, 8}, shape{FuncReadInput, 1}
	begun := time.Unix(0, 0)
	var u trust
	u.suspect(begun)
	for second := range 100 { // one request a second without a pause, as to a unit that answers with exceptions
		now := begun.Add(time.Duration(second) * time.Second)
		asked := young
		if second == 0 {
			asked = old
		}
		u.sent(asked, false, now)
		u.forget(now.Add(-lostAfter))
		if kept := u.find(old) != nil; second <= 30 && !kept || second > 60 && kept {
			t.Errorf("after %d s: in doubt %v", second, kept)
		}
		if kept := u.unknown > 0; second <= 30 != kept {
			t.Errorf("after %d s: an unknown frame may come: %v", second, kept)
		}
		if d := u.find(young); second > 0 && (d == nil || d.last != u.seq || u.seq-d.first < uint64(min(second-1, 30))) {
			t.Errorf("after %d s: %+v of %d requests", second, d, u.seq)
		}
	}
}
