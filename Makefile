# `make help` lists the targets; the text behind ## is what it says of each, with a new line at each |.

.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# For demo: your own sample in place of simulated galaxies.
IMAGES ?=
CATALOG ?=
IMROOT ?=
BANDS ?=
# For demo and up: the ports; unless given, those of the last time, at first 4200 and 9000.
PREFECT_PORT ?=
STORE_PORT ?=

# For up: the work pools that get a worker on this machine, cpu,gpu or one of them or none; unless given, those of the last
# time, at first both.
WORKERS ?=
# For worker: the work pool, and a copy of .service/env.sh of the machine with the service.
POOL ?= gpu
ENV_FILE ?=
# What is installed; a machine with a GPU needs train-gpu,service.
EXTRAS ?= train,train-jax,simulate,serve,service,dev

PORTS := $(if $(PREFECT_PORT),--prefect-port $(PREFECT_PORT)) $(if $(STORE_PORT),--store-port $(STORE_PORT))
SAMPLE := $(if $(IMAGES),--images "$(IMAGES)") $(if $(CATALOG),--catalog "$(CATALOG)") \
          $(if $(IMROOT),--imroot "$(IMROOT)") $(if $(BANDS),--bands "$(BANDS)")

# For watch: name or id of the run.
RUN ?=
# For shipped: the version, by default the one in use; its store, by default that of INCLINET_STORE; and a file with text
# to add to its model card.
VERSION ?=
STORE ?=
NOTES ?=

.PHONY: help install demo test test-all bench up worker down status watch shipped lint format docs

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { gsub(" [|] ", sprintf("\n%16s", ""), $$2); printf "make %-10s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## the pinned environment, in .venv

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: name another with make PYTHON=python3.12" if not (3, 11) <= v <= (3, 13) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	@$(BIN)/python -m deployments.database
	@touch $@

demo: $(INSTALLED) ## the whole service at work on simulated galaxies, or on your own: | IMAGES= CATALOG= IMROOT= BANDS= (and the ports of make up)
	@$(BIN)/python -m deployments.demo $(PORTS) $(SAMPLE)

up: $(INSTALLED) ## start the service on this machine; other ports, fewer workers: | PREFECT_PORT= STORE_PORT= WORKERS=
	@$(BIN)/python -m deployments.service up $(PORTS) $(if $(WORKERS),--workers "$(WORKERS)")

worker: $(INSTALLED) ## a worker on another machine, until Ctrl-C: POOL= ENV_FILE=
	@exec $(BIN)/python -m deployments.worker --pool "$(POOL)" $(if $(ENV_FILE),--env-file "$(ENV_FILE)")

down: $(INSTALLED) ## stop the service; the data stay in .service/
	@$(BIN)/python -m deployments.service down

status: $(INSTALLED) ## show programs, runs, queue, and the version in use
	@$(BIN)/python -m deployments.service status

watch: $(INSTALLED) ## follow a run to its result, by default the last one: RUN=
	@$(BIN)/python -m deployments.watch $(if $(RUN),--run "$(RUN)")

shipped: $(INSTALLED) ## make a version the one that ships with the package: | VERSION= STORE= NOTES=
	@$(BIN)/python -m deployments.shipped $(if $(VERSION),--version "$(VERSION)") $(if $(STORE),--store "$(STORE)") \
		$(if $(NOTES),--notes "$(NOTES)")

# Two processes; tests that share a service stay together in one of them.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

test: $(INSTALLED) ## the test suite
	$(PYTEST)

test-all: $(INSTALLED) ## the test suite with the tests that take minutes
	$(PYTEST) -m ""

bench: $(INSTALLED) ## speed and memory of the stages and the training on this machine
	$(BIN)/python benchmarks/stages.py
	$(BIN)/python benchmarks/training.py

lint: $(INSTALLED) ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/hadolint docker/Dockerfile

format: $(INSTALLED) ## correct the style of the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED) ## build the documentation in site/; broken links fail
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
