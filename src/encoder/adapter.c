/* An adapter beside a model, as PEFT saves it: adapter_config.json and
 * adapter_model.safetensors (or .bin). Low-rank adapters (LoRA) are merged into the weights
 * that they change,
 *
 *   W + scale B A        A [r, n_in], B [n_out, r], scale = alpha / r, or alpha / sqrt(r)
 *
 * where the weights are bound; parameters that it holds whole (`modules_to_save`) take the
 * place of the model's. Anything else is refused by name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "encoder/bind_priv.h"

static const char config_name[] = "adapter_config.json";
static const char *const weight_names[] = {"adapter_model.safetensors", "adapter_model.bin"};
enum {
    N_WEIGHT_NAMES = sizeof weight_names / sizeof weight_names[0],
    MAX_RANK = 1 << 12,
    MAX_TENSORS = 1 << 13
};

/* ---- adapter_config.json ---- */

static const char *const read_keys[] = {
    "peft_type",
    "base_model_name_or_path",
    "r",
    "lora_alpha",
    "use_rslora",
    "target_modules",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "bias",
    "init_lora_weights",
    "layers_to_transform",
    "layers_pattern",
};
/* `fan_in_fan_out` is for layers that are stored the other way round; PEFT turns it off for
 * linear ones. What is excluded has no tensors. */
static const char *const harmless_keys[] = {
    "task_type",       "inference_mode", "auto_mapping",      "peft_version",
    "revision",        "lora_dropout",   "fan_in_fan_out",    "megatron_core",
    "runtime_config",  "eva_config",     "qalora_group_size", "ensure_weight_tying",
    "exclude_modules",
};
/* Variants that compute something else. */
static const char *const variant_keys[] = {
    "use_dora",          "lora_bias",       "use_qalora",   "use_bdlora",
    "target_parameters", "megatron_config", "arrow_config", "trainable_token_indices",
    "layer_replication", "corda_config",    "loftq_config", "alora_invocation_tokens",
    "lora_ga_config",    "velora_config",   "kasa_config",  "monteclora_config",
};
static const struct ss_encoder_known_keys known_keys = {
    .lists = {SS_ENCODER_KEY_LIST(read_keys), SS_ENCODER_KEY_LIST(harmless_keys)},
    .refused = SS_ENCODER_KEY_LIST(variant_keys),
    .refuses_others = true,
    .where = "",
};

/* A config that is being read, with what it says for modules that no pattern names. */
struct reading {
    const char *file;
    const struct ss__json *json;
    struct ss_encoder_adapter *adapter;
    const char *const *prefixes;
    double rank, alpha;
    bool is_stabilized; /* scale by the square root of the rank */
};

/* Besides LoRA's own kinds of start there are some (PiSSA, OLoRA …) that take a part out of the
 * base model's weights first: W + scale B A would be wrong for them. */
static ss_status check_kind(const struct reading *r, const struct ss_log *log, ss_err *err)
{
    const char *type = "";
    const struct ss__json *start = ss__json_get(r->json, "init_lora_weights");
    const char *start_name = ss__json_string(start);
    SS_RETURN_IF_ERROR(ss__json_need(r->file, r->json, "peft_type", err));
    SS_RETURN_IF_ERROR(ss__json_text(r->file, r->json, "peft_type", &type, err));
    if (strcmp(type, "LORA") != 0) {
        return ss__fail_file(
            err, r->file, SS_E_UNSUPPORTED,
            "this is an adapter of the kind '%.60s' ('peft_type'); only LORA is read: "
            "merge it into its base model",
            type);
    }
    if (start_name != NULL && strcmp(start_name, "gaussian") != 0 &&
        strcmp(start_name, "orthogonal") != 0) {
        return ss__fail_file(
            err, r->file, SS_E_UNSUPPORTED,
            "'init_lora_weights' is '%.60s', which changes the base model's weights; "
            "merge the adapter into its base model",
            start_name);
    }
    return ss_encoder_keys_check(r->file, r->json, &known_keys, log, err);
}

