package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"noi-agent/agent"
	"noi-agent/agent/integrations"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/modbus"
	"noi-agent/sinks"
	"noi-agent/sinks/pubsub"
	"noi-agent/sinks/sns"
	"noi-agent/status"
)

type runCommand struct{}

// gcPercent is the target of the garbage collector, in percent of the live heap. With 35 the daemon needs 0.7 MB less
// memory than with 50, and 3 MB less than with Go's default of 100. Between 35 and 50 the processor time does not
// differ (docs/benchmarks.md). The environment variable GOGC overrides it.
const gcPercent = 35

func newRun(s *session) *cobra.Command {
	return s.bindDaemon(&cobra.Command{
		Use: "run", Short: "Run the daemon.",
		Example: `  noi-agent run --config /etc/noi-agent/config.yaml
  noi-sim run -- noi-agent run --config /usr/share/doc/noi-agent/configs/demo.yaml   # a demo, all simulated`,
		Long: "systemd runs this command. The log goes to stderr. At SIGHUP the daemon reads the configuration " +
			"again. At SIGTERM and Ctrl-C it ends cleanly.",
	}, &runCommand{})
}

// Run runs the daemon. It returns after a signal, or when the store has failed.
func (*runCommand) Run(_ context.Context, p *Program, cli *commandLine) error {
	config, catalog, err := cli.load()
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	logs := newLogging(p.Stderr, config.Log)
	log := logs.Logger
	shared := new(clients)
	book := p.newBook(cli, config, shared, log)
	a, err := agent.New(agent.Options{
		Config: book.Start(config, catalog), Catalog: catalog, Version: p.Version,
		Logger: log, Now: p.Now, Elapsed: p.Elapsed, Time: p.Time,
		CheckStore: p.CheckStore,
		Memory:     memoryDir(config.Status),
		NewSink: func(in configs.Integration, deviceID string) (publish.Sink,
			error) {
			return shared.newSink(in, deviceID, log)
		},
	})
	if err != nil {
		return err
	}
	book.Attach(a)
	reloads := newReloader(a, book, cli.load, logs)
	endpoint := status.Options{
		Reporter: a, TriggerLog: a, Health: a, Metrics: a.Metrics(), Reader: a, ReadStatus: readStatus,
		StateDir: config.StateDir, DeviceID: a.Status().DeviceID, Hostname: hostname(), Elapsed: p.Elapsed,
		Exporter: a, Replayer: a, DeadLetters: a, Control: reloads, Integrations: book, ReplayStatus: replayStatus,
		Now: p.Now, Gaps: a,
		Listen: config.Status.Listen, Socket: config.Status.Socket, Logger: log, Families: a.Family,
		Hosts: config.Status.Hosts,
		TLS:   status.TLS{Cert: config.Status.TLS.Cert, Key: config.Status.TLS.Key, Built: p.Time.Built},
		Logs:  &logs.ring, Run: a.RunNumber(), Files: supportFiles(cli.Config, config),
		Doctor: p.diagnosis(cli, a.Status), LineFaults: a.LineFaults,
	}
	server := listen(endpoint)
	logReady(log, a, server, config.Lines, cli.Config)
	return p.serve(a, server, reloads)
}

// logReady logs the address of the page, and the number of lines, slaves and integrations.
func logReady(log *slog.Logger, a *agent.Agent, server *status.Server, lines []configs.Line, file string) {
	s, slaves := a.Status(), 0
	for i := range lines { // the status has no slaves before their line has started
		if lines[i].Enabled {
			slaves += len(lines[i].Slaves)
		}
	}
	page := ""
	if server != nil {
		page = server.Page()
	}
	log.Info("ready", "page", page, "lines", len(s.Lines), "slaves", slaves, "integrations", len(s.Integrations),
		"config", file)
}

// newBook returns the book of integrations. Its file is in the state directory.
func (p *Program) newBook(cli *commandLine, config *configs.Config, shared *clients,
	log *slog.Logger) *integrations.Book {
	return integrations.New(integrations.Options{
		File: filepath.Join(config.StateDir, configs.IntegrationsFile), MainFile: cli.Config,
		Version: p.Version, Now: p.Now,
		Logger: log.With("part", "integrations"), CostOf: costOf,
		NewSink: func(in configs.Integration, deviceID string) (integrations.Sink, error) {
			return shared.newSink(in, deviceID, slog.New(slog.DiscardHandler))
		},
	})
}

