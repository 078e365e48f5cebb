/* Binding the weights of a transformer outside of its layers: tables of words, positions and
 * distances, and the norms before and after all layers. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/transformer_priv.h"

enum { N_BUCKETS = 32, N_DISTANCES = 2 * SS_ENCODER_MAX_DISTANCE + 1, NAME_BYTES = 160 };

/* ---- the distance bias ---- */

/* Buckets of distances from 8 on: the first distance of each (docs/spec/encoders.md 2.2). Kept
 * as integers, since the logarithm they come from is exact at powers of two only in theory. */
static const size_t bucket_begins[] = {8, 12, 16, 23, 32, 46, 64, 91};

/* `distance` is key minus query. */
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

/* The table of buckets becomes one of distances, by head, so that attention adds a row of it to
 * a row of scores; distances beyond the last edge share the outermost entry. */
static ss_status bind_distances(struct ss_encoder_transformer *t,
                                const struct ss_encoder_config *config,
                                struct ss_encoder_binder *binder, ss_err *err)
{
    ss_status status = SS_OK;
    const float *table = NULL;
    float *owned = NULL;
    const size_t n_heads = config->n_heads;
    const uint64_t shape[2] = {N_BUCKETS, n_heads};
    if (t->names->distance_table == NULL) {
        return SS_OK;
    }
    SS_TRY(
        ss_encoder_bind_view(binder, t->names->distance_table, 2, shape, &table, &owned, err));
    SS_ALLOC_ALIGNED(t->distance_bias, n_heads * N_DISTANCES);
    for (size_t h = 0; h < n_heads; h++) {
        for (size_t i = 0; i < N_DISTANCES; i++) {
            const size_t b = bucket((long)i - SS_ENCODER_MAX_DISTANCE);
            t->distance_bias[h * N_DISTANCES + i] = table[b * n_heads + h];
        }
    }
out:
    ss__free(owned);
    return status;
}

/* ---- embeddings ---- */

static const char *full_name(char name[NAME_BYTES], const char *base, const char *end)
{
    snprintf(name, NAME_BYTES, "%s.%s", base, end);
    return name;
}

/* A copy, so that nothing of the file is touched later. */
static ss_status own_positions(struct ss_encoder_transformer *t, size_t n, ss_err *err)
{
    if (t->positions_owned == NULL) {
        SS_ALLOC_ALIGNED_OR_RETURN(t->positions_owned, n);
        memcpy(t->positions_owned, t->positions, n * sizeof *t->positions);
        t->positions = t->positions_owned;
    }
    return SS_OK;
}

/* Where positions are rotations there is no table of them. */
static ss_status bind_words(struct ss_encoder_transformer *t,
                            const struct ss_encoder_config *config,
                            struct ss_encoder_binder *binder, ss_err *err)
{
    char name[NAME_BYTES];
    const uint64_t words[2] = {config->n_vocab, config->width};
    const uint64_t positions[2] = {config->n_positions, config->width};
    full_name(name, t->names->words, "weight");
    SS_RETURN_IF_ERROR(ss_encoder_bind_table(binder, name, words, &t->words, err));
    if (!config->body.has_rotary) {
        SS_RETURN_IF_ERROR(
            ss_encoder_bind_view(binder, full_name(name, t->names->positions, "weight"), 2,
                                 positions, &t->positions, &t->positions_owned, err));
        SS_RETURN_IF_ERROR(own_positions(t, (size_t)(positions[0] * positions[1]), err));
    }
    return SS_OK;
}

/* Row 0 of the token types, which all tokens of a text have. */
static ss_status bind_type(struct ss_encoder_transformer *t,
                           const struct ss_encoder_config *config,
                           struct ss_encoder_binder *binder, ss_err *err)
{
    ss_status status = SS_OK;
    char name[NAME_BYTES];
    const float *types = NULL;
    float *owned = NULL;
    const uint64_t shape[2] = {config->n_types, config->width};
    SS_TRY(ss_encoder_bind_view(binder, full_name(name, t->names->types, "weight"), 2, shape,
                                &types, &owned, err));
    memcpy(t->type, types, config->width * sizeof *types);
out:
    ss__free(owned);
    return status;
}

