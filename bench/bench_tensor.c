/* How near the kernels come to the machine's limit: 10^9 operations per second of matrix products
 * and attention at the shapes of MPNet base and MiniLM, as a share of what a loop of the same
 * instructions in registers reaches (limit_loops.h): multiply-adds of floats, dot products of
 * 16-bit and 8-bit numbers, tiles; bf16 in two parts takes three products of tiles. Loop and
 * kernel run in turns, the medians are compared, so that a busy machine slows both.
 *
 * bench_tensor [KERNELS [THREADS [REPEATS]]], KERNELS one of LEVELS below, or all */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "limit_loops.h"
#include "tensor/tensor_priv.h"

enum { MAX_REPEATS = 101 };

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

static volatile float sink = 0.5F;

/* What plain C can do. */
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

static const struct limit_loop plain = {
    .name = "plain C", .run = spin_reference, .per_round = 2.0 * 16};

/* The loops of the numbers of each level of kernels. */
struct level {
    const char *name;
    const char *fp32, *int16, *int8; /* NULL: of none, so that of floats */
};

static const struct level LEVELS[] = {
    {"amx", "fp32_avx512", "int16_avx512_vnni", "int8_amx"},
    {"avx512-vnni", "fp32_avx512", "int16_avx512_vnni", "int8_avx512_vnni"},
    {"avx512", "fp32_avx512", "int16_avx512", NULL},
    {"avx2-vnni", "fp32_avx2", "int16_avx_vnni", "int8_avx_vnni"},
    {"avx2", "fp32_avx2", "int16_avx2", "int8_avx2"},
    {"reference", NULL, NULL, NULL},
};

/* How fast `n_products` products of a loop take the place of one of a number format. */
struct limit {
    const struct limit_loop *loop;
    double n_products;
};

static struct limit limit_of(const struct level *level, const char *numbers)
{
    const char *name = level->fp32;
    if (strncmp(numbers, "bf16", 4) == 0) {
        name = "bf16_amx";
    } else if (strcmp(numbers, "int16") == 0 && level->int16 != NULL) {
        name = level->int16;
    } else if (strcmp(numbers, "int8") == 0 && level->int8 != NULL) {
        name = level->int8;
    }
    const struct limit_loop *loop = name == NULL ? NULL : limit_loop_find(name);
    return (struct limit){loop == NULL ? &plain : loop, strcmp(numbers, "bf16x3") == 0 ? 3 : 1};
}

struct spin_job {
    const struct limit_loop *loop;
    size_t n;
};

static void spin_task(void *context, size_t index, size_t worker)
{
    (void)index;
    (void)worker;
    const struct spin_job *job = context;
    job->loop->run(job->n);
}

