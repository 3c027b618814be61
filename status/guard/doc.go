// Package guard decides who may use the local endpoint.
//
// It has the rules only: no handler, no listener, and no clock of its own. Times are monotonic, since the start of the
// agent, so that a wrong wall clock opens and closes nothing. Package status asks the rules for each request.
//
//	hosts.go         names by which the endpoint may be asked for: against forged names (DNS rebinding)
//	origin.go        which pages in a browser may send a request
//	token.go         the admin token and its file
//	keeper.go        who may change things: token, one-time code, sessions
//	tries.go         how often a wrong token or code may be tried
//	connections.go   which connection is closed when there are too many
package guard
