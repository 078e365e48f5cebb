/* The forward pass over a run of tokens (encoders.md 2): no padding, so every matrix product
 * sees real tokens only, and attention looks at one sequence at a time.
 *
 *   x  = LN(word + type + position)
 *   x' = LN(x + O attention(x))
 *   x  = LN(x' + W2 act(W1 x' + b1) + b2)      per layer
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

enum {
    BATCH_BYTES = 16 << 20, /* of scratch; 8 to 64 MiB measure the same */
    MIN_BATCH_TOKENS = 512,
    MAX_BATCH_TOKENS = 8192
};

/* ---- scratch ---- */

static float *scratch(ss_work *work, ss__slot slot, size_t n, size_t width)
{
    size_t n_floats = 0;
    size_t n_bytes = 0;
    if (!ss__mul(n, width, &n_floats) || !ss__mul(n_floats, sizeof(float), &n_bytes)) {
        return NULL;
    }
    return ss__work_scratch(work, slot, n_bytes);
}

struct buffers {
    float *hidden, *qkv, *context, *inner;
};

static ss_status get_buffers(ss_work *work, const struct ss__encoder_config *config,
                             size_t n_tokens, struct buffers *out, ss_err *err)
{
    const size_t width = config->width;
    out->hidden = scratch(work, SS__SLOT_HIDDEN, n_tokens, width);
    out->qkv = scratch(work, SS__SLOT_QKV, n_tokens, 3 * width);
    out->context = scratch(work, SS__SLOT_CONTEXT, n_tokens, width);
    out->inner = scratch(work, SS__SLOT_INNER, n_tokens, config->inner_width);
    if (out->hidden == NULL || out->qkv == NULL || out->context == NULL || out->inner == NULL) {
        return ss__fail_nomem(err, "hidden states");
    }
    return SS_OK;
}

/* ---- embeddings ---- */

struct embed_job {
    const ss_encoder *encoder;
    const struct ss__batch *batch;
    float *hidden;
};

/* Sequence `index`: words, then the type, then positions are added, the order of the reference.
 */
static void embed_sequence(void *context, size_t index, size_t worker)
{
    const struct embed_job *job = context;
    const struct ss__transformer *t = &job->encoder->transformer;
    const size_t width = job->encoder->config.width;
    const int32_t pad = job->encoder->config.family->position_pad;
    const size_t end = job->batch->offsets[index + 1];
    size_t next = (size_t)(pad + 1);
    (void)worker;
    for (size_t i = job->batch->offsets[index]; i < end; i++) {
        const int32_t id = job->batch->ids[i];
        const size_t position = pad >= 0 && id == pad ? (size_t)pad : next++;
        float *row = job->hidden + i * width;
        memcpy(row, t->words + (size_t)id * width, width * sizeof *row);
        if (t->type != NULL) {
            ss__add_to(row, t->type, width);
        }
        ss__add_to(row, t->positions + position * width, width);
    }
}

/* ---- layers ---- */

static ss_status run_layer(const ss_encoder *encoder, ss_work *work, const struct ss__layer *l,
                           const struct ss__batch *batch, const struct buffers *b, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__encoder_config *config = &encoder->config;
    const size_t n = batch->offsets[batch->n_sequences];
    const size_t head_width = config->width / config->n_heads;
    const struct ss__attention attention = {.n_heads = config->n_heads,
                                            .head_width = head_width,
                                            .scale = (float)(1 / sqrt((double)head_width)),
                                            .distance_bias = encoder->transformer.distance_bias,
                                            .max_distance = SS__MAX_DISTANCE};
    const struct ss__end qkv = {.bias = l->qkv_bias};
    const struct ss__end context = {.bias = l->context_bias,
                                    .residual = b->hidden,
                                    .norm_gain = l->gain_1,
                                    .norm_shift = l->shift_1,
                                    .norm_eps = config->norm_eps};
    const struct ss__end inner = {.bias = l->inner_bias, .activation = config->activation};
    const struct ss__end outer = {.bias = l->outer_bias,
                                  .residual = b->hidden,
                                  .norm_gain = l->gain_2,
                                  .norm_shift = l->shift_2,
                                  .norm_eps = config->norm_eps};
    SS_TRY(ss__linear(work, &l->qkv, b->hidden, n, b->qkv, &qkv, err));
    SS_TRY(ss__attend(work, &attention, b->qkv, batch->offsets, batch->n_sequences, b->context,
                      err));
    SS_TRY(ss__linear(work, &l->context, b->context, n, b->hidden, &context, err));
    SS_TRY(ss__linear(work, &l->inner, b->hidden, n, b->inner, &inner, err));
    SS_TRY(ss__linear(work, &l->outer, b->inner, n, b->hidden, &outer, err));
out:
    return status;
}

