/* config.json of a transformer (docs/spec/encoders.md, §2): every number comes from the file,
 * nothing from the model's name. What all families share is read here, the rest by the family's
 * own function.
 *
 * Three things keep a config from being misread in silence: keys that would mean another
 * formula are refused by name, keys that no table has are named in a warning, and sizes have
 * limits, so that a damaged number is an error of the file and not one of memory. A key that is
 * absent has the default of the class in transformers; null is an error, since the class would
 * fail with it. */
#include <string.h>

#include "base/json.h"
#include "encoder/config_priv.h"

enum { MAX_WIDTH = 1 << 16, MAX_ROWS = 1 << 24 };

/* Fails for null, which is no value and no default either. */
static ss_status need_value(const char *path, const struct ss__json *json, const char *key,
                            ss_err *err)
{
    return ss__json_get(json, key) == NULL ? SS_OK : ss__json_need(path, json, key, err);
}

/* *value is the default before. */
static ss_status read_size(const char *path, const struct ss__json *json, const char *key,
                           size_t max, size_t *value, ss_err *err)
{
    ss_status status = SS_OK;
    SS_TRY(need_value(path, json, key, err));
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

/* `otherwise` is the default; 0 stands for that of the inner width, four times the width, where
 * null means the default too. A key that is NULL is one the family does not have. */
static ss_status read_sizes(const char *path, const struct ss__json *json,
                            struct ss_encoder_config *config, ss_err *err)
{
    const struct ss_encoder_config_keys *keys = &config->keys;
    const struct ss_encoder_config_defaults *defaults = config->defaults;
    const struct {
        const char *key;
        size_t max, otherwise;
        size_t *value;
    } sizes[] = {
        {keys->width, MAX_WIDTH, defaults->width, &config->width},
        {keys->layers, SS_ENCODER_MAX_LAYERS, defaults->layers, &config->n_layers},
        {keys->heads, MAX_WIDTH, defaults->heads, &config->n_heads},
        {keys->inner, MAX_ROWS, defaults->inner, &config->inner_width},
        {"vocab_size", MAX_ROWS, defaults->vocab, &config->n_vocab},
        {keys->positions, MAX_ROWS, defaults->positions, &config->n_positions},
        {keys->types, MAX_ROWS, defaults->types, &config->n_types},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const bool is_of_width = sizes[i].otherwise == 0; /* where null is the default too */
        if (sizes[i].key == NULL) {
            continue;
        }
        *sizes[i].value = is_of_width ? 4 * config->width : sizes[i].otherwise;
        if (!is_of_width || !ss__json_is_null(ss__json_get(json, sizes[i].key))) {
            SS_RETURN_IF_ERROR(
                read_size(path, json, sizes[i].key, sizes[i].max, sizes[i].value, err));
        }
    }
    if (config->width % config->n_heads != 0) {
        return ss__fail_file(err, path, SS_E_SHAPE, "'%s' %zu is not a multiple of '%s' %zu",
                             keys->width, config->width, keys->heads, config->n_heads);
    }
    if (ss_encoder_config_max_tokens(config) < 2) {
        return ss__fail_file(err, path, SS_E_DATA, "'%s' is %zu, too few for a text",
                             keys->positions, config->n_positions);
    }
    return SS_OK;
}

/* A negative or huge epsilon would not fail but shift every normalisation. */
static ss_status read_eps(const char *path, const struct ss__json *json,
                          struct ss_encoder_config *config, ss_err *err)
{
    double eps = config->defaults->eps;
    const char *key = config->keys.eps;
    if (key != NULL) {
        SS_RETURN_IF_ERROR(need_value(path, json, key, err));
        SS_RETURN_IF_ERROR(ss__json_number(path, json, key, &eps, err));
        if (!(eps >= 0 && eps <= 1)) {
            return ss__fail_file(err, path, SS_E_DATA, "'%s' is %g, expected 0 to 1", key, eps);
        }
    }
    config->norm_eps = (float)eps;
    return SS_OK;
}

/* The masked-token head uses the same activation unless the family says otherwise. */
static ss_status read_activation(const char *path, const struct ss__json *json,
                                 struct ss_encoder_config *config, ss_err *err)
{
    ss_status status = SS_OK;
    const char *key = config->keys.activation;
    if (key != NULL) {
        (void)ss_encoder_config_find_activation(config->defaults->activation,
                                                &config->activation);
        SS_TRY(need_value(path, json, key, err));
        SS_TRY(ss_encoder_config_activation(path, json, key, &config->activation, err));
    }
    config->head_activation = config->activation;
out:
    if (status != SS_OK) {
        ss__err_about(err, key);
    }
    return status;
}

/* Keys that would make a different model of the same family. */
static ss_status refuse_variants(const char *path, const struct ss__json *json, ss_err *err)
{
    const char *positions = "absolute";
    size_t n_buckets = 32;
    static const struct ss_encoder_refused_key refused[] = {
        {"is_decoder", "only encoders without causal masks are read"}};
    SS_RETURN_IF_ERROR(ss__json_text(path, json, "position_embedding_type", &positions, err));
    if (strcmp(positions, "absolute") != 0) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'position_embedding_type' is '%s'; only 'absolute' is read",
                             positions);
    }
    SS_RETURN_IF_ERROR(
        ss__json_size(path, json, "relative_attention_num_buckets", &n_buckets, err));
    if (n_buckets != 32) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'relative_attention_num_buckets' is %zu; only 32 is read",
                             n_buckets);
    }
    SS_RETURN_IF_ERROR(ss_encoder_config_refuse(path, json, refused, 1, err));
    if (ss__json_is_object(ss__json_get(json, "quantization_config"))) {
        return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                             "'quantization_config': quantised models are not "
                             "read; use the original weights");
    }
    return SS_OK;
}

