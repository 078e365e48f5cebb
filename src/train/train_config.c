/* What a training may be asked for. */
#include <math.h>

#include "train/train_priv.h"

enum { MAX_WIDTH = 1 << 20, MAX_FEATURES = 1 << 24, MAX_BATCH = 1 << 20 };

const char *ss_train_kind_name(ss_train_kind kind)
{
    static const char *const names[] = {"vanilla", "topk", "batchtopk", "jumprelu"};
    return kind < SS_TRAIN_N_KINDS ? names[kind] : "unknown";
}

static ss_status check_sizes(const struct ss_train_config *config, ss_err *err)
{
    if (config->width < 2 || config->width > MAX_WIDTH) {
        return ss__fail(err, SS_E_USAGE,
                        "an SAE is trained on rows of 2 to %d numbers, not %zu", MAX_WIDTH,
                        config->width);
    }
    if (config->n_features < 1 || config->n_features > MAX_FEATURES) {
        return ss__fail(err, SS_E_USAGE, "`dict_size` is %zu; 1 to %d features can be trained",
                        config->n_features, MAX_FEATURES);
    }
    if (config->batch_rows < 1 || config->batch_rows > MAX_BATCH) {
        return ss__fail(err, SS_E_USAGE, "`batch_size` is %zu; give 1 to %d rows",
                        config->batch_rows, MAX_BATCH);
    }
    if (ss_train_selects(config) && (config->top_k < 1 || config->top_k > config->n_features)) {
        return ss__fail(err, SS_E_USAGE, "`top_k` is %zu; give 1 to `dict_size` (%zu)",
                        config->top_k, config->n_features);
    }
    return SS_OK;
}

static ss_status check_prefixes(const struct ss_train_config *config, ss_err *err)
{
    size_t before = 0;
    for (size_t p = 0; p < config->n_prefixes; p++) {
        if (config->prefixes[p] <= before || config->prefixes[p] > config->n_features) {
            return ss__fail(err, SS_E_USAGE,
                            "`prefixes` must rise, and none may be above `dict_size` (%zu)",
                            config->n_features);
        }
        before = config->prefixes[p];
    }
    return config->n_prefixes == 0 || before == config->n_features
               ? SS_OK
               : ss__fail(err, SS_E_USAGE, "the last of `prefixes` must be `dict_size` (%zu)",
                          config->n_features);
}

ss_status ss_train_check_config(const struct ss_train_config *config, ss_err *err)
{
    SS_RETURN_IF_ERROR(check_sizes(config, err));
    SS_RETURN_IF_ERROR(check_prefixes(config, err));
    const struct {
        double value;
        const char *name;
        double least, below;
    } numbers[] = {{config->lr, "lr", 1e-12, 1e6},
                   {config->beta1, "beta1", 0, 1},
                   {config->beta2, "beta2", 0, 1},
                   {config->max_grad_norm, "max_grad_norm", 1e-12, INFINITY},
                   {config->l1_coeff, "l1_coeff", 0, 1e12},
                   {config->aux_penalty, "aux_penalty", 0, 1e12}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!(numbers[i].value >= numbers[i].least && numbers[i].value < numbers[i].below)) {
            return ss__fail(err, SS_E_USAGE, "%s is %g; it must be at least %g and below %g",
                            numbers[i].name, numbers[i].value, numbers[i].least,
                            numbers[i].below);
        }
    }
    if (config->kind == SS_TRAIN_JUMPRELU &&
        !(config->bandwidth > 0 && config->threshold_init > 0)) {
        return ss__fail(err, SS_E_USAGE, "`bandwidth` and the first threshold must be above 0");
    }
    return SS_OK;
}
