package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"noi-agent/agent"
	"noi-agent/agent/integrations"
	"noi-agent/agent/publish"
	"noi-agent/configs"
	"noi-agent/objects"
	"noi-agent/status/api"
)

// loader reads families and configuration.
type loader func() (*configs.Config, *objects.Catalog, error)

// reloader reads the configuration file again and makes it active, one reload at a time. SIGHUP and `noi-agent reload`
// use it.
type reloader struct {
	agent *agent.Agent
	book  *integrations.Book
	load  loader
	logs  *logging
	turn  chan struct{} // room for one
}

func newReloader(a *agent.Agent, book *integrations.Book, load loader, logs *logging) *reloader {
	return &reloader{agent: a, book: book, load: load, logs: logs, turn: make(chan struct{}, 1)}
}

// Reload implements status.Control. It also logs its error, because no caller prints the error of a SIGHUP.
func (r *reloader) Reload(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return fmt.Errorf("reload: %w", ctx.Err())
	}
	config, catalog, err := r.load()
	if err != nil {
		r.agent.ConfigRefused(err)
		r.logs.Error("the configuration stays as it was", "error", err)
		return err
	}
	r.logs.set(config.Log)
	err = r.book.Reload(ctx, config, catalog, func(ctx context.Context, all *configs.Config) error {
		return r.agent.Reload(ctx, all, catalog)
	}, agent.ErrInForce)
	switch {
	case errors.Is(err, agent.ErrInForce):
		r.logs.Error("the configuration is active, but a part of it failed", "error", err)
	case err != nil:
		r.logs.Error("the configuration stays as it was", "error", err)
	}
	return err
}

// TryNow implements status.Control.
func (r *reloader) TryNow(integration string) error {
	err := r.agent.TryNow(integration)
	if errors.Is(err, publish.ErrNoIntegration) {
		return api.NewError(http.StatusNotFound, err.Error(), "noi-agent integrations list")
	}
	return err
}

// onHangups reloads at each SIGHUP until ctx ends. A signal that comes during a reload causes one more.
func (r *reloader) onHangups(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-hangups:
			if ctx.Err() != nil {
				return // the daemon ends
			}
			r.logs.Info("signal", "signal", s.String())
			_ = r.Reload(ctx) // it has logged its error
		}
	}
}

// reloadLimit is the time limit of a reload. The daemon waits some seconds for the last exchange of each changed line.
const reloadLimit = 2 * time.Minute

type reloadCommand struct{}

func newReload(s *session) *cobra.Command {
	return s.bind(&cobra.Command{
		Use: "reload", Short: "Make the running daemon read its configuration file again.",
		Example: `  noi-agent check && noi-agent reload
  sudo systemctl reload noi-agent         # the same`,
	}, &reloadCommand{})
}

// Run makes the daemon read its configuration file again. It fails if the file does not become active. `systemctl
// reload` runs this command.
func (*reloadCommand) Run(ctx context.Context, p *Program, cli *commandLine) error {
	socket, err := cli.socket()
	if err != nil {
		return err
	}
	_, err = daemonSocket{socket, reloadLimit}.post(ctx, "/api/v1/reload", struct{}{})
	var refused *refusedError
	if errors.As(err, &refused) {
		return errors.New(refused.says.Error())
	}
	if err != nil {
		return err
	}
	if cli.JSON {
		return printJSON(p.Stdout, map[string]bool{"reloaded": true})
	}
	_, err = fmt.Fprintln(p.Stdout, "the configuration is active"+cli.restartNotice(ctx))
	return err
}

// restartNotice returns a text about the changes that need a restart; "" if there are none, or if the daemon does not
// answer.
func (cli *commandLine) restartNotice(ctx context.Context) string {
	s, err := cli.daemonStatus(ctx)
	if err != nil {
		return ""
	}
	for _, p := range s.Problems {
		if p.Code == api.ConfigRestart.Code {
			return ", except a part of it\n  " + p.Detail + "\n  " + p.Remedy
		}
	}
	return ""
}
