/* config.json of a transformer: every number comes from the file, nothing from its name. */
#include <string.h>

#include "base/json.h"
#include "encoder/encoder_priv.h"

enum { MAX_WIDTH = 1 << 16, MAX_LAYERS = 1024, MAX_ROWS = 1 << 24 };

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

static ss_status read_size(const char *path, const json_t *json, const char *key, size_t max,
                           size_t *value, ss_err *err)
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

static ss_status read_sizes(const char *path, const json_t *json,
                            struct ss__encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__family *family = config->family;
    const struct {
        const char *key;
        size_t max;
        size_t *value;
    } sizes[] = {
        {family->key_width, MAX_WIDTH, &config->width},
        {family->key_layers, MAX_LAYERS, &config->n_layers},
        {family->key_heads, MAX_WIDTH, &config->n_heads},
        {family->key_inner, MAX_ROWS, &config->inner_width},
        {"vocab_size", MAX_ROWS, &config->n_vocab},
        {"max_position_embeddings", MAX_ROWS, &config->n_positions},
        {family->key_types, MAX_ROWS, &config->n_types},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (sizes[i].key != NULL) {
            SS_TRY(read_size(path, json, sizes[i].key, sizes[i].max, sizes[i].value, err));
        }
    }
    if (config->width % config->n_heads != 0) {
        SS_FAIL_FILE(path, SS_E_SHAPE, "'%s' %zu is not a multiple of '%s' %zu",
                     family->key_width, config->width, family->key_heads, config->n_heads);
    }
    if (ss__encoder_config_max_tokens(config) < 2) {
        SS_FAIL_FILE(path, SS_E_DATA, "'max_position_embeddings' is %zu, too few for a text",
                     config->n_positions);
    }
out:
    return status;
}

static ss_status read_eps(const char *path, const json_t *json,
                          struct ss__encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    double eps = config->family->fixed_eps;
    const char *key = config->family->key_eps;
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

static ss_status read_activation(const char *path, const json_t *json,
                                 struct ss__encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = "";
    const char *key = config->family->key_activation;
    SS_TRY(ss__json_need(path, json, key, err));
    SS_TRY(ss__json_text(path, json, key, &name, err));
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        if (strcmp(name, activations[i].name) == 0) {
            config->activation = activations[i].activation;
            return SS_OK;
        }
    }
    SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                 "'%s' is '%s'; read are gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, "
                 "silu and swish",
                 key, name);
out:
    if (status != SS_OK) {
        ss__err_about(err, key);
    }
    return status;
}

/* Keys that would make a different model of the same family. */
static ss_status refuse_variants(const char *path, const json_t *json, ss_err *err)
{
    ss_status status = SS_OK;
    const char *positions = "absolute";
    size_t n_buckets = 32;
    bool is_decoder = false;
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
    SS_TRY(ss__json_bool(path, json, "is_decoder", &is_decoder, err));
    if (is_decoder) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "'is_decoder' is true; only encoders without causal masks are read");
    }
    if (json_is_object(json_object_get(json, "quantization_config"))) {
        SS_FAIL_FILE(path, SS_E_UNSUPPORTED,
                     "'quantization_config': quantised models are not "
                     "read; use the original weights");
    }
out:
    return status;
}

ss_status ss__encoder_config_read(const char *path, struct ss__encoder_config *out, ss_err *err)
{
    ss_status status = SS_OK;
    json_t *json = NULL;
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
    SS_TRY(refuse_variants(path, json, err));
    SS_TRY(read_sizes(path, json, out, err));
    SS_TRY(read_eps(path, json, out, err));
    SS_TRY(read_activation(path, json, out, err));
    SS_TRY(ss__json_bool(path, json, "tie_word_embeddings", &out->ties_head, err));
out:
    json_decref(json);
    return status;
}

size_t ss__encoder_config_max_tokens(const struct ss__encoder_config *config)
{
    const size_t n_unused = (size_t)(config->family->position_pad + 1);
    return config->n_positions > n_unused ? config->n_positions - n_unused : 0;
}
