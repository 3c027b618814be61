# make run    a full demo: simulated controller and clouds, no hardware, no account
# make test   everything CI runs but two minutes of make soak
# make torture  the store's tests of kills, power cuts and damage, long enough to find what is rare

VERSION ?= $(shell cat VERSION)
GO      ?= go
PREFIX  ?= /usr
DESTDIR ?=
BIN     ?= bin
# grpcnotrace drops gRPC's debug pages; they link net/trace and its templates into a daemon that never serves them.
# nethttpomithttp2 drops net/http's copy of HTTP/2 (0.5 MB): gRPC brings its own, and SNS, token services and the status speak HTTP/1.1.
TAGS    := grpcnotrace,nethttpomithttp2
# The date of the commit: no right clock is before it (docs/time.md). Not the date of the build, so that equal sources make equal programs.
BUILT   ?= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null))
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.built=$(BUILT)
# Pages are built of nested calls. Inlined, each call has code of its own, and the pages take 1.5 MB.
GCFLAGS := maragu.dev/gomponents/...=-l
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -tags $(TAGS) -gcflags '$(GCFLAGS)' -ldflags '$(LDFLAGS)'

# package:target of every fuzz target; `make fuzz` proves that the list is whole
FUZZTIME ?= 5s

.PHONY: all build run test check screens torture soak fuzz bench bench-line bench-store bench-uplink bench-drain bench-lateness packages test-packages install uninstall clean
all: build

build:
	@$(BUILD) -o $(BIN)/noi-agent ./cmd/noi-agent
	@$(BUILD) -o $(BIN)/noi-sim ./cmd/noi-sim

run: build
	@bin/noi-sim run -- bin/noi-agent run --config configs/demo.yaml

test: check

check:
	bash tools/check.sh

# the outbox alone: bytes written, commits, start and memory by backlog
bench-store:
	bash tools/bench-store.sh

# bytes a sample at the socket, TLS included, against the clouds' own clients; fails where a ratio is above what is wanted
bench-uplink:
	bash tools/bench-uplink.sh

# lateness of polls while the status endpoint is under load, beside an agent without requests
bench-lateness:
	bash tools/bench-lateness.sh

# 200,000 samples (NOI_DRAIN) from the outbox into both clouds, against the bare clients; memory meanwhile; from a sample to its acceptance
bench-drain:
	bash tools/bench-drain.sh

# thousands of kills, power cuts, failing system calls and damaged files, with figures: before a release, and after any change to store
torture:
	bash tools/torture.sh

# one daemon with faults of everything for half an hour, or SOAK=2m: every sample accounted for, nothing grows; a plot in dist/
soak:
	bash tools/soak.sh

# a picture of every page at 390 and 1280 pixels, by day and by night, in dist/screens/; and the one of the README
screens:
	cd status/web/browsertest && $(GO) run ./screens -out ../../../dist/screens
	cp dist/screens/readme.png docs/overview.png

fuzz:
	bash tools/fuzz.sh $(FUZZTIME)

bench: build
	bash tools/bench.sh

# the line alone: share of the wire's limit, wrong values beside goburrow's transporter, ten units, CPU
bench-line:
	bash tools/bench-line.sh

# deb, rpm, apk, ipk and tarballs for each architecture, in dist/
packages:
	bash tools/packages.sh

# installs, upgrades, removes and purges the deb in a Debian system of its own, and tries the programs of other architectures
test-packages:
	bash tools/test-packages.sh

install:
	test -x $(BIN)/noi-agent || $(MAKE) build
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) BIN=$(BIN) sh packaging/install.sh install

uninstall:
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) sh packaging/install.sh uninstall

clean:
	rm -rf bin run dist
