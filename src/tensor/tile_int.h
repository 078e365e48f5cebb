/* Steps of whole numbers for tile.inc, by the instructions that a file names:
 *
 *   int16   pairs of 16-bit numbers, both within ±8191: exact products, exact sums of two
 *   int8    fours of unsigned inputs and signed weights; how far they may go depends on the
 *           instruction, see matrix.c */
#ifndef SS_TENSOR_TILE_INT_H
#define SS_TENSOR_TILE_INT_H

#include <stdint.h>

#define INTEGER_SUMS
#define WORD int32_t
#define SUMS INTS

#endif