/* PEFT's defaults are 8 for both. */
static ss_status read_scales(struct reading *r, ss_err *err)
{
    r->rank = r->alpha = 8;
    SS_RETURN_IF_ERROR(ss__json_number(r->file, r->json, "r", &r->rank, err));
    SS_RETURN_IF_ERROR(ss__json_number(r->file, r->json, "lora_alpha", &r->alpha, err));
    SS_RETURN_IF_ERROR(ss__json_bool(r->file, r->json, "use_rslora", &r->is_stabilized, err));
    if (!(r->rank >= 1 && r->rank <= MAX_RANK)) {
        return ss__fail_file(err, r->file, SS_E_DATA, "'r' is %g, expected 1 to %d", r->rank,
                             MAX_RANK);
    }
    return SS_OK;
}

/* Whether `name` is `end`, or ends with it after a dot. */
static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), n_end = strlen(end);
    return n >= n_end && strcmp(name + n - n_end, end) == 0 &&
           (n == n_end || name[n - n_end - 1] == '.');
}

/* The value for a module in a pattern: keys are names, or their ends; as regular expressions
 * they would have to be read by Python's rules. */
static ss_status read_pattern(const struct reading *r, const char *key, const char *module,
                              double *value, ss_err *err)
{
    const struct ss__json *pattern = ss__json_get(r->json, key);
    const char *name = NULL;
    struct ss__json *number = NULL;
    bool found = false;
    SS_JSON_EACH_MEMBER (pattern, name, number) {
        const char *plain = name[0] == '^' ? name + 1 : name;
        if (strpbrk(plain, "*+?[](){}|\\^$") != NULL || !ss__json_is_number(number)) {
            return ss__fail_file(
                err, r->file, SS_E_UNSUPPORTED,
                "'%s' has '%.200s', and only plain names of modules are read, each with "
                "a number",
                key, name);
        }
        const bool is_it =
            name[0] == '^' ? strcmp(module, plain) == 0 : ends_with(module, name);
        if (is_it && !found) {
            *value = ss__json_real(number);
            found = true;
        }
    }
    return SS_OK;
}

static bool list_has_end(const struct ss__json *list, const char *module)
{
    for (size_t i = 0; i < ss__json_count(list); i++) {
        const char *end = ss__json_string(ss__json_at(list, i));
        if (end != NULL && ends_with(module, end)) {
            return true;
        }
    }
    return false;
}

/* Whether the layer of a module is among those of the config: its first number. */
static bool is_in_layers(const struct ss__json *layers, const char *module)
{
    const char *at = module;
    while (*at != '\0' && !(at[0] == '.' && at[1] >= '0' && at[1] <= '9')) {
        at++;
    }
    if (layers == NULL || ss__json_is_null(layers) || *at == '\0' ||
        (ss__json_is_array(layers) && ss__json_count(layers) == 0)) {
        return true;
    }
    const int64_t layer = (int64_t)strtol(at + 1, NULL, 10);
    bool found = ss__json_is_integer(layers) && ss__json_integer(layers) == layer;
    for (size_t i = 0; i < ss__json_count(layers); i++) {
        found = found || ss__json_integer(ss__json_at(layers, i)) == layer;
    }
    return found;
}

/* PEFT drops tensors of modules that the config does not name. */
static ss_status check_target(const struct reading *r, const char *module, ss_err *err)
{
    const struct ss__json *targets = ss__json_get(r->json, "target_modules");
    const struct ss__json *layers = ss__json_get(r->json, "layers_to_transform");
    const bool is_named = !ss__json_is_array(targets) || list_has_end(targets, module);
    if (!is_named || !is_in_layers(layers, module)) {
        return ss__fail_file(
            err, r->file, SS_E_DATA,
            "the adapter holds weights for '%.200s', but '%s' does not name it", module,
            is_named ? "layers_to_transform" : "target_modules");
    }
    return SS_OK;
}

/* ---- tensors ---- */

/* `name` without `start`, if it begins so: PEFT names tensors as they lie in its own
 * wrapper. */
static const char *skip(const char *name, const char *start)
{
    const size_t n = strlen(start);
    return strncmp(name, start, n) == 0 ? name + n : name;
}

