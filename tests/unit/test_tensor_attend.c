/* Attention, in floats and in whole numbers: against float64, the same bytes from every
 * instruction set, and for a sequence alone, among others, and with any number of threads. */
#include "tensor_support.h"

struct attended {
    struct ss_tensor_attention attention;
    size_t n_sequences, n_tokens;
    size_t offsets[16];
    struct guarded qkv, table;
};

static void attended_make(struct attended *a, const size_t *lengths, size_t n, bool has_bias)
{
    const struct ss_tensor_attention *t = &a->attention;
    a->n_sequences = n;
    a->offsets[0] = 0;
    for (size_t s = 0; s < n; s++) {
        a->offsets[s + 1] = a->offsets[s] + lengths[s];
    }
    a->n_tokens = a->offsets[n];
    a->qkv = guarded_random(a->n_tokens * 3 * t->n_heads * t->head_width, 1, 3.0F);
    a->table = guarded_random(t->n_heads * (2 * t->max_distance + 1), 3, 2.0F);
    a->attention.distance_bias = has_bias ? a->table.at : NULL;
    a->attention.scale = 1.0F / sqrtf((float)t->head_width);
}

static void attended_release(struct attended *a)
{
    guarded_release(&a->qkv);
    guarded_release(&a->table);
}

static double bias64(const struct ss_tensor_attention *t, size_t h, size_t i, size_t j)
{
    const long max = (long)t->max_distance;
    long d = (long)j - (long)i;
    d = d > max ? max : d < -max ? -max : d;
    return t->distance_bias == NULL
               ? 0
               : (double)t->distance_bias[h * (2 * t->max_distance + 1) + (size_t)(d + max)];
}

/* One query of one head: q points into qkv, key j of the sequence is at keys + j * 3 D. */
static void query64(const struct ss_tensor_attention *t, size_t h, size_t i, size_t n,
                    const float *sequence, double *out)
{
    const size_t width = t->n_heads * t->head_width, stride = 3 * width;
    const float *q = sequence + i * stride + h * t->head_width;
    const float *keys = sequence + width + h * t->head_width, *values = keys + width;
    double *p = calloc(n, sizeof *p), top = -INFINITY, sum = 0;
    assert_non_null(p);
    for (size_t j = 0; j < n; j++) {
        for (size_t d = 0; d < t->head_width; d++) {
            p[j] += (double)q[d] * (double)keys[j * stride + d];
        }
        const size_t distance = i > j ? i - j : j - i;
        p[j] = p[j] * (double)t->scale + bias64(t, h, i, j);
        p[j] = t->window > 0 && distance >= t->window ? -INFINITY : p[j];
        top = p[j] > top ? p[j] : top;
    }
    for (size_t j = 0; j < n; j++) {
        p[j] = exp(p[j] - top);
        sum += p[j];
    }
    for (size_t d = 0; d < t->head_width; d++) {
        out[d] = 0;
        for (size_t j = 0; j < n; j++) {
            out[d] += p[j] / sum * (double)values[j * stride + d];
        }
    }
    free(p);
}

static double *attend64(const struct attended *a)
{
    const struct ss_tensor_attention *t = &a->attention;
    const size_t width = t->n_heads * t->head_width;
    double *out = calloc(a->n_tokens * width + 1, sizeof *out);
    assert_non_null(out);
    for (size_t s = 0; s < a->n_sequences; s++) {
        const size_t first = a->offsets[s], n = a->offsets[s + 1] - first;
        for (size_t i = 0; i < n * t->n_heads; i++) {
            const size_t h = i % t->n_heads, token = i / t->n_heads;
            query64(t, h, token, n, a->qkv.at + first * 3 * width,
                    out + (first + token) * width + h * t->head_width);
        }
    }
    return out;
}

static struct guarded attend32(const struct attended *a, ss_work *work)
{
    ss_err err;
    struct guarded out =
        guarded_new(a->n_tokens * a->attention.n_heads * a->attention.head_width, 2);
    assert_int_equal(ss_tensor_attend(work, &a->attention, a->qkv.at, a->offsets,
                                      a->n_sequences, out.at, &err),
                     SS_OK);
    return out;
}

/* Of whole numbers: each operand is wrong by 7e-5 of its row's or column's largest, root mean
 * square; a score adds those of two rows. */
static const double WHOLE_ERROR = 1e-3;

/* Of floats where scores reach 14,000, whose last bit is 1e-3: so may a weight be wrong. */
static const double FAR_ERROR = 1e-3;

