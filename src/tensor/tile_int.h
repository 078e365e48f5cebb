/* What tile.inc is told where sums are integers: words of 16-bit pairs (both within ±8191)
 * or of fours of int8 (unsigned inputs, signed weights). matrix.c says how far they may go. */
#ifndef SS_TENSOR_TILE_INT_H
#define SS_TENSOR_TILE_INT_H

#include <stdint.h>

#define INTEGER_SUMS
#define WORD int32_t
#define SUMS INTS

#endif
