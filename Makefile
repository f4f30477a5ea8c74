# Copyright: meshlab.envoy contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Each target installs its requirements: Python packages at pinned versions, in virtual environments in this folder only.
# `make help` lists the targets from the `##` comments of this file. Requires GNU make 3.81 or newer.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# --- Settings -------------------------------------------------------------------------------------------------------------------------

## PYTHON: the Python of the virtual environments, 3.11 or newer
PYTHON ?= python3
## DEMO: the name of a demo of playbooks/demos, or the path of a demo file
DEMO ?= front_proxy
## CHANGE: the name of a change of the demo, for `make change` and for a later `make verify`
CHANGE ?=
## TO: the listener of the demo that `make load` sends requests to, for example TO=edge/http
TO ?=
## RATE: the requests per second of `make load`
RATE ?=
## FOR: the duration of `make load`, for example FOR=30s or FOR=5m
FOR ?=
## PLATFORM: the platform, a folder of inventories/; for `make demos` also several, PLATFORM='local docker'
PLATFORM ?= local
## DEMOS: the demos of `make demos`, for example DEMOS='gzip rbac'; all by default
DEMOS ?=
## JOBS: the number of demos that `make demos` runs at the same time
JOBS ?= 3
## FORMS: the forms of `make report`, such as FORMS='html junit'
FORMS ?= html
## VIEW: page or terminal, for `make watch`
VIEW ?= page
## ARGS: more arguments for ansible-playbook, for example ARGS='--check --diff'
ARGS ?=
## TEST_JOBS: the number of integration test files that run in parallel
TEST_JOBS ?= 3
## PYTEST_ARGS: more arguments for pytest, for example PYTEST_ARGS='-k plan'
PYTEST_ARGS ?=
## SANITY_ARGS: more arguments for ansible-test sanity, for example SANITY_ARGS='--test pylint'
SANITY_ARGS ?=
## STYLE_ARGS: more arguments for the language check, for example STYLE_ARGS='--only docs'
STYLE_ARGS ?=
## PARTS: the parts of `make bench`, for example PARTS='endpoints lines'; all by default
PARTS ?=
## FUZZ_SECONDS: the seconds that `make fuzz` spends on each parser
FUZZ_SECONDS ?= 30
## TAG: the tag of `make release`, which must fit the version in galaxy.yml
TAG ?=
## UPGRADE: UPGRADE=1 lets `make lock` choose the newest versions
UPGRADE ?=
## FILES: the files or folders that `make format` formats
FILES ?=

