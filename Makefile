# Two commands are enough on a fresh machine: `make run` and `make test`. `make help` lists the others.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

TOOLS := tests/tools
COLLECTION := collections/ansible_collections/infracheck/bindings
VENV := .venv
VENV_NEXT := .venv-next

# Stamps carry a hash of what was installed and where, so that a change of either installs again and nothing else does.
hash = $(shell (pwd; cat $(1)) | sha256sum | cut -c1-12)
MADE := $(VENV)/made-$(call hash,/dev/null)
RUN := $(VENV)/run-$(call hash,requirements/run.txt)
DEV := $(VENV)/dev-$(call hash,requirements/*.txt)
BENCH := build/bench/venv/bench-$(call hash,requirements/run.txt requirements/bench.txt)
MOLECULE := build/molecule/venv/molecule-$(call hash,requirements/run.txt requirements/molecule.txt)
MOLECULE_NEXT := build/molecule/venv-next/molecule-$(call hash,requirements/molecule.txt requirements/molecule-next.txt)
NEXT := $(VENV_NEXT)/next-$(call hash,requirements/next.txt requirements/test.txt)

PIP_INSTALL := bin/python -m pip install --quiet --disable-pip-version-check
# ansible-lint and ansible-test look up their helpers on PATH.
IN_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

.PHONY: help
help:  ## Show this help
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | while IFS=$$'\t' read -r name text; do printf '%-16s %s\n' "$$name" "$$text"; done

# --- Use ---

.PHONY: run
run: $(RUN) link  ## Check this very machine: what its listeners are bound to (exits 0 when it could look)
	$(IN_VENV) ansible-playbook check_bindings.yml -e bind_check_fail_on=never

.PHONY: demo
demo: $(RUN) link  ## Show a finding: a real listener loses its address, in a network namespace of its own (root)
	@$(TOOLS)/system_packages.sh ip:iproute2 unshare:util-linux
	$(IN_VENV) $(TOOLS)/demo.sh

# --- Test ---

.PHONY: test
test: static-and-kernel unit integration molecule  ## Run every test (under 20 minutes on 2 cores)

# Each of the two keeps one core busy; of each the output comes whole, at its end.
.PHONY: static-and-kernel
static-and-kernel: setup
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=recurse kernel-test lint

.PHONY: unit
unit: $(DEV) link  ## Unit tests (under 30 s)
	$(IN_VENV) pytest tests/unit

.PHONY: integration
integration: $(DEV) $(NEXT) link system-packages  ## The modules and playbooks on this machine, with both ansible-core lines
	$(IN_VENV) pytest -n 2 tests/integration
	$(call with_next,$(VENV_NEXT),$(NEXT),pytest -n 2 tests/integration)

WORLDS ?= 2000
SEED ?=
.PHONY: kernel-test
kernel-test: $(DEV) link system-packages  ## Random worlds, our answers against the kernel's own (root): WORLDS=… SEED=…
	$(IN_VENV) WORLDS="$(WORLDS)" SEED="$(SEED)" pytest -s tests/kernel

SCENARIOS ?=
# With the newer ansible-core: of those asked for, one where the role acts and one where it refuses.
NEXT_SCENARIOS = $(filter stale_address would_break,$(or $(SCENARIOS),stale_address would_break))
.PHONY: molecule
molecule: $(MOLECULE) $(MOLECULE_NEXT) link  ## The rebind role on real systemd hosts: SCENARIOS="rescue …", MOLECULE_ENGINE=podman|docker|nspawn
	PATH="$(CURDIR)/build/molecule/venv/bin:$$PATH" $(TOOLS)/molecule.sh $(SCENARIOS)
	$(if $(NEXT_SCENARIOS),$(call with_next,build/molecule/venv-next,$(MOLECULE_NEXT),$(TOOLS)/molecule.sh $(NEXT_SCENARIOS)))

PARTS ?=
.PHONY: bench
bench: $(BENCH) $(NEXT) link  ## Ours beside ss, lsof, psutil and other modules (root, an idle machine): PARTS="--quick found task …"
	@$(TOOLS)/system_packages.sh ip:iproute2 ss:iproute2 nsenter:util-linux lsof:lsof
	PYTHONPATH=collections build/bench/venv/bin/python -m ansible_collections.infracheck.bindings.tests.benchmarks $(PARTS)

.PHONY: lint
lint: ruff mypy ansible-lint docs changelog schemas sanity  ## Every static check

.PHONY: ruff
ruff: $(DEV)  ## Python style and formatting
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

.PHONY: format
format: $(DEV)  ## Format the Python files
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

.PHONY: mypy
mypy: $(DEV) link  ## Types, strict: the plugins as the oldest target Python sees them, then the tests
	$(VENV)/bin/mypy --python-version 3.9 $(COLLECTION)/plugins
	$(VENV)/bin/mypy $(COLLECTION)/tests

.PHONY: ansible-lint
ansible-lint: $(DEV) link  ## Playbooks, roles and YAML, by the production profile
	$(VENV)/bin/yamllint --strict .
	$(IN_VENV) ansible-lint --offline --strict --profile production

.PHONY: docs
docs: $(DEV) link  ## Documentation of the modules: complete, and every reference in it resolves
	$(IN_VENV) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs=self .

.PHONY: changelog
changelog: $(DEV)  ## Changelog fragments
	$(VENV)/bin/antsibull-changelog lint

LINT_SCHEMAS = $(shell $(VENV)/bin/python -c 'import ansiblelint; print(ansiblelint.__path__[0])')/schemas
.PHONY: schemas
schemas: $(DEV)  ## galaxy.yml, runtime.yml, role arguments and the workflow by their schemas; our own by the metaschema
	$(VENV)/bin/check-jsonschema --schemafile $(LINT_SCHEMAS)/galaxy.json galaxy.yml
	$(VENV)/bin/check-jsonschema --schemafile $(LINT_SCHEMAS)/meta-runtime.json meta/runtime.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/test.yml
	$(if $(wildcard roles/*/meta/argument_specs.yml),$(VENV)/bin/check-jsonschema --schemafile $(LINT_SCHEMAS)/role-arg-spec.json $(wildcard roles/*/meta/argument_specs.yml))
	$(if $(wildcard docs/schemas/*.json),$(VENV)/bin/check-jsonschema --check-metaschema $(wildcard docs/schemas/*.json))

.PHONY: sanity
sanity: $(DEV) $(NEXT)  ## ansible-test sanity, of both ansible-core lines
	@$(TOOLS)/system_packages.sh git:git shellcheck:shellcheck
	$(TOOLS)/sanity.sh $(VENV)
	$(call with_next,$(VENV_NEXT),$(NEXT),$(TOOLS)/sanity.sh $(VENV_NEXT))

# --- Set-up ---

.PHONY: setup
setup: $(DEV) $(NEXT) link system-packages  ## Everything that the other targets need

.PHONY: link
link:
	@$(TOOLS)/link_checkout.sh

.PHONY: system-packages
system-packages:  ## System packages that the tests need: installs what is missing (Debian, root), else names it
	@$(TOOLS)/system_packages.sh git:git ip:iproute2 ss:iproute2 unshare:util-linux setpriv:util-linux

$(MADE):
	$(TOOLS)/make_venv.sh $(VENV) 3.11 3.12 3.13
	touch $@

$(RUN): $(MADE)
	$(VENV)/$(PIP_INSTALL) -r requirements/run.txt
	touch $@

$(DEV): $(RUN)
	$(VENV)/$(PIP_INSTALL) -r requirements/dev.txt
	touch $@

$(MOLECULE):
	mkdir -p build/molecule
	$(TOOLS)/make_venv.sh build/molecule/venv 3.11 3.12 3.13
	build/molecule/venv/$(PIP_INSTALL) -r requirements/molecule.txt
	touch $@

$(BENCH):
	mkdir -p build/bench
	$(TOOLS)/make_venv.sh build/bench/venv 3.11 3.12 3.13
	build/bench/venv/$(PIP_INSTALL) -r requirements/bench.txt
	touch $@

# The newer ansible-core wants Python 3.12 or newer. Without one its runs are skipped, by name and aloud.
$(NEXT):
	@if $(TOOLS)/find_python.sh 3.13 3.12 >/dev/null; then \
	  $(TOOLS)/make_venv.sh $(VENV_NEXT) 3.13 3.12 && \
	  $(VENV_NEXT)/$(PIP_INSTALL) -r requirements/next.txt && touch $@; \
	fi
# Arguments: a virtual environment, its stamp, a command.
with_next = @if [ -e $(2) ]; then \
	  echo "With ansible-core 2.21: $(3)"; PATH="$(CURDIR)/$(1)/bin:$$PATH" $(3); \
	else echo "skipped: $(3) with ansible-core 2.21, as this machine has no Python 3.13 or 3.12"; fi

# The package `ansible` is large, and only its connections are wanted.
$(MOLECULE_NEXT): $(MOLECULE)
	@if $(TOOLS)/find_python.sh 3.13 3.12 >/dev/null; then \
	  $(TOOLS)/make_venv.sh build/molecule/venv-next 3.13 3.12 && \
	  build/molecule/venv-next/$(PIP_INSTALL) -r requirements/molecule-next.txt && \
	  ln -sfn "$$(echo "$(CURDIR)"/build/molecule/venv/lib/python3.*/site-packages/ansible_collections)" \
	    "$$(echo build/molecule/venv-next/lib/python3.*/site-packages)/ansible_collections" && touch $@; \
	fi

.PHONY: clean
clean:  ## Remove everything that make and the tools made
	rm -rf $(VENV) $(VENV_NEXT) .ansible .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache build collections dist tests/output
	find . -name __pycache__ -prune -exec rm -rf {} +
