# Everything that a fresh machine needs beyond Go, make and Python 3 is
# installed by these targets, pinned.

GO          ?= go

# The toolchain that go.mod names, for every target: Go itself heeds that line
# only where its configuration does not pin GOTOOLCHAIN to "local".
export GOTOOLCHAIN := $(shell awk '$$1 == "toolchain" {print $$2}' go.mod)

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
VULNDB      := golang.org/x/vulndb@v0.0.0-20261105234957-e22db6528018

# Named here since make expands prerequisites where it reads them.
AXE := build/axe/node_modules/axe-core/axe.min.js

# The browser tests are a target of their own: they need a browser.
E2E      := ./internal/e2e/...
PACKAGES  = $(shell $(GO) list ./... | grep -v /internal/e2e)

.DEFAULT_GOAL := help

.PHONY: help
help: ## show the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The first build compiles all that vizpost links, which takes minutes.
.PHONY: vizpost
vizpost: ## the command, as build/vizpost
	@[ -e build/vizpost ] || echo "Compiling vizpost. The first time takes one to three minutes ..."
	@mkdir -p build && $(GO) build -o build/vizpost ./cmd/vizpost

.PHONY: demo
demo: vizpost ## the main job on this machine; ARGS=--once exits after the first run
	@build/vizpost demo $(ARGS)

.PHONY: test
test: .venv/.installed ## all Go tests but those that need a browser
	$(GO) test -timeout 20m $(PACKAGES)

.PHONY: race
race: .venv/.installed ## the same tests with the race detector
	$(GO) test -race -timeout 20m $(PACKAGES)

# The Python tools, each in an environment of its own since what they require
# does not agree: an emulator of AWS that the adapters are tested against, with
# cfn-lint; the SAM CLI; an emulator that a template can be deployed to; and
# Tableau's own clients.
.venv/.installed: requirements-dev.txt
.venv-sam/.installed: requirements-sam.txt
.venv-stack/.installed: requirements-stack.txt
.venv-tableau/.installed: requirements-tableau.txt
.venv/.installed .venv-sam/.installed .venv-stack/.installed .venv-tableau/.installed:
	python3 -m venv $(@D)
	$(@D)/bin/pip install -q --disable-pip-version-check -r $<
	@touch $@

# What the functions are built with, here and in no other place. SAM's builder
# for Go passes the environment on.
ARCHITECTURE ?= arm64
BUILD_DIR    ?= .aws-sam/build
LAMBDA_FLAGS := -trimpath -buildvcs=false -tags=lambda.norpc "-ldflags=-s -w -buildid="

.PHONY: build
build: .venv-sam/.installed ## the functions and the template, ready to deploy
	CGO_ENABLED=0 SAM_CLI_TELEMETRY=0 GOFLAGS='$(LAMBDA_FLAGS)' .venv-sam/bin/sam build \
		--build-dir $(BUILD_DIR) --parameter-overrides Architecture=$(ARCHITECTURE)

.PHONY: deploy
deploy: build ## to the AWS account of your credentials; asks for the parameters the first time
	SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam deploy --guided --template-file $(BUILD_DIR)/template.yaml $(ARGS)

.PHONY: stack
stack: .venv-sam/.installed .venv-stack/.installed ## deploy the template to an emulated AWS account on this machine
	@$(GO) run ./cmd/stack up $(ARGS)

.PHONY: stack-down
stack-down: ## end what make stack started
	@$(GO) run ./cmd/stack down

.PHONY: e2e
e2e: browser $(AXE) .venv-sam/.installed .venv-stack/.installed .venv-tableau/.installed ## the built command, the page in a browser, Tableau's clients, the template on an emulator
	$(GO) test -count=1 -timeout 35m $(E2E)

.PHONY: lint
lint: vulncheck .venv/.installed .venv-sam/.installed ## gofmt, vet, staticcheck, govulncheck, cfn-lint, sam validate
	@unformatted=$$(gofmt -l cmd functions internal); if [ -n "$$unformatted" ]; then \
		echo "not formatted, run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	$(GO) mod verify >/dev/null
	$(GO) mod tidy -diff
	.venv/bin/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=eu-central-1 .venv-sam/bin/sam validate --lint

# govulncheck reads the database of the module golang.org/x/vulndb, as
# cmd/indexdb of that module prepares it. The check fails when it finds
# something, and when it cannot look.
build/vulndb/$(VULNDB)/index/db.json:
	@dir=$$($(GO) mod download -json $(VULNDB) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p') && [ -n "$$dir" ] && \
		rm -rf build/vulndb && mkdir -p $(@D) && \
		$(GO) run $(subst @,/cmd/indexdb@,$(VULNDB)) -vulns "$$dir/data/osv" -out $(@D)/.. && touch $@

.PHONY: vulncheck
vulncheck: build/vulndb/$(VULNDB)/index/db.json ## known vulnerabilities that the code reaches
	@made=$$(echo $(VULNDB) | sed 's/.*-\(........\)......-.*/\1/') && \
	echo "govulncheck: $$($(GO) version | cut -d' ' -f3), database of $$made, $$(( ($$(date +%s) - $$(date -d $$made +%s)) / 86400 )) days old"
	$(GO) run $(GOVULNCHECK) -db file://$(abspath $(<D)/..) ./...

.PHONY: bench
bench: vizpost .venv/.installed ## the figures that the project holds itself to
	@$(GO) build -o build/figures ./cmd/figures
	@build/figures -vizpost build/vizpost

.PHONY: chaos
chaos: .venv/.installed ## thousands of random cases; PART=histories runs one part
	@$(GO) run ./cmd/chaos $(if $(PART),-part $(PART)) $(ARGS)

.PHONY: ci
ci: test lint race e2e ## what CI runs

# Debian's Chromium, unless there is one.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { \
		echo "installing chromium"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core >/dev/null; }

# The accessibility checker of the page's tests. It is not part of vizpost.
$(AXE):
	@command -v npm >/dev/null || { \
		echo "installing npm"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq npm >/dev/null; }
	@npm install --silent --no-save --ignore-scripts --no-audit --no-fund --prefix build/axe axe-core@4.14.1

.PHONY: clean
clean: ## remove what the targets make
	rm -rf build .aws-sam
