package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/cmd/noi-agent/doctor"
	"noi-agent/configs"
	"noi-agent/sinks"
)

type doctorCommand struct{}

func newDoctor(s *session) *cobra.Command {
	return s.bind(&cobra.Command{
		Use: "doctor", Short: "Look for what is wrong with this gateway.",
		Example: `  sudo noi-agent doctor          # the verdict is the last line; exit 1 if there is a fault
  sudo noi-agent doctor --json`,
		Long: "Configuration, ports, adapters, clock, disk, service, daemon and clouds are looked at, and nothing is " +
			"changed. Each line has what was seen, why it matters, and a command to paste. The daemon reports what " +
			"it owns: its problems are among the lines. Only if no daemon answers does this command try the " +
			"clouds itself, without sending a message. Run it as root: other users cannot see every program " +
			"that has the port open.",
	}, &doctorCommand{})
}

// probeLimit bounds the test of one cloud.
const probeLimit = 20 * time.Second

// Run examines this machine.
func (*doctorCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	s := &doctor.Site{Root: "/", User: lookUpDaemonUser(), ConfigPath: cli.Config, Version: p.Version, Disk: diskUnder}
	if s.Config, _, s.ConfigErr = cli.load(); s.ConfigErr != nil {
		s.Config = nil
	} else {
		s.Notices = noticesBesidePorts(s.Config)
	}
	if status, err := cli.daemonStatus(ctx); err == nil {
		s.Status = &status
	} else {
		s.StatusErr = err
		s.Probe = probeCloud
	}
	r := doctor.Examine(ctx, s)
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

// noticesBesidePorts are the notices of `check`, without those of the ports: doctor has checks of its own for them.
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
	u := doctor.User{Name: found.Username}
	if uid, err := strconv.ParseUint(found.Uid, 10, 32); err == nil {
		u.UID = uint32(uid)
	}
	groups, _ := found.GroupIds() // without them, only the user's own rights count
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

// probeCloud goes the way to an integration's topic, step by step, and sends nothing.
func probeCloud(ctx context.Context, in *configs.Integration) (steps []sinks.Step) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	sink, err := newSink(*in, strings.Repeat("0", 24), slog.New(slog.DiscardHandler))
	if err != nil {
		return []sinks.Step{{Name: "credentials", Verdict: sinks.StepFailed, Text: err.Error()}}
	}
	defer func() { _ = sink.Close() }() // the results are in
	sink.Probe(ctx, func(s sinks.Step) { steps = append(steps, s) })
	return steps
}

func printReport(p *Program, r doctor.Report) {
	for _, f := range r.Findings {
		subject := f.ID
		if f.Subject != "" {
			subject += " " + f.Subject
		}
		fmt.Fprintf(p.Stdout, "%-7s  %s: %s\n", f.Level, subject, f.Evidence)
		if f.Level != doctor.OK {
			fmt.Fprintf(p.Stdout, "         why: %s\n         try: %s\n", f.Why, f.Command)
		}
	}
	fmt.Fprintf(p.Stdout, "\n%s\n", r.Verdict)
}
