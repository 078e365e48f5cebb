/* The kernels of the tile unit (AMX) for tests: on the unit where the machine has it, else on a
 * stand-in (tile_unit.c). */
#ifndef SS_TILE_UNIT_H
#define SS_TILE_UNIT_H

#include <stdbool.h>

/* Use the kernels `amx` from now on; false, and nothing changes, where the machine lacks what
 * they need besides the unit. Not while other threads compute. */
bool tile_unit_use(void);

/* Whether the calling thread holds a state of the unit. */
bool tile_unit_is_held(void);

#endif
