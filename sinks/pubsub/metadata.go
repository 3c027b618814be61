package pubsub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"cloud.google.com/go/auth"
)

// metadataServer gives tokens for the service account of a machine in Google's cloud, or simulates such a server
// (Compute Engine, "About VM metadata"). The library's own client for it has no limits, and makes its own connections.
type metadataServer struct {
	host   string // host, with or without a port
	client *http.Client
	now    func() time.Time
}

// Token is part of auth.TokenProvider.
func (m metadataServer) Token(ctx context.Context) (*auth.Token, error) {
	u := url.URL{
		Scheme: "http", Host: m.host, Path: "/computeMetadata/v1/instance/service-accounts/default/token",
		RawQuery: url.Values{"scopes": {scope}}.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("GCE_METADATA_HOST is not a host")
	}
	req.Header.Set("Metadata-Flavor", "Google")
	resp, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read as far as needed
	var answer struct {
		Token   string `json:"access_token"`
		Type    string `json:"token_type"`
		Seconds int    `json:"expires_in"`
	}
	switch err := json.NewDecoder(resp.Body).Decode(&answer); {
	case err != nil:
		return nil, fmt.Errorf("the metadata server's answer has no token in it: %w", err)
	case answer.Token == "" || answer.Seconds <= 0:
		return nil, errors.New("the metadata server's answer has no token in it")
	}
	return &auth.Token{Value: answer.Token, Type: answer.Type,
		Expiry: m.now().Add(time.Duration(answer.Seconds) * time.Second)}, nil
}
