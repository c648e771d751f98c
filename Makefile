# Each target is one line; what it does stands in the script or tool that it calls.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help setup sandbox sandbox-env sandbox-down test test-unit test-artifact test-molecule test-deploy lint bench

help: ## What can be made here
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

setup: ## Virtual environment, Docker and packages, where they are missing
	@scripts/setup

sandbox: setup ## Deploy the whole to a local AWS on this machine; again: converge it
	@python -m sandbox up && ansible-playbook -i inventories/sandbox site.yml

sandbox-env: ## The client's settings, for: eval "$(make -s sandbox-env)"
	@python -m sandbox env

sandbox-down: ## Remove everything that `make sandbox` made, and nothing else
	@python -m sandbox down

test: ## Everything, side by side
	@scripts/setup tests && scripts/test

test-unit: setup ## The unit tests alone (seconds)
	@pytest -n 2 --dist loadfile tests/unit tests/contracts tests/sandbox tests/benchmarks

test-artifact: setup ## What would be published, built and installed: its content, ansible-test, Galaxy's importer
	@scripts/artifact

test-molecule: setup ## One scenario of molecule: SCENARIO=default
	@scripts/molecule $(SCENARIO)

test-deploy: ## Everything that starts a real MLflow or a sandbox of its own: minutes
	@scripts/setup tests && pytest tests/integration tests/provision tests/deploy

lint: ## Every linter, as the tests run them
	@scripts/setup tests && scripts/lint

bench: sandbox ## Measure the sandbox's server against the tutorial's (20 minutes; to be the machine's only work)
	@scripts/setup tests && python -m benchmarks
