# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Every target does its own set-up: Python packages at pinned versions go into virtual environments in this folder, nothing goes elsewhere.
# `make help` lists the targets: it is made from the `##` comments below. Works with GNU make 3.81 and newer.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# --- What can be set ------------------------------------------------------------------------------------------------------------------

## PYTHON: the Python to make the virtual environments with, 3.11 or newer
PYTHON ?= python3
## DEMO: a demo of playbooks/demos, by its file's name, or the path of a file of your own
DEMO ?= front_proxy
## CHANGE: one of the demo's changes, for `make change` and for `make verify` after it
CHANGE ?=
## PLATFORM: where it runs: a folder of inventories/; for `make demos` several, as PLATFORM='local docker'
PLATFORM ?= local
## DEMOS: what `make demos` plays, for instance DEMOS='gzip rbac'; all by default
DEMOS ?=
## JOBS: how many demos `make demos` runs at a time
JOBS ?= 3
## ARGS: more arguments for ansible-playbook, for instance ARGS='--check --diff'
ARGS ?=
## TEST_JOBS: how many integration tests run side by side; they mostly wait
TEST_JOBS ?= 3
## PYTEST_ARGS: more arguments for pytest, for instance PYTEST_ARGS='-k plan'
PYTEST_ARGS ?=
## SANITY_ARGS: more arguments for ansible-test sanity, for instance SANITY_ARGS='--test pylint'
SANITY_ARGS ?=
## STYLE_ARGS: more arguments for the language check, for instance STYLE_ARGS='--only docs'
STYLE_ARGS ?=
## PARTS: what `make bench` measures, for instance PARTS='fleet lines'; all by default
PARTS ?=
## FUZZ_SECONDS: for how many seconds `make fuzz` feeds each parser
FUZZ_SECONDS ?= 30
## FILES: what `make format` puts into format, so that work in progress elsewhere is left alone
FILES ?=

