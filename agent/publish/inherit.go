package publish

// Inherit has a forwarder go on with the last success, and the deleted samples, of the forwarder that the integration
// had before a reload.
func (f *Forwarder) Inherit(before *Forwarder) {
	view := before.snapshot()
	f.view.lastSuccess, f.view.drops = view.lastSuccess, view.drops
	f.droppedBefore = before.droppedBefore
}
