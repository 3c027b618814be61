package modbus_test

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"noi-agent/modbus"
	"noi-agent/modbus/modbustest"
)

// netStorm is the storm behind a gateway. It has every fault that can happen between a network line and its slaves.
type netStorm struct {
	*storm
	gateway *modbustest.Gateway
	line    *modbus.Line
	port    string
	equal   bool // the second client uses the same ids as our requests
	good    int
	sum     modbus.Counters
}

// weatherOf names one kind of gateway.
type weatherOf struct {
	name  string
	port  string
	route modbustest.Route
	equal bool
	loose bool
	odd   bool // the second client also reads odd lengths, as widened reads have
}

func netWeathers() []weatherOf {
	return []weatherOf{
		{name: "tcp, replies to the asker", port: "tcp://us:502"},
		{name: "tcp, replies to the newest", port: "tcp://us:502", route: modbustest.ToNewest},
		{name: "tcp, replies to all", port: "tcp://us:502", route: modbustest.ToAll},
		{name: "tcp, replies to all, equal ids", port: "tcp://us:502", route: modbustest.ToAll, equal: true},
		{name: "tcp, ids ignored, replies to all", port: "tcp://us:502", route: modbustest.ToAll, loose: true},
		{name: "rtu, replies to the asker", port: "rtu+tcp://us:502"},
		{name: "rtu, replies to the newest", port: "rtu+tcp://us:502", route: modbustest.ToNewest},
		{name: "rtu, replies to all", port: "rtu+tcp://us:502", route: modbustest.ToAll},
		{name: "tcp, replies to all, odd lengths", port: "tcp://us:502", route: modbustest.ToAll, odd: true},
		{name: "tcp, equal ids, odd", port: "tcp://us:502", route: modbustest.ToAll, equal: true, odd: true},
		{name: "tcp, ids ignored, odd", port: "tcp://us:502", route: modbustest.ToAll, loose: true, odd: true},
		{name: "rtu, odd", port: "rtu+tcp://us:502", route: modbustest.ToAll, odd: true},
	}
}

// netRounds gives 72,000 reads in all, fewer under the race detector.
func netRounds() int {
	if raceEnabled {
		return 2
	}
	return 16
}

// TestNoWrongValueEverOverANetwork is the promise behind gateways. There are late, doubled, reordered and foreign
// replies, a second client, restarts in the middle of a request, and connections that end, are reset or become mute.
func TestNoWrongValueEverOverANetwork(t *testing.T) {
	t.Parallel()
	for _, w := range netWeathers() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			seed := stormSeed(t)
			synctest.Test(t, func(t *testing.T) { netWeather(t, w, seed) })
		})
	}
}

// stormSeed chooses a random seed and prints it. NOI_SEED=n sets the seed.
func stormSeed(t *testing.T) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("NOI_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	return seed
}

func netWeather(t *testing.T, w weatherOf, seed uint64) {
	s := &netStorm{storm: newStorm(seed, timeout), port: w.port, equal: w.equal}
	s.network, s.trace, s.rtu = true, &frameTrace{}, w.port[0] == 'r'
	for _, slave := range s.slaves {
		slave.Delay = 10 * time.Millisecond
	}
	s.gateway = &modbustest.Gateway{RTU: w.port[0] == 'r', Slaves: s.slaves, Route: w.route}
	s.gateway.Script = func() modbustest.GatewayFault { return s.gatewayFault(w) }
	s.calm.Store(true)
	s.gateway.Start()
	defer s.gateway.Stop()
	s.restart(t, w.loose)
	for range netRounds() {
		stop := s.secondClient(w)
		defer stop()
		<-time.After(5 * time.Second) // the promise counts from the first seen reply to the other program
		s.calm.Store(false)
		for range stormReads {
			s.trouble(t, w)
			if s.poll(t, s.line, s.ask()) == nil {
				s.good++
			}
			<-time.After(upTo(s.rng, 200*time.Millisecond))
		}
		s.calm.Store(true)
		stop()
		s.gateway.Unmute()
		<-time.After(time.Minute) // by then all late replies have come
		_ = s.line.Open()
		s.heals(t, s.line)
	}
	s.restart(t, w.loose) // adds up the counters
	_ = s.line.Close()
	s.bitesBehind(t, w)
}

// restart begins a new life of the line, without the knowledge of the life before.
func (s *netStorm) restart(t *testing.T, loose bool) {
	t.Helper()
	if s.line != nil {
		s.sum = add(s.sum, s.line.Counters())
		_ = s.line.Close()
	}
	s.trace.add(newLife, nil)
	settings := modbus.Settings{Port: s.port, Baud: 115200}
	if loose {
		settings.TransactionID = "ignore"
	}
	s.line = modbus.NewLine(modbus.Options{
		Settings: settings, Timeout: timeout,
		Connect: func(string) (net.Conn, error) {
			conn, err := s.gateway.Connect("us")
			return s.trace.over("us", conn, err)
		},
	})
	if err := s.line.Open(); err != nil {
		t.Fatal(err)
	}
}

