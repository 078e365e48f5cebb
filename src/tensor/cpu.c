/* Which kernels to use: the best that the processor and the operating system support, or a
 * lower level that SAESCOPE_CPU asks for.
 *
 * The tile unit (AMX) has 8 KB of state per thread, which Linux saves only for a process that
 * asked for it. So the choice of kernels asks, once, for the process and all its threads. It is
 * the one thing that this library changes in its process; refused (an old kernel, a sandbox, a
 * signal stack that is too small), the next level is used. SAESCOPE_CPU keeps it from asking.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensor/tensor_priv.h"

static bool always(void)
{
    return true;
}

#ifdef SS_TENSOR_HAVE_X86_KERNELS
#include <cpuid.h>
#include <sys/syscall.h>

/* ARCH_REQ_XCOMP_PERM of arch_prctl, and the number of a state. */
static const long REQUEST_STATE = 0x1023, TILE_DATA = 18;

/* Whether the operating system saves the registers of these bits of XCR0. */
static bool os_saves(unsigned mask)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) {
        return false;
    }
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & mask) == mask;
}

/* A processor that has the instructions is not enough: an operating system that does not save
 * the wide registers would lose them at the next switch of threads. 0x06 is SSE and AVX state,
 * 0xe6 with the three of AVX-512. */
static bool has_avx2(void)
{
    return os_saves(0x06) && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && os_saves(0xe6) && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx512vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

/* CPUID 7: the tile unit with products of bf16 and of int8; and the conversion to bf16. */
static bool has_amx(void)
{
    const unsigned bf16 = 1U << 22, tile = 1U << 24, int8 = 1U << 25, all = bf16 | tile | int8;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx512vnni() && __builtin_cpu_supports("avx512bf16") && os_saves(0x60000) &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & all) == all &&
           syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0;
}

/* The compilers' names for AVX-VNNI are younger than some compilers. */
static bool has_avxvnni(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 1U << 4) != 0;
}
#endif

/* Rows and outputs of a tile as its file says. */
#define FP32(rows, cols, tiles)                                                                \
    {                                                                                          \
        .name = "fp32", .tile_rows = (rows), .tile_cols = (cols), .word_inputs = 1,            \
        .pad_words = 1, .k_block = SS_TENSOR_K_BLOCK, .tile = (tiles),                         \
        .pack = ss_tensor_pack_rows                                                            \
    }
#define INT16(rows, cols, block, tiles)                                                        \
    {                                                                                          \
        .name = "int16", .tile_rows = (rows), .tile_cols = (cols), .word_inputs = 2,           \
        .pad_words = SS_TENSOR_LANES, .k_block = (block), .tile = (tiles),                     \
        .scheme = &int16_scheme                                                                \
    }
