package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"noi-agent/status/api"
	"noi-agent/status/guard"
	"noi-agent/status/web"
)

// door decides which requests may use a route. It implements web.Keeper.
type door struct {
	keeper   *guard.Keeper
	cookie   string // name of the session's cookie, without TLS
	outside  bool   // other machines can reach TCP: reading needs a login too
	log      *slog.Logger
	stateDir string // directory of the admin token; "": there is none
}

// newDoor returns the door with the admin token of the state directory. Without a token, TCP can only read, and changes
// need the socket.
func newDoor(o Options) *door {
	d := &door{keeper: guard.NewKeeper(o.Elapsed), cookie: cookieName(o.DeviceID), log: o.Logger, stateDir: o.StateDir}
	if o.StateDir == "" {
		return d
	}
	token, exposed, err := guard.EnsureToken(o.StateDir)
	if err != nil {
		o.Logger.Error("no login is possible: there is no admin token", "error", err)
		return d
	}
	if exposed {
		o.Logger.Warn("others could read the admin token, and cannot any more: noi-agent token rotate makes a new one")
	}
	d.keeper.SetToken(token)
	return d
}

// How a request shows that it may change things.
const (
	byNothing = "none"
	bySocket  = "socket"
	byToken   = "token"
	bySession = "session"
)

// cookieName is the name of the session's cookie. A browser sends the cookies of one port of an address to all others,
// so two gateways behind two tunnels need two names.
func cookieName(deviceID string) string {
	const digits = 8
	return "noi-" + deviceID[:min(digits, len(deviceID))]
}

// sessionCookie returns the name of the cookie for r. Browsers accept a name that begins with __Host- only over TLS,
// and only from the same host.
func (d *door) sessionCookie(r *http.Request) string {
	if r.TLS != nil {
		return "__Host-" + d.cookie
	}
	return d.cookie
}

// who returns how r shows that it may change things. The error is an *api.Error about a wrong token.
func (d *door) who(r *http.Request) (by string, err error) {
	if overSocket(r) {
		return bySocket, nil
	}
	if value := r.Header.Get("Authorization"); value != "" {
		scheme, token, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return byNothing, api.NewError(http.StatusUnauthorized, "this kind of authorization is not known",
				"send Authorization: Bearer and the admin token")
		}
		if err := d.keeper.CheckToken(token); err != nil {
			return byNothing, d.refused(r, err)
		}
		return byToken, nil
	}
	if c, err := r.Cookie(d.sessionCookie(r)); err == nil && d.keeper.Use(c.Value) {
		return bySession, nil
	}
	return byNothing, nil
}

// refused is the answer to a wrong token or code.
func (d *door) refused(r *http.Request, err error) *api.Error {
	d.log.Warn("wrong admin token or code", "from", r.RemoteAddr)
	var wait *guard.WaitError
	if errors.As(err, &wait) {
		e := api.NewError(http.StatusTooManyRequests,
			fmt.Sprintf("Too many wrong tries. Try again in %d s.", wait.Seconds()), "")
		e.RetryAfterS = wait.Seconds()
		return e
	}
	return api.NewError(http.StatusUnauthorized, err.Error(), loginHint)
}

const loginHint = "on the gateway, `sudo noi-agent login` prints a one-time code"

// pass returns why r may not use a route, nil when it may.
func (d *door) pass(need access, r *http.Request) *api.Error {
	if need == anyone || need == reads && !d.outside {
		return nil
	}
	by, err := d.who(r)
	var refused *api.Error
	switch {
	case errors.As(err, &refused):
		return refused
	case by == bySocket || by != byNothing && need != socketOnly:
		return nil
	case need == socketOnly:
		return api.NewError(http.StatusForbidden, "this is done over the agent's unix socket only", "")
	case need == reads:
		return api.NewError(http.StatusUnauthorized, "Log in to see this.", loginHint)
	default:
		return api.NewError(http.StatusUnauthorized, "Log in to change things.", loginHint)
	}
}

// stillReads reports whether a client that pass has allowed to read may still read: until its session ends, or the
// admin token is replaced. This check does not extend the session, and is no try of a token.
func (d *door) stillReads(r *http.Request) bool {
	if !d.outside || overSocket(r) {
		return true
	}
	if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		return d.keeper.IsToken(token)
	}
	c, err := r.Cookie(d.sessionCookie(r))
	return err == nil && d.keeper.Lasts(c.Value)
}

