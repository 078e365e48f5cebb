/* What a rough product needs beside it: sums of floats one by one, in the bytes of a product of
 * floats; weights back out of panels; and a bound of what rounding to bf16 does, held against
 * products of the tile unit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/tile_unit.h"
#include "tensor/tensor_priv.h"

enum { N_ROWS = 5, N_OUT = 45, MAX_IN = 900 };

static const char *const levels[] = {"avx512-vnni", "avx2", "reference"};
static const size_t widths[] = {1, 16, 383, 384, 385, 768, 900};

static float x[N_ROWS * MAX_IN], w[N_OUT * MAX_IN];

/* Numbers around 1 of either sign. */
static void fill_random(float *out, size_t n)
{
    static uint32_t state = 7;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        out[i] = (float)(state >> 8) / 8388608.0F - 1.0F;
    }
}

static void multiply(ss_precision precision, size_t n_in, float *y)
{
    struct ss_tensor_matrix matrix;
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(1, &work, NULL), SS_OK);
    assert_int_equal(ss_tensor_matrix_new(N_OUT, n_in, precision, &matrix, NULL), SS_OK);
    ss_tensor_matrix_fill(&matrix, 0, N_OUT, w, SS_TENSOR_OUT_BY_IN);
    assert_int_equal(ss_tensor_linear(work, &matrix, x, N_ROWS, y, NULL, NULL), SS_OK);
    ss_tensor_matrix_release(&matrix);
    ss_work_free(work);
}

static void sums_are_those_of_products(void **state)
{
    (void)state;
    float y[N_ROWS * N_OUT], out[N_OUT];
    uint32_t ids[N_OUT];
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (!ss_tensor_kernels_use(levels[i])) {
            continue;
        }
        for (size_t k = 0; k < sizeof widths / sizeof widths[0]; k++) {
            fill_random(x, N_ROWS * widths[k]);
            fill_random(w, N_OUT * widths[k]);
            multiply(SS_PRECISION_HIGHEST, widths[k], y);
            for (size_t n = 1; n <= N_OUT; n += 11) {
                for (size_t j = 0; j < n; j++) {
                    ids[j] = (uint32_t)((7 * j + n) % N_OUT);
                }
                ss_tensor_multiply_rows(&(struct ss_tensor_row_dots){.out = out,
                                                                     .vector = x + widths[k],
                                                                     .rows = w,
                                                                     .width = widths[k],
                                                                     .ids = ids,
                                                                     .n = n});
                for (size_t j = 0; j < n; j++) {
                    assert_memory_equal(&out[j], &y[N_OUT + ids[j]], sizeof out[j]);
                }
            }
        }
    }
}

static void weights_come_back(void **state)
{
    (void)state;
    static float out[N_OUT * MAX_IN];
    struct ss_tensor_matrix matrix;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (!ss_tensor_kernels_use(levels[i])) {
            continue;
        }
        fill_random(w, N_OUT * 50);
        assert_int_equal(ss_tensor_matrix_new(N_OUT, 50, SS_PRECISION_HIGHEST, &matrix, NULL),
                         SS_OK);
        ss_tensor_matrix_fill(&matrix, 0, N_OUT, w, SS_TENSOR_OUT_BY_IN);
        ss_tensor_matrix_unpack(&matrix, 3, N_OUT - 3, out);
        assert_memory_equal(out, w + (size_t)3 * 50, (size_t)(N_OUT - 3) * 50 * sizeof *out);
        ss_tensor_matrix_release(&matrix);
    }
}

/* Numbers that rounding moves by nearly half a step, all the same way, next to random ones. */
static void fill_hard(float *out, size_t n, size_t kind)
{
    fill_random(out, n);
    for (size_t i = 0; i < n && kind > 0; i++) {
        out[i] = kind == 1 ? 1.0F + 0x1p-8F - 0x1p-20F : 1.0F + 0x1p-8F + 0x1p-20F;
    }
}

static void errors_are_within_the_bound(void **state)
{
    (void)state;
    float exact[N_ROWS * N_OUT], rough[N_ROWS * N_OUT];
    double most = 0;
    if (!tile_unit_use()) {
        skip();
    }
    assert_true(ss_tensor_has_rough());
    for (size_t c = 0; c < 9 * (sizeof widths / sizeof widths[0]); c++) {
        const size_t n_in = widths[c / 9];
        fill_hard(x, N_ROWS * n_in, c % 3);
        fill_hard(w, N_OUT * n_in, c / 3 % 3);
        multiply(SS_PRECISION_HIGHEST, n_in, exact);
        multiply(SS_PRECISION_MEDIUM, n_in, rough);
        for (size_t i = 0; i < (size_t)N_ROWS * N_OUT; i++) {
            const struct ss_tensor_rounding a =
                ss_tensor_round_bf16(x + i / N_OUT * n_in, n_in);
            const struct ss_tensor_rounding b =
                ss_tensor_round_bf16(w + i % N_OUT * n_in, n_in);
            const double bound = a.error * b.norm + (a.norm + a.error) * b.error +
                                 ss_tensor_sum_error(n_in) * a.norm * b.norm;
            const double off = fabs((double)exact[i] - (double)rough[i]);
            assert_true(off <= bound);
            most = fmax(most, off / bound);
        }
    }
    print_message("largest error: %.2f of the bound\n", most);
    assert_true(most > 0.9); /* the hard ones come near: it is no wider than it has to be */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_those_of_products),
        cmocka_unit_test(weights_come_back),
        cmocka_unit_test(errors_are_within_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
