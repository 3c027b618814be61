package modbus

import "testing"

// TestAFrameThatComesTwiceIsARepetition: of an answer to another request, and of a frame that was no answer. The same
// read sent again has the same answer, and exceptions are always equal.
func TestAFrameThatComesTwiceIsARepetition(t *testing.T) {
	var p previous
	q := ask{unit: 1, function: FuncReadInput, addr: 8, count: 1}
	next := q
	next.addr++
	frame := appendCRC([]byte{1, FuncReadInput, 2, 0x12, 0x34})
	body := frame[:len(frame)-checksumSize]
	if p.repeats(q, frame) || p.is(body) || p.is(nil) {
		t.Error("a repetition before the first answer")
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
		t.Error("again must compare with the last answer and the last frame")
	}
}
