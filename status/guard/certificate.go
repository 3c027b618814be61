package guard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"noi-agent/internal/wholefile"
)

// CertificateFile is the name of the gateway's own certificate and key in the state directory.
const CertificateFile = "endpoint.pem"

// certificateYears is the validity of the gateway's own certificate.
const certificateYears = 10

// earliestBuild is used for a build without a date.
func earliestBuild() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// EnsureCertificate returns the gateway's own certificate, which is in dir. At the first start it makes one for hosts,
// which are names and IP addresses; the first of them becomes the subject. The certificate is valid for ten years from
// built on, so its validity does not depend on the gateway's clock. If built is zero, it is valid from 2026 on. An
// existing certificate is never replaced, because people have compared its fingerprint. missing lists the hosts that
// the certificate does not name.
func EnsureCertificate(dir string, hosts []string, built time.Time) (c tls.Certificate, missing []string, err error) {
	path := filepath.Join(dir, CertificateFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = newCertificate(hosts, built); err == nil {
			err = wholefile.Write(path, text, 0o600)
		}
	}
	if err != nil {
		return c, nil, fmt.Errorf("own certificate: %w", err)
	}
	c, err = tls.X509KeyPair(text, text)
	if err != nil {
		return c, nil, fmt.Errorf("own certificate: %s: %w; move the file away and restart the agent for a new one",
			path, err)
	}
	named := func(host string) bool { return c.Leaf.VerifyHostname(host) == nil }
	return c, slices.DeleteFunc(slices.Clone(hosts), named), nil
}

// newCertificate returns certificate and key as PEM. The certificate may not sign other certificates, so a stolen key
// cannot be used for the name of another gateway.
func newCertificate(hosts []string, built time.Time) ([]byte, error) {
	if built.IsZero() {
		built = earliestBuild()
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	draft := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: hosts[0], Organization: []string{"noi-agent"}},
		NotBefore: built.UTC(), NotAfter: built.UTC().AddDate(certificateYears, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			draft.IPAddresses = append(draft.IPAddresses, ip)
			continue
		}
		draft.DNSNames = append(draft.DNSNames, h)
	}
	certificate, err := x509.CreateCertificate(rand.Reader, draft, draft, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...), nil
}

// Fingerprint returns the SHA-256 of a certificate as browsers show it: "9F:3A:…:C2".
func Fingerprint(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}