/* Seconds of about `flops` in all threads, in many tasks as the kernels have. */
static struct seconds time_limit(ss_work *work, const struct limit *limit, double flops)
{
    enum { TASKS = 32 };
    const double all = flops * limit->n_products, per_round = limit->loop->per_round;
    struct spin_job job = {limit->loop, (size_t)(all / TASKS / per_round) + 1};
    const struct seconds start = now();
    ss__pool_run(ss_tensor_work_pool(work), TASKS, spin_task, &job);
    return since(start, all / ((double)job.n * TASKS * per_round));
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

/* How often a turn has to run for about this many seconds: processor time of threads that run
 * just now is exact to a tick of the system's. */
static size_t turns_of(void (*run)(void *context), void *context)
{
    static const double TURN = 0.03;
    run(context);
    const struct seconds start = now();
    run(context);
    return 1 + (size_t)(TURN / (since(start, 1).clock + 1e-9));
}

/* A row of the table: `run`, which computes `flops` in numbers of this name. */
static void compare(const struct measure *m, const char *numbers, const char *what,
                    double flops, void (*run)(void *context), void *context)
{
    struct seconds limits[MAX_REPEATS], times[MAX_REPEATS];
    const struct limit of = limit_of(m->level, numbers);
    const size_t per_turn = turns_of(run, context);
    for (size_t i = 0; i < m->n_repeats; i++) {
        limits[i] = time_limit(m->work, &of, flops * (double)per_turn);
        const struct seconds start = now();
        for (size_t j = 0; j < per_turn; j++) {
            run(context);
        }
        times[i] = since(start, 1);
    }
    const struct seconds limit = median(limits, m->n_repeats),
                         time = median(times, m->n_repeats);
    const double gflops = flops * (double)per_turn * 1e-9;
    printf("%-11s %-6s %-34s %7.1f G/s of %7.1f: %5.1f %%  per processor second %7.1f of "
           "%7.1f: %5.1f %%\n",
           m->level->name, numbers, what, gflops / time.clock, gflops / limit.clock,
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

static void bench_product(const struct measure *m, const struct shape *s,
                          ss_precision precision)
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
    if (ss_tensor_matrix_new(s->n_out, s->n_in, precision, &p.w, NULL) != SS_OK) {
        exit(70);
    }
    const struct seconds start = now();
    ss_tensor_matrix_fill(&p.w, 0, s->n_out, w, SS_TENSOR_OUT_BY_IN);
    const double fill = since(start, 1).processor;
    (void)snprintf(what, sizeof what, "%zu x %zu x %zu %s", s->n_rows, s->n_in, s->n_out,
                   s->name);
    compare(m, p.w.multiplier->name, what,
            2.0 * (double)s->n_rows * (double)s->n_in * (double)s->n_out, run_product, &p);
    if (s->n_rows == 1) {
        printf("%-11s %-6s packing it takes %.2f ns per weight\n", m->level->name,
               p.w.multiplier->name, fill * 1e9 / (double)(s->n_in * s->n_out));
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

/* A level's kernels of whole heads, where it has them, take the place of its multiplier. */
static const char *attention_numbers(ss_precision precision)
{
    const struct ss_tensor_kernels *kernels = ss_tensor_kernels();
    return kernels->attend[precision] != NULL ? kernels->attend[precision]->name
                                              : kernels->attention[precision]->name;
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
    (void)snprintf(what, sizeof what, "attention %zu x %zu, %zu heads of %zu", n, length,
                   s->n_heads, s->head_width);
    compare(m, attention_numbers(precision), what, 4.0 * (double)(n * length * length * width),
            run_attention, &a);
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
    {400, 10, 12, 64}, {80, 50, 12, 64},  {20, 204, 12, 64}, {8, 512, 12, 64},
    {200, 20, 12, 32}, {20, 192, 12, 32}, {8, 512, 12, 32}};

/* The levels of precision whose numbers are other than those of the level before. */
struct precisions {
    ss_precision at[SS_N_PRECISIONS];
    size_t n;
};

static struct precisions precisions_of(const char *(*numbers_of)(ss_precision))
{
    static const ss_precision all[] = {SS_PRECISION_HIGHEST, SS_PRECISION_HIGH,
                                       SS_PRECISION_MEDIUM, SS_PRECISION_LOW};
    struct precisions out = {.n = 0};
    for (size_t i = 0; i < SS_N_PRECISIONS; i++) {
        if (i == 0 || strcmp(numbers_of(all[i]), numbers_of(all[i - 1])) != 0) {
            out.at[out.n++] = all[i];
        }
    }
    return out;
}

static const char *product_numbers(ss_precision precision)
{
    return ss_tensor_kernels()->of[precision]->name;
}

static void bench_level(const struct measure *m)
{
    const bool is_slow = strcmp(m->level->name, "reference") == 0;
    const struct precisions products = precisions_of(product_numbers);
    const struct precisions attentions = precisions_of(attention_numbers);
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        struct shape shape = SHAPES[i];
        shape.n_rows = is_slow ? ss__min_size(shape.n_rows, 64) : shape.n_rows;
        for (size_t p = 0; p < products.n; p++) {
            bench_product(m, &shape, products.at[p]);
        }
    }
    for (size_t i = 0; i < sizeof ATTENTIONS / sizeof ATTENTIONS[0]; i++) {
        struct attention_shape shape = ATTENTIONS[i];
        shape.n = is_slow ? 1 : shape.n;
        for (size_t p = 0; p < attentions.n; p++) {
            bench_attention(m, &shape, attentions.at[p]);
        }
    }
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : "all";
    const size_t n_threads = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 0;
    const size_t n_repeats = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 11;
    ss_work *work = NULL;
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
