# The front door: everything is forwarded to CMake, CTest and the scripts.
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
JOBS := $(shell nproc)

.PHONY: all demo test asan tsan debug threads coverage tidy faults figures test-engines test-scale fuzz bench pages lint install wheel deb image uninstall clean help

# In a terminal Ninja shows how far it is; elsewhere it says what is wrong and nothing else.
# $(call BUILD,PRESET,TARGETS): all targets where none are named
BUILD = echo "building $(1)"; \
	cmake --build --preset $(1) $(if $(2),--target $(2)) -- $$(test -t 1 || echo --quiet)
# STRICT=1, as the continuous integration has it: warnings are errors. FLOORS=1: the fast tests must
# go through as much of the rooms as scripts/coverage.py says.
CONFIGURE = cmake --preset $(1) -DSS_TESTS=$(2) $(if $(STRICT),-DSS_WERROR=ON) > /dev/null
INSTALLED = saescope_program saescope_static saescope_shared saescope_pages

all: ## build the program: build/release/saescope
	@scripts/setup.sh build
	@test -e build/release/build.ninja || $(call CONFIGURE,release,OFF)
	@$(call BUILD,release,saescope_program)
	@echo "build/release/saescope is built: run it as it is, or 'make install'; next: make demo"

demo: all ## fetch a small encoder, and run the main job on real text
	@scripts/setup.sh demo
	@scripts/demo.sh

test: ## build and pass every test, the units and corpora under sanitizers too
	@scripts/setup.sh build test
	@$(call CONFIGURE,release,ON)
	@$(call BUILD,release)
	@$(MAKE) --no-print-directory asan
	@ctest --preset release -j $(JOBS); code=$$?; scripts/count-cases.sh build/release; exit $$code

asan: ## build with address and undefined-behaviour sanitizers and pass the fast tests
	@scripts/setup.sh build test
	@$(call CONFIGURE,asan,ON $(if $(FLOORS),-DSS_COVERAGE=ON))
	@$(call BUILD,asan)
	@$(if $(FLOORS),find build/asan -name '*.gcda' -delete)
	@ctest --preset asan -L fast -j $(JOBS)
	@$(if $(FLOORS),scripts/coverage.py build/asan fast)

tsan debug: ## build for finding races (or for debugging) and pass the fast tests
	@scripts/setup.sh build test
	@test -e build/$@/build.ninja || $(call CONFIGURE,$@,ON)
	@$(call BUILD,$@)
	@ctest --preset $@ -L fast -j $(JOBS)

threads: ## pass the tests of threads under the race detector alone
	@scripts/setup.sh build test
	@test -e build/tsan/build.ninja || $(call CONFIGURE,tsan,ON)
	@$(call BUILD,tsan,thread_tests)
	@ctest --preset tsan -L threads -j $(JOBS)

coverage: ## lines and branches per room that the tests go through (the slow ones left out); fails below the floors
	@scripts/setup.sh build test
	@$(call CONFIGURE,coverage,ON)
	@$(call BUILD,coverage)
	@find build/coverage -name '*.gcda' -delete
	@ctest --preset coverage -LE slow -j $(JOBS) || echo "some failed; what was run is counted"
	@scripts/coverage.py build/coverage all

tidy: ## what clang-tidy finds, its analyzer included (TIDY_CHECKS=-clang-analyzer-*: without)
	@scripts/setup.sh build test lint
	@test -e build/release/build.ninja || $(call CONFIGURE,release,ON)
	@git ls-files 'src/*.c' 'cli/*.c' | xargs -P $(JOBS) -n 8 clang-tidy -p build/release --quiet --checks='$(TIDY_CHECKS)' 2> /dev/null

faults: ## allocations and calls of files fail, each from every place (FAULTS=all: each of them), under asan
	@scripts/setup.sh build test
	@test -e build/asan/build.ninja || $(call CONFIGURE,asan,ON)
	@$(call BUILD,asan,fault_tests)
	@rm -f build/asan/fault-sites
	@SS_FAULTS=$(or $(FAULTS),stacks) SS_FAULTS_SITES=$(CURDIR)/build/asan/fault-sites ctest --preset asan -R test_faults -j $(JOBS)

figures: ## how the sources are cut up, and what no test reaches (allocations: after make faults)
	@/usr/bin/python3 scripts/figures.py build/release $(wildcard build/asan/fault-sites)

test-engines: all ## the run of Ray, Spark, Dask, MPI, Slurm and xargs is that of one process; skips what is not installed (PYTHON=…)
	@/usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/engines

test-scale: all ## what holds for large corpora: hundreds of splits, a thousand states, kills, memory (half an hour)
	@/usr/bin/python3 -m pytest -q -s -rs -p no:cacheprovider tests/scale

fuzz: ## FUZZ_SECONDS (60) on every parser; FUZZ_RUNS=N: a fixed number of fixed inputs
	@scripts/setup.sh build test fuzz
	@$(call CONFIGURE,fuzz,ON)
	@$(call BUILD,fuzz)
	@scripts/fuzz.sh build/fuzz $(if $(FUZZ_RUNS),runs $(FUZZ_RUNS),seconds $(FUZZ_SECONDS))

bench: all ## time saescope, its peers and the machine: bench/REPORT.md (QUICK=1: minutes)
	@scripts/setup.sh build test demo bench
	@bench/run.sh

pages: all ## measure a report of 65,536 features in a browser
	@scripts/setup.sh build test
	@/usr/bin/python3 tests/web/measure.py

lint: ## formatting and the rules of the house
	@scripts/setup.sh build lint test
	@clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	@/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/layers

install: all ## install program, library, header, man pages and completions under PREFIX (/usr/local)
	@$(call BUILD,release,$(INSTALLED))
	@cmake --install build/release --prefix $(PREFIX)

wheel: ## the Python package as a wheel that runs elsewhere, in build/wheel (pip fetches its tools)
	@scripts/setup.sh build wheel
	@scripts/package-wheel.sh

deb: ## Debian packages of what is committed in build/deb (program, library, development, python3)
	@scripts/setup.sh build deb
	@scripts/package-deb.sh

image: all ## the program as an image for container engines: build/image/saescope.tar.gz
	@scripts/setup.sh image
	@scripts/package-image.py build/release/saescope build/image/saescope.tar.gz

uninstall: ## remove what the last 'make install' of this clone put in place
	@test -e build/release/install_manifest.txt || { echo "nothing was installed from here"; exit 1; }
	@tr -d '\r' < build/release/install_manifest.txt | while read -r file || test -n "$$file"; do rm -vf "$$file"; done

clean: ## remove what was built (results in demo-run stay)
	@rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z% ]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' Makefile
