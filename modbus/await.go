package modbus

import (
	"fmt"
	"time"
)

// await waits for the answer to the request in the window. The request left the wire at the time asked. The first byte
// of the answer must come before the timeout, and all of it within its time on the wire after that. In this time await
// skips noise, and frames that are not the answer.
func (l *Line) await(u *unit, asked time.Time) ([]byte, error) {
	w := &l.window
	first := asked.Add(u.patience(l.timeout) + adapterSlack)
	last := first.Add(l.settings.WireTime(w.q.replyChars()))
	w.asked, w.began = asked, asked
	for final := false; ; {
		frame, err := l.pick(u, final)
		if frame != nil || err != nil {
			return frame, err
		}
		if final {
			return nil, w.failure(l.echoes.expected())
		}
		empty := w.have == 0 && !w.heard
		until := w.deadline(first, last, l.wire.last())
		n := 0
		whole := !l.wire.inHurry() && !l.echoes.observed()
		if missing := w.missing(whole); missing > 0 && !l.network { // a connection delivers whole frames
			n, err = l.wire.readRest(l.ctx, w.space(missing), until)
		}
		if err == nil && n == 0 {
			n, err = l.wire.readUntil(l.ctx, w.space(w.need()), until)
		}
		if err != nil {
			return nil, err
		}
		if empty { // it may be the echo; the reply comes to an empty window too
			w.began = l.wire.last()
		}
		w.received(n)
		final = n == 0
	}
}

// pick takes frames out of the window until one is the answer.
func (l *Line) pick(u *unit, final bool) ([]byte, error) {
	w := &l.window
	for {
		frame := w.next(final)
		if frame == nil {
			return nil, nil
		}
		if (l.tcp != nil || !isRequest(frame)) && judge(w.q, frame) != foreign {
			switch {
			case frame[1] == w.q.function && l.doubts(w.q):
				u.trust.answered(w.q.shape()) // if it was for another program, our own reply will still come
				l.tally.count(int(u.id), func(a *account) { a.Ambiguous++ })
				return nil, ErrShared
			case w.doubtful && l.network:
				return nil, ErrShared
			case w.doubtful:
				return nil, errRival
			}
			l.at = l.now()
			return l.lift(frame), nil
		}
		l.log.Debug("not the answer", "port", l.settings.Port, "unit", u.id, "asked", fmt.Sprintf("%+v", w.q), "frame",
			fmt.Sprintf("% X", frame))
		expected := l.stranger(frame)
		if l.tcp == nil && isRequest(frame) && frame[0] == u.id {
			return nil, errRival
		}
		// A reply of this unit to another program: the next one may be to that program as well.
		w.doubtful = w.doubtful || !expected && !w.widened && frame[0] == u.id && !l.ids.proven()
		w.drop(len(frame))
	}
}

// lift takes the answer out of the window. It handles the other bytes in the window like bytes that came without a
// request. It leaves the begin of a frame, whose end hush reads: without its begin, a request of another master would
// look like noise.
func (l *Line) lift(frame []byte) []byte {
	w := &l.window
	answer := append(l.reply[:0], frame...)
	w.drop(len(frame))
	if rest := w.have; rest > 0 {
		skipped := w.skipped // noise before and after the answer is counted separately
		l.overhear(w.framed)
		w.begun = w.have
		l.discarded(rest - w.begun)
		w.skipped = skipped
	}
	return answer
}
