package guard

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Origins refuses requests that a browser sends for the page of another site.
type Origins struct{ protection http.CrossOriginProtection }

// Refuses returns why r may not pass, nil when it may. Programs that are no browser send none of these headers.
func (o *Origins) Refuses(r *http.Request) error {
	if err := o.protection.Check(r); err != nil {
		return fmt.Errorf("this request came from another site and was refused: nothing was changed")
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameHost(origin, r.Host) {
		return fmt.Errorf("a page of %q may not read this endpoint", origin)
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "same-origin", "none":
		return nil
	default: // cross-site, and same-site: another port of localhost is another program
		if followsLink(r) {
			return nil
		}
		return fmt.Errorf("a %s page may not read this endpoint: open its address in the browser", site)
	}
}

// sameHost compares host and port only: the same port cannot speak both http and https.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}

// followsLink reports whether a person follows a link on another site: the answer then fills the window, and the
// other site cannot read it. A frame is not accepted.
func followsLink(r *http.Request) bool {
	dest := r.Header.Get("Sec-Fetch-Dest")
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	return read && r.Header.Get("Sec-Fetch-Mode") == "navigate" && (dest == "" || dest == "document")
}
