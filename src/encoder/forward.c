/* The forward pass over a run of tokens (docs/spec/encoders.md 2): no padding, so every matrix
 * product sees real tokens only, and attention looks at one sequence at a time.
 *
 *   x  = LN(word + type + position)
 *   x' = LN(x + O attention(x))
 *   x  = LN(x' + W2 act(W1 x' + b1) + b2)      per layer
 *
 * Where norms come first:  x' = x + O attention(LN x),  x = x' + W2 act(W1 LN x' + b1) + b2,
 * and LN x after the last layer. Where it is gated:  W2 (act(W1 y + b1) * (W3 y + b3)) + b2. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "encoder/encoder_priv.h"

enum {
    BATCH_BYTES = 8 << 20, /* of scratch; up to 64 MiB measure the same */
    MIN_BATCH_TOKENS = 512,
    MAX_BATCH_TOKENS = 8192
};

/* ---- scratch ---- */

/* NULL where memory ran out or the size does not fit: widths are a file's. */
static float *scratch(ss_work *work, ss_tensor_slot slot, size_t n, size_t width)
{
    size_t n_floats = 0;
    size_t n_bytes = 0;
    if (!ss__mul(n, width, &n_floats) || !ss__mul(n_floats, sizeof(float), &n_bytes)) {
        return NULL;
    }
    return ss_tensor_work_scratch(work, slot, n_bytes);
}

/* `context` has a second use: it holds normalised states until attention writes it, which is
 * safe since the product of queries, keys and values has read them all by then. Queries, keys
 * and values are dead before the feed-forward part begins, so both stand in one place. */
struct buffers {
    float *hidden, *context;
    float *qkv, *inner, *gate;
};

/* Of what is between the parts of a layer, per token. */
static size_t between_width(const struct ss_encoder_config *config)
{
    const size_t inner = config->body.is_gated ? 2 * config->inner_width : config->inner_width;
    return ss__max_size(3 * config->width, inner);
}

static ss_status get_buffers(ss_work *work, const struct ss_encoder_config *config,
                             size_t n_tokens, struct buffers *out, ss_err *err)
{
    float *between = scratch(work, SS_TENSOR_SLOT_LAYER, n_tokens, between_width(config));
    out->hidden = scratch(work, SS_TENSOR_SLOT_HIDDEN, n_tokens, config->width);
    out->context = scratch(work, SS_TENSOR_SLOT_CONTEXT, n_tokens, config->width);
    if (out->hidden == NULL || out->context == NULL || between == NULL) {
        return ss__fail_nomem(err, "hidden states");
    }
    out->qkv = between;
    out->inner = between;
    out->gate = config->body.is_gated ? between + n_tokens * config->inner_width : NULL;
    return SS_OK;
}

/* ---- embeddings ---- */

/* Rows of the table of words may come from the file, so a lookup can fail in any thread. */
struct embed_job {
    const ss_encoder *encoder;
    const struct ss_encoder_batch *batch;
    float *hidden;
    atomic_flag has_failed;
    ss_status status; /* of the first task that failed */
    ss_err err;
};

/* The first failure is told; the others say the same of other rows. */
static void note_failure(struct embed_job *job, ss_status status, const ss_err *err)
{
    if (!atomic_flag_test_and_set(&job->has_failed)) {
        job->status = status;
        job->err = *err;
    }
}

/* Sequence `index`: words, then the type, then positions are added, the order of the
 * reference. Positions are indices, or count the ids that are not padding
 * (docs/spec/encoders.md, §2.1). */
