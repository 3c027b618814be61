package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"noi-agent/configs"
	"noi-agent/internal/shell"
	"noi-agent/internal/wholefile"
	"noi-agent/objects"
)

// initCommand has a flag for each question. The questions are in init_line.go and init_cloud.go.
type initCommand struct {
	flags    map[string]*string // answers of the command line, by flag
	scan     scanCommand        // settings and units that the scan tries
	slaves   []string           // ID:MODEL[:NAME]; empty: the scan finds the controllers
	envelope string
	when     string
	listen   string
	stateDir string
	endpoint string

	noTest, force, dryRun bool

	given func(flag string) bool // reports whether a flag is on the command line
}

// answerFlags returns the flags with the text of an answer, each with its usage.
func answerFlags() [][2]string {
	return [][2]string{
		{"port", "Serial `PORT`, tcp://HOST or rtu+tcp://HOST:PORT."},
		{"topic", "`TOPIC` of the cloud: arn:aws:sns:… or projects/PROJECT/topics/NAME."},
		{"name", "A `NAME` of your choice for the integration. Default: main-solar."},
		{"profile", "aws: shared `PROFILE` with the credentials. Default: none; the AWS SDK looks " +
			"in its default places."},
		{"credentials-file", "gcp: `FILE` with Application Default Credentials. Default: none; the default places."},
		{"objects", "`OBJECTS` to send: names and patterns, with commas; all. Default: the most important ones."},
		{"intervals", "Log intervals: a `TIME` such as 5m, or OBJECT=TIME,…. A time alone is for everything " +
			"but faults and alarms, and never shortens an interval. Default: those of the family."},
		{"collect", "Collect samples for this `TIME`, and send them together. Default: send at once."},
	}
}

func newInit(s *session) *cobra.Command {
	c := &initCommand{flags: map[string]*string{}, scan: scanCommand{Function: []string{"04", "03"}}}
	_ = c.scan.Units.Set("1-16") // it is well formed
	cmd := s.bind(&cobra.Command{
		Use: "init", Short: "Make a configuration: asks, finds the controllers, tests the cloud, and writes the file.",
		Example: `  sudo noi-agent init                   # asks
  noi-agent init --port /dev/ttyUSB0 --topic arn:aws:sns:us-east-2:123456789012:MainSolarData   # asks the rest`,
		Long: "Each question has a flag. Without a terminal the command asks nothing: --port and --topic (or " +
			"--cloud none) are then required, and the other answers have defaults. The command writes the file at " +
			"the end, and only if `check` accepts the content. Ctrl-C before that changes nothing. An existing " +
			"file is replaced only with --force; a copy of it is kept beside the new file.",
	}, c)
	f := cmd.Flags()
	f.SortFlags = false
	for _, a := range answerFlags() {
		c.flags[a[0]] = f.String(a[0], "", a[1])
	}
	c.flags["cloud"] = new(string)
	choose(cmd, c.flags["cloud"], "cloud", []string{configs.AWS, configs.GCP, cloudNone},
		"Where samples go: `aws|gcp|none`. Default: the cloud of the topic.")
	choose(cmd, &c.envelope, "envelope", []string{configs.EnvelopeSingle, configs.EnvelopeBatch},
		"Content of a message: `single|batch`. Default: single, one sample; batch: all samples of a sweep "+
			"(docs/messages.md).")
	choose(cmd, &c.when, "when", []string{configs.WhenEvery, configs.WhenChange},
		"Which samples are sent: `every|change`. Default: every. With change: those that differ, and one "+
			"an hour at least.")
	f.StringArrayVar(&c.slaves, "slave", nil,
		"A controller, as `ID:MODEL` or ID:MODEL:NAME. Repeat the flag for each. Without a scan.")
	f.Var(&c.scan.Units, "units", "Unit ids to look for, a `LIST` such as 1-10,17.")
	f.IntSliceVar(&c.scan.Baud, "baud", nil,
		"Baud rates to try, `N,...`. Default: the usual ones. With --slave: the line's.")
	chooseSome(cmd, &c.scan.Parity, "parity", []string{"none", "even", "odd"}, nil,
		"Parities to try, `P,...`. Default: none.")
	f.IntSliceVar(&c.scan.StopBits, "stop-bits", nil, "Stop bits to try, `N,...`: 1 or 2. Default: 2.")
	f.StringVar(&c.endpoint, "endpoint", "", "`ADDRESS` of a VPC endpoint or an emulator. Default: the cloud itself.")
	f.StringVar(&c.stateDir, "state-dir", "", "`DIRECTORY` of the samples that wait. Default: /var/lib/noi-agent.")
	f.StringVar(&c.listen, "listen", "", "`ADDRESS` of the status page. Default: 127.0.0.1:8780.")
	f.BoolVar(&c.noTest, "no-test", false, "Send no test message.")
	f.BoolVar(&c.force, "force", false, "Replace a configuration that exists, and keep a copy of it.")
	f.BoolVar(&c.dryRun, "dry-run", false, "Print the configuration, and write no file.")
	_ = cmd.RegisterFlagCompletionFunc("port", completePorts) // the flags are there
	_ = cmd.RegisterFlagCompletionFunc("objects", complete(s.cli.objectNames))
	c.given = f.Changed
	return cmd
}

