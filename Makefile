# make lab    twelve hosts on this machine, the whole platform on them, proven
# make test   every test; `make check` is the fast part
SMALL ?=
# Which tests of a whole lab `make site` runs.
SITE_TESTS ?= tests/site
RELEASE ?= trixie
LAB := $(if $(SMALL),small,lab)
INVENTORY := inventories/$(LAB)
VENV := .venv
COLLECTIONS := .cache/collections/ansible_collections
VAULT_PASSWORD := .cache/lab/$(LAB)/vault-password

export LAB RELEASE
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export ANSIBLE_CONFIG = $(CURDIR)/ansible.cfg
# Mitogen keeps one Python per host instead of starting one per task: the lab's two cores are better spent on the services.
# The collection does not need it; the tests run the built collection without it.
export ANSIBLE_STRATEGY_PLUGINS = $(shell echo $(CURDIR)/$(VENV)/lib/python3*/site-packages/ansible_mitogen/plugins/strategy)
export ANSIBLE_STRATEGY = mitogen_linear
# Before each module Mitogen lists all collections that can be found, and `ansible` brings a hundred. ansible-lint wants to see them.
export ANSIBLE_COLLECTIONS_SCAN_SYS_PATH = false
lint: export ANSIBLE_COLLECTIONS_SCAN_SYS_PATH = true
# Only targets that make the password first may name it: Ansible refuses a file that is not there.
lab lab-hosts lab-down: export ANSIBLE_VAULT_PASSWORD_FILE = $(CURDIR)/$(VAULT_PASSWORD)

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --requirement requirements.txt
	touch $@

# This checkout and what it depends on.
$(COLLECTIONS)/.ready: galaxy.yml $(VENV)/.ready
	rm -rf $(@D) && mkdir -p $(@D)/mainstay && ln -s $(CURDIR) $(@D)/mainstay/platform
	for name in $$(awk '/^[^ ]/ {wanted = /^dependencies:/; next} wanted {sub(":", ""); sub("[.]", "/", $$1); print $$1}' galaxy.yml); do \
		mkdir -p $(@D)/$${name%/*} && ln -s $(CURDIR)/$(VENV)/lib/python3*/site-packages/ansible_collections/$$name $(@D)/$$name || exit; \
	done
	touch $@

$(VAULT_PASSWORD):
	mkdir -p $(dir $@)
	umask 077 && openssl rand -hex 32 > $@

.PHONY: tools
tools: $(COLLECTIONS)/.ready ## The pinned tools, in a virtual environment

.PHONY: lab-hosts
lab-hosts: tools $(VAULT_PASSWORD) ## The lab's hosts, bare
	lab/engine.sh
	lab/image.sh $(RELEASE)
	ansible-playbook -i $(INVENTORY) lab/create.yml

.PHONY: lab
lab: lab-hosts lab-app ## The whole platform on lab hosts (SMALL=1: one host; RELEASE=bookworm)
	ansible-playbook -i $(INVENTORY) playbooks/secrets.yml
	ansible-playbook -i $(INVENTORY) playbooks/site.yml

.PHONY: lab-app
lab-app: ## The image of the sample application
	tests/app/build.sh 1.0.0

.PHONY: lab-down
lab-down: tools $(VAULT_PASSWORD) ## Remove what `make lab` made, and nothing else
	lab/engine.sh
	ansible-playbook -i $(INVENTORY) lab/destroy.yml
	rm -f $(INVENTORY)/group_vars/all/vault.yml

.PHONY: lint
lint: tools
	ansible-lint
	yamllint --strict .
	ruff check .
	ruff format --check .

.PHONY: unit
unit: tools
	tests/tools.sh
	pytest -q tests/unit

.PHONY: check
check: tools ## The fast tests: lint and units, side by side
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint unit

.PHONY: sanity
sanity: tools
	tests/sanity.sh

# Scenarios of molecule/, all without a name.
SCENARIOS ?=

.PHONY: molecule
molecule: tools
	lab/engine.sh
	lab/image.sh $(RELEASE)
	tests/molecule.sh $(SCENARIOS)

.PHONY: site
site: tools
	pytest -v $(SITE_TESTS)

# Which drills, all without a name; how often each; after which site.yml runs; whether docs/drills.csv gets the rounds.
DRILLS ?=
TIMES ?= 10
SITE_AFTER ?= each
RECORD ?= yes

.PHONY: drills
drills: tools ## Break the database and Redis of the lab that stands under clients' writes (DRILLS="kill power_off" TIMES=3)
	python3 tests/drills/run.py --times $(TIMES) --site $(SITE_AFTER) $(if $(filter yes,$(RECORD)),--record) $(DRILLS)

# Hosts of the lab that `make audit` looks at, all without a name.
AUDIT_HOSTS ?=

.PHONY: audit
audit: tools ## Lynis, OpenSCAP and ssh-audit on hosts of the lab that stands (AUDIT_HOSTS="db1 app1"); prints the table
	python3 tests/audit.py $(INVENTORY) $(AUDIT_HOSTS)

.PHONY: test
test: ## Every test, with what each part took
	tests/all.sh