// LoggedIn implements web.Keeper.
func (d *door) LoggedIn(r *http.Request) bool {
	if admitted, ok := r.Context().Value(admittedKey{}).(bool); ok && admitted {
		return true
	}
	by, err := d.who(r)
	return err == nil && by != byNothing
}

// admittedKey marks the context of a request that has logged in by its own form, because its cookie is not set yet.
type admittedKey struct{}

// LogIn implements web.Keeper.
func (d *door) LogIn(w http.ResponseWriter, r *http.Request, secret string) error {
	session, err := d.keeper.LogIn(secret)
	if err != nil {
		return d.refused(r, err)
	}
	http.SetCookie(w, d.newCookie(r, session))
	return nil
}

// LogOut implements web.Keeper.
func (d *door) LogOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(d.sessionCookie(r)); err == nil {
		d.keeper.LogOut(c.Value)
	}
	gone := d.newCookie(r, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
}

func (d *door) newCookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{Name: d.sessionCookie(r), Value: value, Path: "/", HttpOnly: true, Secure: r.TLS != nil,
		SameSite: http.SameSiteStrictMode}
}

// admit lets only allowed requests use a route.
func (s *Server) admit(to route) http.HandlerFunc {
	locked := s.lockedForm(to)
	isForm := to.method == http.MethodPost && !strings.HasPrefix(to.path, "/api/")
	return func(w http.ResponseWriter, r *http.Request) {
		if isForm {
			if err := r.ParseForm(); err != nil { // a handler would see no fields
				failWith(w, r, badBody(&bodyError{err}))
				return
			}
		}
		why := s.door.pass(to.access, r)
		if why != nil && locked != nil {
			r, why = s.door.formLogIn(w, r, why)
		}
		switch {
		case why == nil:
			to.handler(w, r)
		case locked != nil:
			describe(w, why)
			locked(w, r, why)
		default:
			if to.instead != "" && why.Status == http.StatusUnauthorized {
				why.Hint = "use `" + to.instead + "` on the gateway, or log in: " + loginHint
			}
			s.refuse(w, r, why)
		}
	}
}

// lockedForm shows the page of a form to a client that may not send it; nil: the route is no form.
func (s *Server) lockedForm(to route) func(http.ResponseWriter, *http.Request, *api.Error) {
	for _, p := range s.site.Pages() {
		if p.Method == to.method && p.Path == to.path && to.access == changes {
			if p.Locked == nil {
				return s.refuse
			}
			return p.Locked
		}
	}
	return nil
}

// formLogIn logs in with the token field of a form. If the field is empty, it returns why unchanged.
func (d *door) formLogIn(w http.ResponseWriter, r *http.Request, why *api.Error) (*http.Request, *api.Error) {
	secret := r.PostForm.Get(web.SecretField)
	if secret == "" || why.Status != http.StatusUnauthorized {
		return r, why
	}
	var refused *api.Error
	if errors.As(d.LogIn(w, r, secret), &refused) {
		return r, refused
	}
	return r.WithContext(context.WithValue(r.Context(), admittedKey{}, true)), nil
}

// loginPage is the address of the page to log in on, if the site has one.
const loginPage = "/login"

// forPrograms are the addresses outside /api/ that no person reads.
var forPrograms = [...]string{"/metrics", "/healthz", "/readyz"}

// refuse answers a client that may not use a route. A person who wants to read a page gets the login page.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, why *api.Error) {
	program := strings.HasPrefix(r.URL.Path, "/api/") || slices.Contains(forPrograms[:], r.URL.Path)
	if why.Status != http.StatusUnauthorized || program || r.Method != http.MethodGet || !s.hasLoginPage() {
		failWith(w, r, why)
		return
	}
	to := loginPage + "?next=" + url.QueryEscape(r.URL.RequestURI())
	if _, err := r.Cookie(s.door.sessionCookie(r)); err == nil {
		to += "&ended=true" // there was a session
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (s *Server) hasLoginPage() bool {
	return slices.ContainsFunc(s.site.Pages(), func(p web.Page) bool {
		return p.Method == http.MethodGet && p.Path == loginPage
	})
}

// describe sets the headers that belong to an error.
func describe(w http.ResponseWriter, why *api.Error) {
	if why.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="noi-agent"`)
	}
	if why.Status == http.StatusRequestTimeout {
		w.Header().Set("Connection", "close") // the rest of the body may still arrive
	}
	if why.RetryAfterS > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(why.RetryAfterS))
	}
}
