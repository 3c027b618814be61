package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/agent/integrations"
	"noi-agent/agent/poll"
	"noi-agent/cmd/noi-agent/doctor"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/sinks"
	"noi-agent/status/api"
)

type doctorCommand struct{ Send bool }

func newDoctor(s *session) *cobra.Command {
	c := &doctorCommand{}
	cmd := s.bind(&cobra.Command{
		Use: "doctor", Short: "Check this gateway, and print what is wrong.",
		Example: `  sudo noi-agent doctor          # the verdict is the last line; exit 1 if there is a fault
  sudo noi-agent doctor --send   # sends a test message to each integration too`,
		Long: "The command checks configuration, ports, adapters, controllers, clock, disk, service, daemon and " +
			"clouds. It changes nothing. Each finding has the evidence, the reason and a command to paste. The " +
			"problems of the running daemon are findings too. If no daemon answers, the command tests controllers " +
			"and clouds itself. Run it as root: other users cannot see every program that has the port open.",
	}, c)
	cmd.Flags().BoolVar(&c.Send, "send", false,
		"Try the clouds even if the daemon runs, and send each one test message.")
	return cmd
}

// probeLimit is the time limit of the test of one integration.
const probeLimit = 20 * time.Second

// Run checks this machine.
func (c *doctorCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	s := p.site(cli)
	s.Sync = p.syncedWrite
	status, err := cli.daemonStatus(ctx)
	if err == nil {
		s.Status = &status
		if socket, err := cli.socket(); err == nil {
			s.User = ownerOf(socket, s.User)
		}
	} else {
		s.StatusErr, s.Ask = err, p.askLine
	}
	if c.Send || err != nil {
		s.Probe = p.prober(cli, c.Send)
	}
	r := doctor.Examine(ctx, s)
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Evidence, f.Why, f.Command = cli.advised(f.Evidence), cli.advised(f.Why), cli.advised(f.Command)
	}
	if cli.JSON {
		if err := printJSON(p.Stdout, r); err != nil {
			return err
		}
	} else {
		printReport(p, r)
	}
	if r.Faults > 0 {
		return errSilent
	}
	return nil
}

// site describes this machine for the checks. Command and daemon use it.
func (p *Program) site(cli *commandLine) *doctor.Site {
	s := &doctor.Site{Root: "/", User: lookUpDaemonUser(), ConfigPath: cli.Config, Version: p.Version, Now: p.Now(),
		Built: p.Time.Built, Disk: diskUnder}
	if s.Config, _, s.ConfigErr = cli.loadAll(); s.ConfigErr != nil {
		s.Config = nil
	} else {
		s.Notices = noticesBesidePorts(s.Config)
	}
	return s
}

// diagnosisLimit is the time limit of a diagnosis by the daemon. It is below the time limit of the endpoint's answers.
const diagnosisLimit = 10 * time.Second

// diagnosis returns the function that checks the machine in the daemon. It does not test lines and clouds, because the
// problems of the daemon report their state.
func (p *Program) diagnosis(cli *commandLine, status func() api.Status) func(context.Context) api.Diagnosis {
	return func(ctx context.Context) api.Diagnosis {
		ctx, cancel := context.WithTimeout(ctx, diagnosisLimit)
		defer cancel()
		s, now := p.site(cli), status()
		s.Status = &now
		return doctor.Examine(ctx, s)
	}
}

// noticesBesidePorts returns the notices of `check`, except those about ports, for which doctor has its own checks.
func noticesBesidePorts(config *configs.Config) (texts []string) {
	for _, n := range append(config.Notices(), noticesHere(config)...) {
		if !strings.HasSuffix(n.Path, ".port") {
			texts = append(texts, n.Error())
		}
	}
	return texts
}

func lookUpDaemonUser() doctor.User {
	found, err := user.Lookup(daemonUser)
	if err != nil {
		return doctor.User{}
	}
	return described(found)
}

// ownerOf returns the user to whom the socket of a daemon belongs: the daemon runs as this user, also if it is not the
// service. If the owner is not known, or is root, who has every permission, it returns service.
func ownerOf(socket string, service doctor.User) doctor.User {
	info, err := os.Stat(socket)
	if err != nil {
		return service
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return service
	}
	found, err := user.LookupId(strconv.FormatUint(uint64(stat.Uid), 10))
	if err != nil {
		return service
	}
	return described(found)
}