static void embed_sequence(void *context, size_t index, size_t worker)
{
    struct embed_job *job = context;
    const struct ss_encoder_transformer *t = &job->encoder->transformer;
    const size_t width = job->encoder->config.width;
    const int32_t pad = job->encoder->config.position_pad;
    const size_t end = job->batch->offsets[index + 1];
    size_t next = (size_t)(pad + 1);
    (void)worker;
    for (size_t i = job->batch->offsets[index]; i < end; i++) {
        const int32_t id = job->batch->ids[i];
        const size_t position = pad >= 0 && id == pad ? (size_t)pad : next++;
        float *row = job->hidden + i * width;
        ss_err err;
        const ss_status status = ss_weights_table_rows(&t->words, (size_t)id, 1, row, &err);
        if (status != SS_OK) {
            note_failure(job, status, &err);
            return;
        }
        if (t->type != NULL) {
            ss_tensor_add_to(row, t->type, width);
        }
        if (t->positions != NULL) {
            ss_tensor_add_to(row, t->positions + position * width, width);
        }
    }
}

/* ---- layers ---- */

/* A layer at work. */
struct run {
    const struct ss_encoder_config *config;
    const struct ss_encoder_transformer *transformer;
    const struct ss_encoder_layer *layer;
    const struct ss_encoder_layer_kind *kind;
    const float *rope_tables; /* of this kind of layer */
    ss_work *work;
    const struct ss_encoder_batch *batch;
    const struct buffers *buffers;
    size_t n;       /* tokens */
    float *squares; /* of this layer; or NULL */
};

/* What a part of the layer takes: the hidden states, normalised where norms come first. */
static const float *sublayer_input(const struct run *run, const float *gain, const float *shift)
{
    const struct buffers *b = run->buffers;
    if (!run->config->body.norms_first || gain == NULL) {
        return b->hidden;
    }
    ss_tensor_layer_norm_to(run->work,
                            &(struct ss_tensor_norm_rows){.x = b->hidden,
                                                          .out = b->context,
                                                          .n_rows = run->n,
                                                          .width = run->config->width,
                                                          .gain = gain,
                                                          .shift = shift,
                                                          .eps = run->config->norm_eps});
    return b->context;
}

/* How a part ends: added to the hidden states, normalised where norms come after. */
static struct ss_tensor_epilogue output_epilogue(const struct run *run, const float *bias,
                                                 const float *gain, const float *shift)
{
    const bool has_norm = !run->config->body.norms_first;
    return (struct ss_tensor_epilogue){.bias = bias,
                                       .residual = run->buffers->hidden,
                                       .norm_gain = has_norm ? gain : NULL,
                                       .norm_shift = has_norm ? shift : NULL,
                                       .norm_eps = run->config->norm_eps};
}

/* Only while a model is opened (smoothing.c). */
static void measure(const struct run *run, ss_encoder_measured_input input, const float *x)
{
    const size_t width = run->config->width;
    if (run->squares != NULL) {
        ss_tensor_add_squares_to(run->squares + input * width, x, run->n, width);
    }
}

/* Queries and keys turn by their positions, in place; values do not. */
static void rotate(const struct run *run)
{
    const struct ss_encoder_config *config = run->config;
    const struct ss_tensor_rotary rotary = {.n_heads = config->n_heads,
                                            .head_width = config->width / config->n_heads,
                                            .half = config->rotary_half,
                                            .cosines = run->rope_tables,
                                            .sines = run->rope_tables +
                                                     config->n_positions * config->rotary_half};
    ss_tensor_rotate(run->work, &rotary, run->buffers->qkv, run->batch->offsets,
                     run->batch->n_sequences);
}

/* x becomes x + O attention(x), normalised before or after. The epilogue of the last product
 * adds the bias and the residual and normalises while a block of rows is in cache. */
