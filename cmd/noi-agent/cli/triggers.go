package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/status"
	"noi-agent/status/api"
	"noi-agent/status/wording"
	"noi-agent/store"
)

type triggersCommand struct {
	triggerFilter
	Limit  int
	Before uint64
	Follow bool
}

func newTriggers(s *session) *cobra.Command {
	c := &triggersCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "triggers", Short: "Show the last deliveries of the running daemon.",
		Example: `  noi-agent triggers --failed --since 1h   # what a cloud refused in the last hour
  noi-agent triggers --follow              # one line for each new delivery`,
		Long: "A trigger is one delivery of one sample to one integration, with its result. The newest comes first.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return noSuchCommand(cmd, args)
		},
	}, c)
	f := cmd.Flags()
	c.add(s, cmd)
	f.IntVarP(&c.Limit, "limit", "n", 20, "Number of rows, `N` from 1 to 1000.")
	f.Uint64Var(&c.Before, "before", 0, "Only rows older than the one with this `ID`.")
	f.BoolVar(&c.Follow, "follow", false, "Print new rows as they come, until Ctrl-C; with --json one object a line.")
	cmd.AddCommand(newTriggerShow(s), newTriggerPublish(s))
	return cmd
}

// Validate refuses flags that the daemon would refuse, or that make no sense together.
func (c *triggersCommand) Validate() error {
	switch {
	case c.Limit < 1 || c.Limit > 1000:
		return errorf("--limit: want 1 to 1000 rows, not %d", c.Limit)
	case c.Follow && c.Before != 0:
		return errors.New("--follow and --before exclude one another")
	}
	return c.triggerFilter.validate()
}

// Run prints the newest rows of the trigger log that match.
func (c *triggersCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	if _, err := c.resolve(ctx, p, cli); err != nil {
		return err
	}
	if c.Follow {
		return c.follow(ctx, p, cli)
	}
	page, err := c.find(ctx, cli, c.Before, c.Limit)
	if err != nil {
		return err
	}
	if cli.JSON {
		return printJSON(p.Stdout, page)
	}
	l := p.look(cli)
	if len(page.Triggers) == 0 {
		what := "No trigger matches."
		if c.Gaps {
			what = "No gap is known."
		}
		fmt.Fprintln(p.Stderr, what)
		return nil
	}
	triggerTable(page.Triggers, l).print(p.Stdout, l)
	if page.Next != nil && l.terminal {
		sentence(p.Stdout, "%s", cli.advised(fmt.Sprintf("older: noi-agent triggers --before %d", *page.Next)))
	}
	return nil
}

// followEvery is the time between two requests for new rows.
const followEvery = time.Second

// follow prints new rows when they come, the oldest first.
func (c *triggersCommand) follow(ctx context.Context, p *Program, cli *commandLine) error {
	page, err := c.find(ctx, cli, 0, 1)
	if err != nil {
		return err
	}
	var last uint64
	if len(page.Triggers) > 0 {
		last = page.Triggers[0].ID
	}
	l := p.look(cli)
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return errSilent
		case <-ticker.C:
		}
		if page, err = c.ask(ctx, cli, 0, mostRows); err != nil {
			return err
		}
		fresh := slices.DeleteFunc(page.Triggers, func(row api.Trigger) bool { return row.ID <= last })
		slices.Reverse(fresh)
		for i := range fresh {
			last = fresh[i].ID
			if err := printRow(p.Stdout, &fresh[i], l, cli.JSON); err != nil {
				return err
			}
		}
	}
}

