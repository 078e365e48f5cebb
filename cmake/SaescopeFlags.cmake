# Flags of every target of this project. No fast-math and no -march: one binary runs on every
# x86-64-v2 machine; only the kernel files get instruction sets of their own (src/tensor).
add_library(saescope_flags INTERFACE)
target_compile_definitions(saescope_flags INTERFACE _GNU_SOURCE)
target_compile_options(saescope_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
  -Wundef -Wvla -Wcast-qual -Wformat=2 -Wpointer-arith -Wwrite-strings
  -ffp-contract=off -fno-math-errno -fstack-protector-strong)
if(SS_WERROR)
  target_compile_options(saescope_flags INTERFACE -Werror)
endif()

check_c_compiler_flag(-march=x86-64-v2 SS_HAS_X86_64_V2)
if(SS_HAS_X86_64_V2)
  target_compile_options(saescope_flags INTERFACE -march=x86-64-v2)
endif()

if(SS_SANITIZE)
  target_compile_options(saescope_flags INTERFACE
    -fsanitize=${SS_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(saescope_flags INTERFACE -fsanitize=${SS_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(saescope_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  target_link_options(saescope_flags INTERFACE -Wl,-z,relro,-z,now)
endif()

# What tests go through; read by scripts/coverage.py.
if(SS_COVERAGE)
  target_compile_options(saescope_flags INTERFACE --coverage -fprofile-abs-path)
  target_link_options(saescope_flags INTERFACE --coverage)
endif()

# Fuzzing finds its way by the coverage of the library, so that is instrumented too. The depth of
# the stack is left out: it depends on where the system puts that, and runs are to be repeatable.
if(SS_FUZZ)
  target_compile_options(saescope_flags INTERFACE
    -fsanitize=fuzzer-no-link -fno-sanitize-coverage=stack-depth)
  target_link_options(saescope_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
