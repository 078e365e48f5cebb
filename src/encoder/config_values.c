/* Values of a model's config that several readers share: activations by their names, and switches
 * that ask for what is not computed here. The readers of families (config_modern.c, config_nomic.c)
 * and the one for all (encoder_config.c) stand to the right of it. */
#include <string.h>

#include "base/json.h"
#include "encoder/config_priv.h"

/* Names of transformers' ACT2FN. gelu_fast is the tanh form with its constants written out. */
static const struct {
    const char *name;
    ss_tensor_activation activation;
} activations[] = {
    {"gelu", SS_TENSOR_ACT_GELU},
    {"gelu_python", SS_TENSOR_ACT_GELU},
    {"gelu_new", SS_TENSOR_ACT_GELU_TANH},
    {"gelu_fast", SS_TENSOR_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", SS_TENSOR_ACT_GELU_TANH},
    {"relu", SS_TENSOR_ACT_RELU},
    {"silu", SS_TENSOR_ACT_SILU},
    {"swish", SS_TENSOR_ACT_SILU},
};

bool ss_encoder_config_find_activation(const char *name, ss_tensor_activation *out)
{
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        if (strcmp(name, activations[i].name) == 0) {
            *out = activations[i].activation;
            return true;
        }
    }
    return false;
}

ss_status ss_encoder_config_activation(const char *path, const struct ss__json *json,
                                       const char *key, ss_tensor_activation *out, ss_err *err)
{
    ss_status status = SS_OK;
    const char *name = NULL;
    SS_TRY(ss__json_text(path, json, key, &name, err));
    if (name != NULL && !ss_encoder_config_find_activation(name, out)) {
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

/* Each of `keys` switches on something that is not computed here; false and absent are fine. */
ss_status ss_encoder_config_refuse(const char *path, const struct ss__json *json,
                                   const struct ss_encoder_refused_key *keys, size_t n,
                                   ss_err *err)
{
    for (size_t i = 0; i < n; i++) {
        bool is_true = false;
        SS_RETURN_IF_ERROR(ss__json_bool(path, json, keys[i].key, &is_true, err));
        if (is_true) {
            return ss__fail_file(err, path, SS_E_UNSUPPORTED, "'%s' is true; %s", keys[i].key,
                                 keys[i].reason);
        }
    }
    return SS_OK;
}