ss_status ss__transformer_run(const ss_encoder *encoder, ss_work *work,
                              const struct ss__batch *batch, float **hidden, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__encoder_config *config = &encoder->config;
    const struct ss__transformer *t = &encoder->transformer;
    const size_t n = batch->offsets[batch->n_sequences];
    struct buffers buffers = {0};
    SS_TRY(get_buffers(work, config, n, &buffers, err));
    struct embed_job job = {.encoder = encoder, .batch = batch, .hidden = buffers.hidden};
    ss__pool_run(ss__work_pool(work), batch->n_sequences, embed_sequence, &job);
    ss__layer_norm(work, buffers.hidden, n, config->width, t->gain, t->shift, config->norm_eps);
    for (size_t i = 0; i < config->n_layers; i++) {
        SS_TRY(run_layer(encoder, work, &t->layers[i], batch, &buffers, err));
    }
    *hidden = buffers.hidden;
out:
    return status;
}

/* ---- from tokens to embeddings ---- */

static ss_status embed_batch(const ss_encoder *encoder, ss_work *work,
                             const struct ss__batch *batch, float *out, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t width = encoder->config.width;
    struct ss__rows rows = {.n = batch->n_sequences, .slot = SS__SLOT_POOLED};
    float *hidden = NULL;
    SS_TRY(ss__transformer_run(encoder, work, batch, &hidden, err));
    rows.x = scratch(work, rows.slot, rows.n, encoder->pooling.n_modes * width);
    if (rows.x == NULL) {
        status = ss__fail_nomem(err, "embeddings");
        goto out;
    }
    ss__pooling_run(&encoder->pooling, work, batch, encoder->n_prompt_ids, width, hidden,
                    rows.x);
    for (size_t i = 0; i < encoder->n_modules; i++) {
        SS_TRY(ss__module_run(&encoder->modules[i], work, &rows, err));
    }
    memcpy(out, rows.x, rows.n * encoder->width * sizeof *out);
out:
    return status;
}

size_t ss__encoder_batch_tokens(const ss_encoder *encoder)
{
    const size_t n_floats = 5 * encoder->config.width + encoder->config.inner_width;
    const size_t fitting = BATCH_BYTES / (n_floats * sizeof(float));
    return ss__min_size(ss__max_size(fitting, MIN_BATCH_TOKENS), MAX_BATCH_TOKENS);
}

/* A batch of the caller's may be larger than is good: it is cut at whole texts, which changes
 * no result and bounds the scratch memory. */
ss_status ss__encoder_forward(const ss_encoder *encoder, ss_work *work,
                              const struct ss__tokens *tokens, float *out, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t budget = ss__encoder_batch_tokens(encoder);
    for (size_t begin = 0; begin < tokens->n_texts;) {
        const size_t first = tokens->offsets[begin];
        size_t end = begin + 1;
        while (end < tokens->n_texts && tokens->offsets[end + 1] - first <= budget) {
            end++;
        }
        const size_t n = end - begin;
        size_t *offsets =
            ss__work_scratch(work, SS__SLOT_OTHER, (n + 1) * sizeof *tokens->offsets);
        if (offsets == NULL) {
            status = ss__fail_nomem(err, "offsets");
            goto out;
        }
        for (size_t i = 0; i <= n; i++) {
            offsets[i] = tokens->offsets[begin + i] - first;
        }
        const struct ss__batch batch = {
            .ids = tokens->ids + first, .offsets = offsets, .n_sequences = n};
        SS_TRY(embed_batch(encoder, work, &batch, out + begin * encoder->width, err));
        begin = end;
    }
out:
    return status;
}
