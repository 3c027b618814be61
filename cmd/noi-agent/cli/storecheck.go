package cli

import (
	"noi-agent/store"
)

// storeCheckCommand is what the daemon runs as its child when the last stop was not clean: on a damaged file bbolt can
// take the whole process with it.
type storeCheckCommand struct {
	Path string `arg:"" help:"The store's file."`
}

// Run exits with what store.InChild understands.
func (c *storeCheckCommand) Run(p *Program) error {
	if code := store.Verdict(c.Path, p.Stderr); code != ExitDone {
		return exitCode(code)
	}
	return nil
}

// ownBinary is this very program, even when an update has replaced its file.
const ownBinary = "/proc/self/exe"
