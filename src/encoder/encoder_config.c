/* config.json of a transformer: every number comes from the file, nothing from its name. What
 * all families share is read here, the rest by the family's own function. */
#include <string.h>

#include "base/json.h"
#include "encoder/encoder_priv.h"

enum { MAX_WIDTH = 1 << 16, MAX_ROWS = 1 << 24 };

static const struct {
    const char *name;
    ss__activation activation;
} activations[] = {
    {"gelu", SS__ACT_GELU},
    {"gelu_python", SS__ACT_GELU},
    {"gelu_new", SS__ACT_GELU_TANH},
    {"gelu_fast", SS__ACT_GELU_TANH},
    {"gelu_pytorch_tanh", SS__ACT_GELU_TANH},
    {"relu", SS__ACT_RELU},
    {"silu", SS__ACT_SILU},
    {"swish", SS__ACT_SILU},
};

static ss_status read_size(const char *path, const struct ss__json *json, const char *key,
                           size_t max, size_t *value, ss_err *err)
{
    ss_status status = SS_OK;
    *value = 0;
    SS_TRY(ss__json_need(path, json, key, err));
    SS_TRY(ss__json_size(path, json, key, value, err));
    if (*value == 0 || *value > max) {
        SS_FAIL_FILE(path, SS_E_DATA, "'%s' is %zu, expected 1 to %zu", key, *value, max);
    }
out:
    if (status != SS_OK) {
        ss__err_about(err, key);
    }
    return status;
}

static ss_status read_sizes(const char *path, const struct ss__json *json,
                            struct ss__encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__config_keys *keys = config->keys;
    const struct {
        const char *key;
        size_t max;
        size_t *value;
    } sizes[] = {
        {keys->width, MAX_WIDTH, &config->width},
        {keys->layers, SS__MAX_LAYERS, &config->n_layers},
        {keys->heads, MAX_WIDTH, &config->n_heads},
        {keys->inner, MAX_ROWS, &config->inner_width},
        {"vocab_size", MAX_ROWS, &config->n_vocab},
        {keys->positions, MAX_ROWS, &config->n_positions},
        {keys->types, MAX_ROWS, &config->n_types},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].key != NULL) {
            SS_TRY(read_size(path, json, sizes[i].key, sizes[i].max, sizes[i].value, err));
        }
    }
    if (config->width % config->n_heads != 0) {
        SS_FAIL_FILE(path, SS_E_SHAPE, "'%s' %zu is not a multiple of '%s' %zu", keys->width,
                     config->width, keys->heads, config->n_heads);
    }
    if (ss__encoder_config_max_tokens(config) < 2) {
        SS_FAIL_FILE(path, SS_E_DATA, "'%s' is %zu, too few for a text", keys->positions,
                     config->n_positions);
    }
out:
    return status;
}

static ss_status read_eps(const char *path, const struct ss__json *json,
                          struct ss__encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    double eps = config->family->fixed_eps;
    const char *key = config->keys->eps;
    if (key != NULL) {
        SS_TRY(ss__json_need(path, json, key, err));
        SS_TRY(ss__json_number(path, json, key, &eps, err));
        if (!(eps >= 0 && eps <= 1)) {
            SS_FAIL_FILE(path, SS_E_DATA, "'%s' is %g, expected 0 to 1", key, eps);
        }
    }
    config->norm_eps = (float)eps;
out:
    return status;
}

ss_status ss__config_activation(const char *path, const struct ss__json *json, const char *key,
                                ss__activation *out, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = NULL;
    SS_TRY(ss__json_text(path, json, key, &name, err));
    for (size_t i = 0; i < sizeof activations / sizeof activations[0] && name != NULL; i++) {
        if (strcmp(name, activations[i].name) == 0) {
            *out = activations[i].activation;
            return SS_OK;
        }
    }
    if (name != NULL) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "'%s' is '%s'; read are gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, "
                     "relu, silu and swish",
                     key, name);
    }
out:
    if (status != SS_OK) {
        ss__err_about(err, key);
    }
    return status;
}

static ss_status read_activation(const char *path, const struct ss__json *json,
                                 struct ss__encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    const char *key = config->keys->activation;
    if (key != NULL) {
        SS_TRY(ss__json_need(path, json, key, err));
        SS_TRY(ss__config_activation(path, json, key, &config->activation, err));
    }
    config->head_activation = config->activation;
out:
    if (status != SS_OK) {
        ss__err_about(err, key);
    }
    return status;
}

