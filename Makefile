# make help lists what there is. Everything installs what it lacks (scripts/setup) and says so.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO_FLAGS ?=
DEMO ?=
BENCH ?=
SEEDS ?= 10
TORTURE ?=

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## install what building and testing need
	@scripts/setup

demo: ## see calendars being kept in step: PostgreSQL, both simulators and the service on this machine (DEMO="--mailboxes 200 …")
	@scripts/setup
	cargo build $(CARGO_FLAGS) -p kommuneklient
	target/debug/kommuneklient demo $(DEMO)

test: ## all tests: units, properties, end to end on real PostgreSQL
	@scripts/setup
	scripts/test

test-peers: ## independent clients (exchangelib, ews-javascript-api, zeep, an OTLP receiver) against the simulators and the service
	@scripts/setup peers
	cargo build $(CARGO_FLAGS) -p kommuneklient
	tests/peers/run

torture: ## any fault, in any order, against several instances: SEEDS=10 seeds (TORTURE="--seed 4711 --keep DIR" or --help for more)
	@scripts/setup
	cargo build $(CARGO_FLAGS) -p end-to-end --bins
	target/debug/kommuneklient-torture --seeds $(SEEDS) $(TORTURE)

bench: ## figures beside a reference of the same run; release build (BENCH="full-pull" picks, BENCH=--list shows)
	@scripts/setup
	cargo bench $(CARGO_FLAGS) -p end-to-end --bench bench -- $(BENCH)

event-codes: ## write docs/event-codes.md anew from the registry
	cargo run $(CARGO_FLAGS) -q -p kommuneklient -- codes --markdown > target/event-codes.md
	mv target/event-codes.md docs/event-codes.md

lint: ## rustfmt, clippy, documentation, unused dependencies; warnings are errors
	@scripts/setup lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps -q
	cargo machete

.PHONY: help setup demo test test-peers torture bench event-codes lint
