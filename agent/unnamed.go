package agent

import (
	"cmp"
	"errors"
	"slices"

	"noi-agent/objects"
	"noi-agent/store"
)

// unnamed are the samples that an integration does not get because its list has product codes, and the slave has not reported its
// own: whether it was meant is not known. They are a gap. The sampler owns it.
type unnamed map[unnamedKey]objects.Gap

type unnamedKey struct{ integration, unit, object string }

const whyUnnamed = objects.GapIdentity + ": the controller did not report the product code by which the integration lists it"

// add counts one sample.
func (u *unnamed) add(integration string, run uint64, source *objects.Source, s *objects.Sample) {
	if *u == nil {
		*u = unnamed{}
	}
	key := unnamedKey{integration, source.Unit(), s.Object}
	gap, ok := (*u)[key]
	if !ok {
		gap = objects.Gap{Unit: key.unit, Object: s.Object, Run: run, From: s.SampledAt, First: s.Seq, Reason: whyUnnamed}
	}
	gap.To, gap.Last = s.SampledAt, s.Seq
	gap.Count++
	(*u)[key] = gap
}

// over takes out what is to be reported when a sweep has come: all of its slave once that has a name, and what goes on for an hour.
func (u *unnamed) over(t *taken) []withheld {
	unit := t.source.Unit()
	return u.take(func(key unnamedKey, gap *objects.Gap) bool {
		gap.Ongoing = t.nameless
		return key.unit == unit && (!t.nameless || gap.To.Sub(gap.From) >= soFarEvery)
	})
}

// all takes out everything, at the end.
func (u *unnamed) all() []withheld {
	return u.take(func(unnamedKey, *objects.Gap) bool { return true })
}

// withheld is a gap of one integration.
type withheld struct {
	integration string
	gap         objects.Gap
}

func (u *unnamed) take(which func(unnamedKey, *objects.Gap) bool) (out []withheld) {
	for key, gap := range *u {
		if which(key, &gap) {
			out = append(out, withheld{key.integration, gap})
			delete(*u, key)
		}
	}
	slices.SortFunc(out, func(a, b withheld) int {
		return cmp.Or(cmp.Compare(a.integration, b.integration), cmp.Compare(a.gap.Unit, b.gap.Unit), cmp.Compare(a.gap.Object, b.gap.Object))
	})
	return out
}

// withheld writes such gaps into the logs of their integrations.
func (sm *sampler) withheld(list []withheld) error {
	for _, w := range list {
		if err := sm.store.Missing(w.integration, w.gap); err != nil && !errors.Is(err, store.ErrUnknownIntegration) {
			return err
		}
	}
	return nil
}
