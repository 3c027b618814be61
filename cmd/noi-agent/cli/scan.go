package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/agent/poll"
	"noi-agent/configs"
	"noi-agent/internal/shell"
	"noi-agent/modbus"
	"noi-agent/objects"
)

type scanCommand struct {
	Port     string
	Line     string
	Baud     []int
	Parity   []string
	StopBits []int
	Units    unitList
	Function []string
	Timeout  time.Duration
}

func newScan(s *session) *cobra.Command {
	c := &scanCommand{Function: []string{"04", "03"}}
	_ = c.Units.Set("1-247") // it is well formed
	cmd := s.bind(&cobra.Command{
		Use: "scan [PORT]", Short: "Find the devices on a line.",
		Example: `  noi-agent scan /dev/ttyUSB0              # every unit id, at the usual baud rates
  noi-agent scan --line rs485 --units 1-10 # with the settings of a line of the configuration`,
		Long: "Any unit that returns a valid frame, even a Modbus exception, counts as present and is then " +
			"identified. The command prints the configuration for these units. While the agent runs it has the port: " +
			"with --line the agent asks the units between its own reads.",
		Args: oneArg(&c.Port), ValidArgsFunction: completeFirst(completePorts),
	}, c)
	f := cmd.Flags()
	f.String("port", "", "Serial `PORT`, tcp://HOST or rtu+tcp://HOST:PORT.")
	f.StringVar(&c.Line, "line", "",
		"Line of the configuration instead, by its `NAME`, with its settings; may be left out where there is only one.")
	f.IntSliceVar(&c.Baud, "baud", nil,
		"Baud rates to try, `N,...`, until a device answers. Default: the line's, or 9600, 19200, 38400, 57600, "+
			"115200, 4800, 2400.")
	chooseSome(cmd, &c.Parity, "parity", []string{"none", "even", "odd"}, nil,
		"Parities to try, `P,...`. Default: the line's, or none.")
	f.IntSliceVar(&c.StopBits, "stop-bits", nil, "Stop bits to try, `N,...`: 1 or 2. Default: the line's, or 2.")
	f.Var(&c.Units, "units", "Unit ids to ask, a `LIST` such as 1-10,17.")
	chooseSome(cmd, &c.Function, "function", []string{"03", "04"}, nil,
		"Functions to use, `F,...`; the second only if no device answers the first.")
	f.DurationVar(&c.Timeout, "timeout", 0,
		"Wait `TIME` for the first byte of a reply. Default: the line's, or 200ms; on the network 1s.")
	_ = cmd.RegisterFlagCompletionFunc("line", complete(s.cli.lineNames)) // the flags are there
	_ = cmd.RegisterFlagCompletionFunc("port", completePorts)
	named := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if port, _ := cmd.Flags().GetString("port"); port != "" { // it is a text
			if len(args) > 0 {
				return misused(errors.New("the port is named twice"), helpOf(cmd))
			}
			args = []string{port}
		}
		return named(cmd, args)
	}
	return cmd
}

// scanBauds returns the baud rates that a scan tries. The first one is the controllers' default. The others follow by
// their frequency in practice.
func scanBauds() []int { return []int{9600, 19200, 38400, 57600, 115200, 4800, 2400} }

const (
	scanTimeout        = 200 * time.Millisecond // the controllers answer within 100 ms
	scanNetworkTimeout = time.Second            // a gateway first waits for its own line
)

// Validate refuses flags that are wrong for every configuration.
func (c *scanCommand) Validate() error {
	switch {
	case c.Port != "" && c.Line != "":
		return errors.New("--port and --line exclude one another: a line has its port in the configuration")
	case isNetwork(c.Port) && c.hardware():
		return errNoHardware
	case c.Timeout < 0:
		return fmt.Errorf("--timeout: want a time above zero, not %v", c.Timeout)
	}
	if err := tcpUnits(c.Port, c.Units); c.Port != "" && err != nil {
		return err
	}
	for _, b := range c.Baud {
		if b < leastBaud || b > mostBaud {
			return fmt.Errorf("--baud: want %d to %d, not %d", leastBaud, mostBaud, b)
		}
	}
	for _, n := range c.StopBits {
		if n != 1 && n != 2 {
			return fmt.Errorf("--stop-bits: want 1 or 2, not %d", n)
		}
	}
	return nil
}