/* Ends of the names of an adapter's tensors, behind the module that they change. */
static const struct end {
    const char *text;
    bool is_a, is_b;
    bool is_table; /* of an embedding, whose rows are outputs of A */
} ends[] = {
    {".lora_A.weight", .is_a = true},
    {".lora_B.weight", .is_b = true},
    {".lora_A.default.weight", .is_a = true},
    {".lora_B.default.weight", .is_b = true},
    {".lora_embedding_A", .is_a = true, .is_table = true},
    {".lora_embedding_B", .is_b = true, .is_table = true},
};

/* NULL for a parameter that is kept whole; else *n_module bytes of the name are the
 * module's. */
static const struct end *find_end(const char *name, size_t *n_module)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        const size_t n_end = strlen(ends[i].text);
        if (n > n_end && strcmp(name + n - n_end, ends[i].text) == 0) {
            *n_module = n - n_end;
            return &ends[i];
        }
    }
    return NULL;
}

/* The change of a tensor, new or there; there is room for one per tensor of the adapter. */
static struct ss_encoder_adapter_delta *need_delta(struct ss_encoder_adapter *adapter,
                                                   const char *name)
{
    for (size_t i = 0; i < adapter->n; i++) {
        if (strcmp(adapter->deltas[i].name, name) == 0) {
            return &adapter->deltas[i];
        }
    }
    adapter->deltas[adapter->n].name = name;
    return &adapter->deltas[adapter->n++];
}

/* The rank is in the tensor's shape and in the config: where the two differ, one of them is of
 * another adapter. */
static ss_status add_low_rank(const struct reading *r, const struct ss_weights_tensor *tensor,
                              const struct end *end, const char *module, ss_err *err)
{
    struct ss_encoder_adapter *adapter = r->adapter;
    struct ss_encoder_adapter_delta *delta = NULL;
    double rank = r->rank, alpha = r->alpha;
    const char *weight = ss__arena_printf(&adapter->arena, "%s.weight", module);
    const char *name =
        weight == NULL ? NULL : ss_encoder_plain_name(&adapter->arena, weight, r->prefixes);
    if (name == NULL) {
        return ss__fail_nomem(err, "tensor names");
    }
    SS_RETURN_IF_ERROR(check_target(r, module, err));
    SS_RETURN_IF_ERROR(read_pattern(r, "rank_pattern", module, &rank, err));
    SS_RETURN_IF_ERROR(read_pattern(r, "alpha_pattern", module, &alpha, err));
    const uint64_t n_rank = tensor->n_dims == 2 ? tensor->shape[end->is_a ? 0 : 1] : 0;
    if (n_rank == 0 || (double)n_rank != rank) {
        return ss__fail_file(err, ss_weights_path(adapter->weights), SS_E_SHAPE,
                             "the tensor '%s' has the rank %llu, the config says %g",
                             tensor->name, (unsigned long long)n_rank, rank);
    }
    delta = need_delta(adapter, name);
    *(end->is_a ? &delta->a : &delta->b) = tensor;
    delta->is_table = end->is_table;
    delta->scale = alpha / (r->is_stabilized ? sqrt(rank) : rank);
    return SS_OK;
}

/* A parameter of a module that was trained as a whole. */
static ss_status add_whole(const struct reading *r, const struct ss_weights_tensor *tensor,
                           const char *name, ss_err *err)
{
    const char *last = strrchr(name, '.');
    const char *module =
        last == NULL ? NULL
                     : ss__arena_strndup(&r->adapter->arena, name, (size_t)(last - name));
    const char *plain = ss_encoder_plain_name(&r->adapter->arena, name, r->prefixes);
    if (plain == NULL || (last != NULL && module == NULL)) {
        return ss__fail_nomem(err, "tensor names");
    }
    const struct ss__json *saved = ss__json_get(r->json, "modules_to_save");
    if (module == NULL || !list_has_end(saved, module)) {
        return ss__fail_file(
            err, ss_weights_path(r->adapter->weights), SS_E_UNSUPPORTED,
            "the adapter's tensor '%s' is of a kind that is not read; merge the adapter "
            "into its base model",
            tensor->name);
    }
    need_delta(r->adapter, plain)->whole = tensor;
    return SS_OK;
}

