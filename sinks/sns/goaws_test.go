package sns_test

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"noi-agent/sinks"
	"noi-agent/sinks/sinktest"
	"noi-agent/sinks/sns"
)

const goawsConfig = `Local:
  Host: localhost
  Port: "1"
  Region: us-east-2
  AccountId: "393221637266"
  Topics:
    - Name: MainSolarData
      Subscriptions:
        - QueueName: consumer
          Raw: true
`

// startGoaws builds and starts an SNS with an SQS, written by another project. After `make build`, which has compiled
// the standard library in the same way, the build takes 5 s, otherwise 35 s.
func startGoaws(t *testing.T) (endpoint string) {
	t.Helper()
	dir := t.TempDir()
	program, config := filepath.Join(dir, "goaws"), filepath.Join(dir, "goaws.yaml")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "tools", "goaws")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-trimpath -tags=grpcnotrace,nethttpomithttp2")
	if out, err := build.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("goaws: %v\n%s", err, out)
		}
		t.Skipf("goaws cannot be built here: %v", err)
	}
	mustWrite(t, config, goawsConfig, 0o600)
	server := exec.Command(program, config)
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	rest := make(chan struct{})
	t.Cleanup(func() {
		_ = server.Process.Kill() // it has no other way to end
		<-rest
		_ = server.Wait() // says that it was killed
	})
	lines := bufio.NewReader(stdout)
	for addr, err := lines.ReadString('\n'); ; addr, err = lines.ReadString('\n') {
		if err != nil {
			close(rest)
			t.Fatalf("goaws does not print its address: %v", err)
		}
		if strings.HasPrefix(addr, "127.0.0.1:") { // otherwise it is a line of the log
			go func() {
				defer close(rest)
				_, _ = io.Copy(io.Discard, lines) // until it ends
			}()
			return "http://" + strings.TrimSpace(addr)
		}
	}
}

// received empties the consumer's queue without an SDK, and returns the bodies.
func received(t *testing.T, endpoint string) []string {
	t.Helper()
	var bodies []string
	for {
		var answer struct {
			Messages []struct {
				Body    string
				Receipt string `xml:"ReceiptHandle"`
			} `xml:"ReceiveMessageResult>Message"`
		}
		text := query(t, endpoint, url.Values{"Action": {"ReceiveMessage"}, "MaxNumberOfMessages": {"10"}})
		if err := xml.Unmarshal(text, &answer); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if len(answer.Messages) == 0 {
			return bodies
		}
		for _, m := range answer.Messages {
			bodies = append(bodies, m.Body)
			query(t, endpoint, url.Values{"Action": {"DeleteMessage"}, "ReceiptHandle": {m.Receipt}})
		}
	}
}

func query(t *testing.T, endpoint string, form url.Values) []byte {
	t.Helper()
	resp, err := http.PostForm(endpoint+"/393221637266/consumer", form)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: HTTP %d, %v: %s", form.Get("Action"), resp.StatusCode, err, text)
	}
	return text
}

// Our own stand-in may have the same mistakes as the sink. This test uses another project's SNS.
func TestSubscriberOfAnotherSNSGetsWhatWasPublished(t *testing.T) {
	endpoint := startGoaws(t)
	withKeys(t)
	defer http.DefaultClient.CloseIdleConnections()
	sink := mustNew(t, sns.Options{Endpoint: endpoint})
	// goaws v0.5.4 counts an entry 0 that does not exist. So it reports ten entries as more than ten, and gets them
	// in two requests.
	msgs := sinktest.Messages(25)
	msgs[3].Attributes = []sinks.Attribute{{Name: "object", Value: "T_ind[U]"}}
	msgs[7].Body = []byte(`{"slave":"Batterie süd & <west> + 100%"}`)
	want := make([]string, len(msgs))
	ids := map[string]bool{}
	for i, r := range sinktest.Drain(t, sink, msgs) {
		if r.Outcome != sinks.Accepted {
			t.Fatalf("message %d: %s (%s)", i, r.Outcome, r.Error())
		}
		ids[r.MessageID], want[i] = true, string(msgs[i].Body)
	}
	if len(ids) != len(msgs) {
		t.Errorf("%d ids for %d messages", len(ids), len(msgs))
	}
	got := received(t, endpoint)
	slices.Sort(got) // a standard queue has no order
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	other := mustNew(t, sns.Options{TopicARN: "arn:aws:sns:us-east-2:393221637266:NoSuchTopic", Endpoint: endpoint})
	if r := other.Publish(t.Context(), msgs[:1])[0]; r.Outcome != sinks.Wait {
		t.Errorf("a topic that does not exist: %s (%s)", r.Outcome, r.Error())
	}
}
