package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"noi-agent/configs"
	"noi-agent/modbus"
)

// ask asks a question. The flag with this name may have the answer.
func (iv *interview) ask(ctx context.Context, flag, text, proposal string, take func(string) error) error {
	q := question{flag: flag, text: text, proposal: proposal, take: take}
	if iv.given(flag) {
		q.given = iv.flags[flag]
	}
	return iv.put(ctx, q)
}

// askPort lists the ports of this machine. The answer is the number of a port, a path, or a network address.
func (iv *interview) askPort(ctx context.Context) error {
	ports, proposal := modbus.Ports("/"), ""
	if iv.input != nil && !iv.given("port") {
		iv.say("\nSerial ports:")
		for i, port := range ports {
			remark := ""
			if (&here{root: "/"}).shared(port) {
				remark = "   (no serial number: with two such adapters choose a name under by-path)"
			}
			iv.say("  %d  %s%s", i+1, port, remark)
			proposal = "1"
		}
		if len(ports) == 0 {
			iv.say("  none found; is the adapter plugged in?")
		}
	}
	return iv.ask(ctx, "port", "Number, path, or tcp://HOST of a gateway", proposal, func(answer string) error {
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(ports) {
			answer = ports[n-1]
		}
		if answer == "" {
			return errors.New("name a port")
		}
		if !isNetwork(answer) {
			answer = absolute(answer)
		}
		return iv.draft.try(iv.catalog, func(d *draft) { d.line.Port = answer })
	})
}

// askControllers scans the line, or stores the controllers of --slave.
func (iv *interview) askControllers(ctx context.Context) error {
	iv.scan.Port = iv.draft.line.Port
	iv.draft.settings(iv.scan.settings(iv.scanned())[0])
	if len(iv.slaves) > 0 {
		return flagError("slave", iv.takeSlaves(iv.slaves))
	}
	for {
		iv.say("\nLooking for controllers.")
		listing, settings, err := iv.scan.search(ctx, iv.p, iv.scanned(), iv.catalog, nil)
		if ctx.Err() != nil {
			return err
		}
		if modbus.IsBusy(err) {
			err = fmt.Errorf("%w; if that is the agent, stop it first: sudo systemctl stop noi-agent", err)
		}
		if err == nil {
			iv.draft.settings(settings)
			return iv.takeFound(ctx, listing)
		}
		if iv.input == nil {
			return err
		}
		iv.say("%v", err)
		err = iv.put(ctx, question{text: "Enter scans again; or name the controllers as ID:MODEL, such as 1:PSPWM",
			take: func(answer string) error { return iv.takeSlaves(strings.Fields(answer)) }})
		if err != nil || len(iv.draft.line.Slaves) > 0 {
			return err
		}
	}
}

// scanned returns the line for the scan.
func (iv *interview) scanned() *configs.Line {
	line := portFlags{Port: iv.draft.line.Port, Timeout: scanTimeout}.configLine()
	if isNetwork(line.Port) {
		line.Timeout = scanNetworkTimeout
	}
	return line
}

// parseSlave reads ID:MODEL or ID:MODEL:NAME.
func parseSlave(text string) (*configs.Slave, error) {
	words := strings.SplitN(text, ":", 3)
	unit, err := strconv.Atoi(words[0])
	if err != nil || len(words) < 2 || words[1] == "" {
		return nil, fmt.Errorf("want ID:MODEL, such as 1:PSPWM, not %q", text)
	}
	s := unknownSlave(unit)
	s.Model = words[1]
	if len(words) == 3 {
		s.Name = words[2]
	}
	return s, nil
}

// takeSlaves stores named controllers. Without words it stores none.
func (iv *interview) takeSlaves(words []string) error {
	var slaves []configs.Slave
	for _, text := range words {
		s, err := parseSlave(text)
		if err != nil {
			return err
		}
		slaves = append(slaves, *s)
	}
	return iv.draft.try(iv.catalog, func(d *draft) { d.line.Slaves = slaves })
}

// takeFound stores the controllers that the scan has found. It asks for the model of a controller of an unknown family.
func (iv *interview) takeFound(ctx context.Context, l *ScanListing) error {
	printFound(iv.screen, *l, iv.look())
	found := l.Found
	if l.Same {
		found = found[:1]
	}
	for _, f := range found {
		s := unknownSlave(f.UnitID)
		s.Model = f.Family
		says := clean(cmp.Or(strings.TrimSpace(f.ProductCode+" "+f.Revision), f.ServerID, "an unidentified device"))
		if s.Model == "" {
			err := iv.put(ctx, question{
				text: fmt.Sprintf("No family fits unit %d (%s). Its family (%s); Enter leaves it out", f.UnitID, says,
					slugs(iv.catalog.Families())),
				take: func(answer string) error { return iv.takeModel(s, answer) }})
			if err != nil {
				return err
			}
		}
		if s.Model == "" {
			iv.say("unit %d (%s) is left out: name its family with --slave %d:MODEL", f.UnitID, says, f.UnitID)
			continue
		}
		iv.draft.line.Slaves = append(iv.draft.line.Slaves, *s)
		iv.draft.says[f.UnitID] = says
	}
	if len(iv.draft.line.Slaves) == 0 {
		return failed(errors.New("no controller is left to configure"), "noi-agent objects     (lists the families)")
	}
	return nil
}

// takeModel sets the family of a controller. "" leaves it unset.
func (iv *interview) takeModel(s *configs.Slave, answer string) error {
	if answer == "" {
		return nil
	}
	family, err := familyNamed(iv.catalog, answer)
	if err != nil {
		return err
	}
	s.Model = family.Slug
	return nil
}

// askNames asks for the names of controllers that would otherwise have the same name in their messages.
func (iv *interview) askNames(ctx context.Context) error {
	slaves := iv.draft.line.Slaves
	for i := range slaves {
		s := &slaves[i]
		alike := slices.ContainsFunc(slaves, func(o configs.Slave) bool { return o.ID != s.ID && o.Model == s.Model })
		if !alike || s.Name != "" {
			continue
		}
		code, _, _ := strings.Cut(cmp.Or(iv.draft.says[s.ID], s.Model), " ")
		err := iv.put(ctx, question{flag: "slave", text: fmt.Sprintf("Name of unit %d in the messages", s.ID),
			proposal: fmt.Sprintf("%s-%d", code, s.ID),
			take: func(name string) error {
				return iv.draft.try(iv.catalog, func(d *draft) { d.line.Slaves[i].Name = name })
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// look returns the look of the tables among the questions, which are printed on stderr.
func (iv *interview) look() look {
	return look{terminal: true, width: widthOf(iv.screen), header: true}
}
