/* Binding the weights of layers: up to five packed matrices (query, key and value as one) and
 * the vectors in one block. Which tensors fill them is a table: a family names either one
 * tensor or its parts. Layers' matrices are bound and packed in parallel; each touches tensors
 * of its own. Those that take measured inputs can be packed again, fit for them (smoothing.c;
 * docs/numerics.md, "Levels of precision").
 *
 * Query, key and value are one matrix since they take one input: it is quantised once, and a
 * product three times as wide keeps the threads busy for small widths too. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/transformer_priv.h"

enum { NAME_BYTES = 160 };

struct layer_job {
    const struct ss_encoder_config *config;
    const struct ss_encoder_tensor_names *names;
    struct ss_encoder_transformer *transformer;
    struct ss_encoder_binder *binder;
    const float *
        input_rms; /* [n_layers, SS_ENCODER_N_MEASURED_INPUTS, D], for packing again; or NULL */
    size_t *order; /* [3 D] of query, key and value rows; NULL: as they stand */
    struct layer_result {
        ss_status status;
        ss_err err;
    } * results;
};

/* One layer of a job. */
struct layer_ref {
    const struct layer_job *job;
    size_t index;
};

static const char *tensor_name(char name[NAME_BYTES], const struct layer_ref *ref,
                               ss_encoder_layer_tensor tensor, const char *end)
{
    const struct ss_encoder_tensor_names *names = ref->job->names;
    snprintf(name, NAME_BYTES, "%s%zu.%s.%s", names->layer_prefix, ref->index,
             names->layer_tensors[tensor], end);
    return name;
}

/* What is known of a matrix's inputs. */
struct source {
    const float *input_rms; /* [K], once they are measured; else NULL */
    size_t first;           /* the weights of outputs from here on tell what an input matters */
    bool expects_positive;  /* they come from an activation that leaves little below 0 */
};

/* A tensor, or some of its rows, and where they go. */
struct source_tensor {
    ss_encoder_layer_tensor tensor;
    struct ss_encoder_bound_rows rows;
    struct ss_tensor_matrix *matrix;
    float *bias; /* NULL: none */
    struct source source;
};

/* All rows of the table in bind_matrices, so that one can find the others of its matrix. */
struct source_tensors {
    const struct source_tensor *at;
    size_t n;
};

/* Biases are put in the order of the rows that they belong to. */
static ss_status bind_bias(const struct layer_ref *ref,
                           const struct source_tensor *source_tensor, ss_err *err)
{
    ss_status status = SS_OK;
    char name[NAME_BYTES];
    const float *view = NULL;
    float *owned = NULL;
    const uint64_t n = source_tensor->rows.n_stored;
    SS_TRY(ss_encoder_bind_view(ref->job->binder,
                                tensor_name(name, ref, source_tensor->tensor, "bias"), 1, &n,
                                &view, &owned, err));
    for (size_t i = 0; i < source_tensor->rows.n; i++) {
        const size_t row = source_tensor->rows.order == NULL ? i : source_tensor->rows.order[i];
        source_tensor->bias[source_tensor->rows.at + i] = view[source_tensor->rows.from + row];
    }
out:
    ss__free(owned);
    return status;
}

/* Whether the family names such a tensor. */
static bool has_source_tensor(const struct layer_ref *ref,
                              const struct source_tensor *source_tensor)
{
    return ref->job->names->layer_tensors[source_tensor->tensor] != NULL;
}

/* The squared weights of a source tensor, from output `first` of its matrix on. */
static ss_status bind_squares(const struct layer_ref *ref,
                              const struct source_tensor *source_tensor, size_t first,
                              float *squares, ss_err *err)
{
    char name[NAME_BYTES];
    struct ss_encoder_bound_rows rows = source_tensor->rows;
    const size_t skipped = first > rows.at ? first - rows.at : 0;
    if (!has_source_tensor(ref, source_tensor) || skipped >= rows.n) {
        return SS_OK;
    }
    rows.from += skipped;
    rows.n -= skipped;
    return ss_encoder_bind_squares(ref->job->binder,
                                   tensor_name(name, ref, source_tensor->tensor, "weight"),
                                   &rows, squares, err);
}

/* A channel's factor weighs its inputs against the weights that they meet (docs/numerics.md),
 * so all tensors of the matrix are read before any is packed. */