// described returns a user with the ids of all its groups.
func described(found *user.User) doctor.User {
	u := doctor.User{Name: found.Username}
	if uid, err := strconv.ParseUint(found.Uid, 10, 32); err == nil {
		u.UID = uint32(uid)
	}
	groups, _ := found.GroupIds() // after an error, only the permissions of the user itself count
	for _, group := range groups {
		if gid, err := strconv.ParseUint(group, 10, 32); err == nil {
			u.Groups = append(u.Groups, uint32(gid))
		}
	}
	return u
}

func diskUnder(dir string) (doctor.Disk, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return doctor.Disk{}, fmt.Errorf("ask for the free space of %s: %w", dir, err)
	}
	size := uint64(fs.Bsize)
	return doctor.Disk{Free: fs.Bavail * size, Size: fs.Blocks * size}, nil
}

// syncedWrite measures the time of a synced write of one page, for which a commit waits. It is the middle of three
// measurements. The file is deleted at once.
func (p *Program) syncedWrite(dir string) (time.Duration, error) {
	f, err := os.CreateTemp(dir, ".noi-doctor-*")
	if err != nil {
		return 0, fmt.Errorf("measure synced writes: %w", err)
	}
	defer func() { _ = f.Close() }() // the file is already deleted
	if err := os.Remove(f.Name()); err != nil {
		return 0, fmt.Errorf("measure synced writes: %w", err)
	}
	var took []time.Duration
	for range 3 {
		begun := p.Now()
		_, err := f.Write(make([]byte, 4096))
		if err := errors.Join(err, f.Sync()); err != nil {
			return 0, fmt.Errorf("measure synced writes: %w", err)
		}
		took = append(took, p.Now().Sub(begun))
	}
	slices.Sort(took)
	return took[1], nil
}

// askLine asks the configured slaves of a line, at the settings of the line or at the other usual settings.
func (p *Program) askLine(ctx context.Context, line *configs.Line, others bool) (modbus.ScanResult, error) {
	at := poll.PortSettings(line)
	scan := &modbus.Scan{Settings: []modbus.Settings{at}, Timeout: line.Timeout, Now: p.Now}
	for i := range line.Slaves {
		scan.Units = append(scan.Units, byte(line.Slaves[i].ID))
	}
	if others {
		scan.Settings, scan.Timeout = otherSettings(at), scanTimeout
	}
	return scan.Run(ctx)
}

// otherSettings returns the usual baud rates, each with parity none and even, without the settings of the line.
func otherSettings(at modbus.Settings) (list []modbus.Settings) {
	for _, baud := range scanBauds() {
		for _, parity := range []string{"none", "even"} {
			s := at
			if s.Baud, s.Parity = baud, parity; s != at {
				list = append(list, s)
			}
		}
	}
	return list
}

// prober returns the function that tests an integration step by step. Only with send it also sends a message.
func (p *Program) prober(cli *commandLine, send bool) func(context.Context, *configs.Integration) []sinks.Step {
	return func(ctx context.Context, in *configs.Integration) (steps []sinks.Step) {
		ctx, cancel := context.WithTimeout(ctx, probeLimit)
		defer cancel()
		sink, err := newSink(*in, noDevice, slog.New(slog.DiscardHandler))
		if err != nil {
			return []sinks.Step{{Name: "credentials", Verdict: sinks.StepFailed, Text: err.Error()}}
		}
		defer func() { _ = sink.Close() }() // the results are in
		var message *sinks.Message
		if send {
			message = integrations.TestMessage(p.Now(), p.Version, in.ID, noDevice)
		}
		integrations.Trial(ctx, sink, message, func(s sinks.Step) {
			// The daemon's user may have credentials that this user does not have.
			if note := otherUser(*in); note != "" && s.Name == "credentials" && s.Verdict == sinks.StepFailed {
				s.Verdict, s.Remedy = sinks.StepUnknown, note
			}
			steps = append(steps, s)
		})
		return steps
	}
}

// printReport prints the findings. The lines fit the terminal, except those of a command: a person copies it whole.
func printReport(p *Program, r doctor.Report) {
	for _, f := range r.Findings {
		subject := f.ID
		if f.Subject != "" {
			subject += " " + f.Subject
		}
		hanging(p.Stdout, fmt.Sprintf("%-7s  ", f.Level), subject+": "+f.Evidence)
		if f.Level != doctor.OK {
			hanging(p.Stdout, "         why: ", f.Why)
			fmt.Fprintf(p.Stdout, "         try: %s\n", f.Command)
		}
	}
	fmt.Fprintln(p.Stdout)
	sentence(p.Stdout, "%s", r.Verdict)
}
