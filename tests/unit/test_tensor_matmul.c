/* Matrix products: against float64, the same bytes from every instruction set, for every
 * number of threads and rows, nothing written outside. */
#include <float.h>

#include "tensor_support.h"

static const size_t SIZES[] = {1, 2, 3, 5, 7, 15, 16, 17, 31, 33, 63, 64, 65, 100, 385};
enum { N_SIZES = sizeof SIZES / sizeof SIZES[0] };

struct product {
    size_t n_rows, n_out, n_in;
    ss_precision precision; /* zero: high */
    struct ss_tensor_epilogue end;
    bool has_residual;
    ss_tensor_layout layout;
    bool expects_positive; /* inputs are said to be mostly above 0 */
    bool is_smoothed;
    struct guarded x, w, bias, gain, shift, residual, sizes;
};

/* What is known of inputs: that they are mostly above 0; or their sizes, which differ, and the
 * weights of strong ones are weak. */
static void product_expect(struct product *p, size_t variant)
{
    p->expects_positive = variant % 5 == 1;
    p->is_smoothed = variant % 5 >= 3;
    for (size_t k = 0; k < p->n_in; k++) {
        const bool is_strong = p->precision == SS_PRECISION_LOW && k % 7 == 2;
        const float size = is_strong ? 30.0F : 1.5F + p->sizes.at[k];
        p->sizes.at[k] = p->is_smoothed ? size : 1.0F;
    }
    for (size_t i = 0; i < p->x.n; i++) {
        const float size = p->sizes.at[i % p->n_in];
        p->x.at[i] *= p->expects_positive && p->x.at[i] < 0 ? 0.05F : size;
    }
    for (size_t i = 0; i < p->w.n; i++) {
        const size_t k = p->layout == SS_TENSOR_OUT_BY_IN ? i % p->n_in : i / p->n_out;
        p->w.at[i] /= p->sizes.at[k];
    }
}

static void product_make(struct product *p, size_t variant)
{
    const size_t n_y = p->n_rows * p->n_out;
    p->x = guarded_random(p->n_rows * p->n_in, variant % 3, 1.0F);
    p->w = guarded_random(p->n_out * p->n_in, variant % 2, 2.0F / sqrtf((float)p->n_in));
    p->bias = guarded_random(p->n_out, 1, 1.0F);
    p->gain = guarded_random(p->n_out, 2, 1.0F);
    p->shift = guarded_random(p->n_out, 3, 1.0F);
    p->residual = guarded_random(n_y, variant % 5, 1.0F);
    p->sizes = guarded_random(p->n_in, 1, 1.0F);
    p->layout = variant % 2 == 0 ? SS_TENSOR_OUT_BY_IN : SS_TENSOR_IN_BY_OUT;
    product_expect(p, variant);
    p->end = (struct ss_tensor_epilogue){
        .bias = variant % 3 == 0 ? NULL : p->bias.at,
        .activation = (ss_tensor_activation)(variant % SS_TENSOR_N_ACTIVATIONS),
        .norm_eps = 1e-5F};
    p->has_residual = variant % 4 == 1;
    if (variant % 4 >= 2 && p->n_out >= 5) {
        p->end.norm_gain = p->gain.at;
        p->end.norm_shift = p->shift.at;
    }
}

static void product_release(struct product *p)
{
    guarded_release(&p->x);
    guarded_release(&p->w);
    guarded_release(&p->bias);
    guarded_release(&p->gain);
    guarded_release(&p->shift);
    guarded_release(&p->residual);
    guarded_release(&p->sizes);
}

static void norm64(const struct product *p, double *row)
{
    double mean = 0, variance = 0;
    for (size_t j = 0; j < p->n_out; j++) {
        mean += row[j] / (double)p->n_out;
    }
    for (size_t j = 0; j < p->n_out; j++) {
        variance += (row[j] - mean) * (row[j] - mean) / (double)p->n_out;
    }
    for (size_t j = 0; j < p->n_out; j++) {
        row[j] =
            (row[j] - mean) / sqrt(variance + (double)p->end.norm_eps) * (double)p->gain.at[j] +
            (double)p->shift.at[j];
    }
}

static double weight(const struct product *p, size_t j, size_t k)
{
    return (double)
        p->w.at[p->layout == SS_TENSOR_OUT_BY_IN ? j * p->n_in + k : k * p->n_out + j];
}

