# make help lists what there is. Everything installs what it lacks (scripts/setup) and says so.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO_FLAGS ?=
DEMO ?=
BENCH ?=
SEEDS ?= 10
SECONDS ?= 60
OTLP ?= http://127.0.0.1:4317
TORTURE ?=

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## install what building and testing need
	@scripts/setup

demo: ## see calendars being kept in step: PostgreSQL, both simulators and the service on this machine (DEMO="--mailboxes 200 …")
	@scripts/setup
	cargo build $(CARGO_FLAGS) -p kommuneklient
	target/debug/kommuneklient demo $(DEMO)

demo-traces: ## the demo with its traces sent to Jaeger or another collector, and how to watch a change there (OTLP=http://127.0.0.1:4317)
	@scripts/setup
	cargo build $(CARGO_FLAGS) -p kommuneklient
	@scripts/demo-traces $(OTLP) $(DEMO)

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

event-codes: alert-rules ## write docs/event-codes.md (and the alert rules) anew from the registry
	cargo run $(CARGO_FLAGS) -q -p kommuneklient -- codes --markdown > target/event-codes.md
	mv target/event-codes.md docs/event-codes.md

alert-rules: ## write the alert rules of deploy/k8s anew from the registry
	cargo run $(CARGO_FLAGS) -q -p kommuneklient -- codes --alert-rules > target/alert-rules.yaml
	mv target/alert-rules.yaml deploy/k8s/components/monitoring/alert-rules.yaml

check-k8s: ## the manifests of deploy/k8s: rendered, against all schemas, and against what the program itself says
	@scripts/setup k8s
	cargo build $(CARGO_FLAGS) -p kommuneklient
	cd deploy/k8s/check && PYTHONDONTWRITEBYTECODE=1 ../../../target/k8s/venv/bin/python -m unittest -q
	PYTHONDONTWRITEBYTECODE=1 target/k8s/venv/bin/python deploy/k8s/check/check.py
	PYTHONDONTWRITEBYTECODE=1 target/k8s/venv/bin/python deploy/k8s/check/run_dev.py

lint: ## rustfmt, clippy, documentation, unused dependencies, licences, sources, versions; warnings are errors
	@scripts/setup lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps -q
	cargo machete
	target/tools/bin/cargo-deny --locked check -D unmatched-skip -D unused-wrapper licenses sources bans

fuzz: ## look for bytes that a decoder does not bear: SECONDS=60 for each; findings go to fuzz/findings
	@scripts/setup fuzz
	scripts/fuzz $(SECONDS)

fuzz-seeds: ## write fuzz/seeds anew from the tests and from a demo
	@scripts/setup
	cargo build $(CARGO_FLAGS) -p kommuneklient
	rm -rf target/fuzz/captured && target/debug/kommuneklient demo --mailboxes 10 --seconds 5 --faults default --capture target/fuzz/captured
	rm -rf fuzz/seeds
	cargo run $(CARGO_FLAGS) -p end-to-end --example fuzz-seeds -- target/fuzz/captured

advisories: ## known vulnerabilities of what the program is made of (needs the internet: github.com)
	@scripts/setup lint
	target/tools/bin/cargo-deny --locked check advisories

sbom: ## the bill of materials of the program as it is in the image: target/kommuneklient.cdx.json (CycloneDX)
	scripts/sbom

.PHONY: help setup fuzz fuzz-seeds advisories sbom demo demo-traces test test-peers torture bench event-codes alert-rules check-k8s lint
