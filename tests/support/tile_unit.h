/* The kernels of the tile unit (AMX) for tests: on the unit where the machine has it, else on a
 * stand-in (tile_unit.c). With SS_TEST_STAND_IN=1 and SAESCOPE_CPU=avx512-vnni the stand-in runs
 * on a machine that has the unit too, which is then not asked for. */
#ifndef SS_TILE_UNIT_H
#define SS_TILE_UNIT_H

#include <stdbool.h>
#include <stddef.h>

/* Use the kernels `amx` from now on; false, and nothing changes, where the machine lacks what
 * they need besides the unit. Not while other threads compute. */
bool tile_unit_use(void);

/* How often the calling thread has set up the stand-in; 0 where there is the unit itself. */
size_t tile_unit_n_set_ups(void);

/* Whether the calling thread holds a state of the unit. */
bool tile_unit_is_held(void);

#endif