ss_status ss__config_refuse(const char *path, const struct ss__json *json,
                            const struct ss__refused_key *keys, size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    for (size_t i = 0; i < n; i++) {
        bool is_true = false;
        SS_TRY(ss__json_bool(path, json, keys[i].key, &is_true, err));
        if (is_true) {
            SS_FAIL_FILE(path, SS_E_UNSUPPORTED, "'%s' is true; %s", keys[i].key,
                         keys[i].reason);
        }
    }
out:
    return status;
}

/* Keys that would make a different model of the same family. */
static ss_status refuse_variants(const char *path, const struct ss__json *json, ss_err *err)
{
    ss_status status = SS_OK;
    const char *positions = "absolute";
    size_t n_buckets = 32;
    static const struct ss__refused_key refused[] = {
        {"is_decoder", "only encoders without causal masks are read"}};
    SS_TRY(ss__json_text(path, json, "position_embedding_type", &positions, err));
    if (strcmp(positions, "absolute") != 0) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "'position_embedding_type' is '%s'; only 'absolute' is read", positions);
    }
    SS_TRY(ss__json_size(path, json, "relative_attention_num_buckets", &n_buckets, err));
    if (n_buckets != 32) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "'relative_attention_num_buckets' is %zu; only 32 is read", n_buckets);
    }
    SS_TRY(ss__config_refuse(path, json, refused, 1, err));
    if (ss__json_is_object(ss__json_get(json, "quantization_config"))) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "'quantization_config': quantised models are not "
                     "read; use the original weights");
    }
out:
    return status;
}

/* The id whose tokens do not count for positions. */
static ss_status read_position_pad(const char *path, const struct ss__json *json,
                                   struct ss__encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    static const char key[] = "pad_token_id";
    size_t pad = 0;
    config->position_pad = config->family->position_pad;
    if (config->family->pad_in_config) {
        pad = (size_t)config->position_pad;
        SS_TRY(ss__json_size(path, json, key, &pad, err));
        if (pad >= MAX_ROWS) {
            SS_FAIL_FILE(path, SS_E_DATA, "'%s' is %zu, expected 0 to %d", key, pad,
                         MAX_ROWS - 1);
        }
        config->position_pad = (int32_t)pad;
    }
out:
    return status;
}

/* The names of keys that the config uses. */
static const struct ss__config_keys *choose_keys(const struct ss__family *family,
                                                 const struct ss__json *json)
{
    for (size_t i = 0; i < SS__N_LAYOUTS && family->keys[i] != NULL; i++) {
        if (ss__json_get(json, family->keys[i]->width) != NULL) {
            return family->keys[i];
        }
    }
    return family->keys[0];
}

ss_status ss__encoder_config_read(const char *path, struct ss__encoder_config *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    const char *model_type = "";
    *out = (struct ss__encoder_config){.ties_head = true};
    SS_TRY(ss__json_load(path, &json, err));
    SS_TRY(ss__json_need(path, json, "model_type", err));
    SS_TRY(ss__json_text(path, json, "model_type", &model_type, err));
    out->family = ss__family_find(model_type);
    if (out->family == NULL) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "the architecture '%s' ('model_type') is not read; read are %s",
                     model_type, ss__family_list());
    }
    out->keys = choose_keys(out->family, json);
    out->body = *out->family->body;
    SS_TRY(refuse_variants(path, json, err));
    SS_TRY(read_position_pad(path, json, out, err));
    SS_TRY(read_sizes(path, json, out, err));
    SS_TRY(read_eps(path, json, out, err));
    SS_TRY(read_activation(path, json, out, err));
    SS_TRY(ss__json_bool(path, json, "tie_word_embeddings", &out->ties_head, err));
    if (out->family->read != NULL) {
        SS_TRY(out->family->read(path, json, out, err));
    }
out:
    ss__json_free(json);
    return status;
}

size_t ss__encoder_config_max_tokens(const struct ss__encoder_config *config)
{
    const size_t n_unused = (size_t)(config->position_pad + 1);
    return config->n_positions > n_unused ? config->n_positions - n_unused : 0;
}
