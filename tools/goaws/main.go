// Command goaws is an SNS and an SQS that others have written, on a free port of loopback: a peer to hold our
// publishing against. It wants the path of a configuration and prints its address.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/Admiral-Piett/goaws/app/conf"
	"github.com/Admiral-Piett/goaws/app/gosqs"
	"github.com/Admiral-Piett/goaws/app/router"
)

func main() { os.Exit(run(os.Args)) }

// run serves until it is killed. The program's own main would listen on every address.
func run(args []string) int {
	if len(args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: goaws CONFIG.yaml")
		return 2
	}
	conf.LoadYamlConfig(args[1], "Local")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Addr())
	go gosqs.PeriodicTasks(time.Second, make(chan bool))
	server := &http.Server{Handler: router.New(), ReadHeaderTimeout: time.Minute}
	fmt.Fprintln(os.Stderr, server.Serve(l))
	return 1
}
