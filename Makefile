# The one place for commands: `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Commands that load the settings run with development's environment.
WITH_SETTINGS := $(BIN)/python -m local.settings
# The first Python from 3.11 on; name another with `make setup PYTHON=…`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$python; break; fi; done)
# Tests wait for processes as much as they compute: two for each of CI's processors.
WORKERS ?= 4
# The suite starts hundreds of processes; without bytecode each would compile the whole project.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-sandbox quick load restarts kills crashes histories growth bench bench-quick lint docs majors openapi format golden migrations messages compose-check deploy screenshots recording release-check lock types rules collect

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

setup: $(STAMP) ## make .venv with everything in requirements-dev.lock

$(STAMP): requirements-dev.lock
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 on was found: install one, or name it with PYTHON=…"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) makes no virtual environment (on Debian and Ubuntu: apt-get install python3-venv)"; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check --root-user-action=ignore \
		--require-hashes --requirement requirements-dev.lock
	@touch $@

demo: setup ## start everything, and buy with SeQura before your eyes; Ctrl-C ends it
	@exec $(BIN)/python -m local.demo

test: setup ## all tests, on throw-away servers or on DATABASE_URL and REDIS_URL
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(ARGS)

quick: setup ## the tests that need no server, browser or other process, in seconds
	@QUICK=1 $(BIN)/pytest -q $(ARGS)

test-sandbox: setup ## the tests of the pretend BigCommerce and SeQura alone
	@$(BIN)/pytest -n $(WORKERS) --dist loadgroup sandbox $(ARGS)

RESTARTS ?= 50

restarts: setup ## the broker restarts fifty times under load; RESTARTS=… names another number
	@BROKER_RESTARTS=$(RESTARTS) $(BIN)/pytest -q tests/orders/test_broker.py

KILLS ?= 50

kills: setup ## a worker is killed fifty times under load; KILLS=… names another number
	@KILLS=$(KILLS) $(BIN)/pytest -p no:randomly -q tests/orders/test_journeys.py -k killed $(ARGS)

CRASHES ?= 1000

crashes: setup ## a thousand random crashes of a payment, and all pairs of places; CRASHES=… names another number
	@PAIRS=all CRASHES=$(CRASHES) $(BIN)/pytest -q tests/payments/test_crashes.py $(ARGS)

HISTORIES ?= 2000

histories: setup ## two thousand random histories of orders; HISTORIES=… names another number
	@HISTORIES=$(HISTORIES) $(BIN)/pytest -n $(WORKERS) -q tests/orders/test_histories.py tests/orders/test_accepted_facts.py $(ARGS)

EACH ?= 1000

growth: setup ## what the queue reads at ten million orders of 10,000 stores; EACH=… orders of a store
	@ORDERS_OF_A_STORE=$(EACH) $(BIN)/pytest -q tests/orders/test_growth.py $(ARGS)

load: setup ## attacks on two web processes, and what others see meanwhile
	@$(BIN)/python -m local.load $(ARGS)

bench: setup ## the product beside bare loops and peers, as ratios; ARGS="intake" for one part
	@$(BIN)/python -m local.bench $(ARGS)

bench-quick: setup ## the same in three minutes; fails when a ratio slipped by half
	@$(BIN)/python -m local.bench --quick $(ARGS)

majors: setup ## the tests that work the database, on PostgreSQL 15 to 18; ARGS="16" for one
	@$(BIN)/python -m local.majors $(ARGS)

lint: types rules ## style, types, imports, migrations, the lock; `make -j2 lint` is faster

types: setup
	@$(BIN)/mypy .

rules: setup compose-check
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(WITH_SETTINGS) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(WITH_SETTINGS) $(BIN)/python -W ignore::RuntimeWarning -m local.migration_check
	@$(WITH_SETTINGS) $(BIN)/python -m local.openapi --check
	@sh local/check_lock.sh
	@! grep -rnIE '^(<{7}|>{7}) ' --exclude-dir=.git --exclude-dir=.venv . || { echo "a merge was left unfinished"; exit 1; }

# Every worker of a fresh clone would compile all tests by itself.
collect: setup
	@DATABASE_URL=postgresql://none REDIS_URL=redis://none $(BIN)/pytest --collect-only -qq >/dev/null

docs: setup ## docs/ as a site, in artifacts/site; every link is checked
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

openapi: setup ## docs/api/openapi.yaml anew from the code; read the diff before you commit it
	@$(WITH_SETTINGS) $(BIN)/python -m local.openapi

format: setup ## let ruff tidy up
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

golden: setup ## write the golden files anew; read the diff before you commit it
	@$(WITH_SETTINGS) $(BIN)/python -m tests.payloads.rewrite

migrations: setup ## make migrations for what changed in the models
	@$(WITH_SETTINGS) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations
	@for file in */migrations/0*.py; do \
		grep -q " $$file$$" migrations.sha256 || sha256sum $$file >>migrations.sha256; done

messages: setup ## compile the translations in locale/ (needs gettext)
	@$(WITH_SETTINGS) $(BIN)/python -W ignore::RuntimeWarning manage.py compilemessages --ignore $(VENV)

compose-check: setup ## docker-compose.yml against .env.example and our rules, without Docker
	@$(BIN)/python -m local.compose_check

deploy: ## build and migrate, then restart one compose service after the other, each once healthy
	docker compose build web
	docker compose run --rm migrate
	for service in web web-2 worker worker-slow beat; do \
		docker compose exec --no-TTY $$service touch /tmp/draining && sleep 3; \
		docker compose up --detach --no-deps --force-recreate --wait $$service || exit 1; done

screenshots: setup ## pictures of every page, into artifacts/
	@$(BIN)/python -m local.screenshots

recording: setup ## the demo as a short film, docs/pictures/demo.webp
	@$(BIN)/python -m local.recording

release-check: setup docs ## is this tree the release that it names? docs/developers.md has the steps
	@$(WITH_SETTINGS) $(BIN)/python -m local.openapi --check
	@$(BIN)/python -m local.release_check

lock: setup ## both locks anew from pyproject.toml
	@sh local/lock.sh