#define INT8(rows, cols, tiles, scheme_name)                                                   \
    {                                                                                          \
        .name = "int8", .tile_rows = (rows), .tile_cols = (cols), .word_inputs = 4,            \
        .pad_words = SS_TENSOR_LANES, .k_block = SS_TENSOR_INT8_BLOCK, .tile = (tiles),        \
        .scheme = &(scheme_name), .scheme_positive = &(scheme_name##_positive)                 \
    }

static const struct ss_tensor_quant_scheme int16_scheme = {
    .n_bytes = 2, .max_input = 4095, .max_weight = 8191};
/* For products that are added in 16 bits (tile_int8_avx2.c says why these). */
#ifdef SS_TENSOR_HAVE_X86_KERNELS
static const struct ss_tensor_quant_scheme int7_scheme = {
    .n_bytes = 1, .max_input = 90, .max_weight = 127, .offset = 91, .max_quad_sum = 181};
static const struct ss_tensor_quant_scheme int7_scheme_positive = {
    .n_bytes = 1, .max_input = 169, .max_weight = 127, .offset = 12, .max_quad_sum = 181};

static const struct ss_tensor_multiplier
    fp32_avx2 = FP32(6, 16, ss_tensor_tile_fp32_avx2),
    fp32_avx512 = FP32(14, 32, ss_tensor_tile_fp32_avx512),
    int16_avx2 = INT16(6, 16, 384, ss_tensor_tile_int16_avx2),
    attention_avx2 = INT16(6, 16, 128, ss_tensor_tile_int16_avx2),
    int16_avxvnni = INT16(6, 16, 384, ss_tensor_tile_int16_avxvnni),
    attention_avxvnni = INT16(6, 16, 128, ss_tensor_tile_int16_avxvnni),
    int16_avx512 = INT16(14, 32, 384, ss_tensor_tile_int16_avx512),
    attention_avx512 = INT16(14, 32, 128, ss_tensor_tile_int16_avx512),
    int16_avx512vnni = INT16(14, 32, 384, ss_tensor_tile_int16_avx512vnni),
    attention_avx512vnni = INT16(14, 32, 128, ss_tensor_tile_int16_avx512vnni),
    int8_avx2 = INT8(5, 16, ss_tensor_tile_int8_avx2, int7_scheme),
    int8_avxvnni = INT8(6, 16, ss_tensor_tile_int8_avxvnni, ss_tensor_int8_scheme),
    int8_avx512 = INT8(12, 32, ss_tensor_tile_int8_avx512, int7_scheme),
    int8_avx512vnni = INT8(14, 32, ss_tensor_tile_int8_avx512vnni, ss_tensor_int8_scheme);
#endif
static const struct ss_tensor_multiplier fp32_reference =
                                             FP32(4, 16, ss_tensor_tile_fp32_reference),
                                         int16_reference =
                                             INT16(4, 16, 384, ss_tensor_tile_int16_reference),
                                         attention_reference =
                                             INT16(4, 16, 128, ss_tensor_tile_int16_reference),
                                         int8_reference =
                                             INT8(4, 16, ss_tensor_tile_int8_reference,
                                                  ss_tensor_int8_scheme);

/* Products by level; attention is of floats at the upper two, of `pairs` at the others: their
 * scores and weights are floats in between and would lose what bytes leave of them. */
#define PRECISIONS(highest, high, medium, low, pairs)                                          \
    .fp32 = &(highest),                                                                        \
    .of = {[SS_PRECISION_HIGHEST] = &(highest),                                                \
           [SS_PRECISION_HIGH] = &(high),                                                      \
           [SS_PRECISION_MEDIUM] = &(medium),                                                  \
           [SS_PRECISION_LOW] = &(low)},                                                       \
    .attention = {[SS_PRECISION_HIGHEST] = &(highest),                                         \
                  [SS_PRECISION_HIGH] = &(highest),                                            \
                  [SS_PRECISION_MEDIUM] = &(pairs),                                            \
                  [SS_PRECISION_LOW] = &(pairs)}

/* Best first. */
static const struct level {
    struct ss_tensor_kernels kernels;
    bool (*is_supported)(void);
} levels[] = {
#ifdef SS_TENSOR_HAVE_X86_KERNELS
    {{"amx", &ss_tensor_rows_avx512,
      PRECISIONS(fp32_avx512, ss_tensor_bf16x3_amx, ss_tensor_bf16_amx, ss_tensor_int8_amx,
                 attention_avx512vnni),
      .attend = {[SS_PRECISION_HIGH] = &ss_tensor_attend_bf16x3_amx,
                 [SS_PRECISION_MEDIUM] = &ss_tensor_attend_bf16_amx,
                 [SS_PRECISION_LOW] = &ss_tensor_attend_bf16_amx},
      .formats = {[SS_PRECISION_LOW] = "int8+bf16"}},
     has_amx},
    {{"avx512-vnni", &ss_tensor_rows_avx512,
      PRECISIONS(fp32_avx512, fp32_avx512, int16_avx512vnni, int8_avx512vnni,
                 attention_avx512vnni)},
     has_avx512vnni},
    {{"avx512", &ss_tensor_rows_avx512,
      PRECISIONS(fp32_avx512, fp32_avx512, int16_avx512, int8_avx512, attention_avx512)},
     has_avx512},
    {{"avx2-vnni", &ss_tensor_rows_avx2,
      PRECISIONS(fp32_avx2, fp32_avx2, int16_avxvnni, int8_avxvnni, attention_avxvnni)},
     has_avxvnni},
    {{"avx2", &ss_tensor_rows_avx2,
      PRECISIONS(fp32_avx2, fp32_avx2, int16_avx2, int8_avx2, attention_avx2)},
     has_avx2},
#endif
    {{"reference", &ss_tensor_rows_reference,
      PRECISIONS(fp32_reference, fp32_reference, int16_reference, int8_reference,
                 attention_reference)},
     always},
};

enum { N_LEVELS = sizeof levels / sizeof levels[0] };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(const struct ss_tensor_kernels *) in_use;

/* The index of a level, 0 (the best) for an unknown name or none. */
static size_t level_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < N_LEVELS; i++) {
        if (strcmp(levels[i].kernels.name, name) == 0) {
            return i;
        }
    }
    return 0;
}

/* From the level that was asked for down to the first that works; the last always does. */
static void choose(void)
{
    size_t i = level_find(getenv("SAESCOPE_CPU"));
    while (!levels[i].is_supported()) {
        i++;
    }
    atomic_store(&in_use, &levels[i].kernels);
}

const struct ss_tensor_kernels *ss_tensor_kernels(void)
{
    pthread_once(&once, choose);
    return atomic_load_explicit(&in_use, memory_order_acquire);
}

bool ss_has_feature(const char *name)
{
    const struct level *level = &levels[level_find(name)];
    return name != NULL && strcmp(level->kernels.name, name) == 0 && level->is_supported();
}

const char *ss_tensor_kernels_name(void)
{
    return ss_tensor_kernels()->name;
}

const struct ss_tensor_kernels *ss_tensor_kernels_find(const char *name)
{
    const struct ss_tensor_kernels *kernels = &levels[level_find(name)].kernels;
    return strcmp(kernels->name, name) == 0 ? kernels : NULL;
}

bool ss_tensor_kernels_use(const char *name)
{
    pthread_once(&once, choose);
    const struct level *level = &levels[level_find(name)];
    if (ss_tensor_kernels_find(name) == NULL || !level->is_supported()) {
        return false;
    }
    ss_tensor_kernels_set(&level->kernels);
    return true;
}

/* The choice by the processor is made first, so that it cannot come later and replace this
 * one. */
void ss_tensor_kernels_set(const struct ss_tensor_kernels *kernels)
{
    pthread_once(&once, choose);
    atomic_store(&in_use, kernels);
}

size_t ss_tensor_l2_bytes(void)
{
    enum { LEAST = 256 << 10, USUAL = 1 << 20 };
    long n = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    n = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return n < LEAST ? USUAL : (size_t)n;
}

const char *ss_tensor_precision_format(ss_precision precision)
{
    const struct ss_tensor_kernels *kernels = ss_tensor_kernels();
    return kernels->formats[precision] != NULL ? kernels->formats[precision]
                                               : kernels->of[precision]->name;
}

double ss_tensor_precision_error(ss_precision precision)
{
    return precision == SS_PRECISION_HIGH ? ss_tensor_kernels()->of[precision]->embedding_error
                                          : 0;
}
