// Package status is the local endpoint of the agent: what a technician on the gateway looks at. It serves
// a page, JSON documents, metrics, an export and two health checks, over a loopback TCP address and over a unix socket.
//
//	GET /                  the page: problems, lines, integrations, latest values, trigger table
//	GET /api/v1/status     the agent's state
//	GET /api/v1/objects    latest value of each object
//	GET /api/v1/triggers   ?integration=&success=&gaps=&limit=&before=, newest first
//	GET /api/v1/objects/{line}/{unit}/{object}/history  ?hours=: for the charts
//	GET /api/v1/events     ?topics=status,values,triggers,logs: what changes, as server-sent events
//	GET /api/v1/logs       ?level=&text=&limit=: the last lines of the log
//	GET /api/v1/bundle     a zip file for support: configuration without secrets, state, log, counters
//	GET /api/v1/export     ?from=&to=&format=jsonl|csv: the samples in the outbox
//	GET /healthz, /readyz  200 "ok", or 503 and the reason; controllers that do not answer are no reason
//	GET /metrics           for Prometheus
//	POST /api/v1/read      {"line","unit_id","function","address","count"} → {"registers","at"}; over the socket only
//	GET /api/v1/deadletters  ?integration=: what clouds have rejected
//	POST /api/v1/deadletters/retry, …/drop  {"integration","ids"}: send again, delete; no ids: all; socket only
//	POST /api/v1/replay    {"integration","from","to"} → lines of progress; over the socket only
//
// Promises:
//
//   - No request changes anything, here or in a controller: POST asks for registers, with functions 01 to 04
//     as the agent itself does, and keeps a line busy for one read; or has samples sent to their own cloud again, or
//     rejected ones deleted. Other methods are 405.
//   - What Reporter and TriggerLog return is sent as encoding/json writes it, without HTML escapes, and a
//     newline. It is encoded whole before the first byte goes out, so that a slow reader holds a buffer
//     and never the store. An answer that cannot be made is an error status, never half a document.
//   - An export is streamed, and broken off where it fails: it is whole if and only if its trailers come.
//   - The page needs no JavaScript and nothing from elsewhere. It is made from the same JSON; what of it
//     cannot be read is said on the page, and the rest is shown.
//   - Connections, header sizes and all times are bounded (limits); no listener can starve the other.
//
// Refused:
//
//   - A listen address that is not loopback: there is neither TLS nor a token. Use ssh -L.
//   - Over TCP, a Host that is not a loopback name with our port: a foreign name that resolves to
//     127.0.0.1 is how a web page would read this endpoint through a browser (DNS rebinding). The socket
//     has no such check: no browser reaches it, and its file mode says who may.
//   - A foreign Origin, and requests that a browser marks as coming from another site. Following a link
//     to the page itself is allowed.
//   - Over TCP, registers and replays: there every local user could keep a line busy, or an uplink.
//   - A query parameter that is unknown, repeated or out of range: 400, with what is allowed.
//
// Failure: Listen says what it could not bind and the way out; ErrRunning tells that another agent
// answers on the socket. A socket file that nobody answers on is left from a crash and is replaced.
// Serve returns an error only when a listener broke.
//
//	s := status.New(status.Options{Reporter: a, TriggerLog: a, Health: a,
//		Listen: "127.0.0.1:8780", Socket: "/run/noi-agent/agent.sock"})
//	if err := s.Listen(); err != nil {
//		return err
//	}
//	return s.Serve(ctx) // until ctx ends
package status