// Validate refuses flags that are wrong for every configuration.
func (c *initCommand) Validate() error {
	c.scan.Port = *c.flags["port"]
	for _, text := range c.slaves {
		if _, err := parseSlave(text); err != nil {
			return fmt.Errorf("--slave: %w", err)
		}
	}
	return c.scan.Validate()
}

// interview is one run of init.
type interview struct {
	*initCommand
	asker
	p       *Program
	cli     *commandLine
	catalog *objects.Catalog
	draft   draft
	tested  bool // the cloud has accepted a test message
}

// Run asks the questions, tests the integration, and writes the configuration.
func (c *initCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	if err := c.refuse(p, cli.Config); err != nil {
		return err
	}
	catalog, err := objects.LoadCatalog(configs.FamiliesDir("")) // the new file has the default
	if err != nil {
		return err
	}
	iv := &interview{initCommand: c, asker: newAsker(p), p: p, cli: cli, catalog: catalog, draft: newDraft()}
	iv.draft.stateDir, iv.draft.listen, iv.draft.socket = absolute(c.stateDir), c.listen, absolute(cli.Socket)
	if !c.dryRun && iv.input != nil {
		iv.say("This makes %s. Enter takes the answer in [brackets]. Ctrl-C ends it and changes nothing.", cli.Config)
	}
	for _, step := range []func(context.Context) error{
		iv.askPort, iv.askControllers, iv.askNames, iv.askCloud, iv.askObjects, iv.askIntervals, iv.askWay, iv.test,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return iv.finish()
}

// refuse returns an error before the first question if the configuration could not be written, or if a required flag is
// missing.
func (c *initCommand) refuse(p *Program, file string) error {
	var missing []string
	if !isReadable(p.Stdin) {
		if *c.flags["port"] == "" {
			missing = append(missing, "--port")
		}
		if *c.flags["topic"] == "" && *c.flags["cloud"] != cloudNone {
			missing = append(missing, "--topic (or --cloud none)")
		}
	}
	switch _, err := os.Stat(file); {
	case len(missing) > 0:
		return misused(fmt.Errorf("without a terminal nothing is asked; missing: %s", strings.Join(missing, ", ")),
			"noi-agent init --help")
	case c.dryRun:
		return nil
	case err == nil && !c.force:
		return failed(fmt.Errorf("%s exists already", file), "noi-agent init --force     (keeps a copy of it)")
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("write the configuration: %w", err)
	}
	dir := filepath.Dir(file)
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		hint := ""
		switch {
		case errors.Is(err, fs.ErrPermission):
			hint = "sudo noi-agent init"
		case errors.Is(err, fs.ErrNotExist):
			hint = "mkdir -p " + shell.Quote(dir)
		}
		return failed(fmt.Errorf("write the configuration into %s: %w", dir, err), hint)
	}
	return nil
}

// initListing is the JSON of `noi-agent init --json`.
type initListing struct {
	File   string    `json:"file"`   // "" with --dry-run
	Copy   string    `json:"copy"`   // path of the copy of the previous file; "": there was none
	Tested bool      `json:"tested"` // the cloud has accepted a test message
	Cost   costOfWay `json:"cost"`
	YAML   string    `json:"yaml"`
}

// finish writes the configuration, and prints the next command.
func (iv *interview) finish() error {
	text := iv.draft.yaml(iv.catalog, iv.p.Now())
	config, err := iv.draft.check(iv.catalog)
	if err != nil { // each answer was checked, so this happens only if answers contradict each other
		return failed(fmt.Errorf("the answers make no valid configuration: %w", err), "noi-agent init")
	}
	listing := initListing{Tested: iv.tested, Cost: costOfConfig(config, iv.catalog), YAML: text}
	if !iv.dryRun {
		listing.File = iv.cli.Config
		if listing.Copy, err = replaceFile(iv.cli.Config, []byte(text), iv.p.Now()); err != nil {
			return err
		}
	}
	switch {
	case iv.cli.JSON:
		return printJSON(iv.p.Stdout, listing)
	case iv.dryRun:
		_, err = fmt.Fprint(iv.p.Stdout, text)
		return err
	}
	fmt.Fprintf(iv.p.Stdout, "%s is written\n", listing.File)
	if listing.Copy != "" {
		fmt.Fprintf(iv.p.Stdout, "the previous one is now %s\n", listing.Copy)
	}
	if listing.File == defaultConfig {
		iv.say("Next: sudo systemctl enable --now noi-agent, then: sudo noi-agent status")
	} else {
		iv.say("Next: noi-agent run --config %s", shell.Quote(listing.File))
	}
	return nil
}

// replaceFile writes a file as a whole. It keeps a copy of the previous file, and returns the path of the copy.
func replaceFile(file string, text []byte, now time.Time) (kept string, err error) {
	const mode = 0o640 // the daemon's group may read it: the file gets the group of its directory
	old, err := os.ReadFile(file)
	switch {
	case err == nil:
		kept = file + "." + now.Format("20060102-150405")
		err = wholefile.Write(kept, old, mode)
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	}
	if err != nil {
		return "", fmt.Errorf("keep a copy of the configuration: %w", err)
	}
	if err := wholefile.Write(file, text, mode); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	return kept, nil
}