// listen returns the listening endpoint; nil if it cannot listen. It logs an error and the daemon continues, because
// samples are more important than the page. If only one of TCP and socket cannot be used, the endpoint listens on the
// other one.
func listen(o status.Options) *status.Server {
	tries, logged := []status.Options{o}, ""
	if o.Listen != "" && o.Socket != "" {
		socket, tcp := o, o
		socket.Listen, tcp.Socket = "", ""
		tries = append(tries, socket, tcp)
	}
	for _, some := range tries {
		server := status.New(some)
		err := server.Listen()
		if err == nil {
			return server
		}
		if text := err.Error(); text != logged {
			logged = text
			o.Logger.Error("the status endpoint cannot listen", "error", err)
		}
		if errors.Is(err, status.ErrRunning) {
			break
		}
	}
	return nil
}

// hostname returns the name of this machine; "" if it is not known.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// memoryDir returns the directory for the outbox if the disk fails: systemd's runtime directory, or the directory of
// the socket, if it is in memory. It returns "" if neither is.
func memoryDir(c configs.Status) string {
	for _, dir := range []string{os.Getenv("RUNTIME_DIRECTORY"), filepath.Dir(c.Socket)} {
		var fs syscall.Statfs_t
		if dir != "" && dir != "." && syscall.Statfs(dir, &fs) == nil && fs.Type == tmpfsMagic {
			return dir
		}
	}
	return ""
}

// tmpfsMagic is TMPFS_MAGIC of statfs(2).
const tmpfsMagic = 0x01021994

// readStatus returns the HTTP status for an error of agent.Agent.Read.
func readStatus(err error) int {
	switch {
	case errors.Is(err, agent.ErrNoLine):
		return http.StatusNotFound
	case errors.Is(err, modbus.ErrRefused):
		return http.StatusBadRequest
	case errors.Is(err, modbus.ErrTimeout):
		return http.StatusGatewayTimeout
	case errors.Is(err, modbus.ErrPort), errors.Is(err, context.Canceled): // the port fails, or the line ends
		return http.StatusServiceUnavailable
	default: // an exception, or an invalid reply
		return http.StatusBadGateway
	}
}

// replayStatus returns the HTTP status for an error of agent.Agent.Replay before its first report.
func replayStatus(err error) int {
	switch {
	case errors.Is(err, publish.ErrNoIntegration):
		return http.StatusNotFound
	case errors.Is(err, publish.ErrPaused), errors.Is(err, publish.ErrReplaying), errors.Is(err, publish.ErrNotKept):
		return http.StatusConflict
	default:
		return http.StatusServiceUnavailable
	}
}

// serve runs agent and endpoint until a signal. server is nil if the endpoint could not listen. The endpoint ends after
// the agent, so that an operator can watch the shutdown.
func (p *Program) serve(a *agent.Agent, server *status.Server, reloads *reloader) error {
	running, stop := context.WithCancel(context.Background())
	defer stop()
	serving, stopServing := context.WithCancel(context.Background())
	defer stopServing()

	// Each kind of signal has its own channel, so that waiting hangups leave room for the signal that ends the daemon.
	ends, release := p.Signals()
	defer release()
	hangups, releaseHangups := p.Hangups()
	defer releaseHangups()
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { p.watch(ends, ended, stop, a, reloads.logs.Logger) })
	watching.Go(func() { reloads.onHangups(running, hangups) })
	served := make(chan error, 1)
	go func() {
		if server == nil {
			served <- nil
			return
		}
		served <- server.Serve(serving)
	}()

	p.Notify(daemon.SdNotifyReady)
	err := a.Run(running)
	stop() // ends onHangups, also during a reload
	close(ended)
	watching.Wait()
	stopServing()
	return errors.Join(err, <-served)
}

