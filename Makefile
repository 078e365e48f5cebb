# The front door: everything is forwarded to CMake, CTest and the scripts.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
JOBS := $(shell nproc)

.PHONY: all demo test asan tsan debug fuzz bench lint install clean help

# Ninja says what is wrong and nothing else.
BUILD = echo "building $(1)"; cmake --build --preset $(1) -- --quiet

all: build/release/build.ninja
	@$(call BUILD,release)

# Configure a preset once; CMake itself notices later changes.
build/%/build.ninja: CMakePresets.json
	@scripts/setup.sh build test
	@cmake --preset $* > /dev/null

demo: ## build, fetch a small encoder, and run the main job on real text
	@scripts/setup.sh build test demo
	@$(MAKE) --no-print-directory all
	@scripts/demo.sh

test: ## build and pass every test, the units and corpora under sanitizers too
	@$(MAKE) --no-print-directory all asan
	@ctest --preset release -j $(JOBS); code=$$?; scripts/count-cases.sh build/release; exit $$code

asan tsan debug: %: build/%/build.ninja ## build with sanitizers (or for debugging) and pass the fast tests
	@$(call BUILD,$*)
	@ctest --preset $* -L fast -j $(JOBS)

fuzz: ## FUZZ_SECONDS (60) on every parser; FUZZ_RUNS=N: a fixed number of fixed inputs
	@scripts/setup.sh build test fuzz
	@cmake --preset fuzz > /dev/null
	@$(call BUILD,fuzz)
	@scripts/fuzz.sh build/fuzz $(if $(FUZZ_RUNS),runs $(FUZZ_RUNS),seconds $(FUZZ_SECONDS))

bench: all ## time saescope, its peers and the machine: bench/REPORT.md (QUICK=1: minutes)
	@scripts/setup.sh build test demo bench
	@bench/run.sh

lint: ## formatting and the rules of the house
	@scripts/setup.sh build lint
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	@/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/layers

install: all ## install under PREFIX (/usr/local)
	@cmake --install build/release --prefix $(PREFIX)

clean: ## remove what was built
	@rm -rf build demo-run

help: ## this list
	@awk -F ':.*## ' '/^[a-z% ]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile
