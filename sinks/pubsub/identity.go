package pubsub

import (
	"encoding/json"
	"strings"
)

// identity is the account of the credentials, without secrets.
type identity struct {
	text   string // "service account noi@…"
	member string // as IAM names it: "serviceAccount:noi@…"; "" when the file does not say
	email  string // of the service account; "" for none
}

// identityOf reads the owner of a credentials file.
func identityOf(b []byte) identity {
	var f struct {
		Type          string `json:"type"`
		Email         string `json:"client_email"`
		Audience      string `json:"audience"`
		Impersonation string `json:"service_account_impersonation_url"`
	}
	if json.Unmarshal(b, &f) != nil {
		return identity{text: "credentials"}
	}
	if f.Email != "" {
		return identity{text: "service account " + f.Email + " (key)", member: "serviceAccount:" + f.Email,
			email: f.Email}
	}
	who := identity{text: f.Type, member: poolMember(f.Audience)}
	if f.Audience != "" {
		who.text += ", audience " + f.Audience
	}
	if email := impersonated(f.Impersonation); email != "" {
		who.text += ", as service account " + email
		who.member, who.email = "serviceAccount:"+email, email
	}
	return who
}

// impersonated returns the service account in …/serviceAccounts/EMAIL:generateAccessToken; "" for none.
func impersonated(u string) string {
	_, rest, ok := strings.Cut(u, "/serviceAccounts/")
	if !ok {
		return ""
	}
	email, _, _ := strings.Cut(rest, ":")
	return email
}

// poolMember returns all identities of a pool in the words of IAM, for the audience
// //iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/POOL/providers/P; "" for another audience.
func poolMember(audience string) string {
	pool, _, ok := strings.Cut(strings.TrimPrefix(audience, "//"), "/providers/")
	if !ok || !strings.Contains(pool, "/workloadIdentityPools/") {
		return ""
	}
	return "principalSet://" + pool + "/*"
}