static ss_status smooth(const struct layer_ref *ref,
                        const struct source_tensors *source_tensors,
                        const struct source_tensor *source_tensor, ss_err *err)
{
    ss_status status = SS_OK;
    float *squares = NULL;
    SS_ALLOC(squares, source_tensor->rows.n_in);
    for (size_t i = 0; i < source_tensors->n; i++) {
        if (source_tensors->at[i].matrix == source_tensor->matrix) {
            SS_TRY(bind_squares(ref, &source_tensors->at[i], source_tensor->source.first,
                                squares, err));
        }
    }
    SS_TRY(ss_tensor_matrix_smooth(source_tensor->matrix, source_tensor->source.input_rms,
                                   squares, err));
out:
    ss__free(squares);
    return status;
}

/* The matrix of one or more source tensors, made for its inputs. */
static ss_status make_matrix(const struct layer_ref *ref,
                             const struct source_tensors *source_tensors,
                             const struct source_tensor *source_tensor, ss_err *err)
{
    const ss_precision precision = ref->job->config->precision;
    SS_RETURN_IF_ERROR(ss_tensor_matrix_new(source_tensor->rows.n_total,
                                            source_tensor->rows.n_in, precision,
                                            source_tensor->matrix, err));
    if (source_tensor->source.expects_positive) {
        ss_tensor_matrix_expect_positive(source_tensor->matrix);
    }
    if (source_tensor->source.input_rms != NULL) {
        SS_RETURN_IF_ERROR(smooth(ref, source_tensors, source_tensor, err));
    }
    return SS_OK;
}

/* Nothing where the family has no tensor for the part. */
static ss_status bind_source_tensor(const struct layer_ref *ref,
                                    const struct source_tensors *source_tensors,
                                    const struct source_tensor *source_tensor, ss_err *err)
{
    char name[NAME_BYTES];
    if (!has_source_tensor(ref, source_tensor)) {
        return SS_OK;
    }
    if (source_tensor->matrix->panels == NULL) {
        SS_RETURN_IF_ERROR(make_matrix(ref, source_tensors, source_tensor, err));
    }
    SS_RETURN_IF_ERROR(ss_encoder_bind_rows(
        ref->job->binder, tensor_name(name, ref, source_tensor->tensor, "weight"),
        &source_tensor->rows, ref->job->config->precision, source_tensor->matrix, err));
    if (source_tensor->bias != NULL) {
        SS_RETURN_IF_ERROR(bind_bias(ref, source_tensor, err));
    }
    return SS_OK;
}

/* ---- matrices ---- */

/* Where `input` of this layer was measured; nothing is known the first time. */
static struct source measured(const struct layer_ref *ref, ss_encoder_measured_input input,
                              size_t first)
{
    const struct layer_job *job = ref->job;
    const size_t at = (ref->index * SS_ENCODER_N_MEASURED_INPUTS + input) * job->config->width;
    return (struct source){.input_rms = job->input_rms == NULL ? NULL : job->input_rms + at,
                           .first = first};
}

/* GELU and SiLU leave a little below 0, ReLU nothing. A gate multiplies the sign back in. */
static bool is_mostly_positive(const struct ss_encoder_config *config)
{
    const ss_tensor_activation act = config->activation;
    return !config->body.is_gated &&
           (act == SS_TENSOR_ACT_GELU || act == SS_TENSOR_ACT_GELU_TANH ||
            act == SS_TENSOR_ACT_RELU || act == SS_TENSOR_ACT_SILU);
}

/* The columns of `rows`: outputs and inputs as stored, the first row and how many, the output
 * they become, outputs of the whole matrix, and the order. A family has the first of two ways
 * or the second: one tensor of query, key and value or three, one of inner and gate or two. */
