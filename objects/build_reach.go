package objects

import (
	"math"
	"slices"

	"noi-agent/internal/strictyaml"
)

// This file finds objects that can never give a sample, although each of their keys is valid.

// reach returns the least and the greatest value that the object's encoding, scale and offset can give, also by
// `exact`. It returns no limits (infinity) if other objects scale the object, or if its encoding is disputed.
func (o *Object) reach() Range {
	all := Range{Min: math.Inf(-1), Max: math.Inf(1)}
	if o.Times != nil || len(o.Choices) > 0 || o.Encoding.kind() != KindNumber {
		return all
	}
	least, most := o.Encoding.limits(o.Bits().Width)
	a, b := least*o.Scale+o.Offset, most*o.Scale+o.Offset
	return Range{Min: min(a, b), Max: max(a, b)}
}

// limits returns the least and the greatest number of an encoding with width bits.
func (e Encoding) limits(width uint8) (least, most float64) {
	top := math.Ldexp(1, int(width))
	switch e {
	case S8, S16, S32, S32LO, S64:
		return -top / 2, top/2 - 1
	case SM8, SM16, SM32:
		return 1 - top/2, top/2 - 1
	case BCD16:
		return 0, 9999
	case F16:
		return -65504, 65504
	case F32, F32LO:
		return -math.MaxFloat32, math.MaxFloat32
	case F64:
		return -math.MaxFloat64, math.MaxFloat64
	case Pow10:
		return math.Pow10(-mostPower), math.Pow10(mostPower)
	default:
		return 0, top - 1
	}
}

// values returns the values that the object can give: its reach, limited to its range.
func (o *Object) values() Range {
	r := o.reach()
	if o.Range != nil {
		r = Range{Min: max(r.Min, o.Range.Min), Max: min(r.Max, o.Range.Max)}
	}
	for _, v := range o.Exact {
		r = Range{Min: min(r.Min, v), Max: max(r.Max, v)}
	}
	return r
}

// checkReach checks that the object can give a value.
func (b *familyBuilder) checkReach(path string, o *Object) {
	switch r := o.reach(); {
	case o.Range != nil && o.Range.Min < o.Range.Max && o.Exact == nil && (r.Max < o.Range.Min || r.Min > o.Range.Max):
		key := ".min"
		if r.Min > o.Range.Max {
			key = ".max"
		}
		b.fault(path+key, "%s can never give a sample: its registers give %s, and nothing of that is within %s", o.Name,
			&r, o.Range)
	case len(o.Absent) > 0 && o.Bits().Width < 8 && o.neverThere():
		b.fault(path+".absent", "%s can never give a sample: all that its bits can hold is absent", o.Name)
	}
	for i := range o.Times {
		if r := o.Times[i].values(); r.Min == 0 && r.Max == 0 {
			b.fault(strictyaml.Index(path+".times", i),
				"%s can never give a sample: %s can only be 0, which is no factor", o.Name, o.Times[i].Name)
		}
	}
	if o.Since != nil && o.Since.Object.values().Max < o.Since.Least {
		b.fault(path+".since", "%s can never give a sample: %s is at most %g", o.Name, o.Since.Object.Name,
			o.Since.Object.values().Max)
	}
}

// neverThere reports whether every possible raw number of the object is in `absent`.
func (o *Object) neverThere() bool {
	for raw := range uint64(1) << o.Bits().Width {
		if _, exact := o.Exact[raw]; !exact && !slices.Contains(o.Absent, raw) {
			return false
		}
	}
	return true
}
