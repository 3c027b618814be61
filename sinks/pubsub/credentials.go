package pubsub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

	"noi-agent/sinks"
)

// scope is the requested permission: only Pub/Sub.
const scope = "https://www.googleapis.com/auth/pubsub"

// tokens are credentials as gRPC asks for them, request by request.
type tokens struct {
	creds   *auth.Credentials
	service *tokenService // the service that gives tokens
	from    string        // the file, or "metadata server"
	quota   string        // project that is billed, for user credentials; usually ""
	who     identity

	certified bool // requests to the token service use the certificate of a device
}

// GetRequestMetadata returns the headers that authenticate one request.
func (t *tokens) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := t.creds.Token(ctx)
	if err != nil {
		return nil, fmt.Errorf("token of %s: %w", t.from, err)
	}
	md := map[string]string{"authorization": "Bearer " + token.Value}
	if t.quota != "" {
		md["x-goog-user-project"] = t.quota
	}
	return md, nil
}

// RequireTransportSecurity keeps tokens off plaintext connections.
func (t *tokens) RequireTransportSecurity() bool { return true }

// findCredentials searches the places of Application Default Credentials, in the same order. But it asks the metadata
// server only if GCE_METADATA_HOST is set. The library would search for the server by DNS and at a link-local
// address, which costs a gateway uplink and seconds without a benefit.
func findCredentials(o Options) (*tokens, sinks.Result, bool) {
	gcloud := gcloudFile()
	for _, place := range []struct {
		path string
		must bool // named in the configuration or the environment: it must exist
	}{
		{o.CredentialsFile, true}, {os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"), true}, {gcloud, false},
	} {
		if place.path == "" {
			continue
		}
		b, err := os.ReadFile(place.path)
		if errors.Is(err, fs.ErrNotExist) && !place.must {
			continue
		}
		if err != nil {
			return nil, sinks.Failed(sinks.Wait, sinks.CodeCredentials,
				fmt.Sprintf("Google credentials file %s: %s", place.path, fileTrouble(err))), false
		}
		return parseCredentials(o, place.path, b)
	}
	if os.Getenv("GCE_METADATA_HOST") != "" {
		return metadataCredentials(o)
	}
	return nil, sinks.Failed(sinks.Wait, sinks.CodeMissingCredentials, fmt.Sprintf(
		"no Google credentials found: looked at credentials_file (not set), GOOGLE_APPLICATION_CREDENTIALS (not set) "+
			"and %s (not there); "+
			"metadata server off (GCE_METADATA_HOST is not set). Set credentials_file to a service account's key or "+
			"an external_account file", gcloud)), false
}

// gcloudFile is the file in which gcloud stores the credentials of a user.
func gcloudFile() string {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "~" // named in the text only; there is no such directory
	}
	return filepath.Join(home, ".config", "gcloud", "application_default_credentials.json")
}

func fileTrouble(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "not there"
	case errors.Is(err, fs.ErrPermission):
		return "not readable by this user"
	default:
		return "not readable"
	}
}

// parseCredentials accepts any type of ADC JSON. An error never quotes the file.
func parseCredentials(o Options, path string, b []byte) (*tokens, sinks.Result, bool) {
	fail := func(text string) (*tokens, sinks.Result, bool) {
		return nil, sinks.Failed(sinks.Wait, sinks.CodeCredentials, "Google credentials file "+path+": "+text), false
	}
	var head struct {
		Type  string `json:"type"`
		Quota string `json:"quota_project_id"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return fail("not the JSON that Google gives out for a key: " + jsonTrouble(err))
	}
	if head.Type == "" {
		return fail(`no "type" in it: want the JSON of a service account's key, or an external_account file`)
	}
	service, err := newTokenService(o)
	if err != nil {
		return nil, sinks.Failed(sinks.Wait, sinks.CodeCAFile, err.Error()), false
	}
	account, device, certified, err := certificateOf(b)
	if err != nil {
		return fail(err.Error())
	}
	if certified {
		creds, err := device.credentials(account, service)
		if err != nil {
			return fail("type " + head.Type + ": " + strings.TrimPrefix(err.Error(), "externalaccount: "))
		}
		return &tokens{creds: creds, service: service, from: path, quota: head.Quota, who: identityOf(b),
			certified: true}, sinks.Result{}, true
	}
	creds, err := credentials.NewCredentialsFromJSON(credentials.CredType(head.Type), b, &credentials.DetectOptions{
		Scopes:              []string{scope},
		UseSelfSignedJWT:    true, // a service account signs its tokens itself and needs no token service
		DisableAsyncRefresh: true, // no work continues after Publish has returned
		Client:              service.client(),
	})
	if err != nil {
		return fail("type " + head.Type + ": " + strings.TrimPrefix(err.Error(), "credentials: "))
	}
	return &tokens{creds: creds, service: service, from: path, quota: head.Quota, who: identityOf(b)}, sinks.Result{},
		true
}

func jsonTrouble(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("malformed at byte %d", syntax.Offset)
	}
	return "not an object with texts in it"
}

func metadataCredentials(o Options) (*tokens, sinks.Result, bool) {
	const from = "metadata server"
	service, err := newTokenService(o)
	if err != nil {
		return nil, sinks.Failed(sinks.Wait, sinks.CodeCAFile, err.Error()), false
	}
	if t, ok := service.next.(*http.Transport); ok {
		t.Proxy = nil // the metadata server is in the local network
	}
	creds := auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: auth.NewCachedTokenProvider(
		metadataServer{os.Getenv("GCE_METADATA_HOST"), service.client(), o.Now},
		&auth.CachedTokenProviderOptions{DisableAsyncRefresh: true})})
	return &tokens{creds: creds, service: service, from: from, who: identity{text: "service account of this machine"}},
		sinks.Result{}, true
}
