/* Matrix products over the shapes of MPNet base and MiniLM, by saescope and by the libraries
 * that others build on, in turns.
 *
 * bench_matmul [THREADS [TURNS [MILLISECONDS]]] prints one JSON object: what each engine is,
 * and the median rate of each shape and engine in 10^9 operations per second. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engines.h"

enum { MAX_TURNS = 31, MAX_M = 8192, MAX_WIDTH = 3072 };

static const struct engine *const engines[] = {
    &bench_saescope_highest, &bench_saescope_high, &bench_saescope_medium,
    &bench_saescope_low,     &bench_openblas,      &bench_blis,
#ifdef BENCH_ONEDNN
    &bench_onednn_fp32,      &bench_onednn_bf16,   &bench_onednn_int8,
#endif
};
enum { N_ENGINES = sizeof engines / sizeof engines[0] };

static const size_t shapes[][2] = {{768, 768}, {768, 3072}, {3072, 768},
                                   {384, 384}, {384, 1536}, {1536, 384}};
static const size_t all_rows[] = {1, 8, 64, 512, MAX_M};

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Threads of a library that has just worked may still wait actively for more: let them rest. */
static void rest(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

static float *make_random(size_t n)
{
    float *x = malloc(n * sizeof *x);
    uint32_t state = 1;
    for (size_t i = 0; x != NULL && i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) / 8388608.0F - 1.0F;
    }
    if (x == NULL) {
        exit(70);
    }
    return x;
}

/* A product that is wrong must not be counted as fast: one element against a plain sum. The
 * 8-bit numbers are rounded ones here, so they are not looked at. */
static void check(const struct engine *engine, const struct problem *p)
{
    double sum = 0;
    double size = 0;
    for (size_t i = 0; i < p->k; i++) {
        sum += (double)p->x[i] * (double)p->w[i];
        size += fabs((double)p->x[i] * (double)p->w[i]);
    }
    const double limit = strcmp(engine->kind, "fp32") == 0 ? 1e-5 : 1e-2;
    if (strcmp(engine->kind, "8 bits") != 0 && fabs(sum - (double)p->y[0]) > limit * size) {
        (void)fprintf(stderr, "%s: %g instead of %g\n", engine->name, (double)p->y[0], sum);
        exit(70);
    }
}

/* Seconds of one product, by the median of some turns of about `seconds` each. */
static double time_product(const struct engine *engine, const struct problem *p, size_t n_turns,
                           double seconds)
{
    double turns[MAX_TURNS];
    rest();
    engine->run(p);
    check(engine, p);
    double start = now();
    engine->run(p);
    const double once = now() - start;
    const size_t n = 1 + (size_t)(seconds / (once + 1e-9));
    for (size_t i = 0; i < n_turns; i++) {
        start = now();
        for (size_t j = 0; j < n; j++) {
            engine->run(p);
        }
        turns[i] = (now() - start) / (double)n;
    }
    qsort(turns, n_turns, sizeof turns[0], compare);
    return turns[n_turns / 2];
}

static void measure(const struct problem *p, const bool *is_open, size_t n_turns,
                    double seconds)
{
    const double work = 2e-9 * (double)p->m * (double)p->k * (double)p->n;
    for (size_t i = 0; i < N_ENGINES; i++) {
        if (!is_open[i] || !engines[i]->prepare(p)) {
            continue;
        }
        const double rate = work / time_product(engines[i], p, n_turns, seconds);
        printf(", \n{\"m\": %zu, \"k\": %zu, \"n\": %zu, \"engine\": \"%s\", "
               "\"rate\": %.2f}",
               p->m, p->k, p->n, engines[i]->name, rate);
        engines[i]->finish();
    }
}

int main(int argc, char **argv)
{
    const size_t n_threads = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 1;
    const size_t asked = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 5;
    const size_t n_turns = asked < 1 ? 1 : asked > MAX_TURNS ? MAX_TURNS : asked;
    const double seconds = argc > 3 ? strtod(argv[3], NULL) / 1e3 : 0.02;
    bool is_open[N_ENGINES];
    char about[200];
    float *x = make_random((size_t)MAX_M * MAX_WIDTH);
    float *w = make_random((size_t)MAX_WIDTH * 768);
    float *y = make_random((size_t)MAX_M * MAX_WIDTH);
    printf("[{\"engines\": {");
    for (size_t i = 0; i < N_ENGINES; i++) {
        is_open[i] = engines[i]->open(n_threads, about, sizeof about);
        printf("%s\"%s\": {\"kind\": \"%s\", \"about\": \"%s\"}", i == 0 ? "" : ", ",
               engines[i]->name, engines[i]->kind, is_open[i] ? about : "");
    }
    printf("}}");
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        for (size_t r = 0; r < sizeof all_rows / sizeof all_rows[0]; r++) {
            const struct problem p = {all_rows[r], shapes[s][0], shapes[s][1], x, w, y};
            measure(&p, is_open, n_turns, seconds);
        }
    }
    printf("]\n");
    free(x);
    free(w);
    free(y);
    return 0;
}
