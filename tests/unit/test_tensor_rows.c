/* Row and elementwise operations: against float64, the same bytes from every instruction set,
 * nothing written outside. */
#include "tensor_support.h"

static const size_t SIZES[] = {1,  2,  3,  5,  7,  15, 16,  17,  31,  32,
                               33, 47, 63, 64, 65, 99, 100, 384, 385, 770};
enum { N_SIZES = sizeof SIZES / sizeof SIZES[0] };

/* An operation on x (and another row), and the same in float64. */
struct operation {
    const char *name;
    float scale;
    void (*run)(float *x, const float *other, size_t n);
    void (*run64)(double *x, const float *other, size_t n);
};

static void run_softmax(float *x, const float *other, size_t n)
{
    (void)other;
    ss_tensor_softmax(x, n);
}

static void softmax64(double *x, const float *other, size_t n)
{
    (void)other;
    double top = x[0], sum = 0;
    for (size_t i = 0; i < n; i++) {
        top = x[i] > top ? x[i] : top;
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = exp(x[i] - top);
        sum += x[i];
    }
    for (size_t i = 0; i < n; i++) {
        x[i] /= sum;
    }
}

static void run_add(float *x, const float *other, size_t n)
{
    ss_tensor_add_to(x, other, n);
}

static void add64(double *x, const float *other, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] += (double)other[i];
    }
}

static void run_add_scaled(float *x, const float *other, size_t n)
{
    ss_tensor_add_scaled_to(x, other, -0.37F, n);
}

static void add_scaled64(double *x, const float *other, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] += (double)-0.37F * (double)other[i];
    }
}

static void run_max(float *x, const float *other, size_t n)
{
    ss_tensor_max_to(x, other, n);
}

static void max64(double *x, const float *other, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] > (double)other[i] ? x[i] : (double)other[i];
    }
}

static void run_scale(float *x, const float *other, size_t n)
{
    (void)other;
    ss_tensor_scale(x, 1.7F, n);
}

static void scale64(double *x, const float *other, size_t n)
{
    (void)other;
    for (size_t i = 0; i < n; i++) {
        x[i] *= (double)1.7F;
    }
}

static void run_sums(float *x, const float *other, size_t n)
{
    const float a = ss_tensor_dot(x, other, n), b = ss_tensor_sum_squares(x, n);
    for (size_t i = 0; i < n; i++) {
        x[i] = i % 2 == 0 ? a + b : b;
    }
}

static void sums64(double *x, const float *other, size_t n)
{
    double a = 0, b = 0;
    for (size_t i = 0; i < n; i++) {
        a += x[i] * (double)other[i];
        b += x[i] * x[i];
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = i % 2 == 0 ? a + b : b;
    }
}

static void run_norm(float *x, const float *other, size_t n)
{
    ss_work *work = make_work(1);
    ss_tensor_layer_norm(work, x, 1, n, other, other, 1e-5F);
    ss_work_free(work);
}

static void norm64(double *x, const float *other, size_t n)
{
    double mean = 0, variance = 0;
    for (size_t i = 0; i < n; i++) {
        mean += x[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        variance += (x[i] - mean) * (x[i] - mean) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = (x[i] - mean) / sqrt(variance + (double)1e-5F) * (double)other[i] +
               (double)other[i];
    }
}

static const struct operation OPERATIONS[] = {
    {"softmax", 8.0F, run_softmax, softmax64},
    {"softmax of far values", 200.0F, run_softmax, softmax64},
    {"add", 1.0F, run_add, add64},
    {"add scaled", 1.0F, run_add_scaled, add_scaled64},
    {"max", 1.0F, run_max, max64},
    {"scale", 1.0F, run_scale, scale64},
    {"dot and squares", 1.0F, run_sums, sums64},
    {"layer norm", 3.0F, run_norm, norm64},
};

static void check_operation(const struct operation *operation, size_t n)
{
    char what[160];
    struct guarded x = guarded_random(n, n % 5, operation->scale);
    struct guarded other = guarded_random(n, n % 3, 1.0F);
    struct guarded first = guarded_new(n, 0);
    double *expected = calloc(n, sizeof *expected);
    assert_non_null(expected);
    for (size_t i = 0; i < n; i++) {
        expected[i] = (double)x.at[i];
    }
    operation->run64(expected, other.at, n);
    for (size_t i = 0; i < N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i])) {
            continue;
        }
        struct guarded y = guarded_new(n, n % 7);
        memcpy(y.at, x.at, n * sizeof *y.at);
        operation->run(y.at, other.at, n);
        (void)snprintf(what, sizeof what, "%s: %s of %zu", KERNELS[i], operation->name, n);
        assert_close(y.at, expected, n, what);
        if (i == 0) {
            memcpy(first.at, y.at, n * sizeof *y.at);
        }
        assert_same_bytes(y.at, first.at, n, what);
        guarded_release(&y);
    }
    guarded_release(&x);
    guarded_release(&other);
    guarded_release(&first);
    free(expected);
}

static void test_operations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof OPERATIONS / sizeof OPERATIONS[0]; i++) {
        for (size_t j = 0; j < N_SIZES; j++) {
            seed(i * N_SIZES + j);
            check_operation(&OPERATIONS[i], SIZES[j]);
        }
    }
}

