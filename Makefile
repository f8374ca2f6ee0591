# Everything a developer does, by name. The first three set themselves up:
#   make demo         the main job on real DNS packets and, as root, a real nftables gate
#   make demo-fleet  three resolvers, etcd and five gates in namespaces, as root: a leader dies
#   make test         every test; as root it installs the system packages they need
# Also: test-all, test-fast, test-latest, lock, check, bench, agreement, docs, reference, man, deb, deb-lock, image, coverage, mutation, fuzz, look, format, hooks, clean.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# How many tests run at once: two for each core, as many wait for servers, timers and the disk.
JOBS   ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) * 2)')
CORES  := $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
# A thousand processes of a test run would each compile what they import.
unexport PYTHONDONTWRITEBYTECODE
IMAGE_TOOL ?= podman build
QUIET  := --quiet --disable-pip-version-check
LOCKED := $(BIN)/pip install $(QUIET) --require-hashes --only-binary=:all: --requirement
# How long `make fuzz` looks, over all its targets together.
SECONDS ?= 60
# Where `make test-fast` looks; the other folders have no quick tests.
FAST := $(addprefix tests/,allowsync backends docs mutation testkit)

# What the tests drive for real, as Debian names it.
SYSTEM_PACKAGES := nftables ipset ufw iptables conntrack iproute2 dnsmasq-base strace tmux nginx-light libnginx-mod-stream podman systemd-container mmdebstrap \
                   apache2-bin caddy fail2ban firewalld haproxy groff man-db mandoc bash zsh fish lintian busybox

# The modules that are pure functions over values: every branch of them is tested.
PURE := allowsync/engine/history.py,allowsync/engine/options.py,allowsync/engine/rollout.py,$\
        allowsync/fleet/document.py,allowsync/fleet/envelope.py,allowsync/fleet/fields.py,allowsync/fleet/host_fields.py,allowsync/fleet/machines.py,allowsync/fleet/parts.py,$\
        allowsync/inspect/access_at.py,allowsync/inspect/explain.py,allowsync/model/answer.py,$\
        allowsync/model/memory.py,allowsync/model/networks.py,allowsync/model/outcome.py,$\
        allowsync/model/plan.py,allowsync/model/spans.py,allowsync/model/special_purpose.py,$\
        allowsync/model/types.py,$\
        allowsync/notify/prometheus.py,allowsync/plan/claims.py,allowsync/plan/limits.py,$\
        allowsync/plan/planner.py,allowsync/plan/reasons.py,allowsync/plan/result.py,$\
        allowsync/policy/absence.py,allowsync/policy/denylist.py,allowsync/policy/clock.py,allowsync/policy/crowd.py,$\
        allowsync/policy/decision.py,allowsync/policy/evidence.py,allowsync/policy/fleet.py,allowsync/policy/fold.py,allowsync/policy/guards.py,allowsync/policy/inheritance.py,allowsync/policy/list_formats.py,$\
        allowsync/policy/lists.py,allowsync/policy/newcomers.py,allowsync/policy/orders.py,allowsync/policy/orphans.py,$\
        allowsync/policy/screening.py,allowsync/policy/sightings.py,allowsync/policy/tracking.py,$\
        allowsync/text.py

CODE := allowsync backends examples testkit tests tools

.PHONY: demo demo-fleet test test-all test-fast test-latest check bench agreement docs reference man deb deb-lock image coverage mutation fuzz look lock format hooks clean system

demo: $(BIN)/.run
	@$(BIN)/python examples/demo

demo-fleet: $(BIN)/.test system
	@PYTHONPATH=. $(BIN)/python examples/demo/fleet_story.py

# Of sweeps that take minutes, a sample. What some tests boot is made beside the others.
test: $(BIN)/.test system
	@$(BIN)/python -m compileall -q $(CODE)
	@if [ "$$(id -u)" = 0 ]; then $(BIN)/python -m tests.support.boot >/dev/null 2>&1 & fi; \
	$(BIN)/pytest -n $(JOBS) --dist worksteal

# Every sweep as a whole: before a release.
test-all: export TEST_ALL = yes
test-all: test

