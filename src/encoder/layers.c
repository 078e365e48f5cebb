/* Binding the weights of layers: up to five packed matrices (query, key and value as one) and
 * the vectors in one block. Which tensors fill them is a table: a family names either one
 * tensor or its parts. Layers' matrices are bound and packed in parallel; each touches tensors
 * of its own. Those that take measured inputs can be packed again, fit for them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

enum { NAME_BYTES = 160 };

struct layer_job {
    const struct ss_encoder_config *config;
    const struct ss_encoder_tensor_names *names;
    struct ss_encoder_transformer *transformer;
    struct ss_encoder_binder *binder;
    const float *sizes; /* [n_layers, SS_ENCODER_N_INTO, D], for packing again; or NULL */
    size_t *order;      /* [3 D] of query, key and value rows; NULL: as they stand */
    struct layer_result {
        ss_status status;
        ss_err err;
    } * results;
};

struct layer_place {
    const struct layer_job *job;
    size_t index;
};

static const char *name_part(char name[NAME_BYTES], const struct layer_place *place,
                             ss_encoder_part part, const char *end)
{
    const struct ss_encoder_tensor_names *names = place->job->names;
    snprintf(name, NAME_BYTES, "%s%zu.%s.%s", names->layer_prefix, place->index,
             names->parts[part], end);
    return name;
}

/* What is known of a matrix's inputs. */
struct source {
    const float *sizes; /* [K], once they are measured; else NULL */
    size_t first;       /* the weights of outputs from here on tell what an input matters */
    bool is_upward;     /* they come from an activation that leaves little below 0 */
};

/* A tensor, or some of its rows, and where they go. */
struct piece {
    ss_encoder_part part;
    struct ss_encoder_bound_rows rows;
    struct ss_tensor_matrix *matrix;
    float *bias; /* NULL: none */
    struct source source;
};

struct pieces {
    const struct piece *at;
    size_t n;
};

static ss_status bind_bias(const struct layer_place *place, const struct piece *piece,
                           ss_err *err)
{
    ss_status status = SS_OK;
    char name[NAME_BYTES];
    const float *view = NULL;
    float *owned = NULL;
    const uint64_t n = piece->rows.n_stored;
    SS_TRY(ss_encoder_bind_view(place->job->binder, name_part(name, place, piece->part, "bias"),
                                1, &n, &view, &owned, err));
    for (size_t i = 0; i < piece->rows.n; i++) {
        const size_t row = piece->rows.order == NULL ? i : piece->rows.order[i];
        piece->bias[piece->rows.at + i] = view[piece->rows.from + row];
    }
out:
    ss__free(owned);
    return status;
}

static bool has_piece(const struct layer_place *place, const struct piece *piece)
{
    return place->job->names->parts[piece->part] != NULL;
}

/* The squares of a piece's weights, from output `first` of its matrix on. */
static ss_status bind_squares(const struct layer_place *place, const struct piece *piece,
                              size_t first, float *squares, ss_err *err)
{
    char name[NAME_BYTES];
    struct ss_encoder_bound_rows rows = piece->rows;
    const size_t skipped = first > rows.at ? first - rows.at : 0;
    if (!has_piece(place, piece) || skipped >= rows.n) {
        return SS_OK;
    }
    rows.from += skipped;
    rows.n -= skipped;
    return ss_encoder_bind_squares(
        place->job->binder, name_part(name, place, piece->part, "weight"), &rows, squares, err);
}

static ss_status smooth(const struct layer_place *place, const struct pieces *pieces,
                        const struct piece *piece, ss_err *err)
{
    ss_status status = SS_OK;
    float *squares = NULL;
    SS_ALLOC(squares, piece->rows.n_in);
    for (size_t i = 0; i < pieces->n; i++) {
        if (pieces->at[i].matrix == piece->matrix) {
            SS_TRY(bind_squares(place, &pieces->at[i], piece->source.first, squares, err));
        }
    }
    SS_TRY(ss_tensor_matrix_smooth(piece->matrix, piece->source.sizes, squares, err));
out:
    ss__free(squares);
    return status;
}

/* The matrix of a piece and others, fit for what it will take. */
static ss_status make_matrix(const struct layer_place *place, const struct pieces *pieces,
                             const struct piece *piece, ss_err *err)
{
    const ss_precision precision = place->job->config->precision;
    SS_RETURN_IF_ERROR(ss_tensor_matrix_new(piece->rows.n_total, piece->rows.n_in, precision,
                                            piece->matrix, err));
    if (piece->source.is_upward) {
        ss_tensor_matrix_expect_upward(piece->matrix);
    }
    if (piece->source.sizes != NULL) {
        SS_RETURN_IF_ERROR(smooth(place, pieces, piece, err));
    }
    return SS_OK;
}

/* Nothing where the family has no tensor for the part. */
static ss_status bind_piece(const struct layer_place *place, const struct pieces *pieces,
                            const struct piece *piece, ss_err *err)
{
    char name[NAME_BYTES];
    if (!has_piece(place, piece)) {
        return SS_OK;
    }
    if (piece->matrix->panels == NULL) {
        SS_RETURN_IF_ERROR(make_matrix(place, pieces, piece, err));
    }
    SS_RETURN_IF_ERROR(
        ss_encoder_bind_rows(place->job->binder, name_part(name, place, piece->part, "weight"),
                             &piece->rows, place->job->config->precision, piece->matrix, err));
    if (piece->bias != NULL) {
        SS_RETURN_IF_ERROR(bind_bias(place, piece, err));
    }
    return SS_OK;
}

/* ---- matrices ---- */

