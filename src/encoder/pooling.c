/* From the hidden states of a text's tokens to one embedding (docs/spec/encoders.md, §1.3).
 * Sums run in token order, so that they do not depend on what else is in a batch. There is no
 * padding, so no mask: m of the specification is 1 for tokens that count and 0 for those of a
 * prompt that is left out. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "encoder/modules_priv.h"

/* One sequence: hidden [n, width], of which the tokens from `start` on count. */
struct span {
    const float *hidden;
    size_t n, start, width;
};

static void zero(const struct span *span, float *out)
{
    memset(out, 0, span->width * sizeof *out);
}

/* Returns how many tokens there are, as the float that the mean divides by. */
static float sum(const struct span *span, float *out)
{
    zero(span, out);
    for (size_t i = span->start; i < span->n; i++) {
        ss_tensor_add_to(out, span->hidden + i * span->width, span->width);
    }
    return (float)(span->n - span->start);
}

/* The first token that counts; the very first where none does, as the reference's argmax of
 * zeros. */
static void pool_cls(const struct span *span, float *out)
{
    const size_t i = span->start < span->n ? span->start : 0;
    memcpy(out, span->hidden + i * span->width, span->width * sizeof *out);
}

/* Of no tokens all modes but cls give zeros. */
static void pool_max(const struct span *span, float *out)
{
    if (span->start == span->n) {
        zero(span, out);
        return;
    }
    pool_cls(span, out);
    for (size_t i = span->start + 1; i < span->n; i++) {
        ss_tensor_max_to(out, span->hidden + i * span->width, span->width);
    }
}

/* Like the reference, which clamps its sum of masks: of no tokens the mean is 0 and not NaN. */
static void pool_mean(const struct span *span, float *out)
{
    const float n = sum(span, out);
    ss_tensor_scale(out, 1 / fmaxf(n, 1e-9F), span->width);
}

static void pool_mean_sqrt_len(const struct span *span, float *out)
{
    const float n = sum(span, out);
    ss_tensor_scale(out, 1 / sqrtf(fmaxf(n, 1e-9F)), span->width);
}

/* Token i weighs i + 1, counted from the first token also where the prompt is left out. */
static void pool_weighted_mean(const struct span *span, float *out)
{
    double total = 0;
    zero(span, out);
    for (size_t i = span->start; i < span->n; i++) {
        const float weight = (float)(i + 1);
        ss_tensor_add_scaled_to(out, span->hidden + i * span->width, weight, span->width);
        total += weight;
    }
    ss_tensor_scale(out, (float)(1 / fmax(total, 1e-9)), span->width);
}

/* The end of a text: the closing special token, where the tokenizer adds one. */
static void pool_last(const struct span *span, float *out)
{
    if (span->start == span->n) {
        zero(span, out);
        return;
    }
    memcpy(out, span->hidden + (span->n - 1) * span->width, span->width * sizeof *out);
}

