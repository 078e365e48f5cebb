# The front door: everything is forwarded to CMake, CTest and the scripts.
PRESET ?= release
.PHONY: all setup demo test asan tsan fuzz bench lint install clean help

all:
	@cmake --preset $(PRESET) > build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	@cmake --build --preset $(PRESET)
