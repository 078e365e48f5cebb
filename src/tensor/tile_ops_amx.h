/* The tile unit: eight registers of up to 16 rows × 64 bytes and the products of two of them.
 * tests/support/tile_unit.c has what the processor's manual says of each instruction, in plain
 * C.
 *
 * In assembly, because the compilers' intrinsics do not say that they read memory. Registers
 * are named by constants. */
#ifndef SS_TENSOR_TILE_OPS_AMX_H
#define SS_TENSOR_TILE_OPS_AMX_H

#include "tensor/tensor_priv.h"

enum { TILE_REGISTERS = 8, TILE_ROWS = 16, TILE_ROW_BYTES = 64 };

/* The operand of ldtilecfg. A register has rows and bytes, or neither. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

/* Shapes of all registers, which become 0. */
TILE_INLINE void tile_configure(const struct tile_config *config)
{
    __asm__ volatile("ldtilecfg %0" : : "m"(*config) : "memory");
}

TILE_INLINE void tile_release(void)
{
    __asm__ volatile("tilerelease" : : : "memory");
}

TILE_INLINE void tile_zero(int tile)
{
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(tile) : "memory");
}

/* Rows stand stride_bytes apart. */
TILE_INLINE void tile_load(int tile, const void *from, size_t stride_bytes)
{
    __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0"
                     :
                     : "i"(tile), "r"(from), "r"(stride_bytes)
                     : "memory");
}

/* The same of what is not used again soon: it leaves the L1 cache to others. */
TILE_INLINE void tile_stream(int tile, const void *from, size_t stride_bytes)
{
    __asm__ volatile("tileloaddt1 (%1,%2,1), %%tmm%c0"
                     :
                     : "i"(tile), "r"(from), "r"(stride_bytes)
                     : "memory");
}

TILE_INLINE void tile_store(int tile, void *to, size_t stride_bytes)
{
    __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)"
                     :
                     : "i"(tile), "r"(to), "r"(stride_bytes)
                     : "memory");
}

/* sum += a b: pairs of bf16, sums of floats. */
TILE_INLINE void tile_add_bf16(int sum, int a, int b)
{
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0"
                     :
                     : "i"(sum), "i"(a), "i"(b)
                     : "memory");
}

/* sum += a b: fours of unsigned and of signed bytes, sums of 32 bits. */
TILE_INLINE void tile_add_int8(int sum, int a, int b)
{
    __asm__ volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0"
                     :
                     : "i"(sum), "i"(a), "i"(b)
                     : "memory");
}

#endif