/* Of numbers of 8 and of 16 bits, in kernels of their own: scores of these tests reach ±20, so a
 * weight is wrong by some 20 · 2^-9 where a row has few keys. Measured: 1.05e-2 and 2.1e-5; a
 * bit more than twice that. */
static const double BF16_ERROR = 2.5e-2, BF16X3_ERROR = 5e-5;

static void check_own_kernel(const struct guarded *out, const double *expected,
                             const char *numbers, const char *what)
{
    for (size_t i = 0; i < out->n; i++) {
        assert_true(isfinite(out->at[i]));
    }
    if (expected != NULL) {
        assert_near(out->at, expected, out->n,
                    strcmp(numbers, "bf16") == 0 ? BF16_ERROR : BF16X3_ERROR, what);
    }
}

/* The same bytes from all kernels but those of the tile unit's own, close to `expected` if it is
 * not NULL. */
static void check_level(const struct attended *a, ss_work *work, const double *expected)
{
    char what[160];
    struct guarded first = {0};
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i])) {
            continue;
        }
        (void)snprintf(what, sizeof what, "%s, %zu heads of %zu, %zu tokens", KERNELS[i],
                       a->attention.n_heads, a->attention.head_width, a->n_tokens);
        struct guarded out = attend32(a, work);
        const struct ss_tensor_attention_kernel *own =
            ss_tensor_kernels()->attend[a->attention.precision];
        if (own != NULL) {
            check_own_kernel(&out, a->attention.scale > 1 ? NULL : expected, own->name, what);
            guarded_release(&out);
            continue;
        }
        if (a->attention.precision <= SS_PRECISION_HIGHEST && a->attention.scale > 1) {
            assert_near(out.at, expected, out.n, FAR_ERROR, what);
        } else if (ss_tensor_kernels()->attention[a->attention.precision]->scheme == NULL) {
            assert_close(out.at, expected, out.n, what);
        } else if (expected != NULL) {
            assert_near(out.at, expected, out.n, WHOLE_ERROR, what);
        }
        if (i == 0) {
            first = out;
        } else {
            assert_same_bytes(out.at, first.at, out.n, what);
            guarded_release(&out);
        }
    }
    guarded_release(&first);
}

static void check_attended(const struct attended *a, ss_work *work)
{
    double *expected = attend64(a);
    struct attended floats = *a, split = *a, whole = *a;
    floats.attention.precision = SS_PRECISION_HIGHEST;
    split.attention.precision = SS_PRECISION_HIGH;
    whole.attention.precision = SS_PRECISION_LOW;
    check_level(&floats, work, expected);
    check_level(&split, work, expected);
    /* Rounded operands decide nothing where scores are amplified beyond softmax's reach. */
    check_level(&whole, work, a->attention.scale > 1 ? NULL : expected);
    free(expected);
}

static void test_shapes(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 3, 8, 12, 16, 17, 32, 33, 64, 130};
    static const size_t lengths[][3] = {{1, 2, 3},   {5, 1, 17},    {31, 33, 0},
                                        {64, 65, 7}, {100, 15, 16}, {0, 0, 1}};
    ss_work *work = make_work(2);
    for (size_t i = 0; i < 60; i++) {
        seed(i);
        struct attended a = {.attention = {.n_heads = 1 + i % 3,
                                           .head_width = widths[i % 10],
                                           .max_distance = i % 4 == 0 ? 91 : i % 7}};
        attended_make(&a, lengths[i % 6], 3, i % 2 == 0);
        check_attended(&a, work);
        attended_release(&a);
    }
    ss_work_free(work);
}

static void test_long_sequence(void **state)
{
    (void)state;
    ss_work *work = make_work(2);
    struct attended a = {.attention = {.n_heads = 2, .head_width = 64, .max_distance = 91}};
    const size_t length = 515;
    attended_make(&a, &length, 1, true);
    check_attended(&a, work);
    attended_release(&a);
    ss_work_free(work);
}

