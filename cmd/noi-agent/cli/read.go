package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/api"
)

type readCommand struct {
	What     []string `arg:"" name:"object" help:"Objects by name, or registers: 0x0012, 0x0012+4, 0x0012-0x0015."`
	Line     string   `placeholder:"NAME" help:"Line of the configuration; may be left out when there is just one."`
	Unit     *int     `placeholder:"N" help:"Unit id, 1 to 247, on tcp:// 0 and 255 too; may be left out when the line has just one slave. With --port: 1."`
	Function string   `placeholder:"01|02|03|04" enum:"01,02,03,04,1,2,3,4" default:"04" help:"Function code that reads registers, or bits with 01 and 02 (${default}). Objects have their own."`
	Model    string   `placeholder:"M" help:"Family or product code, for objects. Default: of the configuration, or what the slave says it is."`
	portFlags
}

// portFlags name a port without any configuration.
type portFlags struct {
	Port     string        `placeholder:"PORT" help:"Serial port, or tcp://HOST, instead of a line of the configuration, which is not read then."`
	Baud     int           `placeholder:"N" help:"With --port: baud rate. Default: 9600."`
	Parity   string        `placeholder:"P" enum:"none,even,odd," default:"" help:"With --port: none, even or odd. Default: none."`
	StopBits int           `placeholder:"N" enum:"1,2,0" default:"0" help:"With --port: 1 or 2. Default: 2."`
	Timeout  time.Duration `placeholder:"T" help:"With --port: wait for the first byte of a reply. Default: 500ms."`
}

// Validate refuses what can never be right.
func (c *readCommand) Validate() error {
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

// Usual baud rates lie between these.
const (
	leastBaud = 300
	mostBaud  = 4_000_000
)

func (f portFlags) validate() error {
	given := f.Baud != 0 || f.Parity != "" || f.StopBits != 0 || f.Timeout != 0
	switch {
	case f.Port == "" && given:
		return errors.New("--baud, --parity, --stop-bits and --timeout go with --port; a line has its own in the configuration")
	case f.Baud != 0 && (f.Baud < leastBaud || f.Baud > mostBaud):
		return fmt.Errorf("--baud: want %d to %d, not %d", leastBaud, mostBaud, f.Baud)
	case f.Timeout < 0:
		return fmt.Errorf("--timeout: want a time above zero, not %v", f.Timeout)
	default:
		return nil
	}
}

// configLine returns the line that the flags describe, as the configuration would have it.
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

// Run reads each word and prints all that could be read. It fails when one could not.
func (c *readCommand) Run(p *Program, cli *commandLine) error {
	at, catalog, err := c.place(cli)
	if err != nil {
		return err
	}
	ctx, stop := p.untilSignal()
	defer stop()
	from, err := at.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = from.close() }() // nothing was written
	result := ReadResult{Line: at.line.Name, Port: at.line.Port, UnitID: at.slave.ID, Objects: []objectReading{}, Registers: []registerReading{}}
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
		p.complain(fmt.Errorf("warning: %s; the values are by --model", strings.Replace(doubt, "the configuration", "--model", 1)))
	} else if doubt != "" {
		result.refuse(doubt + ". " + api.MismatchRemedy)
	}
	return p.printReadings(result, cli.JSON)
}

// place returns what the flags mean, and the families.
func (c *readCommand) place(cli *commandLine) (place, *objects.Catalog, error) {
	if c.Port == "" {
		config, catalog, err := cli.load()
		if err != nil {
			return place{}, nil, err
		}
		at, err := placeOf(config, c.Line, c.Unit)
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

// function is one of the four by its last digit.
func (c *readCommand) function() byte { return c.Function[len(c.Function)-1] - '0' }
