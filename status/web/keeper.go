package web

import "net/http"

// Keeper decides which clients may change things. Package status implements it. Package status also asks its Keeper
// before it calls the handler of a page with another method than GET.
type Keeper interface {
	// LoggedIn reports whether the client of r may change things: it uses the agent's socket, the admin token or a
	// session.
	LoggedIn(r *http.Request) bool
	// LogIn checks the admin token or a one-time code, and sets the cookie of a new session in w. The error is an
	// *api.Error with a text for the page: its status is 401 for a wrong secret, and 429 after too many wrong ones.
	LogIn(w http.ResponseWriter, r *http.Request, secret string) error
	// LogOut ends the session of r, and removes its cookie from the browser.
	LogOut(w http.ResponseWriter, r *http.Request)
}

// SecretField is the name of the form field with the admin token or a one-time code. If the secret is right, the sender
// of the form gets a session, and the form is handled.
const SecretField = "admin_secret"