// printRow prints one row of --follow: a line that fits the terminal, or a JSON object.
func printRow(w io.Writer, row *api.Trigger, l look, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(row)
	}
	cells := triggerCells(row, l)
	if !l.terminal {
		_, err := fmt.Fprintln(w, strings.Join(cells, "\t"))
		return err
	}
	text := shortened(strings.Join(cells[:4], between), l.width, false)
	if l.colour {
		text = coloured(text)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// triggerColumns returns the columns of the original service in its order, and the id, by which `triggers show` shows a
// row in full. Where they do not fit, the topic is left out: it is the same in most rows, and the value is not.
func triggerColumns() []column {
	return []column{
		{name: "SUCCESS"}, {name: "COMPLETED AT"}, {name: "PUBLISHED DATA", least: 20},
		{name: "INTEGRATION DATA", least: 12},
		{name: "TOPIC/ARN", least: 20, both: true, spare: true}, {name: "ID", right: true},
	}
}

func triggerTable(rows []api.Trigger, l look) *table {
	t := &table{columns: triggerColumns()}
	for i := range rows {
		t.add(triggerCells(&rows[i], l)...)
	}
	return t
}

func triggerCells(row *api.Trigger, l look) []string {
	success, answer := markGood+"true", "messageId "+row.IntegrationData.MessageID
	if !row.Success {
		success, answer = markFault+"false", row.IntegrationData.Error
		if l.terminal && (row.State == api.StateRetrying || row.State == api.StateRefused) {
			answer = row.State + ", " + answer
		}
	}
	if row.Replayed {
		answer = "replayed, " + answer
	}
	data := messageWords(row.PublishedData)
	if row.Gap != nil { // a row about a gap is not a delivery
		success, data, answer = markCalm+"gap", gapSource(row.Gap)+", "+gapCount(row.Gap),
			wording.Gap(row.Gap.Reason)
	}
	at := row.CompletedAt
	if t, err := time.Parse(time.RFC3339, at); err == nil {
		at = local(t)
		if l.terminal {
			at = t.Local().Format("1/2/06 15:04:05") // the format of the original service
		}
	}
	return []string{success, at, data, answer, row.Topic, strconv.FormatUint(row.ID, 10)}
}

// published has the fields of a message that are printed.
type published struct {
	PublishedAt string          `json:"published_at"`
	SampledAt   string          `json:"sampled_at"`
	Object      string          `json:"object"`
	Data        json.RawMessage `json:"data"`
	Slave       string          `json:"slave"`
	Firmware    string          `json:"cc_firmware"`
	Version     string          `json:"fw_version"`
}

// messageWords returns the object and the value of a message; the whole message if it has another form.
func messageWords(body json.RawMessage) string {
	var m published
	if json.Unmarshal(body, &m) != nil || m.Object == "" {
		return string(body)
	}
	return m.Object + " " + dataWords(m.Data)
}

// dataWords prints a value for people: a number, a word, names separated by commas, or "none".
func dataWords(data json.RawMessage) string {
	var word string
	var list []string
	switch {
	case json.Unmarshal(data, &word) == nil:
		return word
	case json.Unmarshal(data, &list) == nil && len(list) == 0:
		return "none"
	case list != nil:
		return strings.Join(list, ", ")
	default:
		return string(data)
	}
}

// triggerFilter has the flags that select rows of the trigger log.
type triggerFilter struct {
	Integration string
	Success     string
	Failed      bool
	State       string
	Gaps        bool
	Object      string
	Since       string
	From, To    string

	id   string // id of the integration
	span store.Range
}

func (c *triggerFilter) add(s *session, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.Integration, "integration", "", "Only this integration, by id or `NAME`.")
	choose(cmd, &c.Success, "success", []string{"true", "false"}, "Only successes, or only failures: `true|false`.")
	f.BoolVar(&c.Failed, "failed", false, "Only failures, as --success false.")
	choose(cmd, &c.State, "state", stateWords(),
		"Only this `STATE`: delivered, retrying, refused, set-aside or dropped.")
	f.BoolVar(&c.Gaps, "gaps", false, "Only gaps: what is missing, and why.")
	c.addSince(s, cmd)
}

// stateWords returns the states of triggers for the command line, with a hyphen instead of a blank.
func stateWords() []string {
	words := api.TriggerStates()
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], " ", "-")
	}
	return words
}

