/* Modules after pooling: Dense, Normalize, LayerNorm, Dropout (docs/spec/encoders.md, §1). One
 * table says how each is read and run. They are fp32 at every precision: pooled rows are few,
 * and an error here would not be made small by what follows. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "encoder/encoder_priv.h"

/* What reading a module needs. */
struct reading {
    const char *path; /* of the module's folder */
    const char *file; /* its config.json */
    const struct ss__json *json;
    ss_encoder *encoder;
};

/* NULL for `read`: nothing but the config; for `run`: the identity. */
struct ss_encoder_module_kind {
    const char *type;
    bool is_identity, normalizes;
    bool may_lack_config;
    struct ss_encoder_key_list keys;
    bool refuses_others; /* as the reference; else it passes over keys that it does not know */
    ss_status (*read)(struct ss_encoder_module *module, const struct reading *reading,
                      ss_err *err);
    ss_status (*run)(const struct ss_encoder_module *module, ss_work *work,
                     struct ss_encoder_rows *rows, ss_err *err);
};

/* ---- Dense: y = act(W x + b), with a residual where the config asks for one ---- */

static const struct {
    const char *name; /* last component of the class */
    ss_tensor_activation activation;
} dense_activations[] = {
    {"Tanh", SS_TENSOR_ACT_TANH},       {"Identity", SS_TENSOR_ACT_NONE},
    {"ReLU", SS_TENSOR_ACT_RELU},       {"GELU", SS_TENSOR_ACT_GELU},
    {"Sigmoid", SS_TENSOR_ACT_SIGMOID}, {"SiLU", SS_TENSOR_ACT_SILU},
};

/* A dotted class of torch, which the reference would import: those that are known are read, and
 * no other code is. */
static ss_status read_activation(const struct reading *r, ss_tensor_activation *out,
                                 ss_err *err)
{
    const char *name = "torch.nn.modules.activation.Tanh";
    if (ss__json_is_null(ss__json_get(r->json, "activation_function"))) {
        return ss__fail_file(err, r->file, SS_E_DATA,
                             "'activation_function' is null, expected a class of torch");
    }
    SS_RETURN_IF_ERROR(ss__json_text(r->file, r->json, "activation_function", &name, err));
    const char *last = strrchr(name, '.');
    const size_t n = sizeof dense_activations / sizeof dense_activations[0];
    for (size_t i = 0; i < n && last != NULL && strncmp(name, "torch.", 6) == 0; i++) {
        if (strcmp(last + 1, dense_activations[i].name) == 0) {
            *out = dense_activations[i].activation;
            return SS_OK;
        }
    }
    return ss__fail_file(
        err, r->file, SS_E_UNSUPPORTED,
        "'activation_function' is '%s'; read are torch's Tanh, Identity, ReLU, GELU, "
        "Sigmoid and SiLU",
        name);
}

/* The config's width must be what the module before gives. */
static ss_status check_input(const struct reading *r, const char *key,
                             const struct ss_encoder_module *module, ss_err *err)
{
    ss_status status = SS_OK;
    size_t n_in = 0;
    SS_TRY(ss__json_need(r->file, r->json, key, err));
    SS_TRY(ss__json_size(r->file, r->json, key, &n_in, err));
    if (n_in != module->n_in) {
        SS_FAIL_FILE(r->file, SS_E_SHAPE, "'%s' is %zu, but the module before gives %zu values",
                     key, n_in, module->n_in);
    }
out:
    if (status != SS_OK) {
        ss__err_about(err, key);
    }
    return status;
}

/* Weights of a module: its folder's model file. */
struct module_weights {
    struct ss_weights *weights;
    struct ss_encoder_binder binder;
};

/* The files count as read before they are. */
static ss_status open_weights(const struct reading *r, struct module_weights *out, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_weights_open_model(r->path, NULL, &out->weights, err));
    SS_RETURN_IF_ERROR(ss_encoder_add_weights(r->encoder, out->weights, err));
    return ss_encoder_binder_init(&out->binder, out->weights, NULL, err);
}

/* The end of reading them: `status`, unless the file has changed. */
static ss_status close_weights(struct module_weights *weights, ss_status status, ss_err *err)
{
    if (status == SS_OK && weights->weights != NULL) {
        status = ss_weights_check(weights->weights, err);
    }
    status = ss_weights_explain(weights->weights, status, err);
    ss_encoder_binder_release(&weights->binder);
    ss_weights_close(weights->weights);
    return status;
}