/* A name that has none of the ends is that of a parameter which was trained as a whole. */
static ss_status add_tensor(const struct reading *r, const struct ss_weights_tensor *tensor,
                            ss_err *err)
{
    size_t n_module = 0;
    const char *name = skip(skip(tensor->name, "base_model."), "model.");
    const struct end *end = find_end(name, &n_module);
    if (end == NULL) {
        return add_whole(r, tensor, name, err);
    }
    const char *module = ss__arena_strndup(&r->adapter->arena, name, n_module);
    return module == NULL ? ss__fail_nomem(err, "tensor names")
                          : add_low_rank(r, tensor, end, module, err);
}

/* A alone would be a change of nothing, which nobody stores on purpose. */
static ss_status check_pairs(const struct ss_encoder_adapter *adapter, ss_err *err)
{
    for (size_t i = 0; i < adapter->n; i++) {
        const struct ss_encoder_adapter_delta *delta = &adapter->deltas[i];
        if ((delta->a == NULL) != (delta->b == NULL)) {
            return ss__fail_file(err, ss_weights_path(adapter->weights), SS_E_DATA,
                                 "the adapter has one of two matrices for '%s'", delta->name);
        }
    }
    return SS_OK;
}

/* need_delta searches a list, so the number of tensors is bounded before it is called. */
static ss_status read_tensors(const struct reading *r, ss_err *err)
{
    struct ss_encoder_adapter *adapter = r->adapter;
    const size_t n = ss_weights_n(adapter->weights);
    if (n > MAX_TENSORS) {
        return ss__fail_file(err, ss_weights_path(adapter->weights), SS_E_LIMIT,
                             "the adapter has %zu tensors; at most %d are read", n,
                             MAX_TENSORS);
    }
    SS_ALLOC_OR_RETURN(adapter->deltas, n);
    for (size_t i = 0; i < n; i++) {
        SS_RETURN_IF_ERROR(
            ss_encoder_check_stored(adapter->weights, ss_weights_at(adapter->weights, i), err));
        SS_RETURN_IF_ERROR(add_tensor(r, ss_weights_at(adapter->weights, i), err));
    }
    return check_pairs(adapter, err);
}

/* ---- opening ---- */

/* The first of the weight files that is there; *out NULL where there is none. */
static ss_status find_weights(const char *folder, char **out, ss_err *err)
{
    *out = NULL;
    for (size_t i = 0; i < N_WEIGHT_NAMES && *out == NULL; i++) {
        *out = ss__path_join(folder, weight_names[i]);
        if (*out == NULL) {
            return ss__fail_nomem(err, "a path");
        }
        if (ss__path_stat(*out) == SS__PATH_NONE) {
            ss__free(*out);
            *out = NULL;
        }
    }
    return SS_OK;
}

ss_status ss_encoder_adapter_find(const char *folder, struct ss__arena *arena,
                                  struct ss_encoder_adapter_files *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    const char *base = "";
    char *file = ss__path_join(folder, config_name);
    char *weights = NULL;
    *out = (struct ss_encoder_adapter_files){0};
    if (file == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__json_load_optional(file, &json, err));
    SS_TRY(find_weights(folder, &weights, err));
    if (json == NULL && weights != NULL) {
        SS_FAIL_FILE(
            weights, SS_E_DATA,
            "this is an adapter, but its %s is not there; put it beside it, or take the "
            "adapter away",
            config_name);
    }
    if (json != NULL) {
        SS_TRY(ss__json_text(file, json, "base_model_name_or_path", &base, err));
        out->file = ss__arena_strndup(arena, file, strlen(file));
        out->base = ss__arena_strndup(arena, base, strlen(base));
        out->weights =
            weights == NULL ? "" : ss__arena_strndup(arena, weights, strlen(weights));
        if (out->file == NULL || out->base == NULL || out->weights == NULL) {
            SS_TRY(ss__fail_nomem(err, "names"));
        }
    }
out:
    ss__free(file);
    ss__free(weights);
    ss__json_free(json);
    return status;
}

