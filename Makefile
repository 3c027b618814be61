# make run    a full demo: simulated controller and clouds, no hardware, no account
# make test   everything that CI runs, without the two minutes of make soak
# make torture  long tests with kills, power cuts and damaged files, to find rare errors

VERSION ?= $(shell cat VERSION)
GO      ?= go
PREFIX  ?= /usr
DESTDIR ?=
BIN     ?= bin
# grpcnotrace removes gRPC's debug pages. They would link net/trace and its templates into the daemon, which never serves them.
# nethttpomithttp2 removes net/http's copy of HTTP/2 (0.5 MB): gRPC has its own, and SNS, token services and the status use HTTP/1.1.
TAGS    := grpcnotrace,nethttpomithttp2
# The date of the commit: a clock that is right is not before it (docs/time.md). The date of the build is not used, so equal sources make equal programs.
BUILT   ?= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null))
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.built=$(BUILT)
# The code of the pages has nested calls. If they were inlined, the pages would take 1.5 MB.
GCFLAGS := maragu.dev/gomponents/...=-l
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -gcflags '$(GCFLAGS)' -ldflags '$(LDFLAGS)'

# FUZZTIME is the time for each fuzz target of `make fuzz`, or a number of inputs such as 500x.
FUZZTIME ?= 5s

.PHONY: all build run test check screens torture soak fuzz bench bench-line bench-store bench-uplink bench-drain bench-lateness bench-cpu packages test-packages install uninstall clean
all: build

build:
	@$(BUILD) -o $(BIN)/noi-agent ./cmd/noi-agent
	@$(BUILD) -o $(BIN)/noi-sim ./cmd/noi-sim

run: build
	@bin/noi-sim run -- bin/noi-agent run --config configs/demo.yaml

test: check

check:
	bash tools/check.sh

# only the outbox: bytes written, commits, and start and memory by backlog
bench-store:
	bash tools/bench-store.sh

# bytes per sample at the socket, TLS included, compared with the clouds' own clients; fails if a ratio is above its limit
bench-uplink:
	bash tools/bench-uplink.sh

# lateness of polls while the status endpoint is under load, compared with an agent without requests
bench-lateness:
	bash tools/bench-lateness.sh

# processor time and memory of the agent beside Telegraf, with one controller and Pub/Sub; the first run builds Telegraf
bench-cpu: build
	bash tools/bench-cpu.sh

# sending 200,000 samples (NOI_DRAIN) from the outbox to both clouds, compared with the clouds' own clients; memory meanwhile; the time from a sample to its acceptance
bench-drain:
	bash tools/bench-drain.sh

# thousands of kills, power cuts, failing system calls and damaged files, with figures; run it before a release, and after any change to store
torture:
	bash tools/torture.sh

# one daemon with faults of line, clouds, clock and disk for half an hour (or SOAK=2m): every sample is accounted for, nothing grows; a plot in dist/
soak:
	bash tools/soak.sh

# a picture of every page at 390 and 1280 pixels, in light and dark colours, in dist/screens/; and the picture of the README
screens:
	cd status/web/browsertest && $(GO) run ./screens -out ../../../dist/screens
	cp dist/screens/readme.png docs/overview.png

fuzz:
	bash tools/fuzz.sh $(FUZZTIME)

bench: build
	bash tools/bench.sh

# only the line: share of the wire's limit, wrong values compared with goburrow's transporter, ten units, CPU
bench-line:
	bash tools/bench-line.sh

# deb, rpm, apk, ipk and tarballs for each architecture, in dist/
packages:
	bash tools/packages.sh

# installs, upgrades, removes and purges the deb in a separate Debian system, and runs the programs for other architectures
test-packages:
	bash tools/test-packages.sh

install:
	test -x $(BIN)/noi-agent || $(MAKE) build
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) BIN=$(BIN) sh packaging/install.sh install

uninstall:
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) sh packaging/install.sh uninstall

clean:
	rm -rf bin run dist