PLATFORMS := $(notdir $(patsubst %/,%,$(wildcard inventories/*/)))
ifneq ($(or $(filter-out $(PLATFORMS),$(PLATFORM)),$(if $(strip $(PLATFORM)),,none)),)
$(error PLATFORM=$(PLATFORM): there is no such platform; choose one of: $(sort $(PLATFORMS)))
endif
ifneq ($(and $(word 2,$(PLATFORM)),$(filter demo verify change down render,$(MAKECMDGOALS))),)
$(error PLATFORM=$(PLATFORM): a demo runs on one of them at a time; only `make demos` takes several)
endif

# Said aloud because Ansible ignores an ansible.cfg that it finds by itself in a folder that everybody may write to.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

# --- Virtual environments -------------------------------------------------------------------------------------------------------------
#
# Two, so that neither gets into the other's way. .venv holds what a user of the demos needs and nothing else, and is there in seconds; when a
# test calls `make demo`, a requirement that is missing from the user's list is missing there too, instead of being lent by a test tool.

VENV := .venv
TEST_VENV := .venv-test
LINK := $(VENV)/collections/ansible_collections/meshlab/envoy
CONSTRAINTS := requirements/constraints.txt
BIN := $(TEST_VENV)/bin

# Which requirements/*.txt a platform needs on the controller.
REQUIREMENTS_local := demo
REQUIREMENTS_openshift := kubernetes
DEMO_READY = $(foreach one,$(PLATFORM),$(VENV)/.has-$(or $(REQUIREMENTS_$(one)),$(one))) $(LINK)
TEST_READY = $(TEST_VENV)/.has-test $(LINK)

# Installs requirements into a virtual environment. Most of pip's time would go into compiling the thousands of files of the package `ansible`:
# those of its collections for nothing, since Ansible compiles them itself, each time. (Some packages hold templates that are no Python.)
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint $(CONSTRAINTS) --requirement $(2) \
  && { $(1)/bin/python -m compileall -qq -j 0 -x '/ansible_collections/' $(1)/lib || true; }

# Says what is wrong with a Python that will not do, before anything is made with it.
define check_python
@command -v "$(PYTHON)" >/dev/null || { \
  echo "make: there is no '$(PYTHON)' here: install Python 3.11 or newer, or name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "make: '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1), but 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
  echo "make: '$(PYTHON)' has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv), or name another Python: PYTHON=..." >&2; exit 1; }
endef

$(VENV)/bin/python $(TEST_VENV)/bin/python:
	$(check_python)
	@echo "making $(patsubst %/bin/python,%,$@) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(patsubst %/bin/python,%,$@)

$(VENV)/.has-%: requirements/%.txt requirements/demo.txt $(CONSTRAINTS) | $(VENV)/bin/python
	@echo "installing $< into $(VENV)"
	@$(call install,$(VENV),$<)
	@touch $@

$(TEST_VENV)/.has-%: requirements/%.txt $(wildcard requirements/*.txt) | $(TEST_VENV)/bin/python
	@echo "installing $< into $(TEST_VENV) (the first time takes a minute)"
	@$(call install,$(TEST_VENV),$<)
	@touch $@

# The checkout under the name that Ansible knows the collection by. Relative, so that the checkout can be moved.
$(LINK):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@

# --- Demos ----------------------------------------------------------------------------------------------------------------------------

##@ Demos
# What changed and what failed, and the report: the steps that changed nothing are many. They are there with ARGS=-v, and with plain ansible-playbook.
QUIETLY = $(if $(filter -v%,$(ARGS)),,ANSIBLE_DISPLAY_OK_HOSTS=false ANSIBLE_DISPLAY_SKIPPED_HOSTS=false)
PLAYBOOK = $(VENV)/bin/ansible-playbook -i inventories/$(PLATFORM) playbooks/$(1).yml -e demo=$(DEMO) $(ARGS)

.PHONY: demo verify change down render demos list
demo: $(DEMO_READY) ## Deploy DEMO on PLATFORM, send its traffic, assert its numbers, say where to look
	@echo "deploying $(DEMO) on $(PLATFORM) (the first time takes about a minute: what it runs is fetched)"
	@$(QUIETLY) $(call PLAYBOOK,site)

verify: $(DEMO_READY) ## Send the traffic and assert the numbers again; after a change with the same CHANGE
	@$(QUIETLY) $(call PLAYBOOK,verify) $(if $(CHANGE),-e change=$(CHANGE))

change: $(DEMO_READY) ## Make CHANGE of DEMO live while requests are answered, and assert the numbers that it has then
	@[ -n "$(CHANGE)" ] || { echo "make: say which change of $(DEMO): make change DEMO=$(DEMO) CHANGE=..." >&2; exit 1; }
	@$(QUIETLY) $(call PLAYBOOK,change) -e change=$(CHANGE)

down: $(DEMO_READY) ## Take the demo down, and leave nothing behind
	@$(QUIETLY) $(call PLAYBOOK,teardown)

render: $(DEMO_READY) ## Write the demo's documents to a folder, and deploy nothing
	@$(call PLAYBOOK,render)

demos: $(DEMO_READY) ## Deploy, verify, change and take down all demos on PLATFORM, JOBS at a time, and show a table
	@$(VENV)/bin/python tools/gallery/play_demos.py $(foreach one,$(PLATFORM),--platform $(one)) --jobs $(JOBS) \
	  --ansible-playbook $(VENV)/bin/ansible-playbook $(if $(DEMOS),,--json 'build/gallery/{platform}.json') $(DEMOS) -- $(ARGS)

list: ## What each demo of the gallery shows, a line for each
	@awk '/^summary: / { n = FILENAME; gsub(/.*\/|\.yml$$/, "", n); printf "%-24s %s\n", n, substr($$0, 10) }' playbooks/demos/*.yml

# --- Checks ---------------------------------------------------------------------------------------------------------------------------

##@ Checks
.PHONY: check lint lint-yaml lint-python lint-types lint-style lint-shell lint-ansible lint-docs lint-changelog sanity units package format
check: sanity lint units ## Everything that needs no real parts: lint, sanity, units (under two minutes, once set up)

lint: lint-yaml lint-python lint-types lint-shell lint-docs lint-changelog package lint-ansible ## All linters

lint-yaml: $(TEST_READY)
	@echo "yamllint"
	@$(BIN)/yamllint --strict .

lint-python: $(TEST_READY)
	@echo "ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet --diff .

lint-types: $(TEST_READY)
	@echo "mypy"
	@$(BIN)/mypy --no-error-summary --package ansible_collections.meshlab.envoy.plugins.module_utils

lint-style: $(TEST_READY) ## The language of docs, comments and messages, by docs/style.md (STYLE_ARGS='--only docs')
	@echo "style"
	@PYTHONPATH=tools/lint $(BIN)/python tools/lint/style.py $(STYLE_ARGS)

lint-shell: $(TEST_READY)
	@echo "shellcheck"
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/lint/shell.py

lint-ansible: $(TEST_READY)
	@echo "ansible-lint"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint -q --nocolor

lint-docs: $(TEST_READY)
	@echo "antsibull-docs"
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/docs/docs_lint.py
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/docs/role_readmes.py --check

lint-changelog: $(TEST_READY)
	@echo "antsibull-changelog"
	@$(BIN)/antsibull-changelog lint

sanity: $(TEST_READY) ## ansible-test sanity, without ignores
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/lint/sanity.py $(SANITY_ARGS)

units: $(TEST_READY) ## Unit tests
	@$(BIN)/pytest --numprocesses auto $(PYTEST_ARGS)

package: $(TEST_READY) ## Build the collection's tarball in build/package, and check what is in it and that it installs
	@echo "ansible-galaxy collection build"
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/lint/package.py

format: $(TEST_READY) ## Put the Python files that FILES names into the project's format (FILES=. is all of them)
	@[ -n "$(FILES)" ] || { echo "make: name the files: make format FILES='plugins/filter tests/unit'" >&2; exit 1; }
	@$(BIN)/ruff check --quiet --fix-only $(FILES)
	@$(BIN)/ruff format --quiet $(FILES)

# --- Tests on real parts --------------------------------------------------------------------------------------------------------------

##@ Tests on real parts
# Fails where CI=true, because there nothing may be left out; says so elsewhere.
absent = echo "$(1)"; test "$$CI" != true
MOLECULE := $(firstword $(wildcard extensions/molecule molecule))

.PHONY: test integration molecule fuzz bench
# The linters take one processor each: two at a time, the longest of them first. What each says stays together where this make can do that.
SIDE_BY_SIDE = --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync)
test: $(TEST_READY) $(TEST_VENV)/.has-docs $(VENV)/.has-docker $(VENV)/.has-kubernetes ## Everything: check, docs, then integration and molecule in the lab, which is taken down afterwards, failure or not
	@$(MAKE) --no-print-directory $(SIDE_BY_SIDE) check docs
	@tests/lab/with $(MAKE) --no-print-directory --jobs=2 integration molecule

integration: $(TEST_READY) $(VENV)/.has-docker $(VENV)/.has-kubernetes ## Integration tests: real Envoys, real daemons (`tests/lab/up` brings them up)
	@if [ -n "$$(find tests/integration -name 'test_*.py')" ]; then $(BIN)/pytest --numprocesses $(TEST_JOBS) --dist loadfile --no-loadscope-reorder tests/integration $(PYTEST_ARGS); \
	else $(call absent,there are no integration tests in tests/integration); fi

molecule: $(TEST_READY) ## All Molecule scenarios, each of whose steps is then seen to have run
	@if [ -n "$(wildcard $(MOLECULE)/*/molecule.yml)" ]; then PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/lint/run_molecule.py $(MOLECULE); \
	else $(call absent,there are no Molecule scenarios); fi

fuzz: $(TEST_READY) $(TEST_VENV)/.has-fuzz ## Feed the parsers what nobody thought of, FUZZ_SECONDS each, guided by what it covers (needs a Python that atheris has a wheel for)
	@$(BIN)/python tests/fuzz/fuzz.py $(FUZZ_SECONDS)

bench: $(TEST_READY) $(VENV)/.has-docker $(VENV)/.has-kubernetes ## Measure: ratios in one run, printed as a table and written to build/bench.json
	@if [ -f tools/bench/bench.py ]; then tests/lab/with PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/bench/bench.py $(PARTS); \
	else $(call absent,there is no tools/bench/bench.py); fi

# --- Other ----------------------------------------------------------------------------------------------------------------------------

##@ Other
.PHONY: docs table readmes lock clean help
docs: $(TEST_READY) $(TEST_VENV)/.has-docs ## Build the documentation as a site in build/docs, which a warning fails (half a minute)
	@echo "antsibull-docs and sphinx"
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/docs/docs_site.py

table: $(TEST_READY) ## Write the README's table of demos and platforms, and the numbers of their pages, from what the last runs of the gallery saw
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/docs/gallery_table.py

readmes: $(TEST_READY) ## Write the roles' option tables into their READMEs, from their argument specs
	@PYTHONPATH=tools/lint:tools/docs:tools/gallery $(BIN)/python tools/docs/role_readmes.py

lock: ## Write requirements/constraints.txt anew, from requirements/test.txt and docs.txt (with the oldest supported Python)
	$(check_python)
	@"$(PYTHON)" -m venv --clear build/lock
	@build/lock/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/test.txt \
	  --requirement requirements/docs.txt
	@{ sed -n '/^#/p' $(CONSTRAINTS); build/lock/bin/python -m pip freeze | grep -vixFf <(cat requirements/{demo,docker,kubernetes,test,docs}.txt); } \
	  > build/lock/constraints.txt
	@mv build/lock/constraints.txt $(CONSTRAINTS)

clean: ## Remove what make made; demos that run stay up (`make down` takes them down)
	rm -rf build $(VENV) $(TEST_VENV) .ansible

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nSettings\n'
	@awk '/^## [A-Z_]+: / { name = substr($$2, 1, length($$2) - 1); text = $$0; sub(/^## [A-Z_]+: /, "", text) } \
	  /^[A-Z_]+ \?=/ { value = $$0; sub(/^[A-Z_]+ \?= ?/, "", value); \
	    printf "  %-12s %s%s\n", name, text, (value == "" ? "" : " [" value "]") }' $(firstword $(MAKEFILE_LIST))
	@printf '\nDemos: %s\nRuntimes: %s\n' "$(basename $(notdir $(wildcard playbooks/demos/*.yml)))" "$(sort $(PLATFORMS))"
