package sinks

// Shape is how an integration's messages look, as far as that decides what they cost.
type Shape struct {
	Batch   bool // a message holds a sweep; false: one sample
	Gzip    bool // batches are compressed
	Ordered bool // the cloud keeps the order of messages with one key: a FIFO topic, an ordering key
}

// Cost is what messages cost at a cloud's sockets, in bytes up and down, TLS included.
type Cost struct {
	Request   float64 // each request
	Message   float64 // each message, with the first of its samples
	Sample    float64 // each sample of a batch, beside its message
	Attribute float64 // each attribute of a message
	// Most returns how many messages one request takes at the most, from 1 up, when they have so many keys.
	Most func(keys int) int
}
