# make help lists what there is. Everything installs what it lacks (scripts/setup) and says so.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO_FLAGS ?=
DEMO ?=
BENCH ?=

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

bench: ## figures beside a reference of the same run; release build (BENCH="full-pull" picks, BENCH=--list shows)
	@scripts/setup
	cargo bench $(CARGO_FLAGS) -p end-to-end --bench bench -- $(BENCH)

lint: ## rustfmt, clippy, documentation, unused dependencies; warnings are errors
	@scripts/setup lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps -q
	cargo machete

.PHONY: help setup demo test test-peers bench lint
