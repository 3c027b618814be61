package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/api"
)

type readCommand struct {
	What     []string
	Line     string
	Unit     *int
	Function string
	Model    string
	Quiet    bool
	portFlags
}

func newRead(s *session) *cobra.Command {
	c := &readCommand{Function: "04"}
	cmd := s.bind(&cobra.Command{
		Use: "read OBJECT...", Short: "Read objects or registers of a slave now.",
		Example: `  noi-agent read adc_vbterm charge_state
  noi-agent read 0x0012 --port /dev/ttyUSB0 --unit 1   # registers, without any configuration`,
		Long: "An argument is the name of an object, or registers: 0x0012, 0x0012+4, 0x0012-0x0015. A running " +
			"daemon reads for the command, between its own polls. If no daemon runs, the command opens the port " +
			"itself.",
		Args:              someArgs(&c.What, "name an object or a register, such as adc_vbterm or 0x0012"),
		ValidArgsFunction: complete(s.cli.objectNames),
	}, c)
	f := cmd.Flags()
	f.StringVar(&c.Line, "line", "",
		"Line of the configuration, by its `NAME`; may be left out where there is only one.")
	f.Var(optionalInt{&c.Unit}, "unit",
		"Unit id `N`, 1 to 247, on tcp:// 0 and 255 too; may be left out where the line has only one slave. With "+
			"--port: 1.")
	f.Var(choice{&c.Function, []string{"01", "02", "03", "04"},
		map[string]string{"1": "01", "2": "02", "3": "03", "4": "04"}}, "function",
		"Function `CODE` that reads registers (03, 04) or bits (01, 02). Objects have their own.")
	f.StringVar(&c.Model, "model", "",
		"Family or product code `MODEL`, for objects. Default: that of the configuration, or by the product code "+
			"that the slave reports.")
	f.BoolVarP(&c.Quiet, "quiet", "q", false, "Print the value and nothing else, of one object.")
	c.add(cmd)
	_ = cmd.RegisterFlagCompletionFunc("line", complete(s.cli.lineNames)) // the flags are there
	_ = cmd.RegisterFlagCompletionFunc("model", complete(s.cli.familyNames))
	return cmd
}

// portFlags describe a port without a configuration.
type portFlags struct {
	Port     string
	Baud     int
	Parity   string
	StopBits int
	Timeout  time.Duration
}

func (f *portFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.Port, "port", "",
		"Serial `PORT`, or tcp://HOST, instead of a line of the configuration, which is not read then.")
	flags.IntVar(&f.Baud, "baud", 0, "With --port: baud rate `N`. Default: 9600.")
	choose(cmd, &f.Parity, "parity", []string{"none", "even", "odd"},
		"With --port: parity `P`, none, even or odd. Default: none.")
	flags.IntVar(&f.StopBits, "stop-bits", 0, "With --port: 1 or 2 stop bits, `N`. Default: 2.")
	flags.DurationVar(&f.Timeout, "timeout", 0,
		"With --port: wait `TIME` for the first byte of a reply. Default: 500ms.")
	_ = cmd.RegisterFlagCompletionFunc("port", completePorts) // the flag is there
}

// Validate refuses flags that are wrong for every configuration.
func (c *readCommand) Validate() error {
	if c.Quiet && (len(c.What) != 1 || isRegisters(c.What[0])) {
		return errors.New("--quiet is for the value of one object")
	}
	for _, word := range c.What {
		if isRegisters(word) {
			if _, err := parseRegisters(word); err != nil {
				return err
			}
		}
	}
	if c.Unit != nil {
		if *c.Unit < 0 || *c.Unit > 247 && *c.Unit != 255 {
			return fmt.Errorf("--unit: want 1 to 247, or 0 or 255 on tcp://, not %d", *c.Unit)
		}
		if err := tcpUnits(c.Port, []byte{byte(*c.Unit)}); c.Port != "" && err != nil {
			return fmt.Errorf("--unit: %w", err)
		}
	}
	if c.Port != "" && c.Line != "" {
		return errors.New("--port and --line exclude one another: a line has its port in the configuration")
	}
	return c.portFlags.validate()
}