static ss_status bind_matrices(const struct layer_ref *ref, struct ss_encoder_layer *l,
                               ss_err *err)
{
    const size_t d = ref->job->config->width, f = ref->job->config->inner_width;
    const size_t *order = ref->job->order;
    /* Of queries and keys, only differences between scores count: values tell more. */
    const struct source attention = measured(ref, SS_ENCODER_INPUT_OF_ATTENTION, 2 * d),
                        forward = measured(ref, SS_ENCODER_INPUT_OF_FEED_FORWARD, 0),
                        activation = {.expects_positive = is_mostly_positive(ref->job->config)},
                        unknown = {0};
    const struct source_tensor source_tensors[] = {
        {SS_ENCODER_TENSOR_QKV,
         {3 * d, d, 0, 3 * d, 0, 3 * d, order},
         &l->qkv,
         l->qkv_bias,
         attention},
        {SS_ENCODER_TENSOR_QUERY,
         {d, d, 0, d, 0, 3 * d, order},
         &l->qkv,
         l->qkv_bias,
         attention},
        {SS_ENCODER_TENSOR_KEY, {d, d, 0, d, d, 3 * d, order}, &l->qkv, l->qkv_bias, attention},
        {SS_ENCODER_TENSOR_VALUE,
         {d, d, 0, d, 2 * d, 3 * d, NULL},
         &l->qkv,
         l->qkv_bias,
         attention},
        {SS_ENCODER_TENSOR_CONTEXT,
         {d, d, 0, d, 0, d, NULL},
         &l->context,
         l->context_bias,
         unknown},
        {SS_ENCODER_TENSOR_INNER_GATE,
         {2 * f, d, 0, f, 0, f, NULL},
         &l->inner,
         l->inner_bias,
         forward},
        {SS_ENCODER_TENSOR_INNER_GATE,
         {2 * f, d, f, f, 0, f, NULL},
         &l->gate,
         l->gate_bias,
         forward},
        {SS_ENCODER_TENSOR_INNER, {f, d, 0, f, 0, f, NULL}, &l->inner, l->inner_bias, forward},
        {SS_ENCODER_TENSOR_GATE, {f, d, 0, f, 0, f, NULL}, &l->gate, l->gate_bias, forward},
        {SS_ENCODER_TENSOR_OUTER,
         {d, f, 0, d, 0, d, NULL},
         &l->outer,
         l->outer_bias,
         activation},
    };
    const struct source_tensors all = {source_tensors,
                                       sizeof source_tensors / sizeof source_tensors[0]};
    for (size_t i = 0; i < all.n; i++) {
        if (ref->job->input_rms == NULL || source_tensors[i].source.input_rms != NULL) {
            SS_RETURN_IF_ERROR(bind_source_tensor(ref, &all, &source_tensors[i], err));
        }
    }
    return SS_OK;
}

/* ---- vectors ---- */

/* One block for all vectors of a layer, each from a multiple of 16 floats on, which is a cache
 * line. */
static ss_status make_vectors(struct ss_encoder_layer *l,
                              const struct ss_encoder_config *config, bool has_norm_1,
                              ss_err *err)
{
    const struct ss_encoder_body *body = &config->body;
    const size_t d = config->width, f = config->inner_width;
    const struct {
        float **vector;
        size_t n;
        bool is_there;
    } parts[] = {
        {&l->qkv_bias, 3 * d, body->has_attention_bias},
        {&l->context_bias, d, body->has_attention_bias},
        {&l->inner_bias, f, body->has_inner_bias},
        {&l->gate_bias, f, body->has_inner_bias && body->is_gated},
        {&l->outer_bias, d, body->has_outer_bias},
        {&l->gain_1, d, has_norm_1},
        {&l->shift_1, d, has_norm_1},
        {&l->gain_2, d, true},
        {&l->shift_2, d, true},
    };
    const size_t n_parts = sizeof parts / sizeof parts[0];
    size_t n = 0;
    for (size_t i = 0; i < n_parts; i++) {
        n += parts[i].is_there ? ss__round_up(parts[i].n, 16) : 0;
    }
    SS_ALLOC_ALIGNED_OR_RETURN(l->vectors, n);
    memset(l->vectors, 0, n * sizeof *l->vectors);
    float *at = l->vectors;
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].is_there) {
            *parts[i].vector = at;
            at += ss__round_up(parts[i].n, 16);
        }
    }
    return SS_OK;
}

/* gain NULL: this layer has no such norm. */
static ss_status bind_norm(const struct layer_ref *ref, ss_encoder_layer_tensor tensor,
                           float *gain, float *shift, ss_err *err)
{
    char name[NAME_BYTES];
    struct ss_encoder_binder *binder = ref->job->binder;
    const size_t width = ref->job->config->width;
    if (gain == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_encoder_bind_vector(binder, tensor_name(name, ref, tensor, "weight"),
                                              width, gain, err));
    if (ref->job->config->body.has_norm_bias) {
        SS_RETURN_IF_ERROR(ss_encoder_bind_vector(
            binder, tensor_name(name, ref, tensor, "bias"), width, shift, err));
    }
    return SS_OK;
}