static ss_status run_attention(const struct run *run, ss_err *err)
{
    const struct ss_encoder_layer *l = run->layer;
    const struct buffers *b = run->buffers;
    const size_t head_width = run->config->width / run->config->n_heads;
    const struct ss_tensor_attention attention = {
        .n_heads = run->config->n_heads,
        .head_width = head_width,
        .scale = (float)(1 / sqrt((double)head_width)),
        .distance_bias = run->transformer->distance_bias,
        .max_distance = SS_ENCODER_MAX_DISTANCE,
        .window = run->kind->window,
        .precision = run->config->precision};
    const struct ss_tensor_epilogue qkv = {.bias = l->qkv_bias};
    const struct ss_tensor_epilogue context =
        output_epilogue(run, l->context_bias, l->gain_1, l->shift_1);
    const float *x = sublayer_input(run, l->gain_1, l->shift_1);
    measure(run, SS_ENCODER_INPUT_OF_ATTENTION, x);
    SS_RETURN_IF_ERROR(ss_tensor_linear(run->work, &l->qkv, x, run->n, b->qkv, &qkv, err));
    if (run->rope_tables != NULL) {
        rotate(run);
    }
    SS_RETURN_IF_ERROR(ss_tensor_attend(run->work, &attention, b->qkv, run->batch->offsets,
                                        run->batch->n_sequences, b->context, err));
    return ss_tensor_linear(run->work, &l->context, b->context, run->n, b->hidden, &context,
                            err);
}

/* x becomes x + W2 (act(W1 x) * (W3 x)), or without the gate. The activation belongs to the
 * inner product's epilogue, since only that half goes through it. */
static ss_status run_feed_forward(const struct run *run, ss_err *err)
{
    const struct ss_encoder_layer *l = run->layer;
    const struct buffers *b = run->buffers;
    const struct ss_tensor_epilogue inner = {.bias = l->inner_bias,
                                             .activation = run->config->activation};
    const struct ss_tensor_epilogue gate = {.bias = l->gate_bias};
    const struct ss_tensor_epilogue outer =
        output_epilogue(run, l->outer_bias, l->gain_2, l->shift_2);
    const float *x = sublayer_input(run, l->gain_2, l->shift_2);
    measure(run, SS_ENCODER_INPUT_OF_FEED_FORWARD, x);
    SS_RETURN_IF_ERROR(
        ss_tensor_linear(run->work, &l->inner, x, run->n, b->inner, &inner, err));
    if (run->config->body.is_gated) {
        SS_RETURN_IF_ERROR(
            ss_tensor_linear(run->work, &l->gate, x, run->n, b->gate, &gate, err));
        ss_tensor_multiply_by(run->work, b->inner, b->gate, run->n * run->config->inner_width);
    }
    return ss_tensor_linear(run->work, &l->outer, b->inner, run->n, b->hidden, &outer, err);
}

/* A stop is asked for once per layer: soon enough, and rarely enough to cost nothing. */
static ss_status run_layers(struct run *run, ss_err *err)
{
    for (size_t i = 0; i < run->config->n_layers; i++) {
        const uint8_t kind = run->config->kind_of[i];
        run->layer = &run->transformer->layers[i];
        run->kind = &run->config->kinds[kind];
        run->rope_tables = run->transformer->rope_tables[kind];
        run->squares =
            run->batch->squares == NULL
                ? NULL
                : run->batch->squares + i * SS_ENCODER_N_MEASURED_INPUTS * run->config->width;
        SS_RETURN_IF_ERROR(run_attention(run, err));
        SS_RETURN_IF_ERROR(run_feed_forward(run, err));
        SS_RETURN_IF_ERROR(ss_tensor_work_check(run->work, err));
    }
    return SS_OK;
}

ss_status ss_encoder_transformer_run(const ss_encoder *encoder, ss_work *work,
                                     const struct ss_encoder_batch *batch, float **hidden,
                                     ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_encoder_config *config = &encoder->config;
    const struct ss_encoder_transformer *t = &encoder->transformer;
    const size_t n = batch->offsets[batch->n_sequences];
    struct buffers buffers = {0};
    SS_TRY(get_buffers(work, config, n, &buffers, err));
    struct embed_job job = {.encoder = encoder,
                            .batch = batch,
                            .hidden = buffers.hidden,
                            .has_failed = ATOMIC_FLAG_INIT};
    ss__pool_run(ss_tensor_work_pool(work), batch->n_sequences, embed_sequence, &job);
    if (job.status != SS_OK) {
        status = job.status;
        if (err != NULL) {
            *err = job.err;
        }
        goto out;
    }
    ss_tensor_layer_norm(work, buffers.hidden, n, config->width, t->gain, t->shift,
                         config->norm_eps);
    struct run run = {.config = config,
                      .transformer = t,
                      .work = work,
                      .batch = batch,
                      .buffers = &buffers,
                      .n = n};
    SS_TRY(run_layers(&run, err));
    if (t->final_gain != NULL) {
        ss_tensor_layer_norm(work, buffers.hidden, n, config->width, t->final_gain,
                             t->final_shift, config->norm_eps);
    }
    *hidden = buffers.hidden;
out:
    return status;
}

