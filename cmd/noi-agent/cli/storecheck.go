package cli

import (
	"context"

	"github.com/spf13/cobra"

	"noi-agent/store"
)

// storeCheckCommand checks a store. The daemon runs it in a child process after an unclean stop, because bbolt can end
// the whole process on a damaged file.
type storeCheckCommand struct{ Path string }

func newStoreCheck(s *session) *cobra.Command {
	c := &storeCheckCommand{}
	return s.bindDaemon(&cobra.Command{Use: "store-check FILE", Short: "Check a store's file; the daemon's own child.",
		Hidden: true, Args: oneArg(&c.Path)}, c)
}

// Run exits with a code that store.InChild understands.
func (c *storeCheckCommand) Run(_ context.Context, p *Program, _ *commandLine) error {
	if code := store.Verdict(c.Path, p.Stderr); code != ExitDone {
		return exitCode(code)
	}
	return nil
}

// ownBinary is the running program, even if an update has replaced its file.
const ownBinary = "/proc/self/exe"