static ss_status bind_vectors(const struct layer_ref *ref, struct ss_encoder_layer *layer,
                              ss_err *err)
{
    const struct ss_encoder_config *config = ref->job->config;
    const bool has_norm_1 = ref->index > 0 || !config->body.skips_a_norm;
    SS_RETURN_IF_ERROR(make_vectors(layer, config, has_norm_1, err));
    SS_RETURN_IF_ERROR(
        bind_norm(ref, SS_ENCODER_TENSOR_NORM_1, layer->gain_1, layer->shift_1, err));
    return bind_norm(ref, SS_ENCODER_TENSOR_NORM_2, layer->gain_2, layer->shift_2, err);
}

/* A task writes its own layer and its own result, so nothing is locked. */
static void bind_layer_task(void *context, size_t index, size_t worker)
{
    const struct layer_job *job = context;
    const struct layer_ref ref = {.job = job, .index = index};
    struct layer_result *result = &job->results[index];
    (void)worker;
    result->status = bind_matrices(&ref, &job->transformer->layers[index], &result->err);
}

/* Where neighbours turn, they are put `half` apart while they are bound, so that the rotation
 * has one form (ss_tensor_rotate). Queries and keys are permuted alike, so every product of the
 * two is a sum of the same terms; values, and what is not rotated of a head, stay. */
static ss_status make_order(struct layer_job *job, ss_err *err)
{
    const struct ss_encoder_config *config = job->config;
    const size_t head_width = config->width / config->n_heads, half = config->rotary_half;
    if (!config->has_neighbour_pairs) {
        return SS_OK;
    }
    SS_ALLOC_OR_RETURN(job->order, 3 * config->width);
    for (size_t r = 0; r < 3 * config->width; r++) {
        const size_t i = r % head_width, first = r - i;
        const bool is_rotated = r < 2 * config->width && i < 2 * half;
        const size_t pair = i < half ? 2 * i : 2 * (i - half) + 1;
        job->order[r] = is_rotated ? first + pair : r;
    }
    return SS_OK;
}

/* Of several failures that of the first layer is told: which one came first in time is
 * chance. */
static ss_status bind_all_matrices(struct layer_job *job, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_layers = job->config->n_layers;
    struct ss__pool *pool = job->binder->pool;
    SS_ALLOC(job->results, n_layers);
    SS_TRY(make_order(job, err));
    ss__pool_run(pool, n_layers, bind_layer_task, job);
    SS_TRY(ss__pool_check(pool, err));
    for (size_t i = 0; i < n_layers && status == SS_OK; i++) {
        status = job->results[i].status;
        if (status != SS_OK && err != NULL) {
            *err = job->results[i].err;
        }
    }
out:
    ss__free(job->results);
    ss__free(job->order);
    return status;
}

ss_status ss_encoder_layers_bind(struct ss_encoder_transformer *transformer,
                                 const struct ss_encoder_config *config,
                                 struct ss_encoder_binder *binder, ss_err *err)
{
    struct layer_job job = {.config = config,
                            .names = transformer->names,
                            .transformer = transformer,
                            .binder = binder};
    SS_ALLOC_OR_RETURN(transformer->layers, config->n_layers);
    for (size_t i = 0; i < config->n_layers; i++) {
        const struct layer_ref ref = {.job = &job, .index = i};
        SS_RETURN_IF_ERROR(bind_vectors(&ref, &transformer->layers[i], err));
    }
    return bind_all_matrices(&job, err);
}

/* The matrices of measured inputs are made anew; bind_matrices passes over the others. */
ss_status ss_encoder_layers_smooth(struct ss_encoder_transformer *transformer,
                                   const struct ss_encoder_config *config,
                                   struct ss_encoder_binder *binder, const float *input_rms,
                                   ss_err *err)
{
    struct layer_job job = {.config = config,
                            .names = transformer->names,
                            .transformer = transformer,
                            .binder = binder,
                            .input_rms = input_rms};
    for (size_t i = 0; i < config->n_layers; i++) {
        ss_tensor_matrix_release(&transformer->layers[i].qkv);
        ss_tensor_matrix_release(&transformer->layers[i].inner);
        ss_tensor_matrix_release(&transformer->layers[i].gate);
    }
    return bind_all_matrices(&job, err);
}

void ss_encoder_layers_release(struct ss_encoder_layer *layers, size_t n_layers)
{
    for (size_t i = 0; layers != NULL && i < n_layers; i++) {
        ss_tensor_matrix_release(&layers[i].qkv);
        ss_tensor_matrix_release(&layers[i].context);
        ss_tensor_matrix_release(&layers[i].inner);
        ss_tensor_matrix_release(&layers[i].gate);
        ss_tensor_matrix_release(&layers[i].outer);
        ss__free(layers[i].vectors);
    }
    ss__free(layers);
}
