/* The loops of limit_loops.h. Nothing is compiled for the machine at hand: each loop names its
 * instructions. */
#include "limit_loops.h"

#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { N_SUMS = 12 };

/* Make the compiler believe that x changes, so that it computes every product. */
#define TOUCH(x) __asm__ volatile("" : "+v"(x))

/* n rounds of N_SUMS independent steps `sum[i] = STEP`, where a and b are operands. */
#define LOOP(NAME, TARGET, VECTOR, ZERO, STEP)                                                 \
    __attribute__((target(TARGET))) static void NAME(size_t n)                                 \
    {                                                                                          \
        VECTOR sum[N_SUMS], a = ZERO, b = ZERO;                                                \
        _Pragma("GCC unroll 12") for (size_t i = 0; i < N_SUMS; i++)                           \
        {                                                                                      \
            sum[i] = ZERO;                                                                     \
        }                                                                                      \
        for (; n > 0; n--) {                                                                   \
            TOUCH(b);                                                                          \
            _Pragma("GCC unroll 12") for (size_t i = 0; i < N_SUMS; i++)                       \
            {                                                                                  \
                TOUCH(a);                                                                      \
                sum[i] = STEP;                                                                 \
            }                                                                                  \
        }                                                                                      \
        _Pragma("GCC unroll 12") for (size_t i = 0; i < N_SUMS; i++)                           \
        {                                                                                      \
            TOUCH(sum[i]);                                                                     \
        }                                                                                      \
    }

LOOP(fp32_avx2, "avx2,fma", __m256, _mm256_setzero_ps(), _mm256_fmadd_ps(a, b, sum[i]))
LOOP(fp32_avx512, "avx512f", __m512, _mm512_setzero_ps(), _mm512_fmadd_ps(a, b, sum[i]))
LOOP(int16_avx2, "avx2", __m256i, _mm256_setzero_si256(),
     _mm256_add_epi32(sum[i], _mm256_madd_epi16(a, b)))
LOOP(int16_avx512, "avx512f,avx512bw", __m512i, _mm512_setzero_si512(),
     _mm512_add_epi32(sum[i], _mm512_madd_epi16(a, b)))
LOOP(int8_avx2, "avx2", __m256i, _mm256_setzero_si256(),
     _mm256_add_epi32(sum[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), b)))
LOOP(int16_avx_vnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256(),
     _mm256_dpwssd_avx_epi32(sum[i], a, b))
LOOP(int8_avx_vnni, "avx2,avxvnni", __m256i, _mm256_setzero_si256(),
     _mm256_dpbusd_avx_epi32(sum[i], a, b))
LOOP(int16_avx512_vnni, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
     _mm512_dpwssd_epi32(sum[i], a, b))
LOOP(int8_avx512_vnni, "avx512f,avx512vnni", __m512i, _mm512_setzero_si512(),
     _mm512_dpbusd_epi32(sum[i], a, b))

#define BF16_STEP(sum, a, b)                                                                   \
    __asm__ volatile("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b))
__attribute__((target("avx512f,avx512bf16"))) static void bf16_avx512(size_t n)
{
    __m512 sum[N_SUMS], a = _mm512_setzero_ps();
#pragma GCC unroll 12
    for (size_t i = 0; i < N_SUMS; i++) {
        sum[i] = _mm512_setzero_ps();
    }
    for (; n > 0; n--) {
#pragma GCC unroll 12
        for (size_t i = 0; i < N_SUMS; i++) {
            BF16_STEP(sum[i], a, a);
        }
    }
}

/* ---- tiles ---- */

struct tile_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t colsb[16];
    uint8_t rows[16];
};

__attribute__((target("amx-tile"))) static void configure_tiles(void)
{
    struct tile_config config = {.palette = 1};
    for (size_t i = 0; i < 8; i++) {
        config.colsb[i] = 64;
        config.rows[i] = 16;
    }
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
}

