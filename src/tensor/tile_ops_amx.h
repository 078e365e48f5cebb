/* The tile unit: eight registers of up to 16 rows × 64 bytes and the products of two of them.
 * Two bodies: the instructions, and what the processor's manual says that they do, in plain C.
 * The second is for tests, which compile the kernels a second time with SS__EMULATE_TILES; it
 * traps where the processor would.
 *
 * In assembly, because the compilers' intrinsics do not say that they read memory. Registers
 * are named by constants. */
#ifndef SS_TENSOR_TILE_OPS_AMX_H
#define SS_TENSOR_TILE_OPS_AMX_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "tensor/tensor_priv.h"

enum { TILE_REGISTERS = 8, TILE_ROWS = 16, TILE_ROW_BYTES = 64 };

/* The operand of ldtilecfg. A register has rows and bytes, or neither. */
struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

#ifndef SS__EMULATE_TILES
#define SS__AMX_NAME(numbers) ss__##numbers##_amx

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

#else
#define SS__AMX_NAME(numbers) ss__##numbers##_emulated

static _Thread_local struct {
    struct tile_config config;
    unsigned char at[TILE_REGISTERS][TILE_ROWS][TILE_ROW_BYTES];
} unit;

static inline void trap_unless(bool is_allowed)
{
    if (!is_allowed) {
        __builtin_trap();
    }
}

static inline void tile_configure(const struct tile_config *config)
{
    trap_unless(config->palette == 1 && config->start_row == 0);
    for (size_t i = 0; i < 16; i++) {
        const size_t rows = config->rows[i], n_bytes = config->row_bytes[i];
        trap_unless((rows == 0) == (n_bytes == 0) && (i < TILE_REGISTERS || rows == 0));
        trap_unless(rows <= TILE_ROWS && n_bytes <= TILE_ROW_BYTES);
    }
    memset(&unit, 0, sizeof unit);
    unit.config = *config;
}

static inline void tile_release(void)
{
    memset(&unit, 0, sizeof unit);
}

static inline void tile_zero(int tile)
{
    trap_unless(unit.config.rows[tile] != 0);
    memset(unit.at[tile], 0, sizeof unit.at[tile]);
}

static inline void tile_load(int tile, const void *from, size_t stride_bytes)
{
    tile_zero(tile);
    for (size_t r = 0; r < unit.config.rows[tile]; r++) {
        memcpy(unit.at[tile][r], (const char *)from + r * stride_bytes,
               unit.config.row_bytes[tile]);
    }
}

static inline void tile_store(int tile, void *to, size_t stride_bytes)
{
    trap_unless(unit.config.rows[tile] != 0);
    for (size_t r = 0; r < unit.config.rows[tile]; r++) {
        memcpy((char *)to + r * stride_bytes, unit.at[tile][r], unit.config.row_bytes[tile]);
    }
}

/* Shapes must fit: [m, k words] times [k, n words]. */
static inline void check_shapes(int sum, int a, int b)
{
    const struct tile_config *c = &unit.config;
    trap_unless(c->rows[sum] != 0 && c->rows[a] == c->rows[sum] &&
                c->row_bytes[b] == c->row_bytes[sum] && c->row_bytes[a] == 4 * c->rows[b]);
    trap_unless(sum != a && sum != b && a != b);
}

/* Denormals are 0 on the way in and out. */
static inline float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0.0F, x) : x;
}

static inline void widen(const unsigned char *row, float *out)
{
    uint16_t halves[TILE_ROW_BYTES / 2];
    memcpy(halves, row, sizeof halves);
    for (size_t i = 0; i < TILE_ROW_BYTES / 2; i++) {
        const uint32_t bits = (uint32_t)halves[i] << 16;
        float x = 0;
        memcpy(&x, &bits, sizeof x);
        out[i] = flushed(x);
    }
}

/* Firsts and seconds of pairs have sums of their own, each a chain of fused multiply-adds over
 * k from 0; the two are added, then that to what was there. */
static inline void tile_add_bf16(int sum, int a, int b)
{
    float x[TILE_ROW_BYTES / 2], y[TILE_ROWS][TILE_ROW_BYTES / 2], c[TILE_ROW_BYTES / 4];
    check_shapes(sum, a, b);
    for (size_t k = 0; k < TILE_ROWS; k++) {
        widen(unit.at[b][k], y[k]);
    }
    for (size_t m = 0; m < unit.config.rows[sum]; m++) {
        float chains[TILE_ROW_BYTES / 2] = {0};
        widen(unit.at[a][m], x);
        for (size_t k = 0; k < unit.config.rows[b]; k++) {
            for (size_t i = 0; i < TILE_ROW_BYTES / 2; i++) {
                chains[i] = flushed(fmaf(x[2 * k + i % 2], y[k][i], chains[i]));
            }
        }
        memcpy(c, unit.at[sum][m], sizeof c);
        for (size_t n = 0; n < TILE_ROW_BYTES / 4; n++) {
            c[n] = flushed(flushed(c[n]) + flushed(chains[2 * n] + chains[2 * n + 1]));
        }
        memcpy(unit.at[sum][m], c, sizeof c);
    }
}

static inline void tile_add_int8(int sum, int a, int b)
{
    check_shapes(sum, a, b);
    for (size_t m = 0; m < unit.config.rows[sum]; m++) {
        uint32_t c[TILE_ROW_BYTES / 4];
        memcpy(c, unit.at[sum][m], sizeof c);
        for (size_t i = 0; i < 4U * unit.config.rows[b]; i++) {
            for (size_t n = 0; n < TILE_ROW_BYTES / 4; n++) {
                const int32_t weight = (int8_t)unit.at[b][i / 4][4 * n + i % 4];
                c[n] += (uint32_t)(unit.at[a][m][i] * weight);
            }
        }
        memcpy(unit.at[sum][m], c, sizeof c);
    }
}
#endif
#endif
