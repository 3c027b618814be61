package sinks

import "noi-agent/objects"

// Kind is the part of a message for which a topic's schema may refuse it: the object, and the form of `data`. The
// zero Kind, for example of a batch, is no kind, and the sink learns nothing from it.
type Kind struct {
	Object string // the object's name
	Data   string // one of the Data constants
}

// The forms of `data`, in the words of a text about refused kinds.
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
		var text [32]byte // room for most numbers
		for _, c := range s.Value.AppendJSON(text[:0]) {
			if c == '.' {
				k.Data = DataFraction
			}
		}
	}
	return k
}
