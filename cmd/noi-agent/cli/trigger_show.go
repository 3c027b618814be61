package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status/api"
	"noi-agent/status/wording"
)

type triggerShowCommand struct {
	word string
	id   uint64
}

func newTriggerShow(s *session) *cobra.Command {
	c := &triggerShowCommand{}
	return s.bind(&cobra.Command{
		Use: "show ID", Short: "Show one delivery in full.",
		Example: "  noi-agent triggers show 9982\n  noi-agent triggers show 9982 --json",
		Args:    oneArg(&c.word), ValidArgsFunction: completeNothing,
	}, c)
}

// Validate wants the id of a row.
func (c *triggerShowCommand) Validate() (err error) {
	if c.id, err = strconv.ParseUint(c.word, 10, 63); err != nil || c.id == 0 {
		return errorf("want the id of a trigger, the last column of `noi-agent triggers`, not %q", escaped(c.word))
	}
	return nil
}

// Run shows the row, the message as it was sent, and the cloud's answer.
func (c *triggerShowCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	filter := triggerFilter{match: func(string) bool { return true }}
	names, err := filter.resolve(ctx, p, cli)
	if err != nil {
		return err
	}
	page, err := filter.find(ctx, cli, c.id+1, 1)
	if err != nil {
		return err
	}
	if len(page.Triggers) == 0 || page.Triggers[0].ID != c.id {
		return failed(errorf("there is no trigger %d, or it is no longer kept", c.id), "noi-agent triggers")
	}
	row := &page.Triggers[0]
	if cli.JSON {
		return printJSON(p.Stdout, row)
	}
	width := math.MaxInt
	if l := p.look(cli); l.terminal {
		width = l.width
	}
	printTrigger(p.Stdout, row, names, width)
	return nil
}

func printTrigger(w io.Writer, row *api.Trigger, names map[string]string, width int) {
	fmt.Fprintln(w, triggerSentence(row))
	item := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-14s %s\n", name, value)
		}
	}
	var m published
	_ = json.Unmarshal(row.PublishedData, &m) // a row about a gap has none
	fmt.Fprintln(w)
	if row.Gap != nil {
		item("Missing", gapSource(row.Gap)+", "+gapCount(row.Gap))
		item("Due", gapTimes(row.Gap))
		item("Reason", wording.Gap(row.Gap.Reason))
	} else {
		item("Object", m.Object+" = "+dataWords(m.Data))
		item("Slave", m.Slave+" "+m.Firmware)
		item("Sampled at", localTime(m.SampledAt))
		item("Published at", localTime(m.PublishedAt))
	}
	item("Completed at", localTime(row.CompletedAt)+later(m.PublishedAt, row.CompletedAt))
	item("Integration", names[row.IntegrationID]+" ("+row.IntegrationID+")")
	item("Topic/ARN", row.Topic)
	if row.Gap != nil {
		return
	}
	fmt.Fprintf(w, "\nPublished data, %d bytes:\n%s\n", len(row.PublishedData), row.PublishedData)
	var answer bytes.Buffer
	enc := json.NewEncoder(&answer)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(row.IntegrationData) // texts always encode
	fmt.Fprintf(w, "\nIntegration data:\n%s", answer.String())
	if row.IntegrationData.Error != "" {
		fmt.Fprint(w, "\n", paragraph("hint: noi-agent publish-test "+names[row.IntegrationID]+"     (tests the way "+
			"to the topic, with what to do)", "", width))
	}
}

func triggerSentence(row *api.Trigger) string {
	switch {
	case row.Gap != nil:
		return markCalm + "Not a delivery: samples are missing."
	case row.Success && row.Replayed:
		return markGood + "Delivered again, by a replay."
	case row.Success:
		return markGood + "Delivered. Tried " + times(row.Attempts) + "."
	default:
		return markFault + "Not delivered. Tried " + times(row.Attempts) + "."
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// later is how long after the publication the answer came.
func later(from, to string) string {
	a, err1 := time.Parse(time.RFC3339, from)
	b, err2 := time.Parse(time.RFC3339, to)
	if err1 != nil || err2 != nil || b.Before(a) {
		return ""
	}
	return fmt.Sprintf(", %.1f s later", b.Sub(a).Seconds())
}
