# The face of the project: `make demo`, `make test`. Each target installs what it needs.
.PHONY: setup demo dev check test bench image lock engine clean
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
export UV_PYTHON_DOWNLOADS := never

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.installed ## .venv/bin/conductor and what it needs

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	@sh scripts/setup.sh $(VENV)
	@touch $@

demo: setup ## the main job: real integration tests in real containers, ends with a verdict
	@sh scripts/engine.sh
	@sh scripts/demo.sh $(BIN)

dev: setup ## a server on the fake engine with a green, a red and a hanging run; started anew on a change (LISTEN=127.0.0.1:8000)
	@$(BIN)/python scripts/dev.py $(LISTEN)

check: setup ## format, lint, types, import contracts, fast tests (about a minute)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest tests/unit tests/scenarios tests/surfaces -m "not engine and not crash and not slow" -q

test: setup ## everything that this machine can run
	@sh scripts/engine.sh tests
	@sh scripts/prism.sh $(VENV)
	@sh scripts/mcp_tools.sh $(VENV)
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/pytest --numprocesses 2 --dist loadgroup

bench: setup ## the figures in benchmarks/, as ratios measured in one run
	@sh scripts/engine.sh
	@$(BIN)/python -m benchmarks

IMAGE ?= localhost/conductor:local
image: ## Conductor's own image, IMAGE=NAME:TAG: by Docker, or by Podman on Debian's packages where no Docker answers
	@if docker info >/dev/null 2>&1; then docker build --quiet --file deploy/image/Dockerfile --tag $(IMAGE) . ; \
	    else sh deploy/image/build.sh $(IMAGE); fi
	@echo $(IMAGE)

lock: ## the locked requirements anew, with hashes
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml -o requirements/run.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --group dev pyproject.toml -o requirements/dev.lock

clean: ## what was built here; runs and stacks stay
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache
