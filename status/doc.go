// Package status is the local endpoint of the agent. It serves pages, JSON, metrics, an export and two health checks,
// over TCP (by default on loopback) and over a unix socket. docs/security.md describes the access for operators.
//
// The routes and the access to each are in one table: routes.go. status/api/openapi.yaml describes the API under
// /api/v1/. Beside the API there are the pages (status/web), /metrics, /healthz and /readyz.
//
// Access:
//
//   - Over the socket every request may read and change. The file mode of the socket decides who may connect.
//   - Over TCP on loopback every request may read. A change needs the admin token or a session.
//   - Over TCP on another address there is TLS, and reading needs the token or a session too.
//
// Promises:
//
//   - The endpoint never writes to a controller: a client may ask for registers, with functions 01 to 04, as the agent
//     itself does.
//   - An answer from Reporter and TriggerLog is sent as encoding/json writes it, without HTML escapes, and a newline.
//     It is encoded completely before the first byte is sent, so a slow client holds a buffer and never the store. If
//     an answer cannot be made, the client gets an error status, never half a document.
//   - An export is streamed, and ends where it fails. It is complete only if its trailers come.
//   - The pages work without JavaScript and load nothing from elsewhere.
//   - Connections, header sizes and all times are limited (limits). No listener can use up the other's connections.
//
// Refused:
//
//   - A host name that is not the gateway's: 421. A web page could let its own name point to 127.0.0.1 and read the
//     endpoint through a browser (DNS rebinding).
//   - A foreign Origin, and a request that a browser marks as coming from another site: 403. Following a link to a page
//     is allowed.
//   - A body under /api/ that is not JSON: 415. A change without a login: 401. Another method: 405.
//   - A query parameter that is unknown, repeated or out of range: 400, with the allowed values.
//
// Failure: Listen returns which address it could not use, and the way out. ErrRunning means that another agent answers
// on the socket. A socket file without an answer is left from a crash, and is replaced. Serve returns an error only
// when a listener fails.
//
// In reading order:
//
//   - server.go, routes.go, guard.go, door.go: the server, its routes, and the access to them
//   - listen.go, tls.go, plain.go: sockets and certificates, and clients that speak plain HTTP to them
//   - answer.go, query.go, body.go: answers, parameters and bodies
//   - api.go, triggers.go, triggerfile.go, history.go, logs.go, doctor.go, integrations.go: what can be read
//   - events.go, watch.go: the stream of events
//   - edit.go, control.go, read.go, replay.go, deadletters.go, gaps.go, login.go: what can be changed
//   - export.go, bundle.go: downloads
//
// Example:
//
//	s := status.New(status.Options{Reporter: a, TriggerLog: a, Health: a,
//		Listen: "127.0.0.1:8780", Socket: "/run/noi-agent/agent.sock"})
//	if err := s.Listen(); err != nil {
//		return err
//	}
//	return s.Serve(ctx) // until ctx ends
package status
