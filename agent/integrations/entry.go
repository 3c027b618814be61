package integrations

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"noi-agent/agent/budget"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// configOf returns the configuration of an integration for clients. It leaves out keys without a meaning for this
// integration, and keys that repeat a part of its topic. A client that sends it back changes nothing.
func configOf(in *configs.Integration) api.IntegrationConfig {
	c := api.IntegrationConfig{
		ID: in.ID, Name: in.Name, Enabled: in.Enabled, Type: in.Type, Objects: words(in.Objects),
		Slaves: words(in.Slaves), TopicARN: in.TopicARN, Topic: in.Topic, Endpoint: in.Endpoint, CAFile: in.CAFile,
		CredentialsFile: in.CredentialsFile, Profile: in.Profile, RoleARN: in.RoleARN, ExternalID: in.ExternalID,
		IMDS: in.IMDS, Ordering: in.Ordering,
		Attributes: append([]string{}, in.Attributes...), PublishEvery: text(in.PublishEvery), Pacing: text(in.Pacing),
		CatchUp: &api.CatchUp{Rate: in.CatchUp.Rate, AlarmsFirst: in.CatchUp.AlarmsFirst,
			Spread: text(in.CatchUp.Spread)},
		InFlight: in.InFlight, Gaps: in.Gaps, When: in.When, Envelope: in.Envelope, Compress: in.Compress,
	}
	if in.IoT != (configs.IoT{}) {
		iot := api.IoT(in.IoT)
		c.IoT = &iot
	}
	if in.When == configs.WhenChange {
		c.Deadband, c.Heartbeat = in.Deadband, text(in.Heartbeat)
	}
	return c
}

// words returns the names and patterns of objects or slaves as a list.
func words(n configs.Names) []string {
	if n.All {
		return append([]string{"all"}, n.List...)
	}
	return append([]string{}, n.List...)
}

// text returns a duration in the form of the configuration, without zero units: "5m".
func text(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// etagOf returns the version of an integration. Equal configurations have equal versions.
func etagOf(in *configs.Integration) string {
	sum := sha256.Sum256(mustJSON(configOf(in)))
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// entries lists all integrations of a state, first the ones of the configuration file.
func (b *Book) entries(s *state) []api.IntegrationEntry {
	list := make([]api.IntegrationEntry, 0, len(s.main.Integrations)+len(s.made))
	for i := range s.main.Integrations {
		e := b.entry(s, &s.main.Integrations[i])
		e.Source, e.Locked = api.SourceFile, true
		e.File, e.Line = b.o.MainFile, s.main.At(fmt.Sprintf("integrations[%d]", i), "").Line
		list = append(list, e)
	}
	for i := range s.made {
		e := b.entry(s, &s.made[i])
		if i < len(s.lines) {
			e.Line = s.lines[i]
		}
		list = append(list, e)
	}
	if b.engine == nil {
		return list
	}
	states := b.engine.Status().Integrations
	for i := range list {
		id := list[i].Config.ID
		if at := slices.IndexFunc(states, func(in api.Integration) bool { return in.ID == id }); at >= 0 {
			list[i].State = &states[at]
		}
	}
	return list
}

// entry returns the entry of an integration that is made over the API, without its line in the file and its state.
func (b *Book) entry(s *state, in *configs.Integration) api.IntegrationEntry {
	return api.IntegrationEntry{
		Config: configOf(in), ETag: etagOf(in), Source: api.SourceAPI, File: b.o.File, Cost: b.cost(s, in),
	}
}

// cost predicts the daily messages and bytes of an integration.
func (b *Book) cost(s *state, in *configs.Integration) api.IntegrationCost {
	t := budget.TrafficOf(s.main, s.catalog, in, b.o.CostOf)
	return api.IntegrationCost{
		MessagesPerDay: t.Messages, BytesPerDay: t.Bytes, Objects: t.Objects, Slaves: t.Units,
		Uncounted: uncounted(s.main, s.catalog, in),
	}
}

// uncounted lists the slaves of an integration with `model: auto`, whose family is not known.
func uncounted(c *configs.Config, catalog *objects.Catalog, in *configs.Integration) []string {
	units := []string{}
	for i := range c.Lines {
		line := &c.Lines[i]
		for j := range line.Slaves {
			s := &line.Slaves[j]
			_, known := s.Family(catalog)
			if !known && line.Enabled && in.WantsSlave(line.Name, s.ID, []string{s.Name, s.ProductCode}) {
				units = append(units, fmt.Sprintf("%s/%d", line.Name, s.ID))
			}
		}
	}
	return units
}
