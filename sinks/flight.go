package sinks

// Flight says how requests of a sink may go beside one another. The zero Flight is that of a sink that sends one
// request after the other.
type Flight struct {
	Several  bool // Publish may be called while other calls of it are under way
	Distinct bool // no request has two messages of a key: of a FIFO topic
	OneKey   bool // all messages of a request have one key: of a Pub/Sub topic with ordering keys
}