/* A residual that changes the width has a matrix of its own. */
static ss_status read_dense(struct ss_encoder_module *m, const struct reading *r, ss_err *err)
{
    ss_status status = SS_OK;
    struct module_weights w = {0};
    bool has_bias = true;
    SS_TRY(check_input(r, "in_features", m, err));
    SS_TRY(ss__json_need(r->file, r->json, "out_features", err));
    SS_TRY(ss__json_size(r->file, r->json, "out_features", &m->n_out, err));
    SS_TRY(ss__json_bool(r->file, r->json, "bias", &has_bias, err));
    SS_TRY(ss__json_bool(r->file, r->json, "use_residual", &m->has_residual, err));
    SS_TRY(read_activation(r, &m->activation, err));
    SS_TRY(open_weights(r, &w, err));
    SS_TRY(
        ss_encoder_bind_matrix(&w.binder, "linear.weight", m->n_out, m->n_in, &m->linear, err));
    if (has_bias) {
        SS_ALLOC_ALIGNED(m->vectors, m->n_out);
        SS_TRY(ss_encoder_bind_vector(&w.binder, "linear.bias", m->n_out, m->vectors, err));
        m->bias = m->vectors;
    }
    if (m->has_residual && m->n_in != m->n_out) {
        SS_TRY(ss_encoder_bind_matrix(&w.binder, "residual.weight", m->n_out, m->n_in,
                                      &m->residual, err));
    }
    SS_TRY(ss_encoder_binder_finish(&w.binder, NULL, NULL, &m->n_parameters, err));
out:
    status = close_weights(&w, status, err);
    return status;
}

/* From one slot into the other, since a product cannot be in place; where the residual has a
 * matrix of its own its product is made first, and the epilogue adds it in place. */
static ss_status run_dense(const struct ss_encoder_module *m, ss_work *work,
                           struct ss_encoder_rows *rows, ss_err *err)
{
    struct ss_tensor_epilogue epilogue = {.bias = m->bias, .activation = m->activation};
    const ss_tensor_slot slot = rows->slot == SS_TENSOR_SLOT_POOLED ? SS_TENSOR_SLOT_POOLED_NEXT
                                                                    : SS_TENSOR_SLOT_POOLED;
    float *y = ss_tensor_work_scratch(work, slot, rows->n * m->n_out * sizeof *y);
    if (y == NULL) {
        return ss__fail_nomem(err, "embeddings");
    }
    if (m->residual.panels != NULL) {
        SS_RETURN_IF_ERROR(ss_tensor_linear(work, &m->residual, rows->x, rows->n, y,
                                            &(struct ss_tensor_epilogue){0}, err));
        epilogue.residual = y;
    } else if (m->has_residual) {
        epilogue.residual = rows->x;
    }
    SS_RETURN_IF_ERROR(ss_tensor_linear(work, &m->linear, rows->x, rows->n, y, &epilogue, err));
    rows->x = y;
    rows->slot = slot;
    return SS_OK;
}

/* ---- Normalize: x / max(|x|, 1e-12) ---- */

static ss_status run_normalize(const struct ss_encoder_module *m, ss_work *work,
                               struct ss_encoder_rows *rows, ss_err *err)
{
    (void)work;
    (void)err;
    for (size_t i = 0; i < rows->n; i++) {
        float *row = rows->x + i * m->n_in;
        const float norm = sqrtf(ss_tensor_sum_squares(row, m->n_in));
        ss_tensor_scale(row, 1 / fmaxf(norm, 1e-12F), m->n_in);
    }
    return SS_OK;
}

/* ---- LayerNorm ---- */

static ss_status read_layer_norm(struct ss_encoder_module *m, const struct reading *r,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct module_weights w = {0};
    SS_TRY(check_input(r, "dimension", m, err));
    SS_TRY(open_weights(r, &w, err));
    SS_ALLOC_ALIGNED(m->vectors, 2 * m->n_in);
    SS_TRY(ss_encoder_bind_vector(&w.binder, "norm.weight", m->n_in, m->vectors, err));
    SS_TRY(ss_encoder_bind_vector(&w.binder, "norm.bias", m->n_in, m->vectors + m->n_in, err));
    m->gain = m->vectors;
    m->shift = m->vectors + m->n_in;
    SS_TRY(ss_encoder_binder_finish(&w.binder, NULL, NULL, &m->n_parameters, err));
out:
    status = close_weights(&w, status, err);
    return status;
}

static ss_status run_layer_norm(const struct ss_encoder_module *m, ss_work *work,
                                struct ss_encoder_rows *rows, ss_err *err)
{
    (void)err;
    /* eps is torch's default, which the module cannot change */
    ss_tensor_layer_norm(work, rows->x, rows->n, m->n_in, m->gain, m->shift, 1e-5F);
    return SS_OK;
}