// The lowest and the highest baud rate of the flags.
const (
	leastBaud = 300
	mostBaud  = 4_000_000
)

func (f portFlags) validate() error {
	given := f.Baud != 0 || f.Parity != "" || f.StopBits != 0 || f.Timeout != 0
	switch {
	case f.Port == "" && given:
		return errors.New("--baud, --parity, --stop-bits and --timeout go with --port; a line has its own in the " +
			"configuration")
	case f.Baud != 0 && (f.Baud < leastBaud || f.Baud > mostBaud):
		return fmt.Errorf("--baud: want %d to %d, not %d", leastBaud, mostBaud, f.Baud)
	case f.StopBits < 0 || f.StopBits > 2:
		return fmt.Errorf("--stop-bits: want 1 or 2, not %d", f.StopBits)
	case f.Timeout < 0:
		return fmt.Errorf("--timeout: want a time above zero, not %v", f.Timeout)
	default:
		return nil
	}
}

// configLine returns a line with the flags, and with the defaults of the configuration.
func (f portFlags) configLine() *configs.Line {
	line := new(configs.Line)
	line.SetDefaults()
	line.Port = f.Port
	if f.Baud != 0 {
		line.Baud = f.Baud
	}
	if f.Parity != "" {
		line.Parity = f.Parity
	}
	if f.StopBits != 0 {
		line.StopBits = f.StopBits
	}
	if f.Timeout != 0 {
		line.Timeout = f.Timeout
	}
	return line
}

// Run reads each object and register, and prints the values. It fails if one could not be read.
func (c *readCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	at, catalog, err := c.place(cli)
	if err != nil {
		return err
	}
	from, err := at.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = from.close() }() // nothing was written
	result := ReadResult{
		Line: at.line.Name, Port: at.line.Port, UnitID: at.slave.ID, Slave: slaveName(at.line, at.slave),
		Objects: []objectReading{}, Registers: []registerReading{},
	}
	r := reader{from: from, slave: at.slave, catalog: catalog, model: c.Model}
	for _, word := range c.What {
		if isRegisters(word) {
			result.Registers = append(result.Registers, r.registers(ctx, word, c.function()))
			continue
		}
		o, err := r.find(ctx, word)
		if err != nil {
			return err
		}
		result.Objects = append(result.Objects, r.object(ctx, o))
	}
	if doubt := r.doubts(ctx); doubt != "" && c.Model != "" {
		p.complain(fmt.Errorf("warning: %s; the values are by --model",
			strings.Replace(doubt, "the configuration", "--model", 1)), cli)
	} else if doubt != "" {
		result.refuse(doubt + ". " + api.MismatchRemedy)
	}
	if c.Quiet && !cli.JSON {
		return p.printValue(result.Objects[0])
	}
	return p.printReadings(result, cli)
}

// place returns the slave that the flags select, and the families.
func (c *readCommand) place(cli *commandLine) (place, *objects.Catalog, error) {
	if c.Port == "" {
		config, catalog, err := cli.load()
		if err != nil {
			return place{}, nil, err
		}
		at, err := placeOf(config, c.Line, c.Unit)
		at.socket = cmp.Or(cli.Socket, at.socket)
		return at, catalog, err
	}
	catalog, err := objects.LoadCatalog(configs.FamiliesDir(cli.Config))
	if err != nil {
		return place{}, nil, err
	}
	unit := 1
	if c.Unit != nil {
		unit = *c.Unit
	}
	return place{line: c.configLine(), slave: unknownSlave(unit)}, catalog, nil
}

// function returns the number of the Modbus function.
func (c *readCommand) function() byte { return c.Function[len(c.Function)-1] - '0' }