/* In the order in which the old booleans are concatenated. */
static const struct {
    const char *name, *old_key;
    void (*run)(const struct span *span, float *out);
} modes[] = {
    {"cls", "pooling_mode_cls_token", pool_cls},
    {"max", "pooling_mode_max_tokens", pool_max},
    {"mean", "pooling_mode_mean_tokens", pool_mean},
    {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", pool_mean_sqrt_len},
    {"weightedmean", "pooling_mode_weightedmean_tokens", pool_weighted_mean},
    {"lasttoken", "pooling_mode_lasttoken", pool_last},
};

enum { N_MODES = sizeof modes / sizeof modes[0], MODE_MEAN = 2 };

static ss_status add_mode(const char *file, const struct ss__json *name,
                          struct ss_encoder_pooling *out, ss_err *err)
{
    const char *text = ss__json_is_string(name) ? ss__json_string(name) : "(no text)";
    if (out->n_modes == SS_ENCODER_MAX_POOLING_MODES) {
        return ss__fail_file(err, file, SS_E_DATA, "'pooling_mode' has more than %d entries",
                             SS_ENCODER_MAX_POOLING_MODES);
    }
    for (size_t i = 0; i < N_MODES; i++) {
        if (strcmp(text, modes[i].name) == 0) {
            out->modes[out->n_modes++] = (uint8_t)i;
            return SS_OK;
        }
    }
    return ss__fail_file(err, file, SS_E_UNSUPPORTED,
                         "the pooling mode '%s' is not read; read are cls, max, mean, "
                         "mean_sqrt_len_tokens, weightedmean and lasttoken",
                         text);
}

/* The newer key counts over the booleans, of which none means mean. */
static ss_status read_modes(const char *file, const struct ss__json *json,
                            struct ss_encoder_pooling *out, ss_err *err)
{
    const struct ss__json *mode = ss__json_get(json, "pooling_mode");
    const bool is_list = ss__json_is_array(mode);
    if (mode != NULL && !ss__json_is_null(mode)) {
        const size_t n = is_list ? ss__json_count(mode) : 1;
        for (size_t i = 0; i < n; i++) {
            SS_RETURN_IF_ERROR(add_mode(file, is_list ? ss__json_at(mode, i) : mode, out, err));
        }
        if (n == 0) {
            return ss__fail_file(err, file, SS_E_DATA, "'pooling_mode' is an empty list");
        }
        return SS_OK;
    }
    for (size_t i = 0; i < N_MODES; i++) {
        bool is_on = false;
        SS_RETURN_IF_ERROR(ss__json_bool(file, json, modes[i].old_key, &is_on, err));
        if (is_on) {
            out->modes[out->n_modes++] = (uint8_t)i;
        }
    }
    if (out->n_modes == 0) {
        out->modes[out->n_modes++] = MODE_MEAN;
    }
    return SS_OK;
}

/* Stated by an older or a newer key; a width that differs means that folders were mixed. */
static ss_status check_width(const char *file, const struct ss__json *json, size_t width,
                             ss_err *err)
{
    size_t stated = width;
    SS_RETURN_IF_ERROR(ss__json_size(file, json, "word_embedding_dimension", &stated, err));
    SS_RETURN_IF_ERROR(ss__json_size(file, json, "embedding_dimension", &stated, err));
    if (stated != width) {
        return ss__fail_file(err, file, SS_E_SHAPE,
                             "pooling takes %zu values, the transformer gives %zu", stated,
                             width);
    }
    return SS_OK;
}

static const char *const read_keys[] = {"word_embedding_dimension", "embedding_dimension",
                                        "pooling_mode", "include_prompt"};

/* The reference refuses keys that it does not know. */
static ss_status check_keys(const char *file, const struct ss__json *json, ss_err *err)
{
    const char *old_keys[N_MODES];
    for (size_t i = 0; i < N_MODES; i++) {
        old_keys[i] = modes[i].old_key;
    }
    const struct ss_encoder_known_keys known = {
        .lists = {SS_ENCODER_KEY_LIST(read_keys), SS_ENCODER_KEY_LIST(old_keys)},
        .refuses_others = true,
        .where = "",
    };
    return ss_encoder_keys_check(file, json, &known, NULL, err);
}

ss_status ss_encoder_pooling_read(const char *path, size_t width,
                                  struct ss_encoder_pooling *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    char *file = NULL;
    bool includes_prompt = true;
    *out = (struct ss_encoder_pooling){0};
    if (path == NULL) {
        *out = (struct ss_encoder_pooling){.n_modes = 1, .modes = {MODE_MEAN}};
        return SS_OK;
    }
    file = ss__path_join(path, "config.json");
    if (file == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    SS_TRY(ss__json_load(file, &json, err));
    SS_TRY(read_modes(file, json, out, err));
    SS_TRY(check_keys(file, json, err));
    SS_TRY(check_width(file, json, width, err));
    SS_TRY(ss__json_bool(file, json, "include_prompt", &includes_prompt, err));
    out->excludes_prompt = !includes_prompt;
out:
    ss__json_free(json);
    ss__free(file);
    return status;
}

void ss_encoder_pooling_name(const struct ss_encoder_pooling *pooling, struct ss__buf *out)
{
    for (size_t i = 0; i < pooling->n_modes; i++) {
        ss__buf_printf(out, "%s%s", i == 0 ? "" : "+", modes[pooling->modes[i]].name);
    }
}

struct pool_job {
    const struct ss_encoder_pooling *pooling;
    const struct ss_encoder_batch *batch;
    size_t n_skipped, width;
    const float *hidden;
    float *out;
};

static void pool_one(void *context, size_t index, size_t worker)
{
    const struct pool_job *job = context;
    const size_t begin = job->batch->offsets[index];
    const size_t n = job->batch->offsets[index + 1] - begin;
    const struct span span = {.hidden = job->hidden + begin * job->width,
                              .n = n,
                              .start = ss__min_size(job->n_skipped, n),
                              .width = job->width};
    float *out = job->out + index * job->pooling->n_modes * job->width;
    (void)worker;
    for (size_t i = 0; i < job->pooling->n_modes; i++) {
        modes[job->pooling->modes[i]].run(&span, out + i * job->width);
    }
}

/* A text a job: no sum is split between threads, so the order of its terms is fixed. */
void ss_encoder_pooling_run(const struct ss_encoder_pooling *pooling, ss_work *work,
                            const struct ss_encoder_batch *batch, size_t n_skipped,
                            size_t width, const float *hidden, float *out)
{
    struct pool_job job = {.pooling = pooling,
                           .batch = batch,
                           .n_skipped = n_skipped,
                           .width = width,
                           .hidden = hidden,
                           .out = out};
    ss__pool_run(ss_tensor_work_pool(work), batch->n_sequences, pool_one, &job);
}
