# Every target sets up what it needs; a second run finds it done. What it does is in tools/setup.
.PHONY: help setup build lint test demo bench bench-packets lab-up lab-down clean
.NOTPARALLEL:

SOURCES := $(shell find provider sdk/nodejs tools -name node_modules -prune -o -name '*.ts' -print 2>/dev/null)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

setup: ## Debian packages, npm packages with Node 22, the Pulumi CLI
	@tools/setup/debian-packages.sh
	@tools/setup/node-modules.sh
	@tools/setup/pulumi-cli.sh >node_modules/.pulumi-cli

build: setup dist/sdk/nodejs/index.js ## compile to dist/

dist/sdk/nodejs/index.js: $(SOURCES) package-lock.json tsconfig.json tsconfig.build.json
	@tools/env.sh npm run --silent build
	@touch $@

lint: setup ## types, ESLint, Prettier
	@tools/env.sh npm run --silent typecheck
	@tools/env.sh npm run --silent lint

# All three even when one fails, so that one run shows everything that is wrong.
test: setup build ## types, lint and every test, on the real kernel and the real engine
	@status=0; for step in typecheck lint test; do tools/env.sh npm run --silent $$step || status=1; done; exit $$status

demo: setup build ## the quick start, on hosts in network namespaces
	@tools/env.sh tools/demo/demo.sh

bench: setup build ## how long an apply takes, beside other ways; BENCH="--cases lb --sizes 1,100" chooses
	@bench/apply/run $(BENCH)

bench-packets: setup build ## what a packet costs, beside other ways; BENCH="--services 1,1000 --seconds 1" chooses
	@bench/packetpath/run $(BENCH)

lab-up: setup ## two hosts in network namespaces, to try things on
	@tools/env.sh tools/lab/lab.sh up 2

lab-down: ## remove them
	@tools/lab/lab.sh down

clean: ## what was built; node_modules and the cached CLI stay
	@rm -rf dist coverage *.tgz
