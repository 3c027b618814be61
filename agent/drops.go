package agent

// noteDrops notes how many samples of the integration were deleted unsent, of all runs, and returns what the status shows
// of them.
func (f *forwarder) noteDrops(n uint64) trouble {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view.drops.seen(n, f.clock.Elapsed(), f.clock.Now())
	return f.view.drops
}
