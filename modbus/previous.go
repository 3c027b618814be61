package modbus

import "bytes"

// previous has the last frames of a line. With them the line recognises a repetition.
type previous struct {
	q      ask    // the last accepted answer is to this request
	answer []byte // with its checksum; empty: none yet
	stray  []byte // the last frame that was no answer, without checksum
}

// keep notes an accepted answer to q.
func (p *previous) keep(q ask, frame []byte) { p.q, p.answer = q, append(p.answer[:0], frame...) }

// repeats reports whether frame is the same as the answer to the request before, although that request had another
// address. Exceptions do not count: they have no address, and are always equal.
func (p *previous) repeats(q ask, frame []byte) bool {
	return q != p.q && frame[1]&exceptionBit == 0 && bytes.Equal(frame, p.answer)
}

// is reports whether a frame without its checksum equals the last answer.
func (p *previous) is(body []byte) bool {
	n := len(p.answer) - checksumSize
	return n > 0 && bytes.Equal(body, p.answer[:n])
}

// again notes a frame that is no answer, without its checksum, and reports whether it equals the last answer, or the
// last frame that was none.
func (p *previous) again(body []byte) bool {
	again := p.is(body) || bytes.Equal(body, p.stray)
	p.stray = append(p.stray[:0], body...)
	return again
}
