/* Matrix products of others and our own behind one table, for bench_matmul.c. */
#ifndef BENCH_ENGINES_H
#define BENCH_ENGINES_H

#include <stdbool.h>
#include <stddef.h>

/* y[m, n] = x[m, k] w[n, k]ᵀ, all row-major. */
struct problem {
    size_t m, k, n;
    const float *x, *w;
    float *y;
};

/* An engine in one arithmetic. A call of `open` that says false leaves the engine out. */
struct engine {
    const char *name, *kind; /* kind: "fp32", "16 bits", "8 bits" */
    /* Get ready for n_threads, and write version and kernels to about[about_bytes]. */
    bool (*open)(size_t n_threads, char *about, size_t about_bytes);
    /* Convert and pack what a model would once at load; false where this can not be done. */
    bool (*prepare)(const struct problem *p);
    void (*run)(const struct problem *p);
    void (*finish)(void);
};

extern const struct engine bench_saescope_highest, bench_saescope_high, bench_saescope_medium,
    bench_saescope_low;
extern const struct engine bench_openblas, bench_blis;
#ifdef BENCH_ONEDNN
extern const struct engine bench_onednn_fp32, bench_onednn_bf16, bench_onednn_int8;
#endif

#endif