PLATFORMS := $(notdir $(patsubst %/,%,$(wildcard inventories/*/)))
ifneq ($(or $(filter-out $(PLATFORMS),$(PLATFORM)),$(if $(strip $(PLATFORM)),,none)),)
$(error PLATFORM=$(PLATFORM): unknown platform. Choose from: $(sort $(PLATFORMS)))
endif
ifneq ($(and $(word 2,$(PLATFORM)),$(filter demo verify change load down render report watch,$(MAKECMDGOALS))),)
$(error PLATFORM=$(PLATFORM): `make $(firstword $(MAKECMDGOALS))` needs exactly one platform. Only `make demos` accepts several)
endif

# Explicit, because Ansible ignores the ansible.cfg of a world-writable working folder.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

# --- Virtual environments -------------------------------------------------------------------------------------------------------------
#
# .venv contains only the requirements of the demos, and is ready in seconds. .venv-test contains the test tools. They are separate so that a
# test of `make demo` fails if a requirement is missing in the list for users. .venv-release contains the tools of a release, which require old
# versions of other packages.

VENV := .venv
TEST_VENV := .venv-test
RELEASE_VENV := .venv-release
LINK := $(VENV)/collections/ansible_collections/meshlab/envoy
BIN := $(TEST_VENV)/bin

# The requirements/*.txt of a platform on the controller.
REQUIREMENTS_local := demo
REQUIREMENTS_openshift := kubernetes
DEMO_READY = $(foreach platform,$(PLATFORM),$(VENV)/.has-$(or $(REQUIREMENTS_$(platform)),$(platform))) $(LINK)
TEST_READY = $(TEST_VENV)/.has-test $(LINK)

# Installs requirements into a virtual environment. pip verifies the hash of each file. Without --no-compile, pip would spend most of its time
# on the files of the package `ansible`, whose collections Ansible compiles itself. compileall fails for packages that contain templates with
# the suffix .py.
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --requirement $(2) \
  && { $(1)/bin/python -m compileall -qq -j 0 -x '/ansible_collections/' $(1)/lib || true; }

# Reports an unsuitable Python before make uses it.
define check_python
@command -v "$(PYTHON)" >/dev/null || { \
  echo "make: PYTHON=$(PYTHON): command not found. Install Python 3.11 or newer, or set PYTHON: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo "make: PYTHON=$(PYTHON): expected Python 3.11 or newer, got $$("$(PYTHON)" --version 2>&1). Set PYTHON: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
  echo "make: PYTHON=$(PYTHON): the module venv is missing. Install it (Debian, Ubuntu: apt-get install python3-venv), or set PYTHON" >&2; exit 1; }
endef

$(VENV)/bin/python $(TEST_VENV)/bin/python $(RELEASE_VENV)/bin/python:
	$(check_python)
	@echo "creating $(patsubst %/bin/python,%,$@) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv $(patsubst %/bin/python,%,$@)

$(VENV)/.has-%: requirements/%.txt | $(VENV)/bin/python
	@echo "installing $< into $(VENV)"
	@$(call install,$(VENV),$<)
	@touch $@

$(TEST_VENV)/.has-%: requirements/%.txt | $(TEST_VENV)/bin/python
	@echo "installing $< into $(TEST_VENV) (the first time takes a minute)"
	@$(call install,$(TEST_VENV),$<)
	@touch $@

$(RELEASE_VENV)/.has-%: requirements/%.txt | $(RELEASE_VENV)/bin/python
	@echo "installing $< into $(RELEASE_VENV)"
	@$(call install,$(RELEASE_VENV),$<)
	@touch $@

# A link to the checkout under the full name of the collection. It is relative, so that the checkout can be moved.
$(LINK):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@

# --- Demos ----------------------------------------------------------------------------------------------------------------------------

##@ Demos
# Prints only changed and failed tasks, and the report. ARGS=-v prints all tasks, as plain ansible-playbook does.
QUIETLY = $(if $(filter -v%,$(ARGS)),,ANSIBLE_DISPLAY_OK_HOSTS=false ANSIBLE_DISPLAY_SKIPPED_HOSTS=false)
PLAYBOOK = $(VENV)/bin/ansible-playbook -i inventories/$(PLATFORM) playbooks/$(1).yml -e demo=$(DEMO) $(ARGS)

.PHONY: demo verify change load down render report watch demos list
demo: $(DEMO_READY) ## Deploy DEMO on PLATFORM, send its traffic, verify its numbers, print its URLs
	@echo "deploying $(DEMO) on $(PLATFORM) (the first time takes about a minute, with downloads)"
	@$(QUIETLY) $(call PLAYBOOK,site)

verify: $(DEMO_READY) ## Send the traffic and verify the numbers again; after a change with the same CHANGE
	@$(QUIETLY) $(call PLAYBOOK,verify) $(if $(CHANGE),-e change=$(CHANGE))

change: $(DEMO_READY) ## Apply CHANGE to the running DEMO without failed requests, and verify its numbers
	@[ -n "$(CHANGE)" ] || { echo "make: CHANGE: expected the name of a change of $(DEMO): make change DEMO=$(DEMO) CHANGE=..." >&2; exit 1; }
	@$(QUIETLY) $(call PLAYBOOK,change) -e change=$(CHANGE)

load: $(DEMO_READY) ## Send RATE requests per second to TO of the running DEMO, FOR a time; print a live line and a report
	@$(QUIETLY) $(call PLAYBOOK,load) $(if $(CHANGE),-e change=$(CHANGE)) -e load_to='$(TO)' -e load_rate='$(RATE)' -e load_for='$(FOR)'

down: $(DEMO_READY) ## Remove DEMO from PLATFORM with all its files
	@$(QUIETLY) $(call PLAYBOOK,teardown)

render: $(DEMO_READY) ## Write the files of DEMO for PLATFORM to a folder, without a deployment
	@$(call PLAYBOOK,render)

report: $(DEMO_READY) ## Build the report of the last run of DEMO on PLATFORM again, without a network, and print its path
	@$(VENV)/bin/python tools/gallery/rebuild_report.py $(DEMO) --platform $(PLATFORM) $(addprefix --form ,$(FORMS))

# A table replaces the previous one only on a terminal.
watch: $(DEMO_READY) ## Show the running DEMO on a page on loopback with live rates; VIEW=terminal prints a table
	@$(QUIETLY) $(call PLAYBOOK,watch) -e watch_view=$(VIEW) $$([ -t 1 ] && echo -e watch_redraw=true)

demos: $(DEMO_READY) ## Deploy, verify, change and remove all demos on PLATFORM, JOBS at a time, and print a table
	@$(VENV)/bin/python tools/gallery/play_demos.py $(foreach platform,$(PLATFORM),--platform $(platform)) --jobs $(JOBS) \
	  --ansible-playbook $(VENV)/bin/ansible-playbook $(if $(DEMOS),,--json 'build/gallery/{platform}.json') $(DEMOS) -- $(ARGS)

list: ## Print the summary of each demo
	@awk '/^summary: / { n = FILENAME; gsub(/.*\/|\.yml$$/, "", n); printf "%-24s %s\n", n, substr($$0, 10) }' playbooks/demos/*.yml

# --- Checks ---------------------------------------------------------------------------------------------------------------------------

##@ Checks
TOOLS := PYTHONPATH=tools/lint:tools/docs:tools/gallery:tools/release:tools/bench $(BIN)/python
.PHONY: check lint lint-yaml lint-python lint-types lint-style lint-shell lint-ansible lint-docs lint-changelog sanity units coverage package format
check: sanity lint release-check units ## All checks without Envoy or Docker: lint, sanity, units, release (about two minutes after the installation)

lint: lint-yaml lint-python lint-types lint-style lint-shell lint-docs lint-changelog package lint-ansible ## All linters

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
	@MYPYPATH=.venv/collections:tools/envoy_api:tools/lint:tools/docs:tools/gallery:tools/bench:tools/release:tools/dashboards:tests/support \
	  $(BIN)/mypy --no-error-summary $(filter-out %/conftest.py $(wildcard tools/*/test_*.py),$(wildcard tools/*/*.py))

lint-style: $(TEST_READY) ## Check the language of docs, comments and messages against docs/style.md
	@echo "style"
	@$(TOOLS) tools/lint/style.py $(STYLE_ARGS)

lint-shell: $(TEST_READY)
	@echo "shellcheck"
	@$(TOOLS) tools/lint/shell.py

lint-ansible: $(TEST_READY)
	@echo "ansible-lint"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint -q --nocolor

lint-docs: $(TEST_READY)
	@echo "antsibull-docs"
	@$(TOOLS) tools/docs/docs_lint.py
	@$(TOOLS) tools/docs/role_readmes.py --check
	@$(TOOLS) tools/docs/plan_reference.py --check

lint-changelog: $(TEST_READY)
	@echo "antsibull-changelog"
	@$(BIN)/antsibull-changelog lint

sanity: $(TEST_READY) ## ansible-test sanity, without ignores
	@$(TOOLS) tools/lint/sanity.py $(SANITY_ARGS)

units: $(TEST_READY) ## Unit tests of the collection and of the tools
	@$(BIN)/pytest --numprocesses auto $(PYTEST_ARGS)

coverage: $(TEST_READY) ## Run the unit tests, and print the line coverage of plugins/
	@$(BIN)/pytest --quiet --numprocesses auto --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

package: $(TEST_READY) ## Build the tarball of the collection in build/package, check its content, and install it
	@echo "ansible-galaxy collection build"
	@$(TOOLS) tools/lint/package.py

release-check: $(TEST_READY) $(RELEASE_VENV)/.has-release ## Do the steps of a release on a copy with version 1.0.0: changelog, import by Galaxy, licences
	@echo "release of a copy"
	@$(TOOLS) tools/release/release_check.py

format: $(TEST_READY) ## Format the Python files of FILES (FILES=. formats all)
	@[ -n "$(FILES)" ] || { echo "make: FILES: expected files or folders: make format FILES='plugins/filter tests/unit'" >&2; exit 1; }
	@$(BIN)/ruff check --quiet --fix-only $(FILES)
	@$(BIN)/ruff format --quiet $(FILES)

# --- Tests with real components -------------------------------------------------------------------------------------------------------

##@ Tests with real components
# Prints a message, and fails where CI=true, because CI must not skip anything.
absent = echo "$(1)"; test "$$CI" != true
MOLECULE := $(firstword $(wildcard extensions/molecule molecule))

# A variable, because `make --dry-run` executes recipe lines that contain the name of the variable MAKE, and would start the lab.
IN_LAB = tests/lab/with $(MAKE) --no-print-directory
.PHONY: test test-mesh mesh-tests soak matrix-environments integration molecule fuzz bench
# Two linters at a time, because each of them uses one processor; the longest first. Each prints its output at once if make supports it.
PARALLEL = --jobs=2 $(if $(filter output-sync,$(.FEATURES)),--output-sync)
test: $(TEST_READY) $(TEST_VENV)/.has-docs $(VENV)/.has-docker $(VENV)/.has-kubernetes ## check, docs, integration and molecule, in the lab, which is stopped afterwards
	@echo "part 1 of 2: check and docs"
	@$(MAKE) --no-print-directory $(PARALLEL) check docs
	@echo "part 2 of 2: integration and molecule"
	@$(IN_LAB) --jobs=2 integration molecule

# Builds Istio and Envoy Gateway at the first run, which takes ten minutes and more.
test-mesh: $(TEST_READY) $(VENV)/.has-kubernetes ## Demos with Istio and with Envoy Gateway in the lab's cluster
	@$(IN_LAB) mesh-tests

mesh-tests: $(TEST_READY)
	@$(BIN)/pytest tests/mesh $(PYTEST_ARGS)

# Continues after a failure, so that one night finds all of them.
soak: $(TEST_READY) $(TEST_VENV)/.has-fuzz $(VENV)/.has-docker $(VENV)/.has-kubernetes ## All demos on all platforms, all integration tests with the slow ones, and fuzz, in the lab (takes hours)
	@$(IN_LAB) --keep-going demos integration fuzz PLATFORM='$(sort $(PLATFORMS))' PYTEST_ARGS='-m "slow or not slow" $(PYTEST_ARGS)'

# For tests/integration/test_version_matrix.py.
matrix-environments: $(TEST_READY)
	@$(TOOLS) tools/release/matrix_environments.py

integration: $(TEST_READY) $(VENV)/.has-docker $(VENV)/.has-kubernetes matrix-environments ## Integration tests with real Envoys and daemons (`tests/lab/up` starts the daemons)
	@if [ -n "$$(find tests/integration -name 'test_*.py')" ]; then $(BIN)/pytest --numprocesses $(TEST_JOBS) --dist loadfile --no-loadscope-reorder tests/integration $(PYTEST_ARGS); \
	else $(call absent,tests/integration has no tests); fi

molecule: $(TEST_READY) ## All Molecule scenarios, with a check that each step ran
	@if [ -n "$(wildcard $(MOLECULE)/*/molecule.yml)" ]; then $(TOOLS) tools/lint/run_molecule.py $(MOLECULE); \
	else $(call absent,molecule has no scenarios); fi

fuzz: $(TEST_READY) $(TEST_VENV)/.has-fuzz ## Fuzz the parsers, FUZZ_SECONDS each (needs a Python with a wheel of atheris)
	@$(BIN)/python tests/fuzz/fuzz.py $(FUZZ_SECONDS)

bench: $(TEST_READY) $(VENV)/.has-docker $(VENV)/.has-kubernetes ## Measure the collection against compose, kubectl and curl; writes build/bench.json
	@if [ -f tools/bench/bench.py ]; then PYTHONPATH=tools/bench tests/lab/with $(BIN)/python tools/bench/bench.py $(PARTS); \
	else $(call absent,tools/bench/bench.py does not exist); fi

# --- Other ----------------------------------------------------------------------------------------------------------------------------

##@ Other
.PHONY: docs table change-table mesh-table speed-table readmes plan-reference message-types dashboards lock sbom release clean help
docs: $(TEST_READY) $(TEST_VENV)/.has-docs ## Build the documentation as a site in build/docs (half a minute)
	@echo "antsibull-docs and sphinx"
	@$(TOOLS) tools/docs/docs_site.py

table: $(TEST_READY) ## Write the tables of results and of Envoy's sandboxes in docs/demos.md
	@$(TOOLS) tools/docs/gallery_table.py
	@$(TOOLS) tools/docs/sandbox_table.py

change-table: $(TEST_READY) ## Write the table of failed requests in docs/live-changes.md from the last long run of the live changes
	@$(TOOLS) tools/docs/change_table.py

mesh-table: $(TEST_READY) ## Write the table of the demos that Istio can run in docs/service-mesh.md
	@$(TOOLS) tools/docs/mesh_table.py

speed-table: $(TEST_READY) ## Write the figures of the last `make bench` and their charts in docs/speed.md
	@$(TOOLS) tools/docs/speed_table.py

readmes: $(TEST_READY) ## Write the option tables in the READMEs of roles from their argument specs
	@$(TOOLS) tools/docs/role_readmes.py

plan-reference: $(TEST_READY) ## Write docs/plan.md and docs/result.md from the schemas of the plan and of the result
	@$(TOOLS) tools/docs/plan_reference.py

message-types: $(TEST_READY) ## Write the tables of Envoy's messages from the protobuf descriptors of Envoy's API
	@$(TOOLS) tools/envoy_api/message_types_table.py
	@$(TOOLS) tools/envoy_api/api_fields_table.py

dashboards: $(TEST_READY) ## Write the Grafana dashboards in playbooks/files/dashboards from tools/dashboards
	@$(TOOLS) tools/dashboards/write_dashboards.py

lock: $(TEST_READY) ## Write the versions and hashes in requirements/*.txt and meta/versions.yml; UPGRADE=1 for the newest versions
	@"$(PYTHON)" -m venv build/lock/venv
	@$(call install,build/lock/venv,requirements/lock.txt)
	@$(BIN)/python tools/release/lock.py build/lock/venv/bin/uv $(if $(UPGRADE),--upgrade)

sbom: $(VENV)/.has-demo ## Write a bill of materials for each platform to build/sbom: what a demo installs
	@$(VENV)/bin/python tools/release/sbom.py

release: package sbom ## Build what a release publishes, for the version of galaxy.yml and the tag TAG=v1.0.0
	@$(TOOLS) tools/release/release_tag.py "$(TAG)"

clean: ## Remove all files that make created; running demos stay (`make down` removes them)
	rm -rf build $(VENV) $(TEST_VENV) $(RELEASE_VENV) .venv-matrix .ansible

help: ## Print this list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf '\nSettings\n'
	@awk '/^## [A-Z_]+: / { name = substr($$2, 1, length($$2) - 1); text = $$0; sub(/^## [A-Z_]+: /, "", text) } \
	  /^[A-Z_]+ \?=/ { value = $$0; sub(/^[A-Z_]+ \?= ?/, "", value); \
	    printf "  %-12s %s%s\n", name, text, (value == "" ? "" : " [" value "]") }' $(firstword $(MAKEFILE_LIST))
	@printf '\nDemos: %s\nPlatforms: %s\n' "$(basename $(notdir $(wildcard playbooks/demos/*.yml)))" "$(sort $(PLATFORMS))"
