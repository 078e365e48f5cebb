/* Floats as bf16, rounded to nearest even, by groups of 32: a row of a tile's inputs. */
#ifndef SS_TENSOR_BF16_H
#define SS_TENSOR_BF16_H

#include <string.h>

#include "tensor/tensor_priv.h"

enum { BF16_GROUP = 32 };

TILE_INLINE uint32_t bits_of(float x)
{
    uint32_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The upper half of the result's bits. What is no number stays none. */
TILE_INLINE uint32_t bf16_bits(float x)
{
    const uint32_t bits = bits_of(x);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000U;
    const bool is_nan = (bits & 0x7fffffffU) > 0x7f800000U;
    return is_nan ? (bits | 0x400000U) & 0xffff0000U : rounded;
}

TILE_INLINE void bf16_round(const float *x, uint16_t *out)
{
    for (size_t i = 0; i < BF16_GROUP; i++) {
        out[i] = (uint16_t)(bf16_bits(x[i]) >> 16);
    }
}

/* What rounding to bf16 leaves: exact; 0 where that is not finite. */
TILE_INLINE void bf16_rest(const float *x, float *rest)
{
    for (size_t i = 0; i < BF16_GROUP; i++) {
        const uint32_t bits = bf16_bits(x[i]);
        float high = 0;
        memcpy(&high, &bits, sizeof high);
        rest[i] = (bits & 0x7f800000U) == 0x7f800000U ? 0 : x[i] - high;
    }
}

/* A group of which n inputs are there; `room` [32] where that is not all. */
TILE_INLINE const float *bf16_whole_group(const float *x, size_t n, float *room)
{
    if (n >= BF16_GROUP) {
        return x;
    }
    memset(room, 0, BF16_GROUP * sizeof *room);
    memcpy(room, x, n * sizeof *room);
    return room;
}

#endif
