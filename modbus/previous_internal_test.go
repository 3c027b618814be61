package modbus

import "testing"

// TestAFrameThatComesTwiceIsARepetition: the frame was an answer to another request, or no answer. The same read
// again has the same answer, and exceptions are always equal: these are no repetitions.
func TestAFrameThatComesTwiceIsARepetition(t *testing.T) {
	var p previous
	q := ask{unit: 1, function: FuncReadInput, addr: 8, count: 1}
	next := q
	next.addr++
	frame := appendCRC([]byte{1, FuncReadInput, 2, 0x12, 0x34})
	body := frame[:len(frame)-checksumSize]
	if p.repeats(q, frame) || p.is(body) || p.is(nil) {
		t.Error("a frame before the first answer counts as a repetition")
	}
	p.keep(q, frame)
	if p.repeats(q, frame) || !p.repeats(next, frame) || !p.is(body) {
		t.Errorf("same request %v, next request %v, body %v", p.repeats(q, frame), p.repeats(next, frame), p.is(body))
	}
	refusal := appendCRC([]byte{1, FuncReadInput | exceptionBit, 2})
	p.keep(q, refusal)
	if p.repeats(next, refusal) {
		t.Error("an exception counts as a repetition")
	}
	other := []byte{2, FuncReadInput, 2, 0, 1}
	if p.again(other) || !p.again(other) || !p.again(refusal[:3]) || p.again(other) {
		t.Error("a repetition must equal the last answer or the last frame")
	}
}