// trouble chooses at random what happens between two reads.
func (s *netStorm) trouble(t *testing.T, w weatherOf) {
	switch s.rng.IntN(50) {
	case 0:
		s.gateway.CloseIdle()
	case 1:
		ctx, cancel := context.WithCancel(t.Context())
		at := time.AfterFunc(upTo(s.rng, s.unit), cancel)
		q := s.ask()
		s.read.Add(1)
		_, _ = s.line.Read(ctx, q.unit, q.function, q.addr, q.count)
		at.Stop()
		cancel()
		s.restart(t, w.loose)
		if w.equal { // the line cannot know that its first foreign reply is not its own
			s.calm.Store(true) // or no foreign reply may come for that long
			<-time.After(5 * time.Second)
			s.calm.Store(false)
		}
	}
}

// gatewayFault chooses at random what the gateway does with a reply.
func (s *netStorm) gatewayFault(w weatherOf) (f modbustest.GatewayFault) {
	if s.calm.Load() {
		return f
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.luck.IntN(40) {
	case 0:
		f.Hold = true
	case 1:
		f.HangUp = true
	case 2:
		f.Reset = true
	case 3:
		f.Mute = s.luck.IntN(4) == 0 && !w.equal // after a restart the line must notice the other client
	case 4, 5:
		f.Split = 1 + s.luck.IntN(12)
	case 6:
		f.ID = uint16(s.luck.IntN(3))
	case 7:
		f.Restamp = w.equal
	}
	return f
}

// secondClient sends requests until the returned function is called.
func (s *netStorm) secondClient(w weatherOf) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	rng := rand.New(rand.NewPCG(s.rng.Uint64(), 7))
	go func() {
		defer close(ended)
		odd := oddQuestions()
		for id := uint16(1); ctx.Err() == nil; {
			made, err := s.gateway.Connect("other")
			conn, err := s.trace.over("other", made, err)
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn) }()
			for range 1 + rng.IntN(100) {
				id++
				q := (&storm{rng: rng, addr: uint16(rng.IntN(900))}).ask()
				if w.odd && (len(odd) > 0 || rng.IntN(4) == 0) {
					odd = oddLength(rng, &q, odd)
				}
				if _, err := conn.Write(s.foreignRequest(q, id)); err != nil || !waits(ctx, upTo(rng, time.Second)) {
					break
				}
			}
			conn.Close()
		}
	}()
	return func() { cancel(); <-ended }
}

func waits(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// oddQuestions are the reads of odd lengths, each for each unit and function. The second client sends them first.
func oddQuestions() (list []question) {
	for _, unit := range []byte{1, 2} {
		for _, count := range []uint16{11, 15, 33} {
			list = append(list, question{unit: unit, function: modbus.FuncReadHolding, count: count},
				question{unit: unit, function: modbus.FuncReadInput, count: count})
		}
	}
	return list
}

// oddLength changes q to the next read of an odd length in the list. After the end of the list it chooses one at
// random.
func oddLength(rng *rand.Rand, q *question, list []question) (rest []question) {
	if len(list) == 0 {
		all := oddQuestions()
		list = all[rng.IntN(len(all)):][:1]
	}
	next := list[0]
	next.addr = min(q.addr, stormRegisters-next.count)
	*q = next
	return list[1:]
}

// foreignRequest returns a request of the other client.
func (s *netStorm) foreignRequest(q question, id uint16) []byte {
	adu := q.request()
	if s.gateway.RTU {
		return adu
	}
	if newest := s.gateway.Newest(); s.equal && newest != 0 {
		id = newest
	}
	head := binary.BigEndian.AppendUint16(nil, id)
	head = append(head, 0, 0, 0, 6)
	return append(head, adu[:6]...)
}

// add adds the counters that the test requires to change.
func add(a, b modbus.Counters) modbus.Counters {
	a.Timeouts += b.Timeouts
	a.Probes += b.Probes
	a.Rivals += b.Rivals
	a.ForeignIDs += b.ForeignIDs
	a.ForeignUnits += b.ForeignUnits
	a.WrongLengths += b.WrongLengths
	a.Late += b.Late
	a.Redials += b.Redials
	a.Requests += b.Requests
	a.Ambiguous += b.Ambiguous
	a.Exceptions += b.Exceptions
	return a
}

// bitesBehind checks that the script was hard enough to prove something.
func (s *netStorm) bitesBehind(t *testing.T, w weatherOf) {
	t.Helper()
	t.Logf("%d reads, %d with values; %+v", s.read.Load(), s.good, s.sum)
	least := int(s.read.Load()) / 20
	if w.route == modbustest.ToNewest {
		least = 50
	}
	if s.good < least {
		t.Errorf("%d reads, %d of them with values, are too few to prove anything", s.read.Load(), s.good)
	}
	for name, n := range map[string]uint64{
		"timeouts": s.sum.Timeouts, "probes": s.sum.Probes, "late": s.sum.Late, "redials": s.sum.Redials,
		"exceptions": s.sum.Exceptions, "misfits": s.sum.ForeignUnits + s.sum.WrongLengths,
	} {
		if n < 5 {
			t.Errorf("only %d %s: the script is too easy", n, name)
		}
	}
	if w.route != modbustest.ToAsker && s.sum.Rivals < 5 {
		t.Errorf("only %d replies to the other client were seen", s.sum.Rivals)
	}
}
