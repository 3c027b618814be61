// Command noi-agent polls solar charge controllers over Modbus RTU and publishes their samples to AWS SNS and
// Google Pub/Sub. `noi-agent run` is the daemon; the other commands look at a configuration or at a daemon that runs.
package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"noi-agent/cmd/noi-agent/cli"
)

// Set by the build: -X main.version, and -X main.built, the Unix seconds of the commit that was built.
var (
	version = "dev"
	built   = ""
)

func main() { os.Exit(cli.New(version, buildDate(built, debug.ReadBuildInfo)).Run(os.Args[1:])) }

// buildDate returns when the program was made: as the build says, else as Go noted it, else the zero time. It is that
// of the commit, so that the same sources make the same program.
func buildDate(seconds string, info func() (*debug.BuildInfo, bool)) time.Time {
	if n, err := strconv.ParseInt(seconds, 10, 64); err == nil && n > 0 {
		return time.Unix(n, 0).UTC()
	}
	noted, ok := info()
	if !ok {
		return time.Time{}
	}
	for _, s := range noted.Settings {
		if t, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}
