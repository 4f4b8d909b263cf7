# SPDX-License-Identifier: Apache-2.0
# What people run by hand; `make` alone lists it.

PYTHON ?= python3
FUZZ_SECONDS ?= 60

# The environment is current if there is a stamp named after its inputs. The folder is one of them,
# since a virtual environment cannot be moved.
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(sort $(wildcard tools/*/pyproject.toml))
INPUTS := .ci/debian-packages .ci/venv debian-packages.txt requirements.lock $(TOOLS)
STAMP := $(VENV)/setup-$(shell (pwd; cat $(INPUTS)) | sha256sum | cut -c1-16)

.PHONY: help setup demo test-packages test test-all test-uboot test-yocto check fmt bench fuzz docs lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F '|' '{printf "make %-13s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with every tool, and install the Debian packages that the demo needs

$(STAMP): | $(INPUTS)
	@.ci/debian-packages
	@.ci/venv $(PYTHON) $@

demo: setup ## boot an image in QEMU, commit a good update, and roll back one that panics
	@$(BIN)/ota-hil demo

test-packages: setup ## install the Debian packages that the tests and the other boards need
	@.ci/debian-packages tests/debian-packages.txt

test: test-packages ## run the tests, except those that take minutes
	@$(BIN)/python -m pytest -m "not full"

test-all: test-packages ## run every test
	@$(BIN)/python -m pytest

test-uboot: test-packages ## test the boot logic with another U-Boot: UBOOT_ROOT=its source tree
	@test -n "$(UBOOT_ROOT)" || { echo "give UBOOT_ROOT, a source tree of U-Boot" >&2; exit 2; }
	@UBOOT_ROOT="$(abspath $(UBOOT_ROOT))" $(BIN)/python -m pytest tests/boot

test-yocto: test-packages ## test the Yocto layer with BitBake: OE_ROOT=folder with checkouts for each release
	@test -n "$(OE_ROOT)" || { echo "give OE_ROOT, see tests/yocto/bitbake.py" >&2; exit 2; }
	@.ci/debian-packages tests/yocto/debian-packages.txt
	@OE_ROOT="$(abspath $(OE_ROOT))" $(BIN)/python -m pytest tests/yocto

check: setup ## check formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fmt: setup ## format the code, and fix what lint can fix
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: test-packages ## measure against mender-artifact, genimage and mender-client, and print the tables
	@$(BIN)/python -m bench.artifact
	@$(BIN)/python -m bench.image
	@$(BIN)/python -m bench.agent

fuzz: test-packages ## read hostile input, each parser for FUZZ_SECONDS (default 60)
	@$(BIN)/python -m tests.fuzz --target all --seconds $(FUZZ_SECONDS)

docs: setup ## write what comes from the code: cli-*.md, agent-states.md, tools/README.md, and others
	@$(BIN)/python -m tests.house.cli_reference --write
	@$(BIN)/python -m tests.house.code_map --write
	@$(BIN)/python -m tests.yocto.variables --write
	@$(BIN)/python -m tests.unit.agent.table --write
	@$(BIN)/python -m tests.unit.agent.configuration --write
	@$(BIN)/python -m tests.unit.agent.config.reference --write
	@$(BIN)/python -m tests.unit.board.hil_reference --write
	@$(BIN)/python -m tests.unit.board.bring_up --write

lock: ## bring requirements.lock to the newest versions; run it with the oldest Python we support
	.ci/lock $(PYTHON)

clean: ## remove everything that the targets above make here; the cache stays
	@echo "clean: the cache stays; to empty it: rm -rf '$${XDG_CACHE_HOME:-$$HOME/.cache}/ota-kit'"
	rm -rf $(VENV) $(VENV).new $(VENV).old build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
