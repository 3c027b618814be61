package sinks

import "noi-agent/objects"

// Kind is what a topic can refuse a message for: the object, and the way in which `data` is written. A topic's schema
// sees no more of a message. The zero Kind says nothing, as of a batch, and nothing is learnt from it.
type Kind struct {
	Object string // the object's name
	Data   string // one of the words below
}

// The words for `data`, as a text about refused kinds has them.
const (
	DataWhole    = "whole numbers"
	DataFraction = "fractions"
	DataText     = "text values"
	DataList     = "lists"
)

// KindOf returns the kind of a sample's message.
func KindOf(s objects.Sample) Kind {
	k := Kind{Object: s.Object, Data: DataWhole}
	switch s.Value.Kind() {
	case objects.KindText:
		k.Data = DataText
	case objects.KindBits:
		k.Data = DataList
	default:
		for _, c := range s.Value.AppendJSON(nil) {
			if c == '.' {
				k.Data = DataFraction
			}
		}
	}
	return k
}
