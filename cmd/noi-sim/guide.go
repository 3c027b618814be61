package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// guide prints commands to copy into a second terminal. They set the environment, write the configuration and start
// the agent.
func guide(out io.Writer, w *world, o runOptions) {
	port := w.link
	if abs, err := filepath.Abs(port); err == nil {
		port = abs
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The simulation runs: %v on %s. Ctrl-C ends it.\n# In a second terminal:\n\n", w.fleet, w.link)
	for _, kv := range w.env() {
		name, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, value)
	}
	b.WriteString("export AWS_EC2_METADATA_DISABLED=true\ncat > sim.yaml <<'EOF'\n")
	fmt.Fprintf(&b, "state_dir: ./sim-state\nlines:\n  - name: rs485\n    port: %s\n    baud: %d\n", port,
		o.Baud)
	if o.Parity != parityNone {
		fmt.Fprintf(&b, "    parity: %s\n    stop_bits: 1\n", o.Parity)
	}
	b.WriteString("    slaves:\n")
	for _, u := range w.fleet.distinct() {
		fmt.Fprintf(&b, "      - {id: %d, model: %s}\n", u.id, u.family.Slug)
	}
	fmt.Fprintf(&b, `integrations:
  - name: sim-sns
    type: aws
    topic_arn: %s
    endpoint: %s
    objects: all
  - name: sim-pubsub
    type: gcp
    topic: %s
    endpoint: %s
    objects: all
clock: {source: system}
status: {listen: "%s", socket: ./sim-state/agent.sock}
EOF
mkdir -p sim-state && noi-agent run --config sim.yaml

# In a third terminal: noi-agent status --config sim.yaml
# To try faults: noi-sim fault --help

`, topicARN, w.sns.URL(), topicName, w.pubsub.Addr(), o.Status)
	_, _ = io.WriteString(out, b.String()) // no need for the error: a terminal that closes also sends a signal
}
