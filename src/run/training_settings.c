/* From options to what is trained: two recipes, and what replaces their values.
 *
 * The recipe "seed" has the values of SAEs-for-Sentence-BERT and its code, so that its SAEs
 * can be made again; "saescope" has what was found better on embeddings of texts, each value
 * with what it was compared with (docs/training.md). An option replaces one value of the
 * recipe and nothing else: what follows from it (the rate from the number of features, the
 * steps from the rows) is computed after that. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "run/training.h"

enum {
    SEED = 49,
    BATCH = 256,
    LARGE_BATCH = 1024,
    LARGE_ROWS = 100000, /* from here on batches are large */
    LEAST_STEPS = 2000,
    EPOCHS = 4,
    METRIC_LINES = 2000
};

/* At 1,536 features. Higher than usual, with shorter means of the gradient: on embeddings of
 * 15,292 abstracts 1 to 2 points more of explained variance than 2e-3 with 0.9 and 0.999, and as
 * few dead features (docs/training.md). */
static const double LEARNING_RATE = 4e-3;
/* With directions that start at rows, as those of topk and batchtopk do. */
static const double LEARNING_RATE_AT_ROWS = 5e-3;

/* Of the auxiliary loss. Over the residual's variance 1/8 leaves a thousandth of the features dead
 * where the original 1/32 leaves a hundredth, with the same explained variance. */
static const double SEED_AUX_PENALTY = 1.0 / 32, AUX_PENALTY = 1.0 / 8;

/* ---- recipes ---- */

/* As SAEs-for-Sentence-BERT trains: its config and its train_saes.py. */
static struct ss_train_config seed_recipe(size_t width)
{
    return (struct ss_train_config){.kind = SS_TRAIN_JUMPRELU,
                                    .n_features = 3 * width,
                                    .lr = 3e-4,
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .top_k = 16,
                                    .top_k_aux = 32,
                                    .aux_penalty = SEED_AUX_PENALTY,
                                    .n_batches_to_dead = 5,
                                    .bandwidth = 0.001};
}

static struct ss_train_config default_recipe(size_t width)
{
    return (struct ss_train_config){.kind = SS_TRAIN_BATCHTOPK,
                                    .n_features = 4 * width,
                                    .beta1 = 0.5,
                                    .beta2 = 0.98,
                                    .top_k = 32,
                                    .top_k_aux = ss__max_size(width / 2, 1),
                                    .aux_penalty = AUX_PENALTY,
                                    .renorm_after_step = true,
                                    .use_b_enc = true,
                                    .aux_detach = true,
                                    .aux_normalised = true,
                                    .starts_at_median = true,
                                    .bandwidth = 0.5};
}

static ss_status choose_recipe(struct ss_run_training *training, ss_err *err)
{
    static const struct {
        const char *name;
        struct ss_train_config (*config)(size_t width);
    } recipes[] = {{"saescope", default_recipe}, {"seed", seed_recipe}};
    const char *name =
        training->options->recipe == NULL ? "saescope" : training->options->recipe;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        if (strcmp(name, recipes[i].name) == 0) {
            training->recipe = recipes[i].name;
            training->config = recipes[i].config(training->rows.width);
            training->config.width = training->rows.width;
            return SS_OK;
        }
    }
    return ss__fail(err, SS_E_USAGE, "'%.40s' is no `recipe`; give saescope or seed", name);
}

static ss_status choose_kind(struct ss_run_training *training, ss_err *err)
{
    const char *name = training->options->kind;
    for (int kind = 0; name != NULL && kind < SS_TRAIN_N_KINDS; kind++) {
        if (strcmp(name, ss_train_kind_name((ss_train_kind)kind)) == 0) {
            training->config.kind = (ss_train_kind)kind;
            return SS_OK;
        }
    }
    return name == NULL ? SS_OK
                        : ss__fail(err, SS_E_USAGE,
                                   "'%.40s' is no `kind`; give vanilla, topk, batchtopk or "
                                   "jumprelu",
                                   name);
}

