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

// daemonSocket is where the daemon that runs answers.
type daemonSocket struct {
	path  string
	limit time.Duration // of one question; 0: none
}

// refusedError is an answer of the daemon other than 200.
type refusedError struct {
	code int
	says api.Error // as it came; a body that is none is the detail
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the daemon answers %d %s: %s", e.code, http.StatusText(e.code), e.says.Error())
}

// As gives the fault that the error is, with the daemon's hint.
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

// get and post return the JSON of a path as it came. Errors are *noDaemonError and *refusedError.
func (d daemonSocket) get(ctx context.Context, path string) ([]byte, error) {
	return d.ask(ctx, http.MethodGet, path, nil)
}

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

// alive makes sure that the daemon answers at all, before a question whose answer may take long.
func (d daemonSocket) alive(ctx context.Context) error {
	_, err := daemonSocket{d.path, askLimit}.get(ctx, "/healthz")
	var refused *refusedError
	if errors.As(err, &refused) {
		return nil // it says that it is not well
	}
	return err
}

// open asks, and returns an answer that is no error, with its body still to be read and closed.
func (d daemonSocket) open(ctx context.Context, method, path string, question []byte) (*http.Response, error) {
	return d.openIf(ctx, method, path, "", question)
}

// openIf is open for a change of what has a version: it is refused when that is not etag. "": in whatever version.
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

// refusal is the error in a body of the daemon.
func refusal(status int, body []byte) *refusedError {
	says := api.NewError(status, string(trimNewline(body)), "")
	var e api.Error
	if json.Unmarshal(body, &e) == nil && e.Detail != "" {
		says = &e
	}
	return &refusedError{status, *says}
}