# The inner loop: what opens no socket, starts no process and needs no root. Under a minute, as none
# of it waits for anything: one process for each core, and states on a disk in memory.
test-fast: export TMPDIR := $(firstword $(wildcard /dev/shm) /tmp)
test-fast: $(BIN)/.test
	$(BIN)/pytest -q -n $(CORES) -m "not (io or slow or root)" $(FAST)

# Also what builds the package: some tests build it in their own environment.
LATEST := --editable . --group build --group test

# The tests that releases of others can break, with the newest of everything and with the oldest
# that pyproject.toml allows, each in an environment of its own.
test-latest: $(BIN)/.lock system
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python $(VENV)-latest
	$(BIN)/uv pip install --quiet --python $(VENV)-latest --upgrade $(LATEST)
	$(VENV)-latest/bin/pytest -q -n $(JOBS) -m "not root"
	$(BIN)/uv venv --quiet --clear --seed --python $(BIN)/python $(VENV)-oldest
	$(BIN)/uv pip install --quiet --python $(VENV)-oldest --resolution lowest-direct $(LATEST)
	$(VENV)-oldest/bin/pytest -q -n $(JOBS) -m "not root"

check: $(BIN)/.lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

coverage: $(BIN)/.test
	$(BIN)/pytest -q -n $(CORES) $(addprefix tests/allowsync/,model policy plan engine fleet inspect notify test_text.py) --cov --cov-report= \
	  && $(BIN)/coverage report --include='$(PURE)' --fail-under=100

# Takes about ten minutes; `make mutation MODULES="decide plan"` less.
mutation: $(BIN)/.test
	$(BIN)/python -m tests.mutation $(MODULES)

bench: $(BIN)/.test system
	$(BIN)/python -m tests.bench $(BENCH)

# Many rulesets: what the copy of the packet filter answers beside what packets find, as a table.
agreement: $(BIN)/.test system
	@$(BIN)/python -m tests.support.agreement

fuzz: $(BIN)/.fuzz
	$(BIN)/python -m fuzz --seconds $(SECONDS)

# The page of `status --html` in a real browser, as pictures in dist/look; needs Chromium.
look: $(BIN)/.look
	$(BIN)/python -m tests.look dist/look

# The documents made from the program: configuration reference, JSON Schema, and pictures of what it shows.
reference: $(BIN)/.run
	$(BIN)/python -m tools.docgen docs docs

man: $(BIN)/.man
	$(BIN)/python -m tools.docgen man dist/man

# dist/allowsync_<version>_all.deb; packaging/deb/vendored.txt says what it brings along.
deb: $(BIN)/.man
	rm -f dist/allowsync_*_all.deb
	$(BIN)/python packaging/deb/make_deb.py build dist

deb-lock: $(BIN)/.run
	$(BIN)/python packaging/deb/make_deb.py lock

# An image named allowsync. `make image IMAGE_TOOL="buildah build"`, or "docker build".
image:
	$(IMAGE_TOOL) -f packaging/container/Containerfile -t allowsync .

docs: $(BIN)/.docs reference
	COLUMNS=100 NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Renews requirements/ after a change of pyproject.toml; UPGRADE=--upgrade takes the newest releases.
lock: $(BIN)/.lock
	$(BIN)/python -m tools.lock $(UPGRADE)

format: $(BIN)/.lint
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(BIN)/.lint
	$(BIN)/pre-commit install

clean:
	rm -rf $(VENV) $(VENV)-latest $(VENV)-oldest build dist site .cache .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache

# Installs what is missing, and only as root on a system with apt; otherwise the tests say what
# they could not run and why.
system:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then .ci/system-packages $(SYSTEM_PACKAGES); fi

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "allowsync needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; } \
	  || { echo "Python cannot make virtual environments here; on Debian: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Everything comes from the locks in requirements/, held to its hash; nothing is built but allowsync.
$(BIN)/.run: requirements/run.txt pyproject.toml $(BIN)/python
	$(LOCKED) $<
	$(BIN)/pip install $(QUIET) --no-deps --no-build-isolation --editable .
	@touch $@

LOCKS := test lint man docs fuzz look lock
$(LOCKS:%=$(BIN)/.%): $(BIN)/.%: requirements/%.txt $(BIN)/.run
	$(LOCKED) $<
	@touch $@

$(BIN)/.lint $(BIN)/.look: $(BIN)/.test