static double *product_64(const struct product *p)
{
    double *y = calloc(p->n_rows * p->n_out, sizeof *y);
    assert_non_null(y);
    for (size_t r = 0; r < p->n_rows; r++) {
        double *row = y + r * p->n_out;
        for (size_t j = 0; j < p->n_out; j++) {
            for (size_t k = 0; k < p->n_in; k++) {
                row[j] += (double)p->x.at[r * p->n_in + k] * weight(p, j, k);
            }
            row[j] += p->end.bias == NULL ? 0 : (double)p->bias.at[j];
            row[j] = act64(row[j], p->end.activation);
            row[j] += p->has_residual ? (double)p->residual.at[r * p->n_out + j] : 0;
        }
        if (p->end.norm_gain != NULL) {
            norm64(p, row);
        }
    }
    return y;
}

/* Say of a matrix that is still empty what is known of its inputs. */
static void expect_inputs(const struct product *p, struct ss_tensor_matrix *matrix)
{
    ss_err err;
    float *squares = calloc(p->n_in, sizeof *squares);
    assert_non_null(squares);
    for (size_t j = 0; j < p->n_out; j++) {
        for (size_t k = 0; k < p->n_in; k++) {
            const float w = (float)weight(p, j, k);
            ss_tensor_add_squares_to(&squares[k], &w, 1, 1);
        }
    }
    if (p->expects_positive) {
        ss_tensor_matrix_expect_positive(matrix);
    }
    if (p->is_smoothed) {
        assert_int_equal(ss_tensor_matrix_smooth(matrix, p->sizes.at, squares, &err), SS_OK);
    }
    free(squares);
}

/* The product by the kernels in use; the residual stands in y itself. */
static struct guarded product_32(const struct product *p, ss_work *work, size_t n_rows)
{
    ss_err err;
    struct ss_tensor_matrix matrix;
    assert_int_equal(ss_tensor_matrix_new(p->n_out, p->n_in, p->precision, &matrix, &err),
                     SS_OK);
    expect_inputs(p, &matrix);
    ss_tensor_matrix_fill(&matrix, 0, p->n_out, p->w.at, p->layout);
    struct guarded y = guarded_new(n_rows * p->n_out, p->n_in % 4);
    struct ss_tensor_epilogue end = p->end;
    if (p->has_residual) {
        memcpy(y.at, p->residual.at, y.n * sizeof *y.at);
        end.residual = y.at;
    }
    assert_int_equal(ss_tensor_linear(work, &matrix, p->x.at, n_rows, y.at, &end, &err), SS_OK);
    ss_tensor_matrix_release(&matrix);
    return y;
}

/* The numbers of products alone. */
static const char *product_format(ss_precision precision)
{
    return ss_tensor_kernels()->of[precision]->name;
}

/* Root mean square of the error over that of the result, at the worst of the shapes below.
 * 16-bit inputs are within 1/2 of 4095 of the largest of a block, weights within 1/2 of 2700 or
 * so, which is 2.5 times the root mean square of what is drawn here: 2e-4 for both operands;
 * 8-bit ones 1/2 of 90, and of 45, which is what 127 come down to where four equal weights meet
 * in 16 bits: 1.2e-2. A bf16 has 8 bits, so that uniform numbers round to it by
 * 1.6e-3 of their root mean square: 2.3e-3 for both operands; two of them leave low·low and
 * what 16 bits leave, 4.4e-6. An activation or a LayerNorm of few outputs may raise a
 * relative error; four times is allowed for that. */
static const struct limit {
    const char *numbers;
    double most;
} LIMITS[] = {{"int16", 4e-4}, {"int8", 5.2e-2}, {"bf16", 8e-3}, {"bf16x3", 2e-5}};

/* Whether the kernels in use round to the same numbers as the reference does. */
static bool has_reference_numbers(ss_precision precision)
{
    const struct ss_tensor_multiplier *in_use = ss_tensor_kernels()->of[precision];
    const struct ss_tensor_kernels *kernels = ss_tensor_kernels();
    assert_true(ss_tensor_kernels_use("reference"));
    const struct ss_tensor_multiplier *reference = ss_tensor_kernels()->of[precision];
    ss_tensor_kernels_set(kernels);
    return strcmp(in_use->name, reference->name) == 0 && in_use->scheme == reference->scheme &&
           in_use->k_block == reference->k_block;
}

static void assert_within_limit(const struct product *p, const struct guarded *y,
                                const double *expected, const char *what)
{
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        if (strcmp(LIMITS[i].numbers, product_format(p->precision)) == 0) {
            assert_near(y->at, expected, y->n, LIMITS[i].most, what);
            return;
        }
    }
    assert_string_equal(product_format(p->precision), "fp32");
    assert_close(y->at, expected, y->n, what);
}

