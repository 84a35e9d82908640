# Needs Go, git and make. What the tests need beyond that, scripts/install-test-needs installs.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The Go that is installed is the Go that is used, and a checkout of another user's is no error.
export GOTOOLCHAIN := local
export GOFLAGS     := -buildvcs=false $(filter-out -buildvcs=%,$(GOFLAGS))

TOOL     := go tool -modfile=tools/go.mod
FUZZTIME ?= 10s

.PHONY: help check lint fmt test run golden bench bench-nodes fuzz mutants release

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

check: lint ## fast: format, vet, staticcheck, imports, short tests on SQLite
	go test -short ./...

lint: ## format, vet and staticcheck alone
	@files=$$($(TOOL) gofumpt -l .); if [ -n "$$files" ]; then echo "gofumpt changes:"; echo "$$files"; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...

fmt: ## format all Go files with gofumpt
	$(TOOL) gofumpt -w .

test: ## everything that CI runs; installs what it needs
	scripts/install-test-needs
	$(MAKE) --no-print-directory lint
	go test -count=1 -timeout 20m ./... # e2e and docs build the program, which the test cache does not see
	scripts/race
	scripts/interop
	scripts/extauthz
	scripts/browser

run: ## start the demo: nothing is kept, nothing is needed
	go run ./cmd/ostiary demo

golden: ## write the golden pages anew; then review them as a diff
	go test $$(scripts/packages-with 'flag\.Bool("update"') -update
	scripts/browser -run EveryPage -update

bench: ## measure, as ratios in one run
	scripts/bench

bench-nodes: ## measure three nodes and PostgreSQL on this machine; takes an hour
	go test -count=1 -timeout 3h ./fleet -v -run TestFigures -figures -scale-page ../docs/scale.md | grep -v "^=== "

fuzz: ## each fuzz target for FUZZTIME (10s)
	scripts/fuzz $(FUZZTIME)

mutants: ## break each rule, each door and what nodes rely on, and see a page or a suite notice
	scripts/mutants
	scripts/door-mutants
	scripts/fleet-mutants

release: ## static programs for Linux, into dist/
	scripts/release
