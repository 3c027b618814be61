package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.bug.st/serial"
)

// Scan is a search for the units that answer on a line. It only reads. It sends one request to each silent unit, and a
// few to each unit that answers.
type Scan struct {
	Settings []Settings // at least one; tried in this order until a unit answers
	Units    []byte     // 1 to 247, on Modbus TCP 0 and 255 too; asked in this order
	// functions of the requests; the second is used only if the first found no unit at any settings. nil: 04, then 03
	Functions []byte
	Timeout   time.Duration                // first byte of a reply; 0: DefaultTimeout
	Open      func(Settings) (Port, error) // nil: Dial
	// asks one unit in the place of Probe, with the same results; nil: Run opens the port itself
	Ask    func(ctx context.Context, unit, function byte) (*Found, error)
	Now    func() time.Time // stamps identities; nil: time.Now
	Logger *slog.Logger     // nil: discard
	Step   func(Step)       // called before each unit is asked; nil: not called
}

// Step is the progress of a scan.
type Step struct {
	Settings    Settings
	Function    byte
	Unit        byte // asked now
	Asked, All  int  // units of this round: asked so far, and in all
	Found       int  // in this round
	Round, Last int  // number of this round, from 1, and of the last one if no unit answers
}

// Found is a unit that answers.
type Found struct {
	Unit      byte
	Exception *Exception // nil: the unit gave registers; an exception is an answer too
	Identity  Identity   // by function 0x2B/0x0E; zero: the unit gives none
	ServerID  string     // by function 0x11, if 0x2B/0x0E gives none; empty: neither does
}

// Garbled is a unit whose answer was no valid frame: the settings are wrong, there is noise, or two slaves have the
// same unit id.
type Garbled struct {
	Settings Settings
	Unit     byte
}

// ScanResult is the result of a scan. After an error it is incomplete.
type ScanResult struct {
	Settings Settings // the settings at which a unit answered, or the last ones tried
	Found    []Found  // in the order of Units
	Garbled  []Garbled
	Asked    int // units, each once a round
}

// Rounds returns how often Run asks all units if none answers.
func (s *Scan) Rounds() int { return len(s.Settings) * len(s.functions()) }

// Expected returns how long one round takes if no unit answers: for each unit the request, the timeout, the slack for
// adapters, and, except on Modbus TCP, the silence in which a late reply would pass. A unit that answers takes less.
func (s *Scan) Expected(settings Settings) time.Duration {
	each := s.timeout() + adapterSlack
	if !strings.HasPrefix(settings.Port, schemeTCP) {
		// The first request to a unit is a probe of two registers: 8 characters out, 9 back.
		each += settings.WireTime(8) + adapterSlack + settings.WireTime(5+2*2)
	}
	return time.Duration(len(s.Units)) * each
}

func (s *Scan) functions() []byte {
	if len(s.Functions) == 0 {
		return []byte{FuncReadInput, FuncReadHolding}
	}
	return s.Functions
}

func (s *Scan) timeout() time.Duration {
	if s.Timeout <= 0 {
		return DefaultTimeout
	}
	return s.Timeout
}

// Run scans until a unit answers at one of the settings, and finishes this round. With every error it also returns the
// units found so far. Errors are *OpenError, ErrPort and ctx's.
func (s *Scan) Run(ctx context.Context) (ScanResult, error) {
	var result ScanResult
	round := 0
	for _, function := range s.functions() {
		for _, settings := range s.Settings {
			round++
			result.Settings = settings
			if err := s.round(ctx, Step{Settings: settings, Function: function, Round: round, Last: s.Rounds()},
				&result); err != nil {
				return result, fmt.Errorf("scan %s: %w", settings.Port, err)
			}
			if len(result.Found) > 0 {
				return result, nil
			}
		}
	}
	return result, nil
}

