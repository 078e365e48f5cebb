/* Products that rows go through one after the other give the bytes of the same products one by
 * one: with all kernels and levels, any rows and threads, norms before and after, gates, and
 * widths that fill no panel, no block of K, or several. */
#include "tensor_support.h"

enum { MOST_STEPS = 5 };

/* A layer of width D and inner width F on n rows. */
struct shape {
    size_t n_rows, width, inner, n_threads;
};

struct layer {
    struct shape shape;
    struct ss_tensor_matrix context, gate, up, down, qkv;
    struct guarded weights, vectors, input; /* vectors: biases, gains, shifts */
};

static struct ss_tensor_matrix make_matrix(const struct layer *layer, size_t n_out, size_t n_in,
                                           ss_precision precision)
{
    ss_err err;
    struct ss_tensor_matrix matrix;
    assert_int_equal(ss_tensor_matrix_new(n_out, n_in, precision, &matrix, &err), SS_OK);
    ss_tensor_matrix_fill(&matrix, 0, n_out, layer->weights.at, SS_TENSOR_OUT_BY_IN);
    return matrix;
}

static struct layer make_layer(const struct shape *shape, ss_precision precision)
{
    const size_t d = shape->width, f = shape->inner;
    struct layer layer = {.shape = *shape};
    layer.weights = guarded_random(3 * d * (d > f ? d : f), 0, 0.2F);
    layer.vectors = guarded_random(3 * d + f, 1, 1.0F);
    layer.input = guarded_random(shape->n_rows * d, 3, 1.0F);
    layer.context = make_matrix(&layer, d, d, precision);
    layer.gate = make_matrix(&layer, f, d, precision);
    layer.up = make_matrix(&layer, f, d, precision);
    layer.down = make_matrix(&layer, d, f, precision);
    layer.qkv = make_matrix(&layer, 3 * d, d, precision);
    return layer;
}

static void release_layer(struct layer *layer)
{
    ss_tensor_matrix_release(&layer->context);
    ss_tensor_matrix_release(&layer->gate);
    ss_tensor_matrix_release(&layer->up);
    ss_tensor_matrix_release(&layer->down);
    ss_tensor_matrix_release(&layer->qkv);
    guarded_release(&layer->weights);
    guarded_release(&layer->vectors);
    guarded_release(&layer->input);
}

/* What the steps write; `hidden` begins as the residual. */
struct outputs {
    struct guarded hidden, gate, inner, normed, qkv;
};

static struct outputs make_outputs(const struct layer *layer)
{
    const size_t n = layer->shape.n_rows, d = layer->shape.width, f = layer->shape.inner;
    struct outputs out = {.hidden = guarded_new(n * d, 2),
                          .gate = guarded_new(n * f, 0),
                          .inner = guarded_new(n * f, 1),
                          .normed = guarded_new(n * d, 0),
                          .qkv = guarded_new(n * 3 * d, 5)};
    memcpy(out.hidden.at, layer->input.at, n * d * sizeof(float));
    return out;
}

static void release_outputs(struct outputs *out)
{
    guarded_release(&out->hidden);
    guarded_release(&out->gate);
    guarded_release(&out->inner);
    guarded_release(&out->normed);
    guarded_release(&out->qkv);
}

/* Those of a layer whose norms come first, with a gate; or of one without, whose norms come
 * after. */
static size_t make_steps(const struct layer *layer, const struct outputs *out, bool is_modern,
                         ss_tensor_activation activation,
                         struct ss_tensor_linear_step steps[MOST_STEPS])
{
    size_t n = 0;
    const float *v = layer->vectors.at;
    const struct ss_tensor_epilogue end = {.bias = v,
                                           .residual = out->hidden.at,
                                           .norm_gain = is_modern ? NULL : v + 1,
                                           .norm_shift = v + 2,
                                           .norm_eps = 1e-5F};
    const struct ss_tensor_linear_step from_hidden = {.x = out->hidden.at,
                                                      .input_gain = is_modern ? v + 3 : NULL,
                                                      .input_shift = v,
                                                      .input_eps = 1e-6F,
                                                      .normed = out->normed.at};
    steps[n++] = (struct ss_tensor_linear_step){
        .w = &layer->context, .epilogue = end, .x = layer->input.at, .y = out->hidden.at};
    if (is_modern) {
        steps[n] = from_hidden;
        steps[n].w = &layer->gate;
        steps[n++].y = out->gate.at;
    }
    steps[n] = from_hidden;
    steps[n].w = &layer->up;
    steps[n].epilogue.bias = v;
    steps[n].epilogue.activation = activation;
    steps[n].epilogue.factors = is_modern ? out->gate.at : NULL;
    steps[n].y = out->inner.at;
    steps[n++].is_inner = true;
    steps[n++] = (struct ss_tensor_linear_step){
        .w = &layer->down, .epilogue = end, .x = out->inner.at, .y = out->hidden.at};
    steps[n] = from_hidden;
    steps[n].w = &layer->qkv;
    steps[n].epilogue.bias = v;
    steps[n++].y = out->qkv.at;
    return n;
}

