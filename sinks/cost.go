package sinks

// Shape is the form of an integration's messages, as far as it decides their cost.
type Shape struct {
	Batch   bool // a message holds a sweep; false: one sample
	Gzip    bool // batches are compressed
	Ordered bool // the cloud keeps the order of messages with one key: a FIFO topic, an ordering key
}

// Cost is the bytes of messages at a cloud's sockets, upload plus download, with TLS.
type Cost struct {
	Request   float64 // each request
	Message   float64 // each message, with the first of its samples
	Sample    float64 // each sample of a batch, in addition to its message
	Attribute float64 // each attribute of a message
	// Most returns the largest number of messages in one request, at least 1, if the messages have so many keys.
	Most func(keys int) int
}