/* The id whose tokens do not count for positions. */
static ss_status read_position_pad(const char *path, const struct ss__json *json,
                                   struct ss_encoder_config *config, ss_err *err)
{
    static const char key[] = "pad_token_id";
    size_t pad = 0;
    config->position_pad = config->family->position_pad;
    if (config->family->pad_in_config) {
        pad = (size_t)config->position_pad;
        SS_RETURN_IF_ERROR(ss__json_size(path, json, key, &pad, err));
        if (pad >= MAX_ROWS) {
            return ss__fail_file(err, path, SS_E_DATA, "'%s' is %zu, expected 0 to %d", key,
                                 pad, MAX_ROWS - 1);
        }
        config->position_pad = (int32_t)pad;
    }
    return SS_OK;
}

static bool is_for_generation(const struct ss__json *json)
{
    static const char end[] = "ForCausalLM";
    const char *first = ss__json_string(ss__json_at(ss__json_get(json, "architectures"), 0));
    const size_t n = first == NULL ? 0 : strlen(first), n_end = sizeof end - 1;
    return n >= n_end && strcmp(first + n - n_end, end) == 0 &&
           ss__json_tag_of(ss__json_get(json, "is_causal")) != SS__JSON_IS_FALSE;
}

/* Which family it is, and the keys as it has them. */
static ss_status load(const struct ss_encoder_config_source *source,
                      struct ss_encoder_config *out, struct ss__json **json, ss_err *err)
{
    const char *model_type = "";
    SS_RETURN_IF_ERROR(ss__json_load(source->path, json, err));
    SS_RETURN_IF_ERROR(ss__json_need(source->path, *json, "model_type", err));
    SS_RETURN_IF_ERROR(ss__json_text(source->path, *json, "model_type", &model_type, err));
    out->family = ss_encoder_family_find(model_type);
    if (out->family == NULL) {
        return ss__fail_file(err, source->path, SS_E_UNSUPPORTED,
                             "the architecture '%s' ('model_type') is not read; read are %s",
                             model_type, ss_encoder_family_list());
    }
    SS_RETURN_IF_ERROR(ss_encoder_config_check_keys(source, out->family, *json, err));
    SS_RETURN_IF_ERROR(ss_encoder_config_overlay(source, out->family, json, err));
    out->keys = ss_encoder_family_keys(out->family, *json);
    out->defaults = ss_encoder_family_defaults(out->family, *json);
    out->body = *out->family->body;
    return SS_OK;
}

ss_status ss_encoder_config_read(const struct ss_encoder_config_source *source,
                                 struct ss_encoder_config *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *json = NULL;
    const char *path = source->path;
    *out = (struct ss_encoder_config){.ties_head = true};
    SS_TRY(load(source, out, &json, err));
    SS_TRY(refuse_variants(path, json, err));
    SS_TRY(read_position_pad(path, json, out, err));
    SS_TRY(read_sizes(path, json, out, err));
    SS_TRY(read_eps(path, json, out, err));
    SS_TRY(read_activation(path, json, out, err));
    SS_TRY(ss__json_bool(path, json, "tie_word_embeddings", &out->ties_head, err));
    out->is_for_generation = is_for_generation(json);
    if (out->family->read != NULL) {
        SS_TRY(out->family->read(path, json, out, err));
    }
out:
    ss__json_free(json);
    return status;
}

size_t ss_encoder_config_max_tokens(const struct ss_encoder_config *config)
{
    const size_t n_unused = (size_t)(config->position_pad + 1);
    return config->n_positions > n_unused ? config->n_positions - n_unused : 0;
}
