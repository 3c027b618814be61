package sinks

// Flight has the rules for several requests of a sink at once. The zero Flight is for a sink that sends one request
// after the other.
type Flight struct {
	Several  bool // Publish may be called while other calls of it run
	Distinct bool // no request has two messages of a key: for a FIFO topic
	OneKey   bool // all messages of a request have one key: for a Pub/Sub topic with ordering keys
}