// round asks every unit once at the same settings.
func (s *Scan) round(ctx context.Context, step Step, result *ScanResult) (err error) {
	ask := s.Ask
	if ask == nil {
		line := s.line(step.Settings)
		if err := line.Open(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, line.Close()) }()
		ask = func(ctx context.Context, unit, function byte) (*Found, error) {
			return Probe(ctx, line, unit, function)
		}
	}
	step.All = len(s.Units)
	for i, unit := range s.Units {
		step.Unit, step.Asked, step.Found = unit, i, len(result.Found)
		if s.Step != nil {
			s.Step(step)
		}
		found, err := ask(ctx, unit, step.Function)
		if found != nil {
			result.Found = append(result.Found, *found)
		}
		switch {
		case errors.Is(err, ErrFrame):
			result.Garbled = append(result.Garbled, Garbled{step.Settings, unit})
		case err != nil && !errors.Is(err, ErrTimeout):
			return err
		}
		result.Asked++
	}
	return nil
}

// line returns the line of a round, still closed.
func (s *Scan) line(settings Settings) *Line {
	options := Options{Settings: settings, Timeout: s.timeout(), Now: s.Now, Logger: s.Logger}
	if s.Open != nil {
		options.Open = func() (Port, error) { return s.Open(settings) }
	}
	return NewLine(options)
}

// Probe asks one unit of a line (1 to 247, on Modbus TCP 0 and 255 too) for a register with function 03 or 04. If the
// unit answers, Probe asks for its identity too. An exception is an answer. Found is nil if there was no valid answer.
// That a unit does not answer, or refuses, is no Fault of the line.
//
// Errors: ErrTimeout: there is no unit. ErrFrame: there is a device, but its answers are not valid. ErrRefused, ErrPort
// and ctx's: the probe was cut short; Found is the unit if it has answered before.
func Probe(ctx context.Context, l *Line, unit, function byte) (*Found, error) {
	l.tally.try(true)
	defer l.tally.try(false)
	exception, err := isThere(ctx, l, unit, function)
	if err != nil {
		return nil, err
	}
	found := &Found{Unit: unit, Exception: exception}
	found.Identity, err = l.Identify(ctx, unit)
	if !ends(err) && found.Identity.ProductCode == "" {
		found.ServerID, _, err = l.ServerID(ctx, unit)
	}
	if ends(err) {
		return found, err
	}
	return found, nil // a unit without identity is a unit
}

// scanTries is the number of requests to a unit whose answer is garbage.
const scanTries = 3

// isThere asks one unit for a register. ErrTimeout: there is no unit; ErrFrame: there is a device, but its answer is
// not valid. An exception is an answer.
func isThere(ctx context.Context, l *Line, unit, function byte) (exception *Exception, err error) {
	for range scanTries {
		if _, err = l.Read(ctx, unit, function, 0, 1); !errors.Is(err, ErrFrame) {
			break
		}
	}
	switch {
	case !errors.As(err, &exception):
		return nil, err
	case gatewaySpeaks(exception):
		return nil, fmt.Errorf("%w: %w", ErrTimeout, err)
	default:
		return exception, nil
	}
}

// gatewaySpeaks reports whether the gateway itself sent an exception, because it could not reach the slave (MODBUS
// Application Protocol V1.1b3 §7, codes 0A and 0B).
func gatewaySpeaks(e *Exception) bool { return e.Code == 0x0A || e.Code == 0x0B }

// ends reports whether an error is of the line or the scan, and ends the scan.
func ends(err error) bool {
	var e *Exception
	return err != nil && !errors.As(err, &e) && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrFrame)
}

// IsBusy reports whether a port could not be opened because another program has it.
func IsBusy(err error) bool {
	return errors.Is(err, errBusy) || errors.Is(err, syscall.EBUSY) || isCode(err, serial.PortBusy)
}

// AllUnits returns all unit ids, 1 to 247.
func AllUnits() []byte {
	units := make([]byte, maxUnit)
	for i := range units {
		units[i] = byte(i + 1)
	}
	return units
}

// GarbledUnits returns the unit ids in Garbled, ascending, each once.
func (r ScanResult) GarbledUnits() []byte {
	units := make([]byte, len(r.Garbled))
	for i, g := range r.Garbled {
		units[i] = g.Unit
	}
	slices.Sort(units)
	return slices.Compact(units)
}