/* ---- from tokens to embeddings ---- */

/* Pooled rows go from module to module between two slots; what is given out is the first
 * `width` of their values. */
static ss_status embed_batch(const ss_encoder *encoder, ss_work *work,
                             const struct ss_encoder_batch *batch, float *out, ss_err *err)
{
    const size_t width = encoder->config.width;
    struct ss_encoder_rows rows = {.n = batch->n_sequences, .slot = SS_TENSOR_SLOT_POOLED};
    float *hidden = NULL;
    SS_RETURN_IF_ERROR(ss_encoder_transformer_run(encoder, work, batch, &hidden, err));
    rows.x = scratch(work, rows.slot, rows.n, encoder->pooling.n_modes * width);
    if (rows.x == NULL) {
        return ss__fail_nomem(err, "embeddings");
    }
    ss_encoder_pooling_run(&encoder->pooling, work, batch, encoder->n_prompt_ids, width, hidden,
                           rows.x);
    for (size_t i = 0; i < encoder->n_modules; i++) {
        SS_RETURN_IF_ERROR(ss_encoder_module_run(&encoder->modules[i], work, &rows, err));
    }
    SS_RETURN_IF_ERROR(ss_tensor_work_check(work, err));
    for (size_t i = 0; i < rows.n; i++) {
        memcpy(out + i * encoder->width, rows.x + i * encoder->full_width,
               encoder->width * sizeof *out);
    }
    return SS_OK;
}

/* Enough tokens to keep the threads in large products, few enough for the buffers to stay in
 * cache. */
size_t ss_encoder_batch_tokens(const ss_encoder *encoder)
{
    const struct ss_encoder_config *config = &encoder->config;
    const size_t n_floats = 2 * config->width + between_width(config);
    const size_t fitting = BATCH_BYTES / (n_floats * sizeof(float));
    return ss__min_size(ss__max_size(fitting, MIN_BATCH_TOKENS), MAX_BATCH_TOKENS);
}

/* A batch of the caller's may be larger than is good: it is cut at whole texts, which changes
 * no result and bounds the scratch memory. */
ss_status ss_encoder_forward(const ss_encoder *encoder, ss_work *work,
                             const struct ss_tokenizer_tokens *tokens, float *out, ss_err *err)
{
    const size_t budget = ss_encoder_batch_tokens(encoder);
    for (size_t begin = 0; begin < tokens->n_texts;) {
        const size_t first = tokens->offsets[begin];
        size_t end = begin + 1;
        while (end < tokens->n_texts && tokens->offsets[end + 1] - first <= budget) {
            end++;
        }
        const size_t n = end - begin;
        size_t *offsets = ss_tensor_work_scratch(work, SS_TENSOR_SLOT_OTHER,
                                                 (n + 1) * sizeof *tokens->offsets);
        if (offsets == NULL) {
            return ss__fail_nomem(err, "offsets");
        }
        for (size_t i = 0; i <= n; i++) {
            offsets[i] = tokens->offsets[begin + i] - first;
        }
        const struct ss_encoder_batch batch = {
            .ids = tokens->ids + first, .offsets = offsets, .n_sequences = n};
        SS_RETURN_IF_ERROR(
            embed_batch(encoder, work, &batch, out + begin * encoder->width, err));
        begin = end;
    }
    return ss_weights_check(encoder->weights, err);
}
