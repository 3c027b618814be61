package history

import (
	"time"
	"unsafe"

	"noi-agent/objects"
)

// series is the history of one object. Times are uptimes of the machine.
type series struct {
	kind    objects.Kind
	unit    string
	every   time.Duration // the active log interval
	changed time.Duration // time of the last change of the log interval; 0: none
	was     time.Duration // the longest log interval before that
	step    time.Duration // length of a bucket
	first   time.Duration // time of the first sample; -1: none
	last    time.Duration // time of the last sample; -1: none
	gaps    []gap         // the oldest first

	// A ring of buckets, for numbers. The number of a bucket is uptime/step. Its index is its number modulo the length.
	newest         int64 // number of the newest bucket
	min, mean, max []float32
	n              []uint16 // samples; 0: an empty bucket

	runs    []run         // for the other kinds, the oldest first
	value   objects.Value // the value of the last run
	resumes bool          // samples are missing before the next one, so its value begins a new run
}

func newSeries(kind objects.Kind, every time.Duration) *series {
	return &series{kind: kind, every: every, first: -1, last: -1}
}

// bytes returns the size of the series in memory, with its entry in the map.
func (s *series) bytes() int {
	const entry = int(unsafe.Sizeof(Key{})) + 8 + int(unsafe.Sizeof(series{}))
	n := entry + cap(s.min)*(3*4+2) + cap(s.gaps)*int(unsafe.Sizeof(gap{})) + cap(s.runs)*int(unsafe.Sizeof(run{}))
	for i := range s.runs {
		n += len(s.runs[i].value)
	}
	return n
}

// add adds one sample.
func (s *series) add(at time.Duration, v objects.Value) {
	if at < 0 {
		return // the clock was set while the sample was read
	}
	if s.kind == objects.KindNumber {
		s.put(at, bucket{float32(v.Float()), float32(v.Float()), float32(v.Float()), 1})
	} else {
		s.follow(at, v)
	}
	if s.first < 0 {
		s.first = at
	}
	s.last, s.resumes = max(s.last, at), false
}

// bucket is the content of one bucket.
type bucket struct {
	min, mean, max float32
	n              uint16
}

// put adds samples to the bucket of their time. Samples that are too old for the ring are dropped.
func (s *series) put(at time.Duration, b bucket) {
	number, size := int64(at/s.step), int64(len(s.n))
	switch {
	case number <= s.newest-size:
		return
	case number > s.newest:
		for i := max(s.newest+1, number-size+1); i <= number; i++ {
			s.n[i%size] = 0
		}
		s.newest = number
	}
	i := number % size
	if s.n[i] == 0 {
		s.min[i], s.mean[i], s.max[i], s.n[i] = b.min, b.mean, b.max, b.n
		return
	}
	n := min(int(s.n[i])+int(b.n), 1<<16-1)
	s.min[i], s.max[i] = min(s.min[i], b.min), max(s.max[i], b.max)
	s.mean[i] = float32(float64(s.mean[i]) + (float64(b.mean)-float64(s.mean[i]))*float64(b.n)/float64(n))
	s.n[i] = uint16(n)
}

// at returns the content of the bucket with a number; an empty bucket if the ring does not have it.
func (s *series) at(number int64) bucket {
	size := int64(len(s.n))
	if number < 0 || number > s.newest || number <= s.newest-size {
		return bucket{}
	}
	i := number % size
	return bucket{s.min[i], s.mean[i], s.max[i], s.n[i]}
}

// resize gives the series buckets of another length. The content of an old bucket goes into the new bucket of its
// begin.
func (s *series) resize(step, span time.Duration) {
	if s.kind != objects.KindNumber || step == s.step {
		s.step = step
		return
	}
	before := *s
	// one bucket more than the span, for the bucket that is being filled
	size := int((span+step-1)/step) + 1
	s.step, s.newest = step, -1
	s.min, s.mean, s.max = make([]float32, size), make([]float32, size), make([]float32, size)
	s.n = make([]uint16, size)
	for number := max(0, before.newest-int64(len(before.n))+1); number <= before.newest; number++ {
		if b := before.at(number); b.n > 0 {
			s.put(time.Duration(number)*before.step, b)
		}
	}
}
