package configs

import (
	"slices"
	"time"

	"noi-agent/internal/strictyaml"
	"noi-agent/objects"
)

// This file checks the keys for when the samples of an integration are sent, and in which form.

// mostCollected is the longest time to collect samples. It is far below the default of buffer.max_age.
const mostCollected = 24 * time.Hour

func (v *validator) sending(path string, in *Integration) {
	every := path + ".publish_every"
	if in.PublishEvery != 0 {
		v.span(every, in.PublishEvery, time.Second, mostCollected)
	}
	if age := v.config.Buffer.MaxAge; in.PublishEvery > 0 && in.PublishEvery >= age && !v.broken("buffer.max_age") {
		v.fault(every, "samples are given up after %s (buffer.max_age), before %s have passed; send more often, or "+
			"keep them longer", short(age), short(in.PublishEvery))
	}
	v.oneOf(path+".when", in.When, WhenEvery, WhenChange)
	if in.When == WhenEvery && !v.broken(path+".when") {
		v.alone(path, "when: change", "deadband", "heartbeat")
	}
	if in.Heartbeat != 0 {
		v.span(path+".heartbeat", in.Heartbeat, time.Second, mostInterval)
	}
	v.deadband(path+".deadband", in)
	v.oneOf(path+".envelope", in.Envelope, EnvelopeSingle, EnvelopeBatch)
	v.oneOf(path+".compress", in.Compress, CompressNone, CompressGzip)
	if in.Envelope == EnvelopeSingle && in.Compress == CompressGzip && !v.broken(path+".envelope") {
		v.alone(path, "envelope: batch", "compress")
	}
}

// alone adds a fault for each key that has no effect without another key.
func (v *validator) alone(path, with string, keys ...string) {
	for _, key := range keys {
		if v.doc.Has(path + "." + key) {
			v.coded(CodeAlone, path+"."+key, "goes with %s; add that, or take %s out", with, key)
		}
	}
}

// deadband checks the names and the values of `deadband`: each name must match a number that the integration sends.
func (v *validator) deadband(path string, in *Integration) {
	_, families, _ := v.reach(in)
	words := keysOf(in.Deadband)
	for _, word := range words {
		at := strictyaml.Key(path, word)
		if in.Deadband[word] < 0 {
			v.fault(at, "want 0 or more, in the unit of the object, not %g", in.Deadband[word])
		}
		matched := func(ok func(*objects.Object) bool) *objects.Object {
			return anyObject(families, func(o *objects.Object) bool { return match(word, o.Name) && ok(o) })
		}
		sent := func(o *objects.Object) bool { return in.wantsObject(o.Name) }
		found := matched(func(*objects.Object) bool { return true })
		switch {
		case found == nil:
			v.coded(CodeUnknownObject, at, "%s", unknownObject(word, families))
		case matched(numeric) == nil:
			v.fault(at, "%s has no number that could lie within a band: each change of it is sent; take it out",
				found.Name)
		case matched(sent) == nil && !v.broken(path[:len(path)-len("deadband")]+"objects"):
			v.fault(at, "%s is not among the objects of this integration; add it there, or take it out here",
				found.Name)
		}
	}
	v.ties(path, words, families)
}

// batch checks the keys that cannot be used with several samples in one message.
func (v *validator) batch(path string, in *Integration) {
	if in.Envelope != EnvelopeBatch {
		return
	}
	if in.Type == GCP && in.Compress == CompressGzip {
		v.notice(path+".compress",
			"requests to Pub/Sub travel packed already, and base64 makes a batch a third longer; none costs less "+
				"uplink here")
	}
	if len(in.Attributes) == len(attributeNames()) { // all: all that a batch has
		return
	}
	for _, name := range []string{"object", "sample_id"} {
		if slices.Contains(in.Attributes, name) {
			v.fault(path+".attributes",
				"a batch has many samples and no attribute %s; want all, none, or some of slave, unit, device_id", name)
		}
	}
}

// Band returns the largest difference from the last number sent that is no change, for an object, in the object's unit;
// 0: each change counts.
func (i *Integration) Band(object string) float64 {
	word, _ := best(keysOf(i.Deadband), object)
	return i.Deadband[word]
}

func numeric(o *objects.Object) bool { return o.Kind() == objects.KindNumber }