/* The shift stays at 0 where the body's norms have no bias. */
static ss_status bind_norm(const char *base, const struct ss_encoder_config *config,
                           struct ss_encoder_binder *binder, float *gain_and_shift, ss_err *err)
{
    char name[NAME_BYTES];
    const size_t width = config->width;
    SS_RETURN_IF_ERROR(ss_encoder_bind_vector(binder, full_name(name, base, "weight"), width,
                                              gain_and_shift, err));
    if (config->body.has_norm_bias) {
        SS_RETURN_IF_ERROR(ss_encoder_bind_vector(binder, full_name(name, base, "bias"), width,
                                                  gain_and_shift + width, err));
    }
    return SS_OK;
}

/* One piece of memory: gain and shift of the first norm, the token type, gain and shift of the
 * last norm. */
static ss_status bind_vectors(struct ss_encoder_transformer *t,
                              const struct ss_encoder_config *config,
                              struct ss_encoder_binder *binder, ss_err *err)
{
    const size_t width = config->width;
    SS_ALLOC_ALIGNED_OR_RETURN(t->vectors, 5 * width);
    memset(t->vectors, 0, 5 * width * sizeof *t->vectors);
    t->gain = t->vectors;
    t->shift = t->vectors + width;
    SS_RETURN_IF_ERROR(bind_norm(t->names->norm, config, binder, t->gain, err));
    if (config->n_types > 0) {
        t->type = t->vectors + 2 * width;
        SS_RETURN_IF_ERROR(bind_type(t, config, binder, err));
    }
    if (config->body.norms_first) {
        t->final_gain = t->vectors + 3 * width;
        t->final_shift = t->vectors + 4 * width;
        SS_RETURN_IF_ERROR(bind_norm(t->names->final_norm, config, binder, t->final_gain, err));
    }
    return SS_OK;
}

/* The names that the file uses, told by the first norm, which every form of names has. */
static const struct ss_encoder_tensor_names *
choose_names(const struct ss_encoder_family *family, const struct ss_encoder_binder *binder)
{
    for (size_t i = 0; i < SS_ENCODER_N_LAYOUTS && family->names[i] != NULL; i++) {
        char name[NAME_BYTES];
        if (ss_encoder_binder_has(binder, full_name(name, family->names[i]->norm, "weight"))) {
            return family->names[i];
        }
    }
    return family->names[0];
}

ss_status ss_encoder_transformer_bind(struct ss_encoder_transformer *transformer,
                                      const struct ss_encoder_config *config,
                                      struct ss_encoder_binder *binder, ss_err *err)
{
    transformer->names = choose_names(config->family, binder);
    SS_RETURN_IF_ERROR(bind_words(transformer, config, binder, err));
    SS_RETURN_IF_ERROR(bind_vectors(transformer, config, binder, err));
    SS_RETURN_IF_ERROR(bind_distances(transformer, config, binder, err));
    SS_RETURN_IF_ERROR(ss_encoder_layers_bind(transformer, config, binder, err));
    if (config->body.has_rotary) {
        SS_RETURN_IF_ERROR(ss_encoder_rope_make(config, transformer->rope_tables, err));
    }
    return SS_OK;
}

void ss_encoder_transformer_release(struct ss_encoder_transformer *transformer, size_t n_layers)
{
    ss_encoder_layers_release(transformer->layers, n_layers);
    for (size_t i = 0; i < SS_ENCODER_N_LAYER_KINDS; i++) {
        ss__free(transformer->rope_tables[i]);
    }
    ss_weights_table_release(&transformer->words);
    ss__free(transformer->positions_owned);
    ss__free(transformer->vectors);
    ss__free(transformer->distance_bias);
    *transformer = (struct ss_encoder_transformer){0};
}
