# The commands that a contributor runs. `make` alone lists them.

PYTHON := .venv/bin/python
MANAGE := DJANGO_SETTINGS_MODULE=tests.settings $(PYTHON) manage.py
ARGS :=

.PHONY: help setup serve test full check bench format schema baseline migrations fuzz pictures ci

help: ## List these commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-11s %s\n", $$1, $$2}'

setup: ## Install what `serve` needs into .venv
	python3 -m taskapi setup

serve: ## Serve on http://127.0.0.1:8000
	python3 -m taskapi serve

test: ## Run the tests; ARGS=tests/tasks/test_create.py runs some
	python3 -m taskapi test $(ARGS)

full: ## Run all tests, also those that take seconds each
	python3 -m taskapi test --full $(ARGS)

check: ## Check format, lint, types, migrations, settings, schema, API changes
	.ci/run check

ci: ## Run all that CI runs
	.ci/run

bench: ## Measure the operations of the API
	python3 -m taskapi bench $(ARGS)

format: ## Format the code and sort its imports
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

schema: ## Write docs/openapi.yaml again
	$(MANAGE) spectacular --file docs/openapi.yaml

baseline: ## Make docs/openapi.yaml the description of a release
	mkdir -p baseline
	cp docs/openapi.yaml baseline/openapi.yaml

migrations: ## Write migrations for changed models
	$(MANAGE) makemigrations

fuzz: ## Send generated requests for ten minutes
	TASKAPI_FUZZ_SECONDS=$${TASKAPI_FUZZ_SECONDS:-600} \
		$(PYTHON) -m pytest -n 0 --full --require-services tests/live/fuzz

pictures: ## Take the README's pictures again
	TASKAPI_README_PICTURES=1 \
		$(PYTHON) -m pytest -n 0 --full --require-services tests/live/test_browser.py -k readme
