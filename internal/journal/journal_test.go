package journal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	systemd "github.com/coreos/go-systemd/v22/journal"

	"noi-agent/internal/journal"
)

type entry struct {
	Message  string
	Priority systemd.Priority
	Fields   map[string]string
}

// fake keeps the entries that are sent.
type fake struct {
	entries []entry
	err     error
}

func (f *fake) send(message string, priority systemd.Priority, fields map[string]string) error {
	f.entries = append(f.entries, entry{message, priority, fields})
	return f.err
}

func TestRecordsBecomeEntriesWithPriorityAndFields(t *testing.T) {
	var f fake
	log := slog.New(journal.New(f.send, slog.NewTextHandler(nil, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log = log.With("line", "rs485")
	log.Debug("asked", "unit_id", 1)
	log.Info("slave identified", "product code", "PS PWM")
	log.WithGroup("port").Warn("silent", "baud", 9600)
	log.With("integration", "a").Error("refused", "error", errors.New("no right"))
	id := "noi-agent"
	want := []entry{
		{`asked line=rs485 unit_id=1`, systemd.PriDebug, map[string]string{"SYSLOG_IDENTIFIER": id, "NOI_LINE": "rs485", "NOI_UNIT_ID": "1"}},
		{`slave identified line=rs485 "product code"="PS PWM"`, systemd.PriInfo, map[string]string{
			"SYSLOG_IDENTIFIER": id, "NOI_LINE": "rs485", "NOI_PRODUCT_CODE": "PS PWM"}},
		{`silent line=rs485 port.baud=9600`, systemd.PriWarning, map[string]string{"SYSLOG_IDENTIFIER": id, "NOI_LINE": "rs485", "NOI_PORT_BAUD": "9600"}},
		{`refused line=rs485 integration=a error="no right"`, systemd.PriErr, map[string]string{
			"SYSLOG_IDENTIFIER": id, "NOI_LINE": "rs485", "NOI_INTEGRATION": "a", "NOI_ERROR": "no right"}},
	}
	if diff := cmp.Diff(want, f.entries); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutAJournalTheFallbackHasEverything(t *testing.T) {
	var b bytes.Buffer
	f := fake{err: errors.New("no journal")}
	log := slog.New(journal.New(f.send, slog.NewTextHandler(&b, nil)))
	log.With("line", "rs485").WithGroup("g").Info("begun", "a", 1)
	log.Debug("not enabled")
	if got := b.String(); !strings.Contains(got, `level=INFO msg=begun line=rs485 g.a=1`) || strings.Contains(got, "not enabled") {
		t.Errorf("the fallback has %q", got)
	}
	if len(f.entries) != 1 {
		t.Errorf("%d entries were sent", len(f.entries))
	}
}
