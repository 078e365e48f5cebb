/* Binding the weights of a transformer: tables of words and positions, and per layer four
 * packed matrices (query, key and value as one) and eight vectors in one block. Layers are
 * bound and packed in parallel; each touches tensors of its own. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

enum { N_BUCKETS = 32, N_DISTANCES = 2 * SS__MAX_DISTANCE + 1, NAME_BYTES = 160 };

/* ---- the distance bias ---- */

/* Buckets of distances from 8 on: the first distance of each (encoders.md 2.2). Kept as whole
 * numbers, since the logarithm they come from is exact at powers of two only in theory. */
static const size_t bucket_begins[] = {8, 12, 16, 23, 32, 46, 64, 91};

static size_t bucket(long distance)
{
    const size_t base = distance > 0 ? 16 : 0; /* keys after the query */
    const size_t away = (size_t)(distance < 0 ? -distance : distance);
    size_t n = 0;
    if (away < bucket_begins[0]) {
        return base + away;
    }
    while (n < sizeof bucket_begins / sizeof bucket_begins[0] && away >= bucket_begins[n]) {
        n++;
    }
    return base + bucket_begins[0] + n - 1;
}

static ss_status bind_distances(struct ss__transformer *t,
                                const struct ss__encoder_config *config,
                                struct ss__binder *binder, ss_err *err)
{
    ss_status status = SS_OK;
    const float *table = NULL;
    float *owned = NULL;
    const size_t n_heads = config->n_heads;
    const uint64_t shape[2] = {N_BUCKETS, n_heads};
    if (config->family->distance_table == NULL) {
        return SS_OK;
    }
    SS_TRY(
        ss__bind_view(binder, config->family->distance_table, 2, shape, &table, &owned, err));
    SS_ALLOC_ALIGNED(t->distance_bias, n_heads * N_DISTANCES);
    for (size_t h = 0; h < n_heads; h++) {
        for (size_t i = 0; i < N_DISTANCES; i++) {
            const size_t b = bucket((long)i - SS__MAX_DISTANCE);
            t->distance_bias[h * N_DISTANCES + i] = table[b * n_heads + h];
        }
    }
out:
    ss__free(owned);
    return status;
}

/* ---- layers ---- */

struct layer_job {
    const struct ss__encoder_config *config;
    struct ss__binder *binder;
    struct ss__layer *layers;
    struct layer_result {
        ss_status status;
        ss_err err;
    } * results;
};

struct layer_place {
    const struct layer_job *job;
    size_t index;
};

static void name_part(char name[NAME_BYTES], const struct layer_place *place, ss__part part,
                      const char *end)
{
    const struct ss__family *family = place->job->config->family;
    snprintf(name, NAME_BYTES, "%s%zu.%s.%s", family->layer_prefix, place->index,
             family->parts[part], end);
}

static ss_status bind_norm(const struct layer_place *place, ss__part part, float *gain,
                           float *shift, ss_err *err)
{
    ss_status status = SS_OK;
    char name[NAME_BYTES];
    const size_t width = place->job->config->width;
    name_part(name, place, part, "weight");
    SS_TRY(ss__bind_vector(place->job->binder, name, width, gain, err));
    name_part(name, place, part, "bias");
    SS_TRY(ss__bind_vector(place->job->binder, name, width, shift, err));
out:
    return status;
}

/* A linear layer [n_out, n_in] as the outputs from `at` on of a matrix with n_total outputs. */
struct linear_shape {
    size_t n_out, n_in, at, n_total;
};

static ss_status bind_linear(const struct layer_place *place, ss__part part,
                             const struct linear_shape *shape, struct ss__matrix *matrix,
                             float *bias, ss_err *err)
{
    ss_status status = SS_OK;
    char name[NAME_BYTES];
    name_part(name, place, part, "weight");
    SS_TRY(ss__bind_matrix(place->job->binder, name, shape->n_out, shape->n_in, shape->at,
                           shape->n_total, matrix, err));
    name_part(name, place, part, "bias");
    SS_TRY(ss__bind_vector(place->job->binder, name, shape->n_out, bias + shape->at, err));
out:
    return status;
}

static ss_status make_vectors(struct ss__layer *layer, const struct ss__encoder_config *config,
                              ss_err *err)
{
    ss_status status = SS_OK;
    const size_t width = config->width;
    const struct {
        float **vector;
        size_t n;
    } parts[] = {
        {&layer->qkv_bias, 3 * width},
        {&layer->context_bias, width},
        {&layer->inner_bias, config->inner_width},
        {&layer->outer_bias, width},
        {&layer->gain_1, width},
        {&layer->shift_1, width},
        {&layer->gain_2, width},
        {&layer->shift_2, width},
    };
    const size_t n_parts = sizeof parts / sizeof parts[0];
    size_t n = 0;
    for (size_t i = 0; i < n_parts; i++) {
        n += ss__round_up(parts[i].n, 16);
    }
    SS_ALLOC_ALIGNED(layer->vectors, n);
    float *at = layer->vectors;
    for (size_t i = 0; i < n_parts; i++) {
        *parts[i].vector = at;
        at += ss__round_up(parts[i].n, 16);
    }
out:
    return status;
}

