package agent

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/api"
	"noi-agent/store"
)

// unnamed has the samples that an integration does not get, because its `slaves` lists product codes and the slave has
// not reported its product code. Each span is the gap from the first to the last such sample of an object. The sampler
// owns it.
type unnamed map[unnamedKey]store.Span

type unnamedKey struct{ integration, unit, object string }

const whyUnnamed = objects.GapIdentity +
	": the controller did not report the product code by which the integration lists it"

// add counts one sample.
func (u *unnamed) add(integration, unit string, at store.Instant, s *objects.Sample) {
	if *u == nil {
		*u = unnamed{}
	}
	key := unnamedKey{integration, unit, s.Object}
	span, ok := (*u)[key]
	if !ok {
		span = store.Span{Begins: at, Gap: objects.Gap{Unit: unit, Object: s.Object, Run: at.Run, First: s.Seq,
			Reason: whyUnnamed}}
	}
	span.Ends, span.Gap.Last = at, s.Seq
	span.Gap.Count++
	(*u)[key] = span
}

// over removes and returns the gaps of a sweep's slave to report now: all of them if the slave has reported its product
// code, otherwise those that have lasted for poll.SoFarEvery.
func (u *unnamed) over(t *poll.Sweep) []withheld {
	unit := t.Source.Unit()
	return u.take(func(key unnamedKey, span *store.Span) bool {
		span.Gap.Ongoing = t.Nameless
		return key.unit == unit && (!t.Nameless || span.Ends.Uptime-span.Begins.Uptime >= poll.SoFarEvery)
	})
}

// all removes and returns all gaps, at the end of the run.
func (u *unnamed) all() []withheld {
	return u.take(func(unnamedKey, *store.Span) bool { return true })
}

// withheld is a gap of one integration.
type withheld struct {
	integration string
	span        store.Span
}

func (u *unnamed) take(which func(unnamedKey, *store.Span) bool) (out []withheld) {
	for key, span := range *u {
		if which(key, &span) {
			out = append(out, withheld{key.integration, span})
			delete(*u, key)
		}
	}
	slices.SortFunc(out, func(a, b withheld) int {
		return cmp.Or(cmp.Compare(a.integration, b.integration), cmp.Compare(a.span.Gap.Unit, b.span.Gap.Unit),
			cmp.Compare(a.span.Gap.Object, b.span.Gap.Object))
	})
	return out
}

// withheld writes the gaps into the logs of their integrations.
func (sm *sampler) withheld(list []withheld) error {
	for _, w := range list {
		if err := sm.store.MissingSpan(w.integration, w.span); err != nil &&
			!errors.Is(err, store.ErrUnknownIntegration) {
			return err
		}
	}
	return nil
}

// unnamed returns a problem for each slave that does not identify itself, if an integration lists it by product code:
// the integration gets none of its samples. problems are those of the lines.
func (w workers) unnamed(problems []api.Problem) (list []api.Problem) {
	for i := range w.config.Lines {
		line := &w.config.Lines[i]
		for j := range line.Slaves {
			slave := &line.Slaves[j]
			subject := fmt.Sprintf("%s/%d", line.Name, slave.ID)
			at := slices.IndexFunc(problems, func(p api.Problem) bool {
				return p.Code == api.SlaveNoIdentity.Code && p.Subject == subject
			})
			family, named := slave.Family(w.catalog)
			if at < 0 || !named {
				continue
			}
			for k := range w.config.Integrations {
				if in := &w.config.Integrations[k]; misses(in, line.Name, slave, family) {
					list = append(list, api.SlaveUnnamed.Of(subject, problems[at].Since,
						fmt.Sprintf("unit %s gave no product code, so %s does not get its samples", subject,
							cmp.Or(in.Name, in.ID))))
					break
				}
			}
		}
	}
	return list
}

// misses reports whether an integration does not get samples of a slave because the slave gives no product code.
func misses(in *configs.Integration, line string, slave *configs.Slave, family *objects.Family) bool {
	names := slices.DeleteFunc([]string{slave.Name, slave.ProductCode, slave.Model},
		func(name string) bool { return name == "" })
	return slices.ContainsFunc(slave.Polled(family), func(p configs.Polled) bool {
		return !in.Wants(line, slave.ID, names, p.Object.Name) && in.MayWant(family, p.Object.Name)
	})
}
