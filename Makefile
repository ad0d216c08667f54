# The commands of this repository. `make` alone lists the targets.

CARGO ?= cargo
export PATH := $(CURDIR)/.cache/tools/bin:$(PATH)

# Node and OpenClaw, as scripts/openclaw.sh installs them.
NODE_BIN := $(CURDIR)/.cache/node-24.21.0/node_modules/.bin
OPENCLAW := $(CURDIR)/.cache/openclaw-2026.9.6/node_modules/.bin/openclaw
NPM := cd openclaw-plugin && PATH="$(NODE_BIN):$$PATH" npm

# To try things out: t2b without jemalloc, whose C code takes long to build.
QUICK := --profile quick --no-default-features -p cli --bin t2b

PURE_CRATES := -p protocol -p router-core
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

# Clippy compiles the crates of the workspace for the tests, so lints need no compilation of their own.
# Warnings are errors. Clippy switches rustc's MIR optimisations off: nothing that is measured or shipped is
# built this way.
LINTED_CARGO ?= RUSTC_WORKSPACE_WRAPPER=clippy-driver \
	CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__ $(CARGO)

# Most tests wait, for processes or for time. Only for nextest, where each test is a process: one test of
# loadtest counts the threads of its process.
export NEXTEST_TEST_THREADS := $(shell echo $$((4 * $$(getconf _NPROCESSORS_ONLN))))

# nextest where it is installed. Conformance cases, clusters and OpenClaw have stages of their own.
ifdef NEXTEST
RUN_TESTS := $(LINTED_CARGO) nextest run --no-fail-fast
ALL_TESTS := $(RUN_TESTS) --workspace -E 'not (binary(conformance) or binary(openclaw) or binary(cluster) or binary(neighbours) or binary(balancers))'
else
RUN_TESTS := $(LINTED_CARGO) test --no-fail-fast
ALL_TESTS := $(RUN_TESTS) --workspace --lib --bins --test it --test contract
endif

# In the order in which they run: the quick ones first. Those that are joined by `+` run beside each other,
# because at least one of them mostly waits: for the network, for processes or for time.
STAGES := system fmt-check tools+compile layers tidy promtool chart deny plugin unit doctest conformance neighbours-short \
	nodes-alone nodes-beside+e2e+balancers

.DEFAULT_GOAL := help
SEEDS ?= 0..500
SECONDS ?= 60

.PHONY: help image compose-check systemd-check release-check peers run cluster dashboards neighbours test check generate simulate simulate-bugs bench bench-relay bench-idle bench-instructions bench-tenants bench-usage bench-criterion fmt pure plugin-build nightly builds ledger rolling clippy nodes cold manifests \
	$(subst +, ,$(STAGES))

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

image: ## builds the image around a quick build, without a registry, and checks it
	@scripts/tools.sh system image
	@$(CARGO) build $(QUICK)
	@deploy/image/check.sh "$${CARGO_TARGET_DIR:-target}/quick/t2b"

compose-check: image ## deploy/compose.yaml and deploy/valkey, run without a registry; needs root
	@scripts/tools.sh redis prometheus haproxy compose
	@deploy/compose/check.sh "$${CARGO_TARGET_DIR:-target}/quick/t2b"

release-check: ## what can be done of a release without GitHub
	@scripts/tools.sh system release
	@[ ! -d helm/t2b ] || scripts/tools.sh helm
	@deploy/release/check.sh

systemd-check: ## deploy/systemd, by systemd-analyze; needs systemd 252
	@$(CARGO) build $(QUICK)
	@deploy/systemd/check.sh "$${CARGO_TARGET_DIR:-target}/quick/t2b"

run: ## a gateway, an echo bot and a client in one process: the main job
	@$(CARGO) run $(QUICK) -- demo

cluster: ## redis-server, two gateways and haproxy, to try out
	@scripts/tools.sh system redis haproxy
	@$(CARGO) build $(QUICK)
	@scripts/cluster.sh "$${CARGO_TARGET_DIR:-target}/quick/t2b"

test: export TEST_REQUIRE_TOOLS := 1
test: ## everything that CI runs; installs what it needs
	@MAKE="$(MAKE)" scripts/stages.sh $(STAGES)