/* ---- the table ---- */

static const char *const dense_keys[] = {
    "in_features",       "out_features",       "bias",         "activation_function",
    "module_input_name", "module_output_name", "use_residual",
};
static const char *const layer_norm_keys[] = {"dimension"};
static const char *const dropout_keys[] = {"dropout"};
static const char *const normalize_keys[] = {"module_input_name", "module_output_name"};

static const struct ss_encoder_module_kind kinds[] = {
    {.type = "Dense",
     .keys = SS_ENCODER_KEY_LIST(dense_keys),
     .read = read_dense,
     .run = run_dense},
    {.type = "Normalize",
     .normalizes = true,
     .may_lack_config = true,
     .keys = SS_ENCODER_KEY_LIST(normalize_keys),
     .run = run_normalize},
    {.type = "LayerNorm",
     .keys = SS_ENCODER_KEY_LIST(layer_norm_keys),
     .refuses_others = true,
     .read = read_layer_norm,
     .run = run_layer_norm},
    {.type = "Dropout",
     .is_identity = true,
     .may_lack_config = true,
     .keys = SS_ENCODER_KEY_LIST(dropout_keys),
     .refuses_others = true},
};

/* Modules work on the embedding, not on tokens. */
static ss_status check_place(const struct reading *r, ss_err *err)
{
    static const char *const keys[] = {"module_input_name", "module_output_name"};
    for (size_t i = 0; i < 2; i++) {
        const char *name = "sentence_embedding";
        SS_RETURN_IF_ERROR(ss__json_text(r->file, r->json, keys[i], &name, err));
        if (strcmp(name, "sentence_embedding") != 0) {
            return ss__fail_file(err, r->file, SS_E_UNSUPPORTED,
                                 "'%s' is '%s'; only 'sentence_embedding' is read", keys[i],
                                 name);
        }
    }
    return SS_OK;
}

/* A module that is not in the table is refused by its type: to leave it out would change every
 * embedding. */
ss_status ss_encoder_module_read(const struct ss_encoder_step *step, const struct ss_log *log,
                                 size_t n_in, ss_encoder *encoder,
                                 struct ss_encoder_module *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    char *file = NULL;
    *out = (struct ss_encoder_module){.n_in = n_in, .n_out = n_in};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && out->kind == NULL; i++) {
        out->kind = strcmp(step->type, kinds[i].type) == 0 ? &kinds[i] : NULL;
    }
    if (out->kind == NULL) {
        SS_FAIL_FILE(encoder->path, SS_E_UNSUPPORTED,
                     "modules.json: a module of type '%s' is not read after pooling; read are "
                     "Dense, Normalize, LayerNorm and Dropout",
                     step->type);
    }
    file = ss__path_join(step->path, "config.json");
    if (file == NULL) {
        status = ss__fail_nomem(err, "a path");
        goto out;
    }
    if (out->kind->may_lack_config) {
        SS_TRY(ss__json_load_optional(file, &json, err));
    } else {
        SS_TRY(ss__json_load(file, &json, err));
    }
    if (json != NULL) {
        SS_TRY(ss_encoder_add_file(encoder, file, NULL, err));
    }
    const struct reading reading = {
        .path = step->path, .file = file, .json = json, .encoder = encoder};
    const struct ss_encoder_known_keys known = {
        .lists = {out->kind->keys}, .refuses_others = out->kind->refuses_others, .where = ""};
    SS_TRY(ss_encoder_keys_check(file, json, &known, log, err));
    SS_TRY(check_place(&reading, err));
    if (out->kind->read != NULL) {
        SS_TRY(out->kind->read(out, &reading, err));
    }
out:
    ss__json_free(json);
    ss__free(file);
    return status;
}

void ss_encoder_module_release(struct ss_encoder_module *module)
{
    ss_tensor_matrix_release(&module->linear);
    ss_tensor_matrix_release(&module->residual);
    ss__free(module->vectors);
    *module = (struct ss_encoder_module){0};
}

bool ss_encoder_module_normalizes(const struct ss_encoder_module *module)
{
    return module->kind->normalizes;
}

bool ss_encoder_module_is_identity(const struct ss_encoder_module *module)
{
    return module->kind->is_identity;
}

ss_status ss_encoder_module_run(const struct ss_encoder_module *module, ss_work *work,
                                struct ss_encoder_rows *rows, ss_err *err)
{
    return module->kind->is_identity ? SS_OK : module->kind->run(module, work, rows, err);
}
