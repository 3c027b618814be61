package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
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

// Validate refuses an argument that is not the id of a row.
func (c *triggerShowCommand) Validate() (err error) {
	c.id, err = triggerID(c.word)
	return err
}

// triggerID reads the id of a row.
func triggerID(word string) (uint64, error) {
	id, err := strconv.ParseUint(word, 10, 63)
	if err != nil || id == 0 {
		return 0, errorf("want the id of a trigger, the last column of `noi-agent triggers`, not %q", escaped(word))
	}
	return id, nil
}

// Run prints the row, the sent message, the cloud's answer, and the remedy.
func (c *triggerShowCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	body, err := cli.ask(ctx, fmt.Sprintf("/api/v1/triggers/%d", c.id))
	if err != nil {
		return noTrigger(err, c.id)
	}
	if cli.JSON {
		return copyLine(p.Stdout, body)
	}
	var row api.TriggerDetail
	if err := plainJSON(body, &row); err != nil {
		return err
	}
	width := math.MaxInt
	if l := p.look(cli); l.terminal {
		width = l.width
	}
	printTrigger(p.Stdout, &row, width, cli)
	return nil
}

// noTrigger returns a short error for a row that does not exist. Other errors are returned unchanged.
func noTrigger(err error, id uint64) error {
	var refused *refusedError
	if errors.As(err, &refused) && refused.code == http.StatusNotFound {
		return failed(errorf("there is no trigger %d, or it is no longer kept", id), "noi-agent triggers")
	}
	return err
}

func printTrigger(w io.Writer, row *api.TriggerDetail, width int, cli *commandLine) {
	fmt.Fprint(w, wrapped(triggerSentence(row), width), "\n")
	if row.Title != "" {
		fmt.Fprint(w, paragraph(row.Title+".", "  ", width), paragraph("hint: "+cli.advised(row.Remedy), "  ", width))
	}
	item := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-14s %s\n", name, value)
		}
	}
	fmt.Fprintln(w)
	if row.Gap != nil {
		item("Missing", gapSource(row.Gap)+", "+gapCount(row.Gap))
		item("Due", gapTimes(row.Gap))
		item("Reason", wording.Gap(row.Gap.Reason))
	} else {
		item("Object", strings.TrimSpace(row.Object+" = "+dataWords(row.Value)+" "+row.Unit))
		item("Slave", fmt.Sprintf("%s, %s/%d", row.Slave, row.Line, row.UnitID))
		item("Sampled at", localTime(deref(row.SampledAt)))
		item("Published at", localTime(deref(row.PublishedAt)))
	}
	item("Completed at", localTime(row.CompletedAt)+later(deref(row.PublishedAt), row.CompletedAt))
	item("Integration", row.Integration+" ("+row.IntegrationID+")")
	item("Topic/ARN", row.Topic)
	item("Sample id", row.SampleID)
	if row.Gap != nil {
		return
	}
	fmt.Fprintf(w, "\nPublished data, %d bytes:\n%s\n", len(row.PublishedData), row.PublishedData)
	var answer bytes.Buffer
	enc := json.NewEncoder(&answer)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(row.IntegrationData) // texts always encode
	fmt.Fprintf(w, "\nIntegration data:\n%s", answer.String())
	if row.CanPublish {
		again := cli.advised(fmt.Sprintf("publish again: noi-agent triggers publish %d", row.ID))
		fmt.Fprint(w, "\n", paragraph(again, "", width))
	}
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func triggerSentence(row *api.TriggerDetail) string {
	tried := "Tried " + times(row.Attempts)
	switch {
	case row.Gap != nil:
		return markCalm + "Not a delivery: samples are missing."
	case row.Success && row.Replayed:
		return markGood + "Delivered again, by a replay."
	case row.Success:
		return markGood + "Delivered. " + tried + "."
	case row.State == api.StateSetAside:
		return markFault + "Not delivered: set aside, because the cloud rejects this message. " + tried + "."
	case row.State == api.StateDropped:
		return markFault + "Not delivered, and deleted. " + tried + "."
	case row.NextAttemptInS != nil:
		next := age(time.Duration(*row.NextAttemptInS * float64(time.Second)))
		return markFault + "Not delivered. " + tried + "; next try in " + next + "."
	default:
		return markFault + "Not delivered. " + tried + "."
	}
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// later returns a text with the time from the publication to the answer; "" if it is not known.
func later(from, to string) string {
	a, err1 := time.Parse(time.RFC3339, from)
	b, err2 := time.Parse(time.RFC3339, to)
	if err1 != nil || err2 != nil || b.Before(a) {
		return ""
	}
	return fmt.Sprintf(", %.1f s later", b.Sub(a).Seconds())
}