static void check_packing(ss_precision precision)
{
    static const size_t lengths[] = {9, 70, 1, 130, 33};
    struct attended a = {
        .attention = {
            .n_heads = 3, .head_width = 32, .max_distance = 20, .precision = precision}};
    attended_make(&a, lengths, 5, true);
    for (size_t n_threads = 1; n_threads <= 4; n_threads++) {
        ss_work *work = make_work(n_threads);
        struct guarded together = attend32(&a, work);
        for (size_t s = 0; s < 5; s++) {
            struct attended alone = a;
            alone.n_sequences = 1;
            alone.n_tokens = lengths[s];
            alone.offsets[1] = lengths[s];
            alone.qkv.at += a.offsets[s] * 3 * 96;
            struct guarded out = attend32(&alone, work);
            assert_same_bytes(out.at, together.at + a.offsets[s] * 96, out.n, "alone");
            guarded_release(&out);
        }
        guarded_release(&together);
        ss_work_free(work);
    }
    attended_release(&a);
}

static void test_packing_and_threads(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (use_kernels(KERNELS[i])) {
            check_packing(SS_PRECISION_HIGHEST);
            check_packing(SS_PRECISION_HIGH);
            check_packing(SS_PRECISION_MEDIUM);
        }
    }
}

/* Scores far apart: the weights of most keys vanish, none becomes NaN or subnormal. */
static void test_extreme_scores(void **state)
{
    (void)state;
    const size_t length = 50;
    seed(1);
    ss_work *work = make_work(1);
    struct attended a = {.attention = {.n_heads = 1, .head_width = 16, .max_distance = 3}};
    attended_make(&a, &length, 1, true);
    a.attention.scale = 100.0F;
    check_attended(&a, work);
    attended_release(&a);
    ss_work_free(work);
}

/* Windows that reach over some keys, block edges and all keys, with a bias and without. */
static void test_windows(void **state)
{
    (void)state;
    static const size_t windows[] = {1, 2, 7, 16, 33, 65, 129, 400};
    static const size_t lengths[] = {300, 1, 66, 0, 131};
    ss_work *work = make_work(2);
    for (size_t i = 0; i < 16; i++) {
        seed(i);
        struct attended a = {.attention = {.n_heads = 2,
                                           .head_width = i % 3 == 0 ? 20 : 32,
                                           .max_distance = 9,
                                           .window = windows[i / 2]}};
        attended_make(&a, lengths, 5, i % 2 == 0);
        check_attended(&a, work);
        attended_release(&a);
    }
    ss_work_free(work);
}

static void check_window_over_all_keys(ss_precision precision)
{
    static const size_t lengths[] = {200, 40};
    ss_work *work = make_work(2);
    struct attended a = {
        .attention = {
            .n_heads = 2, .head_width = 16, .max_distance = 9, .precision = precision}};
    attended_make(&a, lengths, 2, true);
    struct guarded whole = attend32(&a, work);
    a.attention.window = 200;
    struct guarded windowed = attend32(&a, work);
    assert_same_bytes(windowed.at, whole.at, whole.n, "a window of 200");
    guarded_release(&whole);
    guarded_release(&windowed);
    attended_release(&a);
    ss_work_free(work);
}

static void test_window_over_all_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (use_kernels(KERNELS[i])) {
            check_window_over_all_keys(SS_PRECISION_HIGHEST);
            check_window_over_all_keys(SS_PRECISION_HIGH);
            check_window_over_all_keys(SS_PRECISION_LOW);
        }
    }
}

/* Keys that are passed over leave no trace in the scales of those that are not: a window with
 * the tokens beyond it, which are large, and without them. */
static void check_far_tokens(ss_precision precision)
{
    const size_t length = 400, near = 190;
    ss_work *work = make_work(1);
    struct attended a = {
        .attention = {.n_heads = 1, .head_width = 16, .window = 30, .precision = precision}};
    attended_make(&a, &length, 1, false);
    for (size_t i = 256 * 48; i < a.qkv.n; i++) {
        a.qkv.at[i] *= 100;
    }
    struct attended shorter = a;
    shorter.n_tokens = shorter.offsets[1] = 256;
    struct guarded all = attend32(&a, work), some = attend32(&shorter, work);
    assert_same_bytes(all.at, some.at, near * 16, "tokens far from the others");
    guarded_release(&all);
    guarded_release(&some);
    attended_release(&a);
    ss_work_free(work);
}

static void test_far_tokens_do_not_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (use_kernels(KERNELS[i])) {
            check_far_tokens(SS_PRECISION_HIGH);
            check_far_tokens(SS_PRECISION_MEDIUM);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_long_sequence),
        cmocka_unit_test(test_packing_and_threads),
        cmocka_unit_test(test_extreme_scores),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_window_over_all_keys),
        cmocka_unit_test(test_far_tokens_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
