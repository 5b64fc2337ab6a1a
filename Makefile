# make install | demo | test | test-all | bench | up | down | status | lint | format

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# For demo: your own sample instead of simulated galaxies.
IMAGES ?=
CATALOG ?=
IMROOT ?=
BANDS ?=
# Ports; those of the last time, at first 4200 and 9000, unless given.
PREFECT_PORT ?=
STORE_PORT ?=

PORTS := $(if $(PREFECT_PORT),--prefect-port $(PREFECT_PORT)) $(if $(STORE_PORT),--store-port $(STORE_PORT))
SAMPLE := $(if $(IMAGES),--images "$(IMAGES)") $(if $(CATALOG),--catalog "$(CATALOG)") \
          $(if $(IMROOT),--imroot "$(IMROOT)") $(if $(BANDS),--bands "$(BANDS)")

.PHONY: install demo test test-all bench up down status lint format

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(f"Python 3.11 to 3.13 is needed, this is {v[0]}.{v[1]}: name another with make PYTHON=python3.12" if not (3, 11) <= v <= (3, 13) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[cpu,service,dev]"
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python -m deployments.demo $(PORTS) $(SAMPLE)

up: $(INSTALLED)
	@$(BIN)/python -m deployments.service up $(PORTS)

down: $(INSTALLED)
	@$(BIN)/python -m deployments.service down

status: $(INSTALLED)
	@$(BIN)/python -m deployments.service status

test: $(INSTALLED)
	$(BIN)/python -m pytest

test-all: $(INSTALLED)
	$(BIN)/python -m pytest -m ""

bench: $(INSTALLED)
	$(BIN)/python benchmarks/training.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint docker/Dockerfile

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