static ss_status choose_dtype(struct ss_run_training *training, ss_err *err)
{
    const char *name = training->extras->dtype == NULL ? "float32" : training->extras->dtype;
    training->is_half = strcmp(name, "float16") == 0;
    return training->is_half || strcmp(name, "float32") == 0
               ? SS_OK
               : ss__fail(err, SS_E_USAGE,
                          "'%.40s' is no type of weights; give float32 or float16", name);
}

static ss_status read_prefixes(struct ss_run_training *training, ss_err *err)
{
    struct ss_train_config *config = &training->config;
    const char *at = training->options->prefixes;
    while (at != NULL && *at != '\0') {
        char *end = NULL;
        const unsigned long long n = strtoull(at, &end, 10);
        if (end == at || (*end != ',' && *end != '\0') || *at < '0' || *at > '9' ||
            config->n_prefixes == SS_TRAIN_MAX_PREFIXES) {
            return ss__fail(err, SS_E_USAGE,
                            "'%.80s' is no list of `prefixes`; give at most %d whole numbers, "
                            "as 96,384,1536",
                            training->options->prefixes, SS_TRAIN_MAX_PREFIXES);
        }
        config->prefixes[config->n_prefixes++] = (size_t)n;
        at = *end == ',' ? end + 1 : end;
    }
    return SS_OK;
}

/* ---- values ---- */

static void choose_number(double given, double otherwise, double *out)
{
    *out = given > 0 ? given : otherwise;
}

/* What depends on the kind; those of the default recipe that the seed's kinds cannot say when they
 * are saved are off. */
static void settle_kind(struct ss_run_training *training)
{
    const struct ss_train_options *options = training->options;
    struct ss_train_config *config = &training->config;
    const bool is_seed = strcmp(training->recipe, "seed") == 0;
    const bool is_jumprelu = config->kind == SS_TRAIN_JUMPRELU;
    if (!is_seed && (config->kind == SS_TRAIN_TOPK || config->kind == SS_TRAIN_BATCHTOPK)) {
        config->starts_at_rows = true;
        config->beta1 = 0.8;
    }
    choose_number(options->bandwidth, config->bandwidth, &config->bandwidth);
    config->threshold_init = 1;
    if (config->kind != SS_TRAIN_BATCHTOPK) {
        config->use_b_enc = false;
    }
    config->l1_coeff = options->l1_coeff;
    if (is_jumprelu && (!is_seed || training->extras->target_l0 > 0)) {
        choose_number(training->extras->target_l0, (double)config->top_k, &config->l0_target);
        config->l0_on_pre = config->log_chain = true;
        choose_number(options->l1_coeff, 1, &config->l1_coeff);
    } else if (!is_seed && config->kind == SS_TRAIN_VANILLA) {
        choose_number(options->l1_coeff, 0.012, &config->l1_coeff);
    }
}

static void settle_steps(struct ss_run_training *training)
{
    const struct ss_train_options *options = training->options;
    struct ss_train_config *config = &training->config;
    const uint64_t n = training->rows.n - training->rows.n_held_out;
    const bool is_seed = strcmp(training->recipe, "seed") == 0;
    config->batch_rows = options->batch_size > 0       ? options->batch_size
                         : !is_seed && n >= LARGE_ROWS ? LARGE_BATCH
                                                       : BATCH;
    const uint64_t epoch = n / config->batch_rows;
    config->n_steps = is_seed                        ? epoch
                      : epoch * EPOCHS > LEAST_STEPS ? epoch * EPOCHS
                                                     : LEAST_STEPS;
    config->n_steps = options->max_steps > 0 ? options->max_steps : config->n_steps;
    if (!is_seed) {
        const double rate = config->starts_at_rows ? LEARNING_RATE_AT_ROWS : LEARNING_RATE;
        choose_number(options->lr, rate * sqrt(1536 / (double)config->n_features), &config->lr);
        config->lr_warmup_steps = config->n_steps / 20;
        config->lr_decay_steps = config->n_steps / (config->starts_at_rows ? 2 : 5);
        config->n_batches_to_dead =
            ss__max_size(3, ss__divide_up(config->n_features, 2 * config->batch_rows));
    }
    training->log_every = ss__divide_up(config->n_steps, METRIC_LINES);
}