cold: ## make test in a fresh clone of this commit, where nothing is built or installed
	@scripts/cold.sh

# Clippy has a stage of its own here, so the tests are compiled without lints.
check: export LINTED_CARGO := $(CARGO)
check: ## the fast loop: format, clippy, tests of the pure layers, layers, tidy
	@MAKE="$(MAKE)" scripts/stages.sh fmt-check clippy pure layers tidy

fmt: ## formats all code
	@$(CARGO) fmt --all

generate: ## writes the generated files
	@$(LINTED_CARGO) xtask generate

simulate: ## a cluster under SEEDS=A..B for SECONDS each, or REPLAY=seed; see simulation/README.md
	$(CARGO) run --profile simulate -p simulation -- --seconds $(SECONDS) \
		$(if $(REPLAY),--replay $(REPLAY) --trace,--seeds $(SEEDS))

simulate-bugs: ## plants the bugs of simulation/bugs, and counts the seeds that catch each
	@scripts/simulate-bugs.sh $(BUG_SEEDS)

bench: bench-instructions bench-tenants bench-usage bench-criterion bench-idle bench-relay ## all benchmarks, 30 minutes; see benches/README.md

bench-relay: peers ## the gateway against raw relays and peers, in turns; 18 minutes, or ONLY=one,two/64x16
	$(CARGO) run --release -p benches -- relay $(if $(ONLY),--only $(ONLY))

bench-instructions: ## instructions a message, compared with benches/instructions.txt; 20 seconds; needs valgrind
	$(CARGO) run --release -p benches -- instructions

bench-criterion: ## time of each step of a message's way, and of the store's scripts; 3 minutes
	$(CARGO) bench -p benches

bench-tenants: ## a node of 100,000 tenants against one of 100; 20 seconds
	$(CARGO) run --release -p benches -- tenants

bench-usage: ## scrapes of many tenants, and what it costs to book their usage; 6 minutes
	$(CARGO) run --release -p benches -- usage

bench-idle: ## memory and CPU of 10,000 idle sockets; 2 minutes
	$(CARGO) run --release -p benches -- idle

deny unit conformance nodes nodes-alone nodes-beside: tools
conformance: export TEST_KOSOKU := $(CURDIR)/.cache/python/bin/kosoku
unit: export TEST_PYTHON := $(CURDIR)/.cache/python/bin/python
unit: export TEST_NODE := $(NODE_BIN)/node
unit nodes nodes-alone nodes-beside: export TEST_REDIS := $(CURDIR)/.cache/redis/redis-server

peers: ## unpacks nats-server and mosquitto into .cache/, to be measured beside the gateway
	@scripts/peers.sh

system: ## checks for what the system must have: a linker, Python, npm
	@scripts/tools.sh system

tools: ## installs what the checks need into .cache/
	@scripts/tools.sh

fmt-check: ## checks the format
	$(CARGO) fmt --all --check

compile: ## compiles all crates and tests, with lints; warnings are errors
	$(LINTED_CARGO) build --workspace --all-targets --locked

clippy: ## lints without compiling; warnings are errors
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

layers: ## no crate imports upward; the pure layers stay pure
	$(LINTED_CARGO) xtask layers

tidy: ## tables documented, generated files current, words, links; sizes
	$(LINTED_CARGO) xtask tidy

promtool: tools compile ## rules and their tests, and the metrics of a running gateway, as Prometheus reads them
	scripts/promtool.sh "$${CARGO_TARGET_DIR:-target}/debug/t2b"

MANIFESTS_PYTHON := .cache/manifests/bin/python

chart: export T2B_PROGRAM ?= $(or $(CARGO_TARGET_DIR),target)/debug/t2b
chart: export TEST_REDIS := $(CURDIR)/.cache/redis/redis-server
chart: ## the Helm chart and k8s/: schemas, policies, bad values, what is rendered; needs a built t2b
	@scripts/tools.sh system redis manifests helm
	$(MANIFESTS_PYTHON) -m unittest discover --start-directory helm/tests

manifests: ## writes the copies in the chart, its table of values, its snapshots and k8s/
	@scripts/tools.sh system manifests helm
	$(MANIFESTS_PYTHON) helm/generate.py