// tcpUnits returns an error if a unit id is only valid for Modbus TCP, and the port is not.
func tcpUnits(port string, units []byte) error {
	if strings.HasPrefix(port, configs.ModbusTCP+"://") {
		return nil
	}
	for _, u := range units {
		if u == 0 || u == 255 {
			return fmt.Errorf("unit id %d is for tcp:// only, where it means the device itself; elsewhere they are 1 "+
				"to 247", u)
		}
	}
	return nil
}

// errNoHardware means that a flag of a serial port was given for a network line.
var errNoHardware = errors.New("--baud, --parity and --stop-bits mean nothing on the network: the gateway has them")

func (c *scanCommand) hardware() bool {
	return len(c.Baud) > 0 || len(c.Parity) > 0 || len(c.StopBits) > 0
}

func isNetwork(port string) bool { return strings.Contains(port, "://") }

// unitList is a flag with a list of unit ids such as 1-10,17.
type unitList []byte

// Type implements pflag.Value.
func (l *unitList) Type() string { return "units" }

// String implements pflag.Value: runs as 1-247.
func (l *unitList) String() string {
	var words []string
	for i := 0; i < len(*l); {
		j := i
		for j+1 < len(*l) && (*l)[j+1] == (*l)[j]+1 {
			j++
		}
		word := strconv.Itoa(int((*l)[i]))
		if j > i {
			word += "-" + strconv.Itoa(int((*l)[j]))
		}
		words, i = append(words, word), j+1
	}
	return strings.Join(words, ",")
}

// Set implements pflag.Value.
func (l *unitList) Set(text string) error {
	*l = nil
	for word := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(word, "-")
		if !isRange {
			to = from
		}
		first, ferr := strconv.ParseUint(strings.TrimSpace(from), 10, 8)
		last, lerr := strconv.ParseUint(strings.TrimSpace(to), 10, 8)
		if ferr != nil || lerr != nil || first > last || last > 247 && last != 255 || last == 255 && first != 255 ||
			first == 0 && last != 0 {
			return fmt.Errorf("want unit ids from 1 to 247, as in 1-10,17, and on tcp:// 0 and 255 too, as in "+
				"0,1,255; not %q", word)
		}
		for unit := first; unit <= last; unit++ {
			if !slices.Contains(*l, byte(unit)) {
				*l = append(*l, byte(unit))
			}
		}
	}
	return nil
}

// Run scans the line and prints the found units. It fails if no unit answers, or if the scan was stopped. The units
// that were found until then are printed too.
func (c *scanCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	line, catalog, err := c.line(cli)
	if err != nil {
		return err
	}
	agent, err := c.agentOf(ctx, cli, line)
	if err != nil {
		return err
	}
	listing, _, err := c.search(ctx, p, line, catalog, agent)
	if listing == nil {
		return c.taken(err, cli)
	}
	if perr := p.printScan(*listing, cli); perr != nil {
		return perr
	}
	return err
}

// search asks every unit of the line. It returns a listing, and the settings at which the units answered. The listing
// is nil if the port could not be used at all. An error with a listing means that no device answers, or that the scan
// was stopped. If agent is not nil, the running agent has the port open and sends the requests.
func (c *scanCommand) search(ctx context.Context, p *Program, line *configs.Line, catalog *objects.Catalog,
	agent *daemonSource) (*ScanListing, modbus.Settings, error) {
	scan := &modbus.Scan{Settings: c.settings(line), Units: c.Units, Timeout: line.Timeout, Now: p.Now}
	for _, f := range c.Function {
		scan.Functions = append(scan.Functions, f[1]-'0') // "04"
	}
	if agent != nil {
		scan.Ask = agent.probe
	}
	progress := newProgress(p.Stderr, scan)
	scan.Step = progress.step
	result, err := scan.Run(ctx)
	progress.done()
	if err != nil && result.Asked == 0 && len(result.Found) == 0 {
		return nil, result.Settings, err
	}
	listing := listScan(line, result, catalog, c.Units)
	listing.Complete = err == nil
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("the scan was cut short after %s, by a signal", counted(result.Asked, "unit"))
	case err != nil:
		err = fmt.Errorf("the scan was cut short after %s: %w", counted(result.Asked, "unit"), err)
	case len(result.Found) == 0:
		err = noAnswerError(listing)
	}
	return &listing, result.Settings, err
}

