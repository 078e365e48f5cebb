/* Which kernels to use: the best that the processor and the operating system support, or a
 * lower level that SAESCOPE_CPU asks for. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/tensor_priv.h"

static bool always(void)
{
    return true;
}

#ifdef SS__HAVE_X86_KERNELS
#include <cpuid.h>

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
#endif

/* Best first. */
static const struct level {
    struct ss__kernels kernels;
    bool (*is_supported)(void);
} levels[] = {
#ifdef SS__HAVE_X86_KERNELS
    {{"avx512", 14, 32, ss__tile_avx512, &ss__rows_avx512}, has_avx512},
    {{"avx2", 6, 16, ss__tile_avx2, &ss__rows_avx2}, has_avx2},
#endif
    {{"reference", 4, 16, ss__tile_reference, &ss__rows_reference}, always},
};

enum { N_LEVELS = sizeof levels / sizeof levels[0] };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(const struct ss__kernels *) in_use;

static size_t level_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < N_LEVELS; i++) {
        if (strcmp(levels[i].kernels.name, name) == 0) {
            return i;
        }
    }
    return 0;
}

static void choose(void)
{
    size_t i = level_find(getenv("SAESCOPE_CPU"));
    while (!levels[i].is_supported()) {
        i++;
    }
    atomic_store(&in_use, &levels[i].kernels);
}

const struct ss__kernels *ss__kernels(void)
{
    pthread_once(&once, choose);
    return atomic_load_explicit(&in_use, memory_order_acquire);
}

const char *ss__kernels_name(void)
{
    return ss__kernels()->name;
}

bool ss__kernels_use(const char *name)
{
    pthread_once(&once, choose);
    const struct level *level = &levels[level_find(name)];
    if (strcmp(level->kernels.name, name) != 0 || !level->is_supported()) {
        return false;
    }
    atomic_store(&in_use, &level->kernels);
    return true;
}