/* Four sums, as a 2 x 2 kernel has, three times a round. */
#define TILE_LOOP(NAME, TARGET, STEP)                                                          \
    __attribute__((target(TARGET))) static void NAME(size_t n)                                 \
    {                                                                                          \
        configure_tiles();                                                                     \
        for (; n > 0; n--) {                                                                   \
            _Pragma("GCC unroll 3") for (size_t i = 0; i < N_SUMS / 4; i++)                    \
            {                                                                                  \
                STEP(0, 4, 6);                                                                 \
                STEP(1, 4, 7);                                                                 \
                STEP(2, 5, 6);                                                                 \
                STEP(3, 5, 7);                                                                 \
            }                                                                                  \
        }                                                                                      \
        _tile_release();                                                                       \
    }
TILE_LOOP(bf16_amx, "amx-tile,amx-bf16", _tile_dpbf16ps)
TILE_LOOP(int8_amx, "amx-tile,amx-int8", _tile_dpbssd)

/* ---- what the machine has ---- */

static bool has_bit(unsigned leaf, unsigned sub, unsigned reg, unsigned bit)
{
    unsigned r[4] = {0};
    return __get_cpuid_count(leaf, sub, &r[0], &r[1], &r[2], &r[3]) != 0 &&
           (r[reg] >> bit & 1) != 0;
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

static bool has_avx_vnni(void)
{
    return has_avx2() && has_bit(7, 1, 0, 4);
}

static bool has_avx512_vnni(void)
{
    return has_avx512() && has_bit(7, 0, 2, 11);
}

static bool has_avx512_bf16(void)
{
    return has_avx512() && has_bit(7, 1, 0, 5);
}

/* Tiles must be asked for; a kernel or container may refuse. */
static bool has_tiles(unsigned bit)
{
    enum { ASK = 0x1023, TILE_DATA = 18 };
    return has_bit(7, 0, 3, 24) && has_bit(7, 0, 3, bit) &&
           syscall(SYS_arch_prctl, ASK, TILE_DATA) == 0;
}

static bool has_bf16_tiles(void)
{
    return has_tiles(22);
}

static bool has_int8_tiles(void)
{
    return has_tiles(25);
}

const struct limit_loop limit_loops[] = {
    {"fp32_avx2", fp32_avx2, 2.0 * 8 * N_SUMS, has_avx2},
    {"fp32_avx512", fp32_avx512, 2.0 * 16 * N_SUMS, has_avx512},
    {"int16_avx2", int16_avx2, 2.0 * 16 * N_SUMS, has_avx2},
    {"int16_avx_vnni", int16_avx_vnni, 2.0 * 16 * N_SUMS, has_avx_vnni},
    {"int16_avx512", int16_avx512, 2.0 * 32 * N_SUMS, has_avx512},
    {"int16_avx512_vnni", int16_avx512_vnni, 2.0 * 32 * N_SUMS, has_avx512_vnni},
    {"int8_avx2", int8_avx2, 2.0 * 32 * N_SUMS, has_avx2},
    {"int8_avx_vnni", int8_avx_vnni, 2.0 * 32 * N_SUMS, has_avx_vnni},
    {"int8_avx512_vnni", int8_avx512_vnni, 2.0 * 64 * N_SUMS, has_avx512_vnni},
    {"bf16_avx512", bf16_avx512, 2.0 * 32 * N_SUMS, has_avx512_bf16},
    {"bf16_amx", bf16_amx, 2.0 * 16 * 16 * 32 * N_SUMS, has_bf16_tiles},
    {"int8_amx", int8_amx, 2.0 * 16 * 16 * 64 * N_SUMS, has_int8_tiles},
};

const size_t n_limit_loops = sizeof limit_loops / sizeof limit_loops[0];

const struct limit_loop *limit_loop_find(const char *name)
{
    for (size_t i = 0; i < n_limit_loops; i++) {
        if (strcmp(limit_loops[i].name, name) == 0 && limit_loops[i].is_there()) {
            return &limit_loops[i];
        }
    }
    return NULL;
}
