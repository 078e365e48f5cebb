/* How near the kernels come to the machine's limit: GFLOP/s of matrix products and attention
 * at the shapes of MPNet base and MiniLM, as a share of what a loop of fused multiply-adds in
 * registers reaches. Loop and kernel run in turns, the medians are compared, so that a busy
 * machine slows both.
 *
 * bench_tensor [KERNELS [THREADS [REPEATS]]], KERNELS one of LEVELS below, or all */
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

enum { N_SUMS = 24, MAX_REPEATS = 101 };

static volatile float sink;

/* By the clock and by the processor time of all threads. */
struct seconds {
    double clock, processor;
};

static double read_clock(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct seconds now(void)
{
    return (struct seconds){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct seconds since(struct seconds start, double factor)
{
    const struct seconds t = now();
    return (struct seconds){(t.clock - start.clock) * factor,
                            (t.processor - start.processor) * factor};
}

/* ---- the limit ---- */

__attribute__((target("avx512f"))) static void spin_avx512(size_t n)
{
    __m512 sum[N_SUMS];
    const __m512 a = _mm512_set1_ps(sink), b = _mm512_set1_ps(1e-9F);
#pragma GCC unroll 24
    for (size_t i = 0; i < N_SUMS; i++) {
        sum[i] = _mm512_set1_ps((float)i);
    }
    for (; n > 0; n--) {
#pragma GCC unroll 24
        for (size_t i = 0; i < N_SUMS; i++) {
            sum[i] = _mm512_fmadd_ps(sum[i], a, b);
        }
    }
#pragma GCC unroll 24
    for (size_t i = 1; i < N_SUMS; i++) {
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    }
    float out[16];
    _mm512_storeu_ps(out, sum[0]);
    sink = out[3] * 0.0F + 0.5F;
}

__attribute__((target("avx2,fma"))) static void spin_avx2(size_t n)
{
    enum { N = N_SUMS / 2 };
    __m256 sum[N];
    const __m256 a = _mm256_set1_ps(sink), b = _mm256_set1_ps(1e-9F);
#pragma GCC unroll 12
    for (size_t i = 0; i < N; i++) {
        sum[i] = _mm256_set1_ps((float)i);
    }
    for (; n > 0; n--) {
#pragma GCC unroll 12
        for (size_t i = 0; i < N; i++) {
            sum[i] = _mm256_fmadd_ps(sum[i], a, b);
        }
    }
#pragma GCC unroll 12
    for (size_t i = 1; i < N; i++) {
        sum[0] = _mm256_add_ps(sum[0], sum[i]);
    }
    float out[8];
    _mm256_storeu_ps(out, sum[0]);
    sink = out[3] * 0.0F + 0.5F;
}

static void spin_reference(size_t n)
{
    float sum[16] = {0};
    for (; n > 0; n--) {
        for (size_t i = 0; i < 16; i++) {
            sum[i] = __builtin_fmaf(sum[i], 0.5F, 1e-9F);
        }
    }
    sink = sum[3] * 0.0F + 0.5F;
}

struct level {
    const char *name;
    void (*spin)(size_t n);
    double flops_per_step;
};

static const struct level LEVELS[] = {
    {"avx512-vnni", spin_avx512, 2.0 * 16 * N_SUMS}, {"avx512", spin_avx512, 2.0 * 16 * N_SUMS},
    {"avx2-vnni", spin_avx2, 2.0 * 8 * N_SUMS / 2},  {"avx2", spin_avx2, 2.0 * 8 * N_SUMS / 2},
    {"reference", spin_reference, 2.0 * 16},
};

struct spin_job {
    const struct level *level;
    size_t n;
};

static void spin_task(void *context, size_t index, size_t worker)
{
    (void)index;
    (void)worker;
    const struct spin_job *job = context;
    job->level->spin(job->n);
}

/* Seconds of about `flops` in all threads, in many tasks as the kernels have. */
static struct seconds time_limit(ss_work *work, const struct level *level, double flops)
{
    enum { TASKS = 32 };
    struct spin_job job = {level, (size_t)(flops / TASKS / level->flops_per_step) + 1};
    const struct seconds start = now();
    ss__pool_run(ss_tensor_work_pool(work), TASKS, spin_task, &job);
    return since(start, flops / ((double)job.n * TASKS * level->flops_per_step));
}

/* ---- comparing ---- */

static int by_clock(const void *a, const void *b)
{
    const double x = ((const struct seconds *)a)->clock, y = ((const struct seconds *)b)->clock;
    return (x > y) - (x < y);
}

static int by_processor(const void *a, const void *b)
{
    const double x = ((const struct seconds *)a)->processor;
    const double y = ((const struct seconds *)b)->processor;
    return (x > y) - (x < y);
}

static struct seconds median(struct seconds *all, size_t n)
{
    struct seconds out;
    qsort(all, n, sizeof *all, by_clock);
    out.clock = all[n / 2].clock;
    qsort(all, n, sizeof *all, by_processor);
    out.processor = all[n / 2].processor;
    return out;
}

struct measure {
    ss_work *work;
    const struct level *level;
    size_t n_repeats;
};

static void compare(const struct measure *m, const char *what, double flops,
                    void (*run)(void *context), void *context)
{
    struct seconds limits[MAX_REPEATS], times[MAX_REPEATS];
    const size_t per_turn = flops < 1e9 ? 1 + (size_t)(1e9 / flops) : 1;
    run(context);
    for (size_t i = 0; i < m->n_repeats; i++) {
        limits[i] = time_limit(m->work, m->level, flops * (double)per_turn);
        const struct seconds start = now();
        for (size_t j = 0; j < per_turn; j++) {
            run(context);
        }
        times[i] = since(start, 1);
    }
    const struct seconds limit = median(limits, m->n_repeats),
                         time = median(times, m->n_repeats);
    const double gflops = flops * (double)per_turn * 1e-9;
    printf("%-9s %-34s %7.1f GFLOP/s of %6.1f: %5.1f %%  per processor second %6.1f of %6.1f: "
           "%5.1f %%\n",
           m->level->name, what, gflops / time.clock, gflops / limit.clock,
           100 * limit.clock / time.clock, gflops / time.processor, gflops / limit.processor,
           100 * limit.processor / time.processor);
    (void)fflush(stdout);
}

static float *make_random(size_t n)
{
    float *x = ss__alloc_aligned(n, sizeof *x);
    uint32_t state = 1;
    for (size_t i = 0; x != NULL && i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) / 8388608.0F - 1.0F;
    }
    if (x == NULL) {
        (void)fprintf(stderr, "out of memory\n");
        exit(70);
    }
    return x;
}

/* ---- products ---- */

struct product {
    ss_work *work;
    struct ss_tensor_matrix w;
    struct ss_tensor_epilogue end;
    float *x, *y;
    size_t n_rows;
};

static void run_product(void *context)
{
    struct product *p = context;
    if (ss_tensor_linear(p->work, &p->w, p->x, p->n_rows, p->y, &p->end, NULL) != SS_OK) {
        exit(70);
    }
}

struct shape {
    const char *name;
    size_t n_rows, n_in, n_out;
    ss_tensor_activation activation;
    bool has_norm;
};

static void bench_product(const struct measure *m, const struct shape *s)
{
    char what[80];
    float *w = make_random(s->n_in * s->n_out), *bias = make_random(s->n_out);
    float *residual = make_random(s->n_rows * s->n_out);
    struct product p = {.work = m->work,
                        .x = make_random(s->n_rows * s->n_in),
                        .y = make_random(s->n_rows * s->n_out),
                        .n_rows = s->n_rows,
                        .end = {.bias = bias, .activation = s->activation}};
    if (s->has_norm) {
        p.end.residual = residual;
        p.end.norm_gain = p.end.norm_shift = bias;
        p.end.norm_eps = 1e-5F;
    }
    if (ss_tensor_matrix_new(s->n_out, s->n_in, SS_PRECISION_HIGHEST, &p.w, NULL) != SS_OK) {
        exit(70);
    }
    const struct seconds start = now();
    ss_tensor_matrix_fill(&p.w, 0, s->n_out, w, SS_TENSOR_OUT_BY_IN);
    const double fill = since(start, 1).processor;
    (void)snprintf(what, sizeof what, "%zu x %zu x %zu %s", s->n_rows, s->n_in, s->n_out,
                   s->name);
    compare(m, what, 2.0 * (double)s->n_rows * (double)s->n_in * (double)s->n_out, run_product,
            &p);
    if (s->n_rows == 1) {
        printf("%-10s packing it takes %.2f ns per weight\n", m->level->name,
               fill * 1e9 / (double)(s->n_in * s->n_out));
    }
    ss_tensor_matrix_release(&p.w);
    ss__free(w);
    ss__free(bias);
    ss__free(residual);
    ss__free(p.x);
    ss__free(p.y);
}

/* ---- attention ---- */

struct attention {
    ss_work *work;
    struct ss_tensor_attention attention;
    float *qkv, *out;
    size_t *offsets, n;
};

static void run_attention(void *context)
{
    struct attention *a = context;
    if (ss_tensor_attend(a->work, &a->attention, a->qkv, a->offsets, a->n, a->out, NULL) !=
        SS_OK) {
        exit(70);
    }
}

struct attention_shape {
    size_t n, length, n_heads, head_width;
};

static void bench_attention(const struct measure *m, const struct attention_shape *s,
                            ss_precision precision)
{
    char what[80];
    const size_t n = s->n, length = s->length, width = s->n_heads * s->head_width, max = 91;
    float *bias = make_random(s->n_heads * (2 * max + 1));
    struct attention a = {.work = m->work,
                          .attention = {.n_heads = s->n_heads,
                                        .head_width = s->head_width,
                                        .scale = 0.125F,
                                        .distance_bias = bias,
                                        .max_distance = max,
                                        .precision = precision},
                          .qkv = make_random(n * length * 3 * width),
                          .out = make_random(n * length * width),
                          .offsets = ss__alloc(n + 1, sizeof(size_t)),
                          .n = n};
    for (size_t i = 0; i < n; i++) {
        a.offsets[i + 1] = a.offsets[i] + length;
    }
    (void)snprintf(what, sizeof what, "attention %zu x %zu, %zu heads of %zu, %s", n, length,
                   s->n_heads, s->head_width, ss_tensor_kernels()->attention[precision]->name);
    compare(m, what, 4.0 * (double)(n * length * length * width), run_attention, &a);
    ss__free(bias);
    ss__free(a.qkv);
    ss__free(a.out);
    ss__free(a.offsets);
}

static const struct shape SHAPES[] = {
    {"", 4096, 768, 768, SS_TENSOR_ACT_NONE, false},
    {"", 4096, 768, 2304, SS_TENSOR_ACT_NONE, false},
    {"residual, LN", 4096, 768, 768, SS_TENSOR_ACT_NONE, true},
    {"GELU", 4096, 768, 3072, SS_TENSOR_ACT_GELU, false},
    {"residual, LN", 4096, 3072, 768, SS_TENSOR_ACT_NONE, true},
    {"", 4096, 384, 1152, SS_TENSOR_ACT_NONE, false},
    {"residual, LN", 4096, 384, 384, SS_TENSOR_ACT_NONE, true},
    {"GELU", 4096, 384, 1536, SS_TENSOR_ACT_GELU, false},
    {"residual, LN", 4096, 1536, 384, SS_TENSOR_ACT_NONE, true},
    {"", 32, 768, 2304, SS_TENSOR_ACT_NONE, false},
    {"", 1, 768, 768, SS_TENSOR_ACT_NONE, false},
};

static const struct attention_shape ATTENTIONS[] = {
    {20, 204, 12, 64}, {8, 512, 12, 64}, {20, 192, 12, 32}, {200, 20, 12, 32}};

static void bench_level(const struct measure *m)
{
    const bool is_slow = strcmp(m->level->name, "reference") == 0;
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        struct shape shape = SHAPES[i];
        shape.n_rows = is_slow ? ss__min_size(shape.n_rows, 64) : shape.n_rows;
        bench_product(m, &shape);
    }
    for (size_t i = 0; i < sizeof ATTENTIONS / sizeof ATTENTIONS[0]; i++) {
        struct attention_shape shape = ATTENTIONS[i];
        shape.n = is_slow ? 1 : shape.n;
        bench_attention(m, &shape, SS_PRECISION_HIGHEST);
        bench_attention(m, &shape, SS_PRECISION_LOW);
    }
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "all";
    const size_t n_threads = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    const size_t n_repeats = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 11;
    ss_work *work = NULL;
    sink = 0.5F;
    if (n_repeats == 0 || n_repeats > MAX_REPEATS ||
        ss_work_new(n_threads, &work, NULL) != SS_OK) {
        (void)fprintf(stderr, "usage: bench_tensor [KERNELS [THREADS [REPEATS]]]\n");
        return 64;
    }
    for (size_t i = 0; i < sizeof LEVELS / sizeof LEVELS[0]; i++) {
        const bool is_wanted =
            strcmp(wanted, LEVELS[i].name) == 0 || strcmp(wanted, "all") == 0;
        if (is_wanted && ss_tensor_kernels_use(LEVELS[i].name)) {
            bench_level(
                &(struct measure){.work = work, .level = &LEVELS[i], .n_repeats = n_repeats});
        }
    }
    ss_work_free(work);
    return 0;
}