/* As ss_tensor_linear does each. */
static void run_one_by_one(ss_work *work, const struct layer *layer,
                           const struct ss_tensor_linear_step *steps, size_t n_steps)
{
    ss_err err;
    const size_t n = layer->shape.n_rows;
    for (size_t i = 0; i < n_steps; i++) {
        const struct ss_tensor_linear_step *s = &steps[i];
        const float *x = s->x;
        if (s->input_gain != NULL) {
            memcpy(s->normed, x, n * s->w->n_in * sizeof *x);
            ss_tensor_layer_norm(work, s->normed, n, s->w->n_in, s->input_gain, s->input_shift,
                                 s->input_eps);
            x = s->normed;
        }
        assert_int_equal(ss_tensor_linear(work, s->w, x, n, s->y, &s->epilogue, &err), SS_OK);
    }
}

static void check(const struct shape *shape, ss_precision precision, bool is_modern,
                  ss_tensor_activation activation)
{
    ss_err err;
    struct ss_tensor_linear_step steps[MOST_STEPS];
    ss_work *work = make_work(shape->n_threads), *single = make_work(1);
    struct layer layer = make_layer(shape, precision);
    struct outputs expected = make_outputs(&layer), out = make_outputs(&layer);
    size_t n = make_steps(&layer, &expected, is_modern, activation, steps);
    run_one_by_one(single, &layer, steps, n);
    n = make_steps(&layer, &out, is_modern, activation, steps);
    assert_int_equal(ss_tensor_linear_steps(work, steps, n, shape->n_rows, &err), SS_OK);
    const size_t n_hidden = shape->n_rows * shape->width;
    assert_memory_equal(out.hidden.at, expected.hidden.at, n_hidden * sizeof(float));
    assert_memory_equal(out.qkv.at, expected.qkv.at, 3 * n_hidden * sizeof(float));
    release_outputs(&expected);
    release_outputs(&out);
    release_layer(&layer);
    ss_work_free(work);
    ss_work_free(single);
}

static void steps_are_products_one_by_one(void **state)
{
    static const struct shape shapes[] = {
        {1, 16, 20, 1},    {3, 24, 33, 2},    {33, 40, 64, 3},    {65, 64, 129, 1},
        {130, 96, 400, 2}, {300, 48, 260, 3}, {257, 264, 800, 1}, {513, 32, 96, 2}};
    (void)state;
    for (size_t k = 0; k < N_KERNELS; k++) {
        if (!use_kernels(KERNELS[k])) {
            continue;
        }
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            seed(i + 1);
            for (int precision = 0; precision < SS_N_PRECISIONS; precision++) {
                check(&shapes[i], (ss_precision)precision, i % 2 == 0,
                      i % 3 == 0 ? SS_TENSOR_ACT_SILU : SS_TENSOR_ACT_GELU);
                check(&shapes[i], (ss_precision)precision, i % 2 == 1, SS_TENSOR_ACT_GELU);
            }
        }
    }
}

/* Nothing is done, and nothing fails, without rows. */
static void no_rows_are_no_work(void **state)
{
    (void)state;
    ss_err err;
    ss_work *work = make_work(2);
    assert_int_equal(ss_tensor_linear_steps(work, NULL, 0, 5, &err), SS_OK);
    ss_work_free(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_products_one_by_one),
        cmocka_unit_test(no_rows_are_no_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