ss_status ss_encoder_adapter_open(const struct ss_encoder_adapter_files *files,
                                  const char *const *prefixes, const struct ss_log *log,
                                  struct ss_encoder_adapter **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_encoder_adapter *adapter = NULL;
    struct ss__json *json = NULL;
    *out = NULL;
    SS_ALLOC(adapter, 1);
    SS_TRY(ss__json_load(files->file, &json, err));
    struct reading reading = {
        .file = files->file, .json = json, .adapter = adapter, .prefixes = prefixes};
    SS_TRY(check_kind(&reading, log, err));
    SS_TRY(read_scales(&reading, err));
    if (files->weights[0] == '\0') {
        SS_FAIL_FILE(files->file, SS_E_NOINPUT,
                     "this is an adapter, but its weights (%s or %s) are not there",
                     weight_names[0], weight_names[1]);
    }
    SS_TRY(ss_weights_open(files->weights, NULL, &adapter->weights, err));
    SS_TRY(read_tensors(&reading, err));
    *out = adapter;
    adapter = NULL;
out:
    ss__json_free(json);
    ss_encoder_adapter_free(adapter);
    return status;
}

void ss_encoder_adapter_free(struct ss_encoder_adapter *adapter)
{
    if (adapter != NULL) {
        ss_weights_close(adapter->weights);
        ss__arena_release(&adapter->arena);
        ss__free(adapter->deltas);
        ss__free(adapter);
    }
}

/* ---- merging ---- */

/* W [n_out, n_in] += scale B A; for a table, whose A is [r, n_out], += scale (B A)^T. */
static ss_status add_product(const struct ss_encoder_adapter *adapter,
                             const struct ss_encoder_adapter_delta *delta,
                             const uint64_t shape[2], float *w, ss_err *err)
{
    ss_status status = SS_OK;
    const float *a = NULL, *b = NULL;
    float *a_owned = NULL, *b_owned = NULL, *row = NULL;
    const uint64_t rank = delta->a->shape[0];
    const uint64_t outer = delta->is_table ? shape[0] : shape[1];
    const uint64_t inner = delta->is_table ? shape[1] : shape[0];
    const size_t n_out = (size_t)shape[0], n_in = (size_t)shape[1], r = (size_t)rank;
    SS_TRY(ss_weights_view_f32(adapter->weights, delta->a->name, 2,
                               (const uint64_t[]){rank, outer}, &a, &a_owned, err));
    SS_TRY(ss_weights_view_f32(adapter->weights, delta->b->name, 2,
                               (const uint64_t[]){inner, rank}, &b, &b_owned, err));
    SS_ALLOC(row, n_in);
    for (size_t o = 0; o < n_out; o++) {
        memset(row, 0, n_in * sizeof *row);
        for (size_t k = 0; k < r; k++) {
            for (size_t i = 0; i < n_in; i++) {
                row[i] += delta->is_table ? b[i * r + k] * a[k * n_out + o]
                                          : b[o * r + k] * a[k * n_in + i];
            }
        }
        for (size_t i = 0; i < n_in; i++) {
            w[o * n_in + i] += (float)delta->scale * row[i];
        }
    }
out:
    ss__free(row);
    ss__free(a_owned);
    ss__free(b_owned);
    return status;
}

/* A view of the model's file is copied before it is changed. */
ss_status ss_encoder_adapter_apply(const struct ss_encoder_adapter *adapter,
                                   const struct ss_encoder_adapter_delta *delta, size_t n_dims,
                                   const uint64_t *shape, const float **values, float **owned,
                                   ss_err *err)
{
    ss_status status = SS_OK;
    if (delta->whole != NULL) {
        ss__free(*owned);
        *owned = NULL;
        SS_TRY(ss_weights_view_f32(adapter->weights, delta->whole->name, n_dims, shape, values,
                                   owned, err));
    }
    if (delta->a == NULL) {
        goto out;
    }
    if (n_dims != 2) {
        SS_FAIL_FILE(ss_weights_path(adapter->weights), SS_E_SHAPE,
                     "the adapter changes '%s', which is no matrix", delta->name);
    }
    if (*owned == NULL) {
        SS_ALLOC_ALIGNED(*owned, (size_t)(shape[0] * shape[1]));
        memcpy(*owned, *values, (size_t)(shape[0] * shape[1]) * sizeof **owned);
        *values = *owned;
    }
    SS_TRY(add_product(adapter, delta, shape, *owned, err));
out:
    if (status != SS_OK) {
        ss__free(*owned);
        *owned = NULL;
        *values = NULL;
    }
    return status;
}
