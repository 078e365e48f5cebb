/* Matmul tiles of int8 for AMX: 32 rows × 32 outputs.
 * Layout     A [K / 64][rows][16 fours], B [K / 64][2][16][16 fours].
 * Registers  4 sums, 2 of A, 2 of B.
 * Bound      tdpbusd: 4 for 64 inputs take 64 cycles. Sums stay integers until their
 *            epilogue, where one block of K is all there is. */
#include <math.h>

#include "tensor/tile_ops_amx.h"

#define PRODUCT tile_add_int8
#define PLANES 1
#define INTEGER_SUMS 1
#define PACKS 0

#include "tensor/outputs_amx.h"

#include "tensor/tile_amx.inc"

const struct ss_tensor_multiplier ss_tensor_int8_amx = {
    .name = "int8",
    .tile_rows = ROWS,
    .tile_cols = COLS,
    .word_inputs = 4,
    .pad_words = SS_TENSOR_LANES,
    .k_block = SS_TENSOR_INT8_BLOCK,
    .part_words = PART_WORDS,
    .has_tiled_panels = true,
    .finish_outputs = finish_outputs,
    .macro_kernel = macro_kernel,
    .finish = ss_tensor_tile_unit_release,
    .block_bytes = SS_TENSOR_TILE_BLOCK_BYTES,
    .scheme = &ss_tensor_int8_scheme,
    .scheme_positive = &ss_tensor_int8_scheme_positive};