static void check_product(struct product *p, ss_work *work)
{
    char what[160];
    double *expected = product_64(p);
    struct guarded first = {0};
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i])) {
            continue;
        }
        (void)snprintf(what, sizeof what, "%s %s [%zu, %zu] x [%zu], activation %d", KERNELS[i],
                       product_format(p->precision), p->n_rows, p->n_in, p->n_out,
                       (int)p->end.activation);
        struct guarded y = product_32(p, work, p->n_rows);
        assert_within_limit(p, &y, expected, what);
        if (i == 0) {
            first = y;
            continue;
        }
        if (has_reference_numbers(p->precision)) {
            assert_same_bytes(y.at, first.at, y.n, what);
        }
        guarded_release(&y);
    }
    guarded_release(&first);
    free(expected);
}

static void check_shapes(ss_precision precision)
{
    ss_work *work = make_work(2);
    for (size_t i = 0; i < N_SIZES * N_SIZES; i++) {
        const size_t a = i / N_SIZES, b = i % N_SIZES;
        seed(i);
        struct product p = {.n_rows = SIZES[a],
                            .n_out = SIZES[b],
                            .n_in = SIZES[(2 * a + b) % N_SIZES],
                            .precision = precision};
        product_make(&p, i);
        check_product(&p, work);
        product_release(&p);
    }
    ss_work_free(work);
}

static void test_shapes(void **state)
{
    (void)state;
    for (int precision = 0; precision < SS_N_PRECISIONS; precision++) {
        check_shapes((ss_precision)precision);
    }
}

static void test_long_sums(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{3, 65, 3072},
                                       {2, 100, 770},
                                       {5, 33, 256},
                                       {5, 33, 257},
                                       {4, 31, 255},
                                       {1, 768, 512},
                                       {29, 7, 272},
                                       {33, 70, 777},
                                       {3, 17, SS_TENSOR_INT8_BLOCK},
                                       {15, 33, SS_TENSOR_INT8_BLOCK + 65}};
    ss_work *work = make_work(1);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        seed(i + 1000);
        struct product p = {
            .n_rows = shapes[i][0], .n_out = shapes[i][1], .n_in = shapes[i][2]};
        product_make(&p, 7 * i);
        for (int precision = 0; precision < SS_N_PRECISIONS; precision++) {
            p.precision = (ss_precision)precision;
            check_product(&p, work);
        }
        product_release(&p);
    }
    ss_work_free(work);
}

/* A row has the same bytes alone, among others, and with any number of threads. */
static void check_rows_and_threads(ss_precision precision)
{
    static const size_t n_rows[] = {1, 2, 13, 14, 15, 113, 300, 451};
    for (size_t i = 1; i < N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i])) {
            continue;
        }
        seed(77);
        struct product p = {.n_rows = 451, .n_out = 200, .n_in = 300, .precision = precision};
        product_make(&p, 50);
        ss_work *one = make_work(1);
        struct guarded expected = product_32(&p, one, p.n_rows);
        ss_work_free(one);
        for (size_t n_threads = 1; n_threads <= 8; n_threads++) {
            ss_work *work = make_work(n_threads);
            for (size_t n = 0; n < sizeof n_rows / sizeof n_rows[0]; n++) {
                struct guarded y = product_32(&p, work, n_rows[n]);
                assert_same_bytes(y.at, expected.at, y.n, KERNELS[i]);
                guarded_release(&y);
            }
            ss_work_free(work);
        }
        guarded_release(&expected);
        product_release(&p);
    }
}

static void test_rows_and_threads(void **state)
{
    (void)state;
    for (int precision = 0; precision < SS_N_PRECISIONS; precision++) {
        check_rows_and_threads((ss_precision)precision);
    }
}

