/* Attention of whole heads on the tile unit: its bytes are those of the same steps in plain C,
 * one query at a time, so neither blocks, padding, windows nor groups of keys that are passed
 * over leave a trace; and no thread keeps the unit after its work. */
#include "tensor_support.h"

#if defined(__x86_64__)
#include "tensor/lanes_reference.h"
#include "tile_sums.h"
#undef LANES_INLINE
#define LANES_INLINE static inline
#include "tensor/lanes_math.h"

enum { LANES = 16, GROUP = 32, MOST_KEYS = 640, MOST_WIDTH = 160 };

static void need_tiles(void)
{
    if (!tile_unit_use()) {
        print_message("skipped: this machine cannot run what stands around the tiles\n");
        skip();
    }
}

/* ---- one query, step by step ---- */

struct query {
    const struct ss_tensor_attention *attention;
    const float *sequence; /* rows of queries, keys and values of all heads */
    size_t n_tokens, head, at;
    bool is_split; /* bf16 in two parts */
};

/* e^x as the kernels of one part make it: 2^r of 4 terms. */
static float rough_weight(float x)
{
    if (x < -87.0F) {
        return 0;
    }
    const float shifted = fmaf(x, LANES_LOG2_E, LANES_ROUNDER);
    const float r = fmaf(x, LANES_LOG2_E, LANES_ROUNDER - shifted);
    float p = fmaf(r, 0.05517166F, 0.24261114F);
    p = fmaf(p, r, 0.69326099F);
    p = fmaf(p, r, 0.99992807F);
    return p * lanes_pow2(lanes_set(shifted)).at[0];
}

static float weight_of(float x, bool is_split)
{
    return is_split ? lanes_exp_negative(lanes_set(x)).at[0] : rough_weight(x);
}

/* The score of key j with its scale and bias. */
static float score_of(const struct query *q, size_t j)
{
    const struct ss_tensor_attention *t = q->attention;
    const size_t width = t->n_heads * t->head_width, stride = 3 * width, max = t->max_distance;
    const float *own = q->sequence + q->at * stride + q->head * t->head_width;
    const float *key = q->sequence + j * stride + width + q->head * t->head_width;
    const size_t distance = j > q->at ? j - q->at : q->at - j;
    const size_t clamped = ss__min_size(distance, max);
    const float score = sum_of(own, key, t->head_width, q->is_split) * t->scale;
    if (t->window > 0 && distance >= t->window) {
        return -INFINITY;
    }
    if (t->distance_bias == NULL) {
        return score;
    }
    const float *bias = t->distance_bias + q->head * (2 * max + 1) + max;
    return score + (j > q->at ? bias[clamped] : bias[-(ptrdiff_t)clamped]);
}

/* Keys by turns to 16 lanes, which are then added. */
static float sum_of_weights(const float *weights, size_t n)
{
    lanes sum = lanes_set(0);
    for (size_t j = 0; j < n; j += LANES) {
        sum = lanes_add(sum, lanes_load(weights + j));
    }
    return lanes_sum(sum);
}

static void attend_query(const struct query *q, float *out)
{
    const struct ss_tensor_attention *t = q->attention;
    const size_t width = t->n_heads * t->head_width, n = q->n_tokens;
    const float *values = q->sequence + 2 * width + q->head * t->head_width;
    float weights[MOST_KEYS] = {0}, column[MOST_KEYS] = {0}, top = -INFINITY;
    for (size_t j = 0; j < n; j++) {
        weights[j] = score_of(q, j);
        top = weights[j] > top ? weights[j] : top;
    }
    for (size_t j = 0; j < n; j++) {
        weights[j] = weight_of(weights[j] - top, q->is_split);
    }
    const float inverse = 1.0F / sum_of_weights(weights, ss__round_up(n, GROUP));
    for (size_t d = 0; d < t->head_width; d++) {
        for (size_t j = 0; j < n; j++) {
            column[j] = values[j * 3 * width + d];
        }
        out[d] = sum_of(weights, column, n, q->is_split) * inverse;
    }
}

/* ---- the kernels beside it ---- */

/* Each sequence's queries by turns of `step`, since one takes long. */
struct checked {
    struct ss_tensor_attention attention;
    size_t offsets[4], step;
    float size; /* of queries, keys and values */
    bool has_bias;
};