static struct source measured(const struct layer_place *place, ss_encoder_into into,
                              size_t first)
{
    const struct layer_job *job = place->job;
    const size_t at = (place->index * SS_ENCODER_N_INTO + into) * job->config->width;
    return (struct source){.sizes = job->sizes == NULL ? NULL : job->sizes + at,
                           .first = first};
}

static bool is_mostly_positive(const struct ss_encoder_config *config)
{
    const ss_tensor_activation act = config->activation;
    return !config->body.is_gated &&
           (act == SS_TENSOR_ACT_GELU || act == SS_TENSOR_ACT_GELU_TANH ||
            act == SS_TENSOR_ACT_RELU || act == SS_TENSOR_ACT_SILU);
}

static ss_status bind_matrices(const struct layer_place *place, struct ss_encoder_layer *l,
                               ss_err *err)
{
    const size_t d = place->job->config->width, f = place->job->config->inner_width;
    const size_t *order = place->job->order;
    /* Of queries and keys, only differences between scores count: values tell more. */
    const struct source attention = measured(place, SS_ENCODER_INTO_ATTENTION, 2 * d),
                        forward = measured(place, SS_ENCODER_INTO_FORWARD, 0),
                        activation = {.is_upward = is_mostly_positive(place->job->config)},
                        unknown = {0};
    const struct piece pieces[] = {
        {SS_ENCODER_PART_QKV,
         {3 * d, d, 0, 3 * d, 0, 3 * d, order},
         &l->qkv,
         l->qkv_bias,
         attention},
        {SS_ENCODER_PART_QUERY, {d, d, 0, d, 0, 3 * d, order}, &l->qkv, l->qkv_bias, attention},
        {SS_ENCODER_PART_KEY, {d, d, 0, d, d, 3 * d, order}, &l->qkv, l->qkv_bias, attention},
        {SS_ENCODER_PART_VALUE,
         {d, d, 0, d, 2 * d, 3 * d, NULL},
         &l->qkv,
         l->qkv_bias,
         attention},
        {SS_ENCODER_PART_CONTEXT,
         {d, d, 0, d, 0, d, NULL},
         &l->context,
         l->context_bias,
         unknown},
        {SS_ENCODER_PART_INNER_GATE,
         {2 * f, d, 0, f, 0, f, NULL},
         &l->inner,
         l->inner_bias,
         forward},
        {SS_ENCODER_PART_INNER_GATE,
         {2 * f, d, f, f, 0, f, NULL},
         &l->gate,
         l->gate_bias,
         forward},
        {SS_ENCODER_PART_INNER, {f, d, 0, f, 0, f, NULL}, &l->inner, l->inner_bias, forward},
        {SS_ENCODER_PART_GATE, {f, d, 0, f, 0, f, NULL}, &l->gate, l->gate_bias, forward},
        {SS_ENCODER_PART_OUTER, {d, f, 0, d, 0, d, NULL}, &l->outer, l->outer_bias, activation},
    };
    const struct pieces all = {pieces, sizeof pieces / sizeof pieces[0]};
    for (size_t i = 0; i < all.n; i++) {
        if (place->job->sizes == NULL || pieces[i].source.sizes != NULL) {
            SS_RETURN_IF_ERROR(bind_piece(place, &all, &pieces[i], err));
        }
    }
    return SS_OK;
}

/* ---- vectors ---- */

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
static ss_status bind_norm(const struct layer_place *place, ss_encoder_part part, float *gain,
                           float *shift, ss_err *err)
{
    char name[NAME_BYTES];
    struct ss_encoder_binder *binder = place->job->binder;
    const size_t width = place->job->config->width;
    if (gain == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(ss_encoder_bind_vector(binder, name_part(name, place, part, "weight"),
                                              width, gain, err));
    if (place->job->config->body.has_norm_bias) {
        SS_RETURN_IF_ERROR(ss_encoder_bind_vector(binder, name_part(name, place, part, "bias"),
                                                  width, shift, err));
    }
    return SS_OK;
}

static ss_status bind_vectors(const struct layer_place *place, struct ss_encoder_layer *layer,
                              ss_err *err)
{
    const struct ss_encoder_config *config = place->job->config;
    const bool has_norm_1 = place->index > 0 || !config->body.skips_a_norm;
    SS_RETURN_IF_ERROR(make_vectors(layer, config, has_norm_1, err));
    SS_RETURN_IF_ERROR(
        bind_norm(place, SS_ENCODER_PART_NORM_1, layer->gain_1, layer->shift_1, err));
    return bind_norm(place, SS_ENCODER_PART_NORM_2, layer->gain_2, layer->shift_2, err);
}

static void bind_layer_task(void *context, size_t index, size_t worker)
{
    const struct layer_job *job = context;
    const struct layer_place place = {.job = job, .index = index};
    struct layer_result *result = &job->results[index];
    (void)worker;
    result->status = bind_matrices(&place, &job->transformer->layers[index], &result->err);
}

/* Where neighbours turn, they are put `half` apart while they are bound, queries and keys
 * alike, which changes no product of the two. */
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
        const bool turns = r < 2 * config->width && i < 2 * half;
        const size_t pair = i < half ? 2 * i : 2 * (i - half) + 1;
        job->order[r] = turns ? first + pair : r;
    }
    return SS_OK;
}

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
        const struct layer_place place = {.job = &job, .index = i};
        SS_RETURN_IF_ERROR(bind_vectors(&place, &transformer->layers[i], err));
    }
    return bind_all_matrices(&job, err);
}

ss_status ss_encoder_layers_smooth(struct ss_encoder_transformer *transformer,
                                   const struct ss_encoder_config *config,
                                   struct ss_encoder_binder *binder, const float *sizes,
                                   ss_err *err)
{
    struct layer_job job = {.config = config,
                            .names = transformer->names,
                            .transformer = transformer,
                            .binder = binder,
                            .sizes = sizes};
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