/* A matrix filled piece by piece equals one filled at once. */
static void test_fill_in_pieces(void **state)
{
    (void)state;
    ss_err err;
    const size_t n_out = 150, n_in = 37;
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i])) {
            continue;
        }
        struct guarded w = guarded_random(n_out * n_in, 1, 1.0F);
        struct ss_tensor_matrix whole, pieces;
        assert_int_equal(ss_tensor_matrix_new(n_out, n_in, SS_PRECISION_HIGHEST, &whole, &err),
                         SS_OK);
        assert_int_equal(ss_tensor_matrix_new(n_out, n_in, SS_PRECISION_HIGHEST, &pieces, &err),
                         SS_OK);
        ss_tensor_matrix_fill(&whole, 0, n_out, w.at, SS_TENSOR_OUT_BY_IN);
        ss_tensor_matrix_fill(&pieces, 50, 100, w.at + 50 * n_in, SS_TENSOR_OUT_BY_IN);
        ss_tensor_matrix_fill(&pieces, 0, 50, w.at, SS_TENSOR_OUT_BY_IN);
        const size_t n = ss__round_up(n_out, ss_tensor_kernels()->fp32->tile_cols) * n_in;
        assert_same_bytes(pieces.panels, whole.panels, n, KERNELS[i]);
        ss_tensor_matrix_release(&whole);
        ss_tensor_matrix_release(&pieces);
        guarded_release(&w);
    }
}

/* Inputs and weights as large as they go, all of one sign or in the worst pairs: sums of whole
 * numbers must neither wrap nor saturate on any instruction set. */
static void test_largest_numbers(void **state)
{
    (void)state;
    ss_work *work = make_work(1);
    for (size_t variant = 0; variant < 16; variant++) {
        struct product p = {.n_rows = 15, .n_out = 40, .n_in = SS_TENSOR_INT8_BLOCK};
        product_make(&p, 0);
        p.end = (struct ss_tensor_epilogue){0};
        p.expects_positive = variant / 8 == 1;
        for (size_t i = 0; i < p.x.n; i++) {
            p.x.at[i] = variant % 2 == 0 ? 3.0F : -3.0F;
        }
        for (size_t i = 0; i < p.w.n; i++) {
            const bool is_strong = variant / 4 % 2 == 0 || i / 16 % 7 == 0;
            p.w.at[i] = (variant / 2 % 2 == 0 ? 1.0F : -1.0F) * (is_strong ? 1.0F : 0.1F);
        }
        for (int precision = 0; precision < SS_N_PRECISIONS; precision++) {
            p.precision = (ss_precision)precision;
            p.n_in = p.precision == SS_PRECISION_LOW ? SS_TENSOR_INT8_BLOCK : 768;
            check_product(&p, work);
        }
        product_release(&p);
    }
    ss_work_free(work);
}

/* Weights that are no numbers make outputs that are none, and only theirs; what the largest
 * floats make is open. */
static void test_weights_without_numbers(void **state)
{
    (void)state;
    ss_work *work = make_work(1);
    for (size_t i = 0; i < N_KERNELS * SS_N_PRECISIONS; i++) {
        struct product p = {.n_rows = 3,
                            .n_out = 5,
                            .n_in = 100,
                            .precision = (ss_precision)(i % SS_N_PRECISIONS)};
        if (!use_kernels(KERNELS[i / SS_N_PRECISIONS])) {
            continue;
        }
        product_make(&p, 8);
        p.end = (struct ss_tensor_epilogue){0};
        for (size_t k = 0; k < p.n_in; k++) {
            p.w.at[4 * p.n_in + k] = k % 2 == 0 ? FLT_MAX : -FLT_MAX;
            p.w.at[1 * p.n_in + k] = NAN;
            p.w.at[3 * p.n_in + k] = k % 2 == 0 ? INFINITY : -INFINITY;
        }
        struct guarded y = product_32(&p, work, p.n_rows);
        for (size_t at = 0; at < y.n; at++) {
            const size_t j = at % p.n_out;
            assert_true(j == 4 || (isfinite(y.at[at]) == 0) == (j == 1 || j == 3));
        }
        guarded_release(&y);
        product_release(&p);
    }
    ss_work_free(work);
}

static double error_of(const struct product *p, ss_work *work)
{
    double error = 0, power = 0;
    double *expected = product_64(p);
    struct guarded y = product_32(p, work, p->n_rows);
    for (size_t i = 0; i < y.n; i++) {
        error += ((double)y.at[i] - expected[i]) * ((double)y.at[i] - expected[i]);
        power += expected[i] * expected[i];
    }
    guarded_release(&y);
    free(expected);
    return sqrt(error / power);
}

/* One input in seven is 30 times as strong as others: a row's 127 steps are those of the strong
 * ones, and others keep four. Smoothed, all have as many as if there were none. Inputs above 0
 * have twice the steps if that is known. */
