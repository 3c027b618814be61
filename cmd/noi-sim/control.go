package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// socketName is the name of the socket in --dir over which `noi-sim fault` sends its orders.
const socketName = "noi-sim.sock"

// control is the server that accepts orders for a world.
type control struct {
	server *http.Server
	ended  chan struct{}
}

// order is one fault to set.
type order struct {
	Cloud string `json:"cloud,omitempty"` // sns | pubsub | all; "": the fault is for the line
	Unit  byte   `json:"unit,omitempty"`  // 0: all
	Fault string `json:"fault"`
}

func openControl(dir string, w *world) (*control, error) {
	path := filepath.Join(dir, socketName)
	// This process has the ports of the clouds. So no other noi-sim runs, and a socket here is left over.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the control socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	c := &control{ended: make(chan struct{}), server: &http.Server{Handler: w, ReadHeaderTimeout: time.Second}}
	go func() {
		defer close(c.ended)
		_ = c.server.Serve(l) // close ends it
	}()
	return c, nil
}

func (c *control) close() error {
	err := c.server.Close()
	<-c.ended
	return err
}

// ServeHTTP implements http.Handler: it sets a fault.
func (w *world) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var o order
	err := json.NewDecoder(io.LimitReader(r.Body, 1<<10)).Decode(&o)
	switch {
	case err != nil:
	case o.Cloud != "":
		err = w.faults.setCloud(w, o.Cloud, o.Fault)
	default:
		err = w.faults.setLine(w, o.Unit, o.Fault)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
	}
}

// newFault returns the command `noi-sim fault`.
func newFault(stdout io.Writer) *cobra.Command {
	cmd := &cobra.Command{
		Use: "fault", Short: "Break, slow down or repair a cloud or the line of the simulation.",
		Example: `  noi-sim fault cloud sns refuse     # as without permission; with ok: repaired
  noi-sim fault line silent          # no controller answers`,
		RunE: func(*cobra.Command, []string) error { return errors.New("fault of what? cloud or line") },
	}
	var dir string
	cmd.PersistentFlags().StringVar(&dir, "dir", defaultDir, "`DIRECTORY` of the running simulation.")
	var unit uint8
	cloud := &cobra.Command{
		Use:   "cloud sns|pubsub|all ok|stop|slow|reject|refuse",
		Short: "Stop a cloud, slow it down, let it reject or refuse, or repair it.",
		Long: "stop: no connection. slow: 5 s for each request. reject: each message is invalid\n" +
			"for the cloud. refuse: no permission. ok: repaired.",
		Example: "  noi-sim fault cloud all stop\n  noi-sim fault cloud all ok", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return send(stdout, dir, order{Cloud: args[0], Fault: args[1]})
		},
	}
	line := &cobra.Command{
		Use:   "line ok|silent|garbage|noisy|loose|slow",
		Short: "Disturb the replies of controllers, or repair them.",
		Long: "silent: no reply. garbage: damaged replies. noisy: each eighth reply is damaged.\n" +
			"loose: each eighth request gets no reply. slow: 300 ms for each. ok: repaired.",
		Example: "  noi-sim fault line garbage --unit 2\n  noi-sim fault line ok", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return send(stdout, dir, order{Unit: unit, Fault: args[0]})
		},
	}
	line.Flags().Uint8Var(&unit, "unit", 0, "Only this unit, `N`; 0: all.")
	cmd.AddCommand(cloud, line)
	return cmd
}

// send sends an order to the noi-sim that runs with --dir dir.
func send(stdout io.Writer, dir string, o order) error {
	path := filepath.Join(dir, socketName)
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}}
	answer, err := client.Post("http://localhost/", "application/json", strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("no noi-sim runs in %s (noi-sim run starts one; --dir names another directory)", dir)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(said)))
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, "done")
	return err
}
