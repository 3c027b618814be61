package status

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"noi-agent/objects"
)

// mostReadBody is the most bytes of a small body. The longest valid one has about 150 bytes.
const mostReadBody = 1 << 10

// readRequest is the body of POST /api/v1/read. The address is a pointer, because 0 is a valid address and must differ
// from a missing key.
type readRequest struct {
	Line     string  `json:"line"`
	UnitID   *int    `json:"unit_id"`
	Function byte    `json:"function"`
	Address  *uint16 `json:"address"`
	Count    uint16  `json:"count"`
}

// readAnswer is the answer to a readRequest.
type readAnswer struct {
	Registers []uint16  `json:"registers"`
	At        time.Time `json:"at"` // arrival of the reply's last byte, to the millisecond
}

// serveRead reads registers of a slave now. Over TCP it needs a login, because otherwise every local user could keep
// the line busy.
func (s *Server) serveRead(w http.ResponseWriter, r *http.Request) {
	q, err := decodeRead(http.MaxBytesReader(w, r.Body, mostReadBody))
	if err != nil {
		failWith(w, r, badBody(err))
		return
	}
	onLine(s, w, r, func(ctx context.Context) (any, error) {
		registers, at, err := s.o.Reader.Read(ctx, q.Line, *q.UnitID, q.Function, *q.Address, q.Count)
		return readAnswer{registers, at.UTC().Truncate(time.Millisecond)}, err
	})
}

// onLine answers with what a line gives for one request of a person.
func onLine(s *Server, w http.ResponseWriter, r *http.Request, do func(context.Context) (any, error)) {
	// The wait for the line has a limit of its own, and the answer is small enough for the socket's buffer.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.line)
	defer cancel()
	answer, err := do(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		fail(w, r, http.StatusGatewayTimeout,
			fmt.Sprintf("%v: the line did not finish the request within %s; `noi-agent status` shows its state", err,
				objects.Period(s.limits.line)))
	case err != nil:
		fail(w, r, s.o.ReadStatus(err), err.Error())
	default:
		sendJSON(w, r, answer)
	}
}

// probeRequest is the body of POST /api/v1/probe.
type probeRequest struct {
	Line     string `json:"line"`
	UnitID   *int   `json:"unit_id"`
	Function byte   `json:"function"`
}

// serveProbe asks one unit whether it is there, and what it is. `noi-agent scan` asks one unit after another while the
// agent has the port.
func (s *Server) serveProbe(w http.ResponseWriter, r *http.Request) {
	var q probeRequest
	err := decodeStrictly(http.MaxBytesReader(w, r.Body, mostReadBody), &q, `{"line":"rs485","unit_id":1,"function":4}`)
	if err == nil {
		err = checkUnit(q.Line, q.UnitID)
	}
	if err == nil && q.Function != 3 && q.Function != 4 {
		err = fmt.Errorf("function: want 3 or 4, which read registers, not %d", q.Function)
	}
	if err != nil {
		failWith(w, r, badBody(err))
		return
	}
	onLine(s, w, r, func(ctx context.Context) (any, error) {
		return s.o.Reader.Probe(ctx, q.Line, *q.UnitID, q.Function)
	})
}

// decodeRead reads and checks a body strictly.
func decodeRead(body io.Reader) (readRequest, error) {
	var q readRequest
	if err := decodeStrictly(body, &q, `{"line":"rs485","unit_id":1,"function":4,"address":18,"count":1}`); err != nil {
		return q, err
	}
	return q, q.check()
}

func (q readRequest) check() error {
	const (
		mostRegisters = 125 // MODBUS Application Protocol V1.1b3 §6.3; the same limit for bits
		addresses     = 1 << 16
	)
	if err := checkUnit(q.Line, q.UnitID); err != nil {
		return err
	}
	switch {
	case q.Function < 1 || q.Function > 4:
		return fmt.Errorf("function: want 3 or 4, which read registers, or 1 or 2, which read bits, not %d", q.Function)
	case q.Address == nil:
		return fmt.Errorf("address: want that of the first register, 0 to %d", addresses-1)
	case q.Count < 1 || q.Count > mostRegisters:
		return fmt.Errorf("count: want 1 to %d registers, not %d", mostRegisters, q.Count)
	case int(*q.Address)+int(q.Count) > addresses:
		return fmt.Errorf("count: there are only %d registers from 0x%04X on, not %d", addresses-int(*q.Address),
			*q.Address, q.Count)
	default:
		return nil
	}
}

// checkUnit checks the line and the unit of a request.
func checkUnit(line string, unit *int) error {
	const (
		mostUnit     = 247
		deviceItself = 255 // or 0: on tcp:// only, the line refuses both elsewhere
	)
	switch {
	case line == "":
		return errors.New("line: want the name of a line")
	case unit == nil:
		return fmt.Errorf("unit_id: want 1 to %d", mostUnit)
	case *unit < 0 || *unit > mostUnit && *unit != deviceItself:
		return fmt.Errorf("unit_id: want 1 to %d, or 0 or %d on tcp://, not %d", mostUnit, deviceItself, *unit)
	default:
		return nil
	}
}
