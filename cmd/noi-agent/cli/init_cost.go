package cli

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"noi-agent/agent/budget"
	"noi-agent/configs"
	"noi-agent/objects"
)

// costOfWay has the predicted costs of a configuration, calculated as in `check`.
type costOfWay struct {
	Busy   *float64 `json:"line_load"`           // share of the line's time; null: Modbus TCP
	Flash  float64  `json:"flash_mb_per_day"`    // while the cloud accepts
	Uplink float64  `json:"uplink_mb_per_month"` // 10^6 bytes in 30 days, upload plus download

	// the same if no value changes; less than Uplink only with `when: change`
	Least float64 `json:"uplink_least_mb_per_month"`
}

func costOfConfig(config *configs.Config, catalog *objects.Catalog) (c costOfWay) {
	for i := range config.Lines {
		c.Busy = timed(budget.Bus(&config.Lines[i], catalog), budget.Bus(&config.Lines[i], catalog).Share)
	}
	c.Flash = flashOf(config, catalog).Online
	for _, in := range budget.Uplink(config, catalog, costOf) {
		c.Uplink += in.Most
		c.Least += in.Least
	}
	return c
}

// The proposals for metered links. The flags --intervals and --collect set other times.
const (
	slower    = 5 * time.Minute
	collected = 15 * time.Minute
)

// way is one of the ways to send that init compares in a table.
type way struct {
	words  string
	change func(*draft)
}

func ways() []way {
	longer := func(d *draft) { d.every = max(d.every, slower) }
	together := func(d *draft) { d.in.PublishEvery = collected }
	changes := func(d *draft) { d.in.When = configs.WhenChange }
	batch := func(d *draft) { d.in.Envelope = configs.EnvelopeBatch }
	return []way{
		{"as answered", func(*draft) {}},
		{"only changes, and a sample an hour", changes},
		{fmt.Sprintf("log intervals of %s at least", age(slower)), longer},
		{fmt.Sprintf("collected, sent every %s", age(collected)), together},
		{"longer intervals, collected", func(d *draft) { longer(d); together(d) }},
		{"longer, collected, a message a poll", func(d *draft) { longer(d); together(d); batch(d) }},
	}
}

// askWay shows the costs of the answers and of cheaper ways, and asks for one of them.
func (iv *interview) askWay(ctx context.Context) error {
	if err := iv.takeSending(); err != nil {
		return err
	}
	config, err := iv.draft.check(iv.catalog)
	if err != nil {
		return nil // finish reports the error
	}
	choices := iv.cheaper(costOfConfig(config, iv.catalog))
	t := &table{columns: []column{{name: "", right: true}, {name: "WAY", least: 16}, {name: "LINE BUSY", right: true},
		{name: "FLASH A DAY", right: true}, {name: "DATA A MONTH", right: true}}}
	for i, c := range choices {
		t.add(strconv.Itoa(i+1), c.words, busyWords(c.cost.Busy), fmt.Sprintf("%.1f MB", c.cost.Flash),
			monthWords(c.cost))
	}
	iv.heading("What it costs")
	t.print(iv.screen, iv.look())
	if len(choices) == 1 || iv.input == nil || iv.given("collect") || iv.given("envelope") ||
		iv.given("when") {
		return nil
	}
	return iv.put(ctx, question{text: "Which way", proposal: "1", take: func(answer string) error {
		n, err := strconv.Atoi(answer)
		if err != nil || n < 1 || n > len(choices) {
			return fmt.Errorf("want 1 to %d", len(choices))
		}
		return iv.draft.try(iv.catalog, choices[n-1].change)
	}})
}

// takeSending stores the flags --collect, --envelope and --when in the draft.
func (iv *interview) takeSending() error {
	if iv.given("collect") {
		every, err := time.ParseDuration(*iv.flags["collect"])
		if err != nil {
			return flagError("collect", fmt.Errorf("want a time such as 15m, not %q", *iv.flags["collect"]))
		}
		err = iv.draft.try(iv.catalog, func(d *draft) { d.in.PublishEvery = every })
		if err != nil {
			return flagError("collect", err)
		}
	}
	return flagError("when", iv.draft.try(iv.catalog, func(d *draft) {
		d.in.Envelope = cmp.Or(iv.envelope, d.in.Envelope)
		d.in.When = cmp.Or(iv.when, d.in.When)
	}))
}

// priced is a way with its cost.
type priced struct {
	way
	cost costOfWay
}

// cheaper returns the way of the draft, and the ways that need less data.
func (iv *interview) cheaper(now costOfWay) []priced {
	all := ways()
	out := []priced{{all[0], now}}
	for _, w := range all[1:] {
		next := iv.draft.clone()
		w.change(&next)
		config, err := next.check(iv.catalog)
		if err != nil {
			continue
		}
		cost := costOfConfig(config, iv.catalog)
		if cost.Least < 0.95*now.Least {
			out = append(out, priced{w, cost})
		}
	}
	return out
}

func monthWords(c costOfWay) string {
	if c.Least < c.Uplink {
		return megabytes(c.Least) + " to " + megabytes(c.Uplink) + " MB"
	}
	return megabytes(c.Uplink) + " MB"
}

func busyWords(share *float64) string {
	if share == nil {
		return none
	}
	return percent(*share)
}