func (c *triggerFilter) addSince(s *session, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.Object, "object", "", "Only this object, a name or a `PATTERN` such as T_*.")
	f.StringVar(&c.From, "from", "",
		"Only since this `TIME`: 1h (an hour ago), 2022-06-28T08:20:29Z, \"2022-06-28 03:20\" (local), or "+
			"2022-06-28 (its beginning, UTC).")
	f.StringVar(&c.Since, "since", "", "The same as --from `TIME`.")
	f.StringVar(&c.To, "to", "", "Only before this `TIME`.")
	_ = cmd.RegisterFlagCompletionFunc("integration", complete(s.cli.integrationNames)) // the flags are there
	_ = cmd.RegisterFlagCompletionFunc("object", complete(s.cli.objectNames))
}

func (c *triggerFilter) validate() error {
	switch {
	case c.Failed && c.Success == "true":
		return errors.New("--failed and --success true exclude one another")
	case c.Since != "" && c.From != "":
		return errors.New("--since and --from are the same: give one of them")
	}
	for _, f := range []struct{ name, value string }{{"since", c.Since}, {"from", c.From}, {"to", c.To}} {
		if _, err := status.ParseRange("", f.value, time.Time{}.AddDate(9999, 0, 0)); err != nil {
			return fmt.Errorf("--%s: %w", f.name, errors.Unwrap(err))
		}
	}
	return nil
}

// resolve finds the integration and the times of the flags. It returns the names of all integrations by id.
func (c *triggerFilter) resolve(ctx context.Context, p *Program, cli *commandLine) (map[string]string, error) {
	s, err := cli.daemonStatus(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for i := range s.Integrations {
		names[s.Integrations[i].ID] = orID(s.Integrations[i].Name, s.Integrations[i].ID)
	}
	if c.Integration != "" {
		if c.id, err = idIn(&s, c.Integration); err != nil {
			return nil, err
		}
	}
	if c.span, err = status.ParseRange(cmp.Or(c.From, c.Since), c.To, p.Now()); err != nil {
		return nil, misused(err, "")
	}
	return names, nil
}

// mostRows is the most rows in one answer of the daemon.
const mostRows = 500

// find asks for rows until it has limit rows, or no older rows are left.
func (c *triggerFilter) find(ctx context.Context, cli *commandLine, before uint64, limit int) (api.Triggers, error) {
	found := api.Triggers{Triggers: []api.Trigger{}}
	for {
		page, err := c.ask(ctx, cli, before, limit-len(found.Triggers))
		if err != nil {
			return found, err
		}
		found.Triggers, found.Next = append(found.Triggers, page.Triggers...), page.Next
		if page.Next == nil || len(found.Triggers) >= limit {
			return found, nil
		}
		before = *page.Next
	}
}

func (c *triggerFilter) ask(ctx context.Context, cli *commandLine, before uint64, limit int) (page api.Triggers,
	err error) {
	body, err := cli.ask(ctx, "/api/v1/triggers?"+c.query(before, min(limit, mostRows)).Encode())
	if err != nil {
		return page, err
	}
	if cli.JSON { // programs get the texts unchanged
		return page, json.Unmarshal(body, &page)
	}
	return page, plainJSON(body, &page)
}

// query returns the filter as parameters for the daemon.
func (c *triggerFilter) query(before uint64, limit int) url.Values {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("integration", c.id)
	set("object", c.Object)
	set("success", c.Success)
	set("state", c.State)
	if c.Failed {
		set("success", "false")
	}
	if c.Gaps {
		set("gaps", "true")
	}
	for name, at := range map[string]time.Time{"from": c.span.From, "to": c.span.To} {
		if !at.IsZero() {
			set(name, at.Format(time.RFC3339Nano))
		}
	}
	if before != 0 {
		set("before", strconv.FormatUint(before, 10))
	}
	return query
}

// isID reports whether a word has the form of an integration's id.
func isID(word string) bool {
	return len(word) == 20 && !strings.ContainsFunc(word, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