static void test_what_is_known_helps(void **state)
{
    static const struct {
        size_t variant;
        double gain;
    } cases[] = {{1, 1.2}, {3, 5}};
    (void)state;
    ss_work *work = make_work(1);
    for (size_t i = 0; i < 2 * N_KERNELS; i++) {
        struct product p = {
            .n_rows = 15, .n_out = 40, .n_in = 500, .precision = SS_PRECISION_LOW};
        seed(i);
        if (!use_kernels(KERNELS[i / 2])) {
            continue;
        }
        product_make(&p, cases[i % 2].variant);
        p.end = (struct ss_tensor_epilogue){0};
        p.has_residual = false;
        const double with = error_of(&p, work);
        p.is_smoothed = p.expects_positive = false;
        const double without = error_of(&p, work);
        if (!(with * cases[i % 2].gain < without)) {
            fail_msg("%s: error %.3g, without what is known %.3g", KERNELS[i / 2], with,
                     without);
        }
        product_release(&p);
    }
    ss_work_free(work);
}

/* One input times 1, by the definition of bf16: 8 bits, ties to even, denormals are 0, and what
 * is no number stays none. Two of them hold 16 bits. */
static const struct rounding {
    float x, bf16, bf16x3;
} ROUNDINGS[] = {
    {1.0F, 1.0F, 1.0F},
    {0x1.01p0F, 1.0F, 0x1.01p0F},
    {0x1.03p0F, 0x1.04p0F, 0x1.03p0F},
    {-0x1.010002p0F, -0x1.02p0F, -0x1.01p0F},
    {0x1.00fffep0F, 1.0F, 0x1.01p0F},
    {0x1.fffffep0F, 2.0F, 0x1.fffffep0F},
    {0x1.8p-130F, 0, 0},
    {INFINITY, INFINITY, NAN}, /* INFINITY times the low part of 1, which is 0 */
    {NAN, NAN, NAN},
};

static float times_1(float x, ss_precision precision, ss_work *work)
{
    struct product p = {.n_rows = 2, .n_out = 3, .n_in = 1, .precision = precision};
    product_make(&p, 0);
    p.end = (struct ss_tensor_epilogue){0};
    p.x.at[0] = p.w.at[1] = 1.0F;
    p.x.at[1] = x;
    struct guarded y = product_32(&p, work, p.n_rows);
    assert_true(y.at[1] == 1.0F);
    const float found = y.at[4];
    guarded_release(&y);
    product_release(&p);
    return found;
}

static void test_roundings_of_bf16(void **state)
{
    (void)state;
    ss_work *work = make_work(1);
    for (size_t level = 0; level < N_KERNELS; level++) {
        if (!use_kernels(KERNELS[level]) ||
            strcmp(ss_tensor_precision_format(SS_PRECISION_MEDIUM), "bf16") != 0) {
            continue;
        }
        for (size_t i = 0; i < sizeof ROUNDINGS / sizeof ROUNDINGS[0]; i++) {
            const struct rounding *r = &ROUNDINGS[i];
            const float medium = times_1(r->x, SS_PRECISION_MEDIUM, work);
            const float high = times_1(r->x, SS_PRECISION_HIGH, work);
            assert_true(isnan(r->bf16) ? isnan(medium) : medium == r->bf16);
            assert_true(isnan(r->bf16x3) ? isnan(high) : high == r->bf16x3);
        }
    }
    ss_work_free(work);
}

static void test_impossible_matrices(void **state)
{
    (void)state;
    ss_err err;
    struct ss_tensor_matrix matrix;
    assert_int_equal(ss_tensor_matrix_new(0, 4, SS_PRECISION_HIGHEST, &matrix, &err),
                     SS_E_SHAPE);
    assert_int_equal(ss_tensor_matrix_new(SIZE_MAX, 4, SS_PRECISION_HIGHEST, &matrix, &err),
                     SS_E_SHAPE);
    assert_int_equal(
        ss_tensor_matrix_new(SIZE_MAX / 8, SIZE_MAX / 8, SS_PRECISION_HIGHEST, &matrix, &err),
        SS_E_SHAPE);
    assert_null(matrix.panels);
    ss_tensor_matrix_release(&matrix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_long_sums),
        cmocka_unit_test(test_rows_and_threads),
        cmocka_unit_test(test_fill_in_pieces),
        cmocka_unit_test(test_largest_numbers),
        cmocka_unit_test(test_weights_without_numbers),
        cmocka_unit_test(test_what_is_known_helps),
        cmocka_unit_test(test_impossible_matrices),
        cmocka_unit_test(test_roundings_of_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