static ss_status bind_layer(const struct layer_place *place, struct ss__layer *layer,
                            ss_err *err)
{
    ss_status status = SS_OK;
    const size_t width = place->job->config->width;
    const size_t inner = place->job->config->inner_width;
    const struct linear_shape out_shape = {width, width, 0, width};
    const struct linear_shape inner_shape = {inner, width, 0, inner};
    const struct linear_shape outer_shape = {width, inner, 0, width};
    SS_TRY(make_vectors(layer, place->job->config, err));
    for (size_t i = 0; i < 3; i++) {
        const struct linear_shape shape = {width, width, i * width, 3 * width};
        const ss__part part = (ss__part)(SS__PART_QUERY + i);
        SS_TRY(bind_linear(place, part, &shape, &layer->qkv, layer->qkv_bias, err));
    }
    SS_TRY(bind_linear(place, SS__PART_CONTEXT, &out_shape, &layer->context,
                       layer->context_bias, err));
    SS_TRY(bind_norm(place, SS__PART_NORM_1, layer->gain_1, layer->shift_1, err));
    SS_TRY(bind_linear(place, SS__PART_INNER, &inner_shape, &layer->inner, layer->inner_bias,
                       err));
    SS_TRY(bind_linear(place, SS__PART_OUTER, &outer_shape, &layer->outer, layer->outer_bias,
                       err));
    SS_TRY(bind_norm(place, SS__PART_NORM_2, layer->gain_2, layer->shift_2, err));
out:
    return status;
}

static void bind_layer_task(void *context, size_t index, size_t worker)
{
    const struct layer_job *job = context;
    const struct layer_place place = {.job = job, .index = index};
    struct layer_result *result = &job->results[index];
    (void)worker;
    result->status = bind_layer(&place, &job->layers[index], &result->err);
}

static ss_status bind_layers(struct ss__transformer *t, const struct ss__encoder_config *config,
                             struct ss__binder *binder, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__pool *pool = NULL;
    struct layer_job job = {.config = config, .binder = binder};
    SS_ALLOC(t->layers, config->n_layers);
    SS_ALLOC(job.results, config->n_layers);
    SS_TRY(ss__pool_new(0, &pool, err));
    job.layers = t->layers;
    ss__pool_run(pool, config->n_layers, bind_layer_task, &job);
    for (size_t i = 0; i < config->n_layers && status == SS_OK; i++) {
        status = job.results[i].status;
        if (status != SS_OK && err != NULL) {
            *err = job.results[i].err;
        }
    }
out:
    ss__pool_free(pool);
    ss__free(job.results);
    return status;
}

/* ---- embeddings ---- */

static const char word_table[] = "embeddings.word_embeddings.weight";

static ss_status bind_embeddings(struct ss__transformer *t,
                                 const struct ss__encoder_config *config,
                                 struct ss__binder *binder, ss_err *err)
{
    ss_status status = SS_OK;
    const float *types = NULL;
    float *types_owned = NULL;
    const size_t width = config->width;
    const uint64_t words[2] = {config->n_vocab, width};
    const uint64_t positions[2] = {config->n_positions, width};
    const uint64_t type_shape[2] = {config->n_types, width};
    SS_TRY(ss__bind_view(binder, word_table, 2, words, &t->words, &t->words_owned, err));
    if (t->words_owned != NULL) {
        ss__bind_forget(binder, word_table);
    }
    SS_TRY(ss__bind_view(binder, "embeddings.position_embeddings.weight", 2, positions,
                         &t->positions, &t->positions_owned, err));
    SS_ALLOC_ALIGNED(t->vectors, 3 * width);
    t->gain = t->vectors;
    t->shift = t->vectors + width;
    SS_TRY(ss__bind_vector(binder, "embeddings.LayerNorm.weight", width, t->gain, err));
    SS_TRY(ss__bind_vector(binder, "embeddings.LayerNorm.bias", width, t->shift, err));
    if (config->n_types > 0) {
        SS_TRY(ss__bind_view(binder, "embeddings.token_type_embeddings.weight", 2, type_shape,
                             &types, &types_owned, err));
        t->type = t->vectors + 2 * width;
        memcpy(t->type, types, width * sizeof *types);
    }
out:
    ss__free(types_owned);
    return status;
}

ss_status ss__transformer_bind(struct ss__transformer *transformer,
                               const struct ss__encoder_config *config,
                               struct ss__binder *binder, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(bind_embeddings(transformer, config, binder, err));
    SS_TRY(bind_distances(transformer, config, binder, err));
    SS_TRY(bind_layers(transformer, config, binder, err));
out:
    return status;
}

void ss__transformer_release(struct ss__transformer *transformer, size_t n_layers)
{
    for (size_t i = 0; transformer->layers != NULL && i < n_layers; i++) {
        struct ss__layer *layer = &transformer->layers[i];
        ss__matrix_release(&layer->qkv);
        ss__matrix_release(&layer->context);
        ss__matrix_release(&layer->inner);
        ss__matrix_release(&layer->outer);
        ss__free(layer->vectors);
    }
    ss__free(transformer->layers);
    ss__free(transformer->words_owned);
    ss__free(transformer->positions_owned);
    ss__free(transformer->vectors);
    ss__free(transformer->distance_bias);
    *transformer = (struct ss__transformer){0};
}
