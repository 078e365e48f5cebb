/* Rotary positions, products and norms out of place: against float64, the same bytes from every
 * instruction set and for any number of threads, nothing written outside. */
#include "tensor_support.h"

struct rotated {
    struct ss_tensor_rotary rotary;
    const size_t *offsets;
    size_t n_sequences;
    struct guarded qkv, cosines, sines;
};

static void rotated_make(struct rotated *r, size_t longest)
{
    const size_t width = r->rotary.n_heads * r->rotary.head_width;
    r->qkv = guarded_random(r->offsets[r->n_sequences] * 3 * width, 1, 2.0F);
    r->cosines = guarded_random(longest * r->rotary.half, 2, 1.0F);
    r->sines = guarded_random(longest * r->rotary.half, 3, 1.0F);
    r->rotary.cosines = r->cosines.at;
    r->rotary.sines = r->sines.at;
}

static void rotated_release(struct rotated *r)
{
    guarded_release(&r->qkv);
    guarded_release(&r->cosines);
    guarded_release(&r->sines);
}

static void rotate_token64(const struct rotated *r, size_t position, double *token)
{
    const struct ss_tensor_rotary *t = &r->rotary;
    for (size_t h = 0; h < 2 * t->n_heads; h++) {
        double *a = token + h * t->head_width, *b = a + t->half;
        for (size_t i = 0; i < t->half; i++) {
            const double x = a[i], y = b[i];
            const double cosine = (double)t->cosines[position * t->half + i];
            const double sine = (double)t->sines[position * t->half + i];
            a[i] = x * cosine - y * sine;
            b[i] = y * cosine + x * sine;
        }
    }
}

static double *rotate64(const struct rotated *r)
{
    const size_t stride = 3 * r->rotary.n_heads * r->rotary.head_width;
    double *out = calloc(r->qkv.n, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < r->qkv.n; i++) {
        out[i] = (double)r->qkv.at[i];
    }
    for (size_t s = 0; s < r->n_sequences; s++) {
        for (size_t i = r->offsets[s]; i < r->offsets[s + 1]; i++) {
            rotate_token64(r, i - r->offsets[s], out + i * stride);
        }
    }
    return out;
}

static void check_rotated(const struct rotated *r)
{
    char what[160];
    double *expected = rotate64(r);
    struct guarded first = guarded_new(r->qkv.n, 0);
    bool has_first = false;
    for (size_t i = 0; i < 3 * N_KERNELS; i++) {
        if (!use_kernels(KERNELS[i / 3])) {
            continue;
        }
        ss_work *work = make_work(1 + i % 3);
        struct guarded qkv = guarded_new(r->qkv.n, i % 5);
        memcpy(qkv.at, r->qkv.at, qkv.n * sizeof *qkv.at);
        ss_tensor_rotate(work, &r->rotary, qkv.at, r->offsets, r->n_sequences);
        (void)snprintf(what, sizeof what, "%s, %zu heads of %zu, half %zu", KERNELS[i / 3],
                       r->rotary.n_heads, r->rotary.head_width, r->rotary.half);
        assert_close(qkv.at, expected, qkv.n, what);
        if (!has_first) {
            memcpy(first.at, qkv.at, qkv.n * sizeof *qkv.at);
            has_first = true;
        }
        assert_same_bytes(qkv.at, first.at, qkv.n, what);
        guarded_release(&qkv);
        ss_work_free(work);
    }
    guarded_release(&first);
    free(expected);
}

static void test_rotations(void **state)
{
    (void)state;
    static const size_t shapes[][2] = {{2, 1},   {4, 2},   {6, 1},   {10, 5},
                                       {16, 8},  {22, 11}, {32, 16}, {34, 17},
                                       {64, 32}, {65, 20}, {96, 48}, {128, 64}};
    static const size_t offsets[] = {0, 1, 18, 18, 400};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        seed(i);
        struct rotated r = {
            .rotary = {.n_heads = 1 + i % 3, .head_width = shapes[i][0], .half = shapes[i][1]},
            .offsets = offsets,
            .n_sequences = 4};
        rotated_make(&r, 382);
        check_rotated(&r);
        rotated_release(&r);
    }
}

static void test_products(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 15, 16, 33, 70001};
    ss_work *work = make_work(3);
    for (size_t i = 0; i < 5 * N_KERNELS; i++) {
        const size_t n = sizes[i / N_KERNELS];
        if (!use_kernels(KERNELS[i % N_KERNELS])) {
            continue;
        }
        struct guarded x = guarded_random(n, 1, 3.0F), y = guarded_random(n, 2, 3.0F);
        struct guarded expected = guarded_new(n, 0);
        for (size_t k = 0; k < n; k++) {
            expected.at[k] = x.at[k] * y.at[k];
        }
        ss_tensor_multiply_by(work, x.at, y.at, n);
        assert_same_bytes(x.at, expected.at, n, KERNELS[i % N_KERNELS]);
        guarded_release(&x);
        guarded_release(&y);
        guarded_release(&expected);
    }
    ss_work_free(work);
}

/* The norm out of place has the bytes of the norm in place and leaves its source alone. */
static void test_norm_out_of_place(void **state)
{
    (void)state;
    const size_t n_rows = 333, width = 90;
    ss_work *work = make_work(3);
    struct guarded x = guarded_random(n_rows * width, 1, 2.0F);
    struct guarded gain = guarded_random(width, 0, 1.0F),
                   shift = guarded_random(width, 0, 1.0F);
    struct guarded kept = guarded_new(x.n, 0), out = guarded_new(x.n, 3);
    memcpy(kept.at, x.at, x.n * sizeof *x.at);
    ss_tensor_layer_norm_to(work, &(struct ss_tensor_norm_rows){.x = x.at,
                                                                .out = out.at,
                                                                .n_rows = n_rows,
                                                                .width = width,
                                                                .gain = gain.at,
                                                                .shift = shift.at,
                                                                .eps = 1e-5F});
    assert_same_bytes(x.at, kept.at, x.n, "the source");
    ss_tensor_layer_norm(work, x.at, n_rows, width, gain.at, shift.at, 1e-5F);
    assert_same_bytes(out.at, x.at, x.n, "out of place");
    guarded_release(&x);
    guarded_release(&gain);
    guarded_release(&shift);
    guarded_release(&kept);
    guarded_release(&out);
    ss_work_free(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotations),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_norm_out_of_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
