package standin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxSkew is the largest difference between a signature's time and the service's.
const maxSkew = 15 * time.Minute

// checkSignature computes the signature of a request again, independently of the SDK (AWS General Reference, "Create
// a signed AWS API request", version 4). A Fault without a Code means that the signature is right.
//
// The request must be signed for service, and for the region of the topic arn; "": any region.
func (s *SNS) checkSignature(r *http.Request, body []byte, service, arn string) Fault {
	auth, ok := parseAuthorization(r.Header.Get("Authorization"))
	date := r.Header.Get("X-Amz-Date")
	if !ok {
		return Fault{Status: 403, Code: "MissingAuthenticationToken", Text: "Request is missing Authentication Token"}
	}
	signed, err := time.Parse("20060102T150405Z", date)
	scope := strings.Split(auth.scope, "/") // key/date/region/service/aws4_request
	switch {
	case err != nil || len(scope) != 5 || scope[1] != date[:8] || scope[4] != "aws4_request":
		return Fault{Status: 400, Code: "IncompleteSignature", Text: "Credential or X-Amz-Date is malformed."}
	case scope[0] != s.o.AccessKeyID:
		return Fault{Status: 403, Code: "InvalidClientTokenId",
			Text: "The security token included in the request is invalid."}
	case scope[3] != service:
		return mismatch("Credential should be scoped to correct service: '" + service + "'.")
	case arn != "" && scope[2] != region(arn):
		return mismatch("Credential should be scoped to a valid region.")
	case !slices.Contains(auth.headers, "host") || !slices.Contains(auth.headers, "x-amz-date"):
		return Fault{Status: 400, Code: "IncompleteSignature", Text: "Host and X-Amz-Date must be signed."}
	}
	if f := s.checkTime(signed); f.Code != "" {
		return f
	}
	key := []byte("AWS4" + s.o.SecretAccessKey)
	for _, part := range scope[1:] {
		key = mac(key, part)
	}
	want := hex.EncodeToString(mac(key, strings.Join([]string{
		"AWS4-HMAC-SHA256", date, strings.Join(scope[1:], "/"), hash([]byte(canonical(r, auth.headers, body))),
	}, "\n")))
	if !hmac.Equal([]byte(want), []byte(auth.signature)) {
		return mismatch("The request signature we calculated does not match the signature you provided. Check your " +
			"AWS Secret Access Key and signing method. Consult the service documentation for details.\n\n" +
			"The Canonical String for this request should have been\n'" + canonical(r, auth.headers, body) + "'")
	}
	return Fault{}
}

func (s *SNS) checkTime(signed time.Time) Fault {
	const layout = "20060102T150405Z"
	now := s.o.Now().UTC()
	switch {
	case signed.Before(now.Add(-maxSkew)):
		return mismatch("Signature expired: " + signed.Format(layout) + " is now earlier than " +
			now.Add(-maxSkew).Format(layout) +
			" (" + now.Format(layout) + " - 15 min.)")
	case signed.After(now.Add(maxSkew)):
		return mismatch("Signature not yet current: " + signed.Format(layout) + " is still later than " +
			now.Add(maxSkew).Format(layout) +
			" (" + now.Format(layout) + " + 15 min.)")
	}
	return Fault{}
}

func mismatch(text string) Fault {
	return Fault{Status: 403, Code: "SignatureDoesNotMatch", Text: text}
}

// authorization has the parts of the header with that name.
type authorization struct {
	scope     string
	headers   []string
	signature string
}

func parseAuthorization(header string) (authorization, bool) {
	rest, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok {
		return authorization{}, false
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	a := authorization{
		scope: fields["Credential"], signature: fields["Signature"],
		headers: strings.Split(fields["SignedHeaders"], ";"),
	}
	return a, a.scope != "" && a.signature != "" && fields["SignedHeaders"] != ""
}

// canonical writes a request in the form of which both sides make a hash.
func canonical(r *http.Request, headers []string, body []byte) string {
	var b strings.Builder
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(r.Method + "\n" + path + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range headers {
		b.WriteString(name + ":" + strings.Join(strings.Fields(headerValue(r, name)), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(headers, ";") + "\n" + hash(body))
	return b.String()
}

// headerValue returns a header, including those that net/http has removed from the map.
func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	default:
		return strings.Join(r.Header.Values(name), ",")
	}
}

func canonicalQuery(q url.Values) string {
	return strings.ReplaceAll(q.Encode(), "+", "%20")
}

func mac(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// region returns the region of a topic's ARN.
func region(arn string) string {
	if p := strings.Split(arn, ":"); len(p) == 6 {
		return p[3]
	}
	return ""
}
