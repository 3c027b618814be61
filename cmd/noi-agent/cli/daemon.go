package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"noi-agent/status/api"
)

// daemonSocket is the socket of the running daemon.
type daemonSocket struct {
	path  string
	limit time.Duration // time limit of one request; 0: none
}

// refusedError is an answer of the daemon with an error status.
type refusedError struct {
	code int
	says api.Error // the error of the answer; its detail is the whole body if that is not an api.Error
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the daemon answers %d %s: %s", e.code, http.StatusText(e.code), e.says.Error())
}

// As implements the interface of errors.As for *fault. The fault has the daemon's hint.
func (e *refusedError) As(target any) bool {
	f, ok := target.(**fault)
	if ok {
		*f = &fault{err: e, code: e.says.Code(), hint: e.says.Hint, exit: ExitFailed}
		if e.code == http.StatusBadRequest {
			(*f).err, (*f).exit = &e.says, ExitMisused // an argument that only the daemon can judge
		}
	}
	return ok
}

// get sends a GET request and returns the body unchanged. Errors are *noDaemonError and *refusedError.
func (d daemonSocket) get(ctx context.Context, path string) ([]byte, error) {
	return d.ask(ctx, http.MethodGet, path, nil)
}

// post sends question as JSON and returns the body unchanged. Errors are *noDaemonError and *refusedError.
func (d daemonSocket) post(ctx context.Context, path string, question any) ([]byte, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	return d.ask(ctx, http.MethodPost, path, body)
}

func (d daemonSocket) ask(ctx context.Context, method, path string, question []byte) ([]byte, error) {
	response, err := d.open(ctx, method, path, question)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return body, nil
}

// alive checks that the daemon answers, before a request whose answer may take long.
func (d daemonSocket) alive(ctx context.Context) error {
	_, err := daemonSocket{d.path, askLimit}.get(ctx, "/healthz")
	var refused *refusedError
	if errors.As(err, &refused) {
		return nil // the daemon answers, although it is not healthy
	}
	return err
}

// open sends a request, and returns the answer. The caller must close its body. An answer with an error status is a
// *refusedError.
func (d daemonSocket) open(ctx context.Context, method, path string, question []byte) (*http.Response, error) {
	return d.openIf(ctx, method, path, "", question)
}

// openIf is open for a change that is based on a version: the daemon refuses it if the present version is not etag. "":
// the version is not checked.
func (d daemonSocket) openIf(ctx context.Context, method, path, etag string, question []byte) (*http.Response, error) {
	if d.limit == 0 || d.limit > askLimit {
		if err := d.alive(ctx); err != nil {
			return nil, err
		}
	}
	client := &http.Client{Timeout: d.limit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", d.path)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	if question != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if etag != "" {
		request.Header.Set("If-Match", etag)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, &noDaemonError{d.path, err}
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return nil, fmt.Errorf("read the daemon's answer: %w", err)
		}
		return nil, refusal(response.StatusCode, body)
	}
	return response, nil
}

// refusal returns the error for an answer with an error status.
func refusal(status int, body []byte) *refusedError {
	says := api.NewError(status, string(trimNewline(body)), "")
	var e api.Error
	if json.Unmarshal(body, &e) == nil && e.Detail != "" {
		says = &e
	}
	return &refusedError{status, *says}
}
