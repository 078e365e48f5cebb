/* Matmul tiles of int8 for AMX: 32 rows × 32 outputs.
 * Layout     A [K / 64][rows][16 fours], B [K / 4][32 fours], as tensor_priv.h says.
 * Registers  4 sums, 2 of A, 2 of B.
 * Bound      tdpbusd: 4 for 64 inputs take 64 cycles. 1024 sums on their way out by the stack
 *            take about 128 more, once for a whole row of inputs. */
#include <math.h>

#include "tensor/tile_ops_amx.h"

#define PRODUCT tile_add_int8
#define PLANES 1
#define INTEGER_SUMS

#include "tensor/tile_amx.inc"

SS_TENSOR_TILES_32(tiles)

const struct ss_tensor_multiplier ss_tensor_int8_amx = {
    .name = "int8",
    .tile_rows = ROWS,
    .tile_cols = COLS,
    .word_inputs = 4,
    .pad_words = SS_TENSOR_LANES,
    .k_block = SS_TENSOR_INT8_BLOCK,
    .tile = tiles,
    .finish = ss_tensor_tile_unit_release,
    .block_bytes = SS_TENSOR_TILE_BLOCK_BYTES,
    .scheme = &ss_tensor_int8_scheme,
    .scheme_positive = &ss_tensor_int8_scheme_positive};
