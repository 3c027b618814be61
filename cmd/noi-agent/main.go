// Command noi-agent polls solar charge controllers over Modbus RTU or Modbus TCP, and publishes their samples to AWS
// SNS and Google Pub/Sub. `noi-agent run` is the daemon. The other commands set up, check and show a gateway.
package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"time"

	"noi-agent/cmd/noi-agent/cli"
)

// The linker sets both variables: -X main.version, and -X main.built with the Unix seconds of the commit.
var (
	version = "dev"
	built   = ""
)

func main() { os.Exit(cli.New(version, buildDate(built, debug.ReadBuildInfo)).Run(os.Args[1:])) }

// buildDate returns the date of the program: from the linker, otherwise from Go's build information, otherwise the zero
// time. It is the date of the commit, so that the same sources always make the same program.
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
