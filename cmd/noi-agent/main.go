// Command noi-agent polls solar charge controllers over Modbus RTU and publishes their samples to AWS SNS and
// Google Pub/Sub. `noi-agent run` is the daemon; the other commands look at a configuration or at a daemon that runs.
package main

import (
	"os"
	"time"

	"noi-agent/store"
)

// version is set by the build (-X main.version).
var version = "dev"

func main() {
	p := &program{
		stdout: os.Stdout, stderr: os.Stderr, version: version, now: time.Now,
		signals: signals, notify: systemdNotify, checkStore: store.InChild(ownBinary, "store-check"),
	}
	os.Exit(p.run(os.Args[1:]))
}
