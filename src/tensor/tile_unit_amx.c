/* Setting up the tile unit, whose registers have shapes, and releasing it. Setting up takes
 * some 200 cycles, a quarter of a tile's products of int8, so a thread does it only when the
 * number of rows changes. It releases the unit at the end of a task: a thread that kept it
 * would have 8 KB more to save at each switch, and hold back the sleep of its core. */
#include "tensor/tile_ops_amx.h"

static _Thread_local size_t configured_rows; /* 0: released */

/* Sums and inputs have as many rows as the tile has, split over an upper and a lower register;
 * weights always have 16. */
void ss_tensor_tile_unit_set_up(size_t n_rows)
{
    if (n_rows == configured_rows) {
        return;
    }
    const size_t top = n_rows < TILE_ROWS ? n_rows : TILE_ROWS, bottom = n_rows - top;
    const size_t rows[TILE_REGISTERS] = {top, top,    bottom,    bottom,
                                         top, bottom, TILE_ROWS, TILE_ROWS};
    struct tile_config config = {.palette = 1};
    for (size_t i = 0; i < TILE_REGISTERS; i++) {
        config.rows[i] = (uint8_t)rows[i];
        config.row_bytes[i] = rows[i] == 0 ? 0 : TILE_ROW_BYTES;
    }
    tile_configure(&config);
    configured_rows = n_rows;
}

void ss_tensor_tile_unit_release(void)
{
    if (configured_rows != 0) {
        tile_release();
        configured_rows = 0;
    }
}
