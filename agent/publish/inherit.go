package publish

// Inherit takes over the last success, and the count of deleted samples, from the forwarder that the integration had
// before a reload.
func (f *Forwarder) Inherit(before *Forwarder) {
	view := before.snapshot()
	f.view.lastSuccess, f.view.drops = view.lastSuccess, view.drops
	f.droppedBefore = before.droppedBefore
}
