package publish

// Inherit takes over the last success, and the count of deleted samples, from the forwarder that the integration had
// before a reload.
func (f *Forwarder) Inherit(before *Forwarder) {
	view := before.view.now()
	f.view.shown.lastSuccess, f.view.shown.succeeded = view.lastSuccess, view.succeeded
	f.view.shown.drops = view.drops
	f.droppedBefore = before.droppedBefore
}
