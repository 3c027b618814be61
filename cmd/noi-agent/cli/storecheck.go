package cli

import (
	"context"

	"github.com/spf13/cobra"

	"noi-agent/store"
)

// storeCheckCommand is what the daemon runs as its child when the last stop was not clean: on a damaged file bbolt can
// take the whole process with it.
type storeCheckCommand struct{ Path string }

func newStoreCheck(s *session) *cobra.Command {
	c := &storeCheckCommand{}
	return s.bindDaemon(&cobra.Command{Use: "store-check FILE", Short: "Check a store's file; the daemon's own child.",
		Hidden: true, Args: oneArg(&c.Path)}, c)
}

// Run exits with what store.InChild understands.
func (c *storeCheckCommand) Run(_ context.Context, p *Program, _ *commandLine) error {
	if code := store.Verdict(c.Path, p.Stderr); code != ExitDone {
		return exitCode(code)
	}
	return nil
}

// ownBinary is this very program, even when an update has replaced its file.
const ownBinary = "/proc/self/exe"