// watch begins the shutdown at the first signal, and ends its grace period at the second. It also notifies systemd's
// watchdog while the agent is healthy. It waits for nothing else, so that it is never late.
func (p *Program) watch(ends <-chan os.Signal, ended <-chan struct{}, stop func(), a *agent.Agent, log *slog.Logger) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every <= 0 {
		every = time.Minute // systemd has no watchdog for this service; the notifications are ignored
	}
	ticker := time.NewTicker(every / 2)
	defer ticker.Stop()
	asked, sentence := false, ""
	for {
		select {
		case <-ended:
			return
		case s := <-ends:
			log.Info("signal", "signal", s.String(), "again", asked)
			if asked {
				a.Abort()
				continue
			}
			asked = true
			p.Notify(daemon.SdNotifyStopping)
			stop()
		case <-ticker.C:
			if err := a.Healthy(); err != nil {
				log.Error("not healthy: systemd's watchdog is not notified", "error", err)
				continue
			}
			p.Notify(daemon.SdNotifyWatchdog)
			if now := a.Sentence(); now != sentence && !asked {
				sentence = now
				p.Notify("STATUS=" + sentence)
			}
		}
	}
}

// systemdNotify sends a state to systemd. Without systemd it does nothing.
func systemdNotify(state string) { _, _ = daemon.SdNotify(false, state) }

// cloudSink has the methods that the clients of both clouds have, for the agent and for publish-test.
type cloudSink interface {
	publish.Sink
	Probe(ctx context.Context, tell func(sinks.Step)) (ok bool)
	Remedy(r sinks.Result) string
	Needs(known string) string
}

// clients makes the clients of all integrations. They share the memory that they need only in turns. The zero value is
// ready for use.
type clients struct{ packer pubsub.Packer }

// newSink returns the client for an integration, in a command that needs only one client.
func newSink(in configs.Integration, deviceID string, log *slog.Logger) (cloudSink, error) {
	return new(clients).newSink(in, deviceID, log)
}

// newSink returns the client for an integration.
func (c *clients) newSink(in configs.Integration, deviceID string, log *slog.Logger) (cloudSink, error) {
	log = log.With("integration", in.ID)
	meter, files := new(sinks.Meter), fingerprint(&in)
	sink, err := c.dial(in, deviceID, meter, log)
	if err != nil {
		return nil, err
	}
	return meteredSink{sink, meter, in, files}, nil
}

// meteredSink adds to a sink the number of bytes at its sockets, and whether its files have changed.
type meteredSink struct {
	cloudSink
	meter *sinks.Meter
	in    configs.Integration
	files string // fingerprint of the credentials and certificate files at its creation
}

// Outdated reports whether the content of a credentials or certificate file has changed since the sink was made. A
// reload then makes a new sink.
func (m meteredSink) Outdated() bool { return fingerprint(&m.in) != m.files }

// Traffic returns the bytes that were sent and received so far.
func (m meteredSink) Traffic() (sent, received uint64) { return m.meter.Sent(), m.meter.Received() }

// Refuses returns the kinds of samples that the topic refuses; "" for none, and for a sink that cannot know this.
func (m meteredSink) Refuses() string {
	if s, ok := m.cloudSink.(interface{ Refuses() string }); ok {
		return s.Refuses()
	}
	return ""
}

// Flight returns how requests may be in flight at once. For a sink without this method, one request follows the other.
func (m meteredSink) Flight() sinks.Flight {
	if s, ok := m.cloudSink.(interface{ Flight() sinks.Flight }); ok {
		return s.Flight()
	}
	return sinks.Flight{}
}

func (c *clients) dial(in configs.Integration, deviceID string, meter *sinks.Meter,
	log *slog.Logger) (cloudSink, error) {
	switch in.Type {
	case configs.AWS:
		return sns.New(sns.Options{
			TopicARN: in.TopicARN, Region: in.Region, Endpoint: in.Endpoint, Profile: in.Profile, IMDS: in.IMDS,
			IoT:     sns.IoT(in.IoT),
			RoleARN: in.RoleARN, ExternalID: in.ExternalID, CAFile: in.CAFile, Device: deviceID, Meter: meter,
			Logger: log,
		})
	case configs.GCP:
		return pubsub.New(pubsub.Options{
			ProjectID: in.ProjectID, Topic: in.Topic, Endpoint: in.Endpoint, CredentialsFile: in.CredentialsFile,
			Ordering: in.Ordering, CAFile: in.CAFile, Device: deviceID, Meter: meter, Logger: log,
			Packer: &c.packer,
		})
	default:
		return nil, fmt.Errorf("integration type %q is not known", in.Type)
	}
}