static ss_status check_rows(const struct ss_run_training *training, ss_err *err)
{
    const struct ss_run_training_rows *rows = &training->rows;
    const uint64_t n = rows->n - rows->n_held_out;
    if (rows->n > 0 && !rows->differ) {
        return ss__fail(err, SS_E_DATA, "all %llu rows are alike: there is nothing to learn",
                        (unsigned long long)rows->n);
    }
    if (n < training->config.batch_rows) {
        return ss__fail(
            err, SS_E_DATA,
            "%llu rows are there to train on, besides %llu held out, and a batch has "
            "%zu; give more, or a smaller `batch_size`",
            (unsigned long long)n, (unsigned long long)rows->n_held_out,
            training->config.batch_rows);
    }
    return SS_OK;
}

/* A target is met by moving thresholds, which the other kinds do not learn. */
static ss_status check_target(const struct ss_run_training *training, ss_err *err)
{
    const double target = training->extras->target_l0;
    const struct ss_train_config *config = &training->config;
    if (target != 0 && config->kind != SS_TRAIN_JUMPRELU) {
        return ss__fail(err, SS_E_USAGE,
                        "a target of L0 is for the `kind` jumprelu; %s has `top_k`",
                        ss_train_kind_name(config->kind));
    }
    if (target != 0 && !(target > 0 && target <= (double)config->n_features)) {
        return ss__fail(
            err, SS_E_USAGE,
            "the target of L0 is %g; give a number above 0, at most `dict_size` (%zu)", target,
            config->n_features);
    }
    return SS_OK;
}

ss_status ss_run_training_settle(struct ss_run_training *training, ss_err *err)
{
    const struct ss_train_options *options = training->options;
    SS_RETURN_IF_ERROR(choose_recipe(training, err));
    SS_RETURN_IF_ERROR(choose_kind(training, err));
    SS_RETURN_IF_ERROR(read_prefixes(training, err));
    struct ss_train_config *config = &training->config;
    config->n_features = options->dict_size > 0 ? options->dict_size : config->n_features;
    config->top_k =
        options->top_k > 0 ? options->top_k : ss__min_size(config->top_k, config->n_features);
    config->seed = options->seed > 0 ? options->seed : SEED;
    config->eps = 1e-8;
    config->max_grad_norm = 100000;
    config->normalises_input = true;
    choose_number(options->lr, config->lr, &config->lr);
    SS_RETURN_IF_ERROR(choose_dtype(training, err));
    SS_RETURN_IF_ERROR(check_target(training, err));
    settle_kind(training);
    settle_steps(training);
    SS_RETURN_IF_ERROR(check_rows(training, err));
    return ss_train_check_config(config, err);
}

ss_status ss_run_training_identify(struct ss_run_training *training, ss_err *err)
{
    const struct ss_train_config *c = &training->config;
    struct ss__buf *out = &training->identity;
    ss__buf_printf(out, "%s %s %zu %zu %zu %llu %llu", training->recipe,
                   ss_train_kind_name(c->kind), c->width, c->n_features, c->batch_rows,
                   (unsigned long long)c->seed, (unsigned long long)c->n_steps);
    ss__buf_printf(out, " %.17g %zu %zu %.17g %.17g %.17g %llu", c->lr, c->top_k, c->top_k_aux,
                   c->aux_penalty, c->l1_coeff, c->bandwidth,
                   (unsigned long long)c->n_batches_to_dead);
    for (size_t i = 0; i < c->n_prefixes; i++) {
        ss__buf_printf(out, ",%zu", c->prefixes[i]);
    }
    if (c->l0_target > 0) {
        ss__buf_printf(out, " target %.17g", c->l0_target);
    }
    ss__buf_printf(out, " %s", training->rows.digest);
    return ss__buf_check(out, err);
}