static void check_queries(const struct checked *c, const float *qkv, const struct guarded *out)
{
    const struct ss_tensor_attention *t = &c->attention;
    const size_t width = t->n_heads * t->head_width;
    for (size_t s = 0; s < 3; s++) {
        const size_t first = c->offsets[s], n = c->offsets[s + 1] - first;
        for (size_t i = 0; i < n; i += i + c->step < n || i + 1 == n ? c->step : n - 1 - i) {
            for (size_t h = 0; h < t->n_heads; h++) {
                float expected[MOST_WIDTH];
                const struct query q = {t, qkv + first * 3 * width,          n, h,
                                        i, t->precision == SS_PRECISION_HIGH};
                const float *got = out->at + (first + i) * width + h * t->head_width;
                attend_query(&q, expected);
                for (size_t d = 0; d < t->head_width; d++) {
                    if (got[d] != expected[d]) {
                        fail_msg("sequence %zu, query %zu, head %zu of %zu, %zu: %.9g, "
                                 "expected %.9g",
                                 s, i, h, t->head_width, d, (double)got[d],
                                 (double)expected[d]);
                    }
                }
            }
        }
    }
}

static void check(struct checked *c, size_t n_threads)
{
    ss_err err;
    struct ss_tensor_attention *t = &c->attention;
    ss_work *work = make_work(n_threads);
    const size_t width = t->n_heads * t->head_width;
    struct guarded qkv = guarded_random(c->offsets[3] * 3 * width, 1, c->size);
    struct guarded table = guarded_random(t->n_heads * (2 * t->max_distance + 1), 3, 2.0F);
    t->distance_bias = c->has_bias ? table.at : NULL;
    t->scale = 1.0F / sqrtf((float)t->head_width);
    static const ss_precision precisions[] = {SS_PRECISION_HIGH, SS_PRECISION_MEDIUM,
                                              SS_PRECISION_LOW};
    for (size_t p = 0; p < sizeof precisions / sizeof precisions[0]; p++) {
        struct guarded out = guarded_new(c->offsets[3] * width, 2);
        t->precision = precisions[p];
        assert_non_null(ss_tensor_kernels()->attend[t->precision]);
        assert_int_equal(ss_tensor_attend(work, t, qkv.at, c->offsets, 3, out.at, &err), SS_OK);
        assert_false(tile_unit_is_held());
        check_queries(c, qkv.at, &out);
        guarded_release(&out);
    }
    guarded_release(&qkv);
    guarded_release(&table);
    ss_work_free(work);
}

static void bytes_are_those_of_plain_steps(void **state)
{
    static const size_t widths[] = {1, 16, 20, 32, 33, 64, 80, 128};
    static const size_t lengths[][3] = {{1, 2, 15}, {16, 17, 0}, {31, 32, 33}, {63, 10, 65}};
    (void)state;
    need_tiles();
    for (size_t i = 0; i < 16; i++) {
        const size_t *n = lengths[i % 4];
        seed(i);
        check(&(struct checked){.attention = {.n_heads = 1 + i % 2,
                                              .head_width = widths[(i + i / 8) % 8],
                                              .max_distance = i % 3 * 9},
                                .offsets = {0, n[0], n[0] + n[1], n[0] + n[1] + n[2]},
                                .step = 1 + i % 3,
                                .size = 3.0F,
                                .has_bias = i / 4 % 2 == 1},
              1 + i % 2);
    }
}

static void bytes_are_the_same_in_windows(void **state)
{
    static const size_t windows[] = {1, 7, 33, 64, 200};
    (void)state;
    need_tiles();
    for (size_t i = 0; i < 5; i++) {
        seed(i);
        check(&(struct checked){.attention = {.n_heads = 1,
                                              .head_width = 32,
                                              .max_distance = 9,
                                              .window = windows[i]},
                                .offsets = {0, 150, 150, 217},
                                .step = 5,
                                .size = 3.0F,
                                .has_bias = i % 2 == 0},
              1);
    }
}

/* Long ones; scores so far apart that most weights are 0; and products that are denormal. */
static void bytes_are_the_same_at_the_edges(void **state)
{
    (void)state;
    need_tiles();
    static const float sizes[] = {1.0F, 30.0F, 2e-19F};
    for (size_t i = 0; i < 3; i++) {
        const size_t n = i == 0 ? 600 : 70;
        seed(i);
        check(&(struct checked){.attention = {.n_heads = 1, .head_width = 64},
                                .offsets = {0, n, n + 1, n + 40},
                                .step = i == 0 ? 97 : 3,
                                .size = sizes[i]},
              2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_plain_steps),
        cmocka_unit_test(bytes_are_the_same_in_windows),
        cmocka_unit_test(bytes_are_the_same_at_the_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    print_message("skipped: no processor of this kind has the unit\n");
    return 0;
}
#endif