/* ---- activations, over the whole range of floats ---- */

/* Error of an activation: absolute up to 1, relative above; and relative to |x| near 0, where
 * all of them but the sigmoid are proportional to x. GELU may be wrong by 1e-6 by its
 * contract; the bounds are what fp32 rounding of a handful of operations leaves. */
static const double MOST_ACTIVATION_ERROR = 4e-7;
static const double MOST_ERROR_NEAR_0 = 6e-7;

static void check_activation(ss_tensor_activation activation, const float *x, size_t n,
                             float *y)
{
    memcpy(y, x, n * sizeof *y);
    ss_tensor_activate(y, n, activation);
    for (size_t i = 0; i < n; i++) {
        const double expected = act64((double)x[i], activation);
        const double error = fabs((double)y[i] - expected);
        double most = MOST_ACTIVATION_ERROR * fmax(1.0, fabs(expected));
        if (fabsf(x[i]) < 0.1F && activation != SS_TENSOR_ACT_SIGMOID) {
            most = MOST_ERROR_NEAR_0 * fabs((double)x[i]);
        }
        if (!(error <= most)) {
            fail_msg("%s, activation %d of %.9g: %.9g, expected %.9g", ss_tensor_kernels_name(),
                     (int)activation, (double)x[i], (double)y[i], expected);
        }
    }
}

static void test_activations(void **state)
{
    (void)state;
    const size_t n = 40009;
    struct guarded x = guarded_new(n, 0), y = guarded_new(n, 0), first = guarded_new(n, 0);
    for (size_t i = 0; i < n; i++) {
        const float t = (float)i / (float)(n / 2) - 1.0F;
        x.at[i] = i % 3 == 0 ? t * 10.0F : i % 3 == 1 ? t * t * t * 1e-3F : t * t * t * 1e4F;
    }
    for (unsigned a = 0; a < SS_TENSOR_N_ACTIVATIONS; a++) {
        for (size_t i = 0; i < N_KERNELS; i++) {
            if (use_kernels(KERNELS[i])) {
                check_activation((ss_tensor_activation)a, x.at, n, y.at);
                if (i == 0) {
                    memcpy(first.at, y.at, n * sizeof *y.at);
                }
                assert_same_bytes(y.at, first.at, n, KERNELS[i]);
            }
        }
    }
    guarded_release(&x);
    guarded_release(&y);
    guarded_release(&first);
}

static void test_nan_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_KERNELS; i++) {
        for (unsigned a = 0; a < SS_TENSOR_N_ACTIVATIONS && use_kernels(KERNELS[i]); a++) {
            float x[17] = {1.0F, NAN};
            ss_tensor_activate(x, 17, (ss_tensor_activation)a);
            assert_true(x[1] != x[1]);
            assert_true(x[0] == x[0]);
        }
    }
}

static void test_many_rows(void **state)
{
    (void)state;
    const size_t n_rows = 700, width = 90;
    struct guarded x = guarded_random(n_rows * width, 0, 1.0F);
    struct guarded gain = guarded_random(width, 0, 1.0F);
    struct guarded expected = guarded_new(n_rows * width, 0);
    memcpy(expected.at, x.at, x.n * sizeof *x.at);
    ss_work *one = make_work(1), *three = make_work(3);
    for (size_t r = 0; r < n_rows; r++) {
        ss_tensor_layer_norm(one, expected.at + r * width, 1, width, gain.at, gain.at, 1e-12F);
    }
    ss_tensor_layer_norm(three, x.at, n_rows, width, gain.at, gain.at, 1e-12F);
    assert_same_bytes(x.at, expected.at, x.n, "layer norm of many rows");
    ss_work_free(one);
    ss_work_free(three);
    guarded_release(&x);
    guarded_release(&gain);
    guarded_release(&expected);
}

static void test_choice_of_kernels(void **state)
{
    (void)state;
    assert_true(ss_tensor_kernels_use("reference"));
    assert_string_equal(ss_tensor_kernels_name(), "reference");
    assert_false(ss_tensor_kernels_use("none such"));
    assert_string_equal(ss_tensor_kernels_name(), "reference");
}

static void test_work_keeps_scratch(void **state)
{
    (void)state;
    ss_work *work = make_work(3);
    assert_int_equal(ss_work_n_threads(work), 3);
    char *block = ss_tensor_work_scratch(work, SS_TENSOR_SLOT_OTHER, 1000);
    assert_non_null(block);
    assert_int_equal((uintptr_t)block % 64, 0);
    memset(block, 7, 1000);
    assert_ptr_equal(ss_tensor_work_scratch(work, SS_TENSOR_SLOT_OTHER, 10), block);
    assert_int_equal(block[999], 7);
    assert_non_null(ss_tensor_work_scratch(work, SS_TENSOR_SLOT_OTHER, 100000));
    ss_work_free(work);
    ss_work_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_nan_stays),         cmocka_unit_test(test_many_rows),
        cmocka_unit_test(test_choice_of_kernels), cmocka_unit_test(test_work_keeps_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
