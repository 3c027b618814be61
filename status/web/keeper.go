package web

import "net/http"

// Keeper says who may change things. Package status implements it, and asks it itself before it calls the handler of a
// page that is not read with GET.
type Keeper interface {
	// LoggedIn reports whether r comes from one who may change things: over the agent's socket, or with a session.
	LoggedIn(r *http.Request) bool
	// LogIn takes the admin token or a one-time code, and gives the browser a session by a cookie in w. The error says
	// what to show: an *api.Error with status 401 for a wrong one, or 429 after too many wrong ones.
	LogIn(w http.ResponseWriter, r *http.Request, secret string) error
	// LogOut ends the session of r, and takes its cookie from the browser.
	LogOut(w http.ResponseWriter, r *http.Request)
}

// SecretField is the name of the form field with the admin token or a one-time code. The sender of a form with a right
// one is logged in by it, and the form is taken.
const SecretField = "admin_secret"
