package cli

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"noi-agent/agent/budget"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/wording"
)

// dearMonth is the least mobile data, in 10^6 bytes per month, for which `check` prints a cheaper way.
const dearMonth = 20

// printCheaper prints the keys that save mobile data, and the saving, for integrations that send each sample at once.
func printCheaper(w io.Writer, config *configs.Config, catalog *objects.Catalog) {
	cheap := *config
	cheap.Integrations = slices.Clone(config.Integrations)
	for i := range cheap.Integrations {
		cheap.Integrations[i].PublishEvery, cheap.Integrations[i].Envelope = collected, configs.EnvelopeBatch
	}
	now, then := budget.Uplink(config, catalog, costOf), budget.Uplink(&cheap, catalog, costOf)
	for i := range config.Integrations {
		in := &config.Integrations[i]
		plain := in.PublishEvery == 0 && in.Envelope == configs.EnvelopeSingle && in.When == configs.WhenEvery
		if !plain || now[in.ID].Most < dearMonth || then[in.ID].Most > 0.7*now[in.ID].Most {
			continue
		}
		sentence(w, "hint: %s: publish_every: %s with envelope: batch needs %s MB a month instead of %s; longer "+
			"log intervals and when: change save more (docs/messages.md)", cmp.Or(in.Name, in.ID),
			wording.Duration(collected.String()), megabytes(then[in.ID].Most), megabytes(now[in.ID].Most))
	}
}

// families adds a row with the families of families_dir that were loaded. It shows that a file with a wrong name was
// not.
func (r *rows) families(config *configs.Config, catalog *objects.Catalog) error {
	builtIn, err := objects.LoadCatalog()
	if err != nil {
		return err
	}
	var own []string
	for _, f := range catalog.Families() {
		if _, ok := builtIn.Family(f.Slug); !ok {
			own = append(own, f.Slug)
		}
	}
	if len(own) > 0 {
		r.add("families", config.FamiliesDir, strings.Join(own, ", "))
	}
	return nil
}