dashboards: ## draws the dashboards of two gateways under load into target/dashboards/; 3 minutes
	@scripts/tools.sh system python redis prometheus charts
	@$(LINTED_CARGO) build --workspace --all-targets --locked
	@scripts/dashboards.sh "$${CARGO_TARGET_DIR:-target}/debug"

deny: ## bans, licences, sources of all dependencies
	$(CARGO) deny --locked check --hide-inclusion-graph bans licenses sources

# npm writes this file when all is installed.
PLUGIN_MODULES := openclaw-plugin/node_modules/.package-lock.json
$(PLUGIN_MODULES): openclaw-plugin/package-lock.json | tools
	$(NPM) ci --prefer-offline --no-audit --no-fund --loglevel=error

plugin-build: tools $(PLUGIN_MODULES) ## compiles the OpenClaw plugin
	$(NPM) run build

plugin: plugin-build ## checks and tests the OpenClaw plugin
	$(NPM) run check
	$(NPM) test

pure: ## unit tests of the pure layers
	$(RUN_TESTS) $(PURE_CRATES)

unit: ## unit and integration tests of all crates
	$(ALL_TESTS)

doctest: ## examples in docstrings
	$(LINTED_CARGO) test --workspace --doc

conformance: ## the WebSocket conformance cases
	$(LINTED_CARGO) test --workspace --test conformance

nodes nodes-alone nodes-beside: export TEST_REQUIRE_TOOLS := 1
nodes-alone: export TEST_PLACE := alone
nodes-beside: export TEST_PLACE := beside
nodes: ## several gateways on one Redis, over a bad network
nodes nodes-alone nodes-beside:
	$(LINTED_CARGO) test --workspace --test cluster -- --nocapture

balancers: export TEST_BALANCERS := $(CURDIR)/.cache/balancers/bin
balancers: export TEST_REDIS := $(CURDIR)/.cache/redis/redis-server
balancers: export TEST_REQUIRE_TOOLS := 1
balancers: ## the load balancer files of deploy/balancers, each by its own program
	@scripts/tools.sh redis balancers
	$(LINTED_CARGO) test --workspace --test balancers -- --nocapture

neighbours-short: ## noisy-neighbour tests, short version; part of make test
	$(LINTED_CARGO) test --workspace --test neighbours -- --nocapture

neighbours: tools ## noisy-neighbour tests in full; times must pass, so it needs an idle machine
	TEST_FULL=1 $(CARGO) test --profile quick --no-default-features -p cli --test neighbours -- --nocapture

nightly: builds ledger rolling image compose-check systemd-check release-check ## the tests that are too slow for every push

ledger: export TEST_REQUIRE_TOOLS := 1
ledger: export TEST_REDIS := $(CURDIR)/.cache/redis/redis-server
ledger: export TEST_CASE := ledger
ledger: export TEST_LEDGER := long
ledger: tools ## ten minutes of killed gateways and Redis: the usage ledger is what clients saw
	$(LINTED_CARGO) test --workspace --test cluster -- --nocapture

rolling: export TEST_REQUIRE_TOOLS := 1
rolling: export TEST_REDIS := $(CURDIR)/.cache/redis/redis-server
rolling: export TEST_CASE := rolling_restart
rolling: export TEST_DRAIN := long
rolling: tools ## 3,000 sockets move while three gateways behind haproxy restart in turn
	$(LINTED_CARGO) test --workspace --test cluster -- --nocapture

builds: export TEST_REQUIRE_TOOLS := 1
builds: export TEST_REDIS := $(CURDIR)/.cache/redis/redis-server
builds: export TEST_CASE := builds
builds: tools ## the commit of simulation/previous-release and this one as one cluster
	TEST_PREVIOUS="$$(scripts/previous.sh)" $(LINTED_CARGO) test --workspace --test cluster -- --nocapture

e2e: export TEST_NODE := $(NODE_BIN)/node
e2e: export TEST_OPENCLAW := $(OPENCLAW)
e2e: export TEST_REQUIRE_TOOLS := 1
e2e: export TEST_REDIS := $(CURDIR)/.cache/redis/redis-server
e2e: plugin-build ## a real OpenClaw behind a real gateway, then with its clients on another node
	$(LINTED_CARGO) test --workspace --test openclaw -- --nocapture
