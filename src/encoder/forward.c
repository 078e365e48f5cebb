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
    BATCH_BYTES = 8 << 20,   /* of scratch; up to 64 MiB measure the same */
    MIN_BATCH_TOKENS = 2048, /* blocks of rows enough for threads to share */
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

/* `context` has a second use: it holds normalised states until attention writes it. Rows pass
 * by blocks from the feed-forward part of a layer to the queries, keys and values of the next,
 * so these stand in a place of their own beside a gate; without one, the part between is in the
 * thread's own memory (ss_tensor_linear_steps) and shares the place. */
struct buffers {
    float *hidden, *context;
    float *qkv, *inner, *gate;
};

/* Of what is between the parts of a layer, per token. */
static size_t between_width(const struct ss_encoder_config *config)
{
    const size_t width = ss__max_size(3 * config->width, config->inner_width);
    return config->body.is_gated ? width + config->inner_width : width;
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
    out->gate = config->body.is_gated
                    ? between + n_tokens * (between_width(config) - config->inner_width)
                    : NULL;
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

enum { MAX_STEPS = 5 };

/* A layer at work, and the products that its rows go through next. */
struct run {
    const struct ss_encoder_config *config;
    const struct ss_encoder_transformer *transformer;
    const struct ss_encoder_layer *layer;
    const struct ss_encoder_layer_kind *kind;
    const float *rope_tables; /* of this kind of layer */
    ss_work *work;
    const struct ss_encoder_batch *batch;
    const struct buffers *buffers;
    size_t n; /* tokens */
    struct ss_tensor_linear_step steps[MAX_STEPS];
    size_t n_steps;
};

static ss_status run_steps(struct run *run, ss_err *err)
{
    const size_t n = run->n_steps;
    run->n_steps = 0;
    return n == 0 ? SS_OK : ss_tensor_linear_steps(run->work, run->steps, n, run->n, err);
}

static void add_step(struct run *run, const struct ss_tensor_matrix *w, const float *x,
                     float *y, struct ss_tensor_epilogue epilogue)
{
    run->steps[run->n_steps++] =
        (struct ss_tensor_linear_step){.w = w, .epilogue = epilogue, .x = x, .y = y};
}

/* The hidden states times w, normalised first where norms come first. */
static void add_input_step(struct run *run, const struct ss_tensor_matrix *w, float *y,
                           struct ss_tensor_epilogue epilogue, const float *gain,
                           const float *shift)
{
    add_step(run, w, run->buffers->hidden, y, epilogue);
    if (run->config->body.norms_first && gain != NULL) {
        struct ss_tensor_linear_step *step = &run->steps[run->n_steps - 1];
        step->input_gain = gain;
        step->input_shift = shift;
        step->input_eps = run->config->norm_eps;
        step->normed = run->buffers->context;
    }
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

/* Add the squares of what a part of layer i takes: only while a model is opened (smoothing.c).
 * The steps before are run first. */
static ss_status measure(struct run *run, size_t i, ss_encoder_measured_input input,
                         const float *gain, const float *shift, ss_err *err)
{
    const size_t width = run->config->width;
    const float *x = run->buffers->hidden;
    if (run->batch->squares == NULL) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(run_steps(run, err));
    if (run->config->body.norms_first && gain != NULL) {
        ss_tensor_layer_norm_to(run->work,
                                &(struct ss_tensor_norm_rows){.x = x,
                                                              .out = run->buffers->context,
                                                              .n_rows = run->n,
                                                              .width = width,
                                                              .gain = gain,
                                                              .shift = shift,
                                                              .eps = run->config->norm_eps});
        x = run->buffers->context;
    }
    ss_tensor_add_squares_to(run->batch->squares +
                                 (i * SS_ENCODER_N_MEASURED_INPUTS + input) * width,
                             x, run->n, width);
    return SS_OK;
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

/* Queries, keys and values of layer i. */
static ss_status add_qkv(struct run *run, size_t i, ss_err *err)
{
    const struct ss_encoder_layer *l = &run->transformer->layers[i];
    SS_RETURN_IF_ERROR(
        measure(run, i, SS_ENCODER_INPUT_OF_ATTENTION, l->gain_1, l->shift_1, err));
    add_input_step(run, &l->qkv, run->buffers->qkv,
                   (struct ss_tensor_epilogue){.bias = l->qkv_bias}, l->gain_1, l->shift_1);
    return SS_OK;
}

/* Attention over queries, keys and values; then x becomes x + O attention(x), normalised before
 * or after. */
static ss_status run_attention(struct run *run, ss_err *err)
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
    if (run->rope_tables != NULL) {
        rotate(run);
    }
    SS_RETURN_IF_ERROR(ss_tensor_attend(run->work, &attention, b->qkv, run->batch->offsets,
                                        run->batch->n_sequences, b->context, err));
    add_step(run, &l->context, b->context, b->hidden,
             output_epilogue(run, l->context_bias, l->gain_1, l->shift_1));
    return SS_OK;
}

/* x becomes x + W2 (act(W1 x) * (W3 x)), or without the gate. */
static ss_status add_feed_forward(struct run *run, size_t i, ss_err *err)
{
    const struct ss_encoder_layer *l = run->layer;
    const struct buffers *b = run->buffers;
    const struct ss_tensor_epilogue inner = {
        .bias = l->inner_bias, .activation = run->config->activation, .factors = b->gate};
    SS_RETURN_IF_ERROR(
        measure(run, i, SS_ENCODER_INPUT_OF_FEED_FORWARD, l->gain_2, l->shift_2, err));
    if (run->config->body.is_gated) {
        add_input_step(run, &l->gate, b->gate,
                       (struct ss_tensor_epilogue){.bias = l->gate_bias}, l->gain_2,
                       l->shift_2);
    }
    add_input_step(run, &l->inner, b->inner, inner, l->gain_2, l->shift_2);
    run->steps[run->n_steps - 1].is_inner = true;
    add_step(run, &l->outer, b->inner, b->hidden,
             output_epilogue(run, l->outer_bias, l->gain_2, l->shift_2));
    return SS_OK;
}

/* Rows go from one attention to the next without a pause: through the end of a layer and the
 * beginning of the next. A stop is asked for once per layer: soon enough, and rarely enough to
 * cost nothing. */
static ss_status run_layers(struct run *run, ss_err *err)
{
    const size_t n = run->config->n_layers;
    for (size_t i = 0; i < n; i++) {
        const uint8_t kind = run->config->kind_of[i];
        if (i == 0) {
            SS_RETURN_IF_ERROR(add_qkv(run, i, err));
            SS_RETURN_IF_ERROR(run_steps(run, err));
        }
        run->layer = &run->transformer->layers[i];
        run->kind = &run->config->kinds[kind];
        run->rope_tables = run->transformer->rope_tables[kind];
        SS_RETURN_IF_ERROR(run_attention(run, err));
        SS_RETURN_IF_ERROR(add_feed_forward(run, i, err));
        if (i + 1 < n) {
            SS_RETURN_IF_ERROR(add_qkv(run, i + 1, err));
        }
        SS_RETURN_IF_ERROR(run_steps(run, err));
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
