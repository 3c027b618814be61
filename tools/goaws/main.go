// Command goaws runs an independent implementation of SNS and SQS on a free port of loopback, to test our publishing
// with it. The argument is the path of a configuration. It prints its address.
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

// run serves until the process is killed. The program's own main would listen on every address.
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
