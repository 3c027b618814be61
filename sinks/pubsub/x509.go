package pubsub

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials/externalaccount"
)

// accountFile has the used fields of an external_account file whose subject is a certificate (workload identity
// federation with X.509, AIP-4117). The library can use such files too, but with its own client: without ca_file, the
// meter, and the record of refusals.
type accountFile struct {
	Audience         string `json:"audience"`
	SubjectTokenType string `json:"subject_token_type"`
	TokenURL         string `json:"token_url"`
	Impersonation    string `json:"service_account_impersonation_url"`
	Source           struct {
		Certificate *struct {
			UseDefault bool   `json:"use_default_certificate_config"`
			Location   string `json:"certificate_config_location"`
			TrustChain string `json:"trust_chain_path"`
		} `json:"certificate"`
	} `json:"credential_source"`
}

// device is the certificate of the gateway. Its files are read at each request, because a certificate may be replaced
// while the daemon runs.
type device struct {
	cert, key, chain string
}

// certificateOf returns the device of an external_account file. ok is false if its subject is no certificate, or if the
// certificate is in hardware, which only the library can use.
func certificateOf(b []byte) (a accountFile, d device, ok bool, err error) {
	if json.Unmarshal(b, &a) != nil || a.Source.Certificate == nil {
		return a, d, false, nil
	}
	location := a.Source.Certificate.Location
	if location == "" && a.Source.Certificate.UseDefault {
		if location = os.Getenv("GOOGLE_API_CERTIFICATE_CONFIG"); location == "" {
			location = filepath.Join(filepath.Dir(gcloudFile()), "certificate_config.json")
		}
	}
	text, err := os.ReadFile(location)
	if err != nil {
		return a, d, false, fmt.Errorf("its certificate_config_location %q is %s", location, fileTrouble(err))
	}
	var config struct {
		Configs struct {
			Workload *struct {
				Cert string `json:"cert_path"`
				Key  string `json:"key_path"`
			} `json:"workload"`
		} `json:"cert_configs"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return a, d, false, fmt.Errorf("%s: %s", location, jsonTrouble(err))
	}
	if config.Configs.Workload == nil {
		return a, d, false, nil
	}
	d = device{cert: config.Configs.Workload.Cert, key: config.Configs.Workload.Key,
		chain: a.Source.Certificate.TrustChain}
	return a, d, true, nil
}

// credentials exchanges the certificate for tokens, over TLS connections with this certificate.
func (d device) credentials(a accountFile, service *tokenService) (*auth.Credentials, error) {
	if t, ok := service.next.(*http.Transport); ok {
		t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := d.pair()
			return &pair, err
		}
		service.next = twice{t}
	}
	return externalaccount.NewCredentials(&externalaccount.Options{
		Audience: a.Audience, SubjectTokenType: a.SubjectTokenType, TokenURL: a.TokenURL,
		ServiceAccountImpersonationURL: a.Impersonation,
		Scopes:                         []string{scope}, SubjectTokenProvider: d, Client: service.client(),
	})
}

// twice sends a request a second time if the server closed the connection while the request was being written. A server
// that refuses the certificate does this, and its reason may be lost with the connection. No other request is repeated.
type twice struct{ http.RoundTripper }

// RoundTrip is part of http.RoundTripper.
func (t twice) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(r)
	if r.GetBody == nil || !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		return resp, err
	}
	body, bodyErr := r.GetBody()
	if bodyErr != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	again.Body = body
	return t.RoundTripper.RoundTrip(again)
}

// errDevice is in every error about the device's files: they wait for the operator.
var errDevice = errors.New("certificate of the device")

func (d device) pair() (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(d.cert, d.key) // its errors name files and key types, and quote nothing
	if err != nil {
		return pair, fmt.Errorf("%w: %w", errDevice, err)
	}
	return pair, nil
}

// SubjectToken is part of externalaccount.SubjectTokenProvider. It returns a JSON list of the device's certificate
// and of those between it and the pool's trust store, each as base64 of DER.
func (d device) SubjectToken(context.Context, *externalaccount.RequestOptions) (string, error) {
	pair, err := d.pair()
	if err != nil {
		return "", err
	}
	leaf := pair.Certificate[0]
	list := []string{base64.StdEncoding.EncodeToString(leaf)}
	if d.chain != "" {
		text, err := os.ReadFile(d.chain)
		if err != nil {
			return "", fmt.Errorf("%w: trust_chain_path %s is %s", errDevice, d.chain, fileTrouble(err))
		}
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" && !bytes.Equal(block.Bytes, leaf) {
				list = append(list, base64.StdEncoding.EncodeToString(block.Bytes))
			}
		}
	}
	token, err := json.Marshal(list)
	return string(token), err
}