// line returns the line to scan: a line of the configuration, or one for --port.
func (c *scanCommand) line(cli *commandLine) (*configs.Line, *objects.Catalog, error) {
	if c.Port != "" {
		line := portFlags{Port: c.Port, Timeout: scanTimeout}.configLine()
		if isNetwork(c.Port) {
			line.Timeout = scanNetworkTimeout
		}
		if c.Timeout > 0 {
			line.Timeout = c.Timeout
		}
		catalog, err := objects.LoadCatalog(configs.FamiliesDir(cli.Config))
		return line, catalog, err
	}
	config, catalog, err := cli.load()
	if err != nil {
		return nil, nil, err
	}
	found, err := lineOf(config, c.Line)
	if err != nil {
		return nil, nil, err
	}
	if isNetwork(found.Port) && c.hardware() {
		return nil, nil, errNoHardware
	}
	if err := tcpUnits(found.Port, c.Units); err != nil {
		return nil, nil, err
	}
	line := *found
	if c.Timeout > 0 {
		line.Timeout = c.Timeout
	}
	return &line, catalog, nil
}

// agentOf returns the running agent if it polls the line; nil if it does not.
func (c *scanCommand) agentOf(ctx context.Context, cli *commandLine, line *configs.Line) (*daemonSource, error) {
	if c.Port != "" {
		return nil, nil
	}
	socket, err := cli.socket()
	if err != nil {
		return nil, nil // no agent can be asked
	}
	agent := &daemonSource{daemonSocket{socket, readLimit}, place{line: line}}
	has, err := agent.has(ctx)
	var noDaemon *noDaemonError
	switch {
	case errors.As(err, &noDaemon) && noDaemon.absent():
		return nil, nil
	case err != nil:
		return nil, err // it has the port, most likely
	case !has:
		return nil, nil
	case c.hardware() || c.Timeout > 0:
		return nil, failed(fmt.Errorf("the running agent has line %s open with the settings of the configuration: "+
			"--baud, --parity, --stop-bits and --timeout need the port itself", line.Name),
			"sudo systemctl stop noi-agent     (then scan, and start it again)")
	default:
		return agent, nil
	}
}

// settings returns the settings to try: all parities and stop bits of one baud rate, then the next baud rate.
func (c *scanCommand) settings(line *configs.Line) []modbus.Settings {
	base := poll.PortSettings(line)
	if isNetwork(line.Port) {
		return []modbus.Settings{base}
	}
	bauds, parities, stops := c.Baud, c.Parity, c.StopBits
	if len(bauds) == 0 {
		bauds = []int{line.Baud}
		if c.Port != "" {
			bauds = scanBauds()
		}
	}
	if len(parities) == 0 {
		parities = []string{line.Parity}
	}
	if len(stops) == 0 {
		stops = []int{line.StopBits}
	}
	var list []modbus.Settings
	for _, baud := range bauds {
		for _, parity := range parities {
			for _, stop := range stops {
				s := base
				s.Baud, s.Parity, s.StopBits = baud, parity, stop
				list = append(list, s)
			}
		}
	}
	return list
}

// taken adds a way out to err if another program has the port open, because this is nearly always the agent.
func (c *scanCommand) taken(err error, cli *commandLine) error {
	if !modbus.IsBusy(err) {
		return err
	}
	hint := "sudo systemctl stop noi-agent     (if that is the agent; then scan, and start it again)"
	if config, lerr := configs.LoadLenient(cli.Config); lerr == nil {
		at := slices.IndexFunc(config.Lines, func(l configs.Line) bool { return samePort(l.Port, c.Port) })
		if at >= 0 {
			hint = "noi-agent scan --line " + shell.Quote(config.Lines[at].Name) +
				"     (if that is the agent: it asks between its own reads)"
		}
	}
	return failed(err, hint)
}

// samePort reports whether two paths are the same device.
func samePort(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// noAnswerError returns the error for a scan without an answer, with the things to check.
func noAnswerError(l ScanListing) error {
	if isNetwork(l.Port) {
		return errors.New("no device answers: check the unit ids, the power of the controllers, and the gateway's " +
			"own status and mode (tcp:// is Modbus TCP, rtu+tcp:// RTU frames). A longer --timeout helps with slow " +
			"gateways")
	}
	if len(l.Garbled) > 0 {
		return errors.New("no device answers, but bytes arrive that are no valid frame: try other baud rates and " +
			"--parity none,even; check that no two controllers have the same unit id, and that no other master uses " +
			"the line")
	}
	return errors.New("no device answers: check the power of the controllers, the wires A and B (swapped?), and the " +
		"port. --parity none,even tries another parity. A longer --timeout helps with radios")
}
