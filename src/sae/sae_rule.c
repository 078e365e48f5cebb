/* Activation rules bound to parameters: how rows are encoded for each kind of SAE and each way
 * to use a batch-top-k SAE, and the thresholds of every feature.
 *
 * A rule is a value with the options of whoever chose it; binding resolves defaults, picks one
 * of four selections, and writes out three limits per feature, so that selectors compare with
 * arrays and know no kinds: the threshold itself, the lowest h that is worth looking at, and
 * the highest that counts as borderline. The comparison is always a strict `>`; a rule in which
 * the threshold itself fires has the float below it (docs/numerics.md, "SAEs"). */
#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum { DEFAULT_CALIBRATION_ROWS = 10000, DEFAULT_BATCH_ROWS = 64, BORDERLINE_ULPS = 2 };

static const char *const kind_names[SS_SAE_N_SAE_KINDS] = {
    [SS_SAE_JUMPRELU] = "jumprelu",
    [SS_SAE_TOPK] = "topk",
    [SS_SAE_BATCHTOPK] = "batchtopk",
    [SS_SAE_VANILLA] = "vanilla",
    [SS_SAE_GATED] = "gated",
    [SS_SAE_GROUPMAX] = "groupmax",
    [SS_SAE_GATED_TOPK] = "gated top-k",
    [SS_SAE_PURSUIT] = "matching pursuit",
    [SS_SAE_LISTA] = "lista",
};

const char *ss_sae_kind_name(ss_sae_kind kind)
{
    return kind_names[kind];
}

/* ---- choosing ---- */

static const ss_sae_selection selections[SS_SAE_N_SAE_KINDS] = {
    [SS_SAE_JUMPRELU] = SS_SAE_SELECT_ABOVE,    [SS_SAE_TOPK] = SS_SAE_SELECT_ROW_TOPK,
    [SS_SAE_BATCHTOPK] = SS_SAE_SELECT_ABOVE,   [SS_SAE_VANILLA] = SS_SAE_SELECT_ABOVE,
    [SS_SAE_GATED] = SS_SAE_SELECT_ABOVE,       [SS_SAE_GROUPMAX] = SS_SAE_SELECT_BY_ROW,
    [SS_SAE_GATED_TOPK] = SS_SAE_SELECT_BY_ROW, [SS_SAE_PURSUIT] = SS_SAE_SELECT_BY_ROW,
    [SS_SAE_LISTA] = SS_SAE_SELECT_BY_ROW,
};

/* Without a choice nothing is encoded (ss_sae_check_rule); the row is there for what a
 * calibration and the words of the rule ask. */
static const ss_sae_selection batchtopk_selections[] = {
    [SS_BATCHTOPK_REFUSE] = SS_SAE_SELECT_BATCH_TOPK,
    [SS_BATCHTOPK_THRESHOLD] = SS_SAE_SELECT_ABOVE,
    [SS_BATCHTOPK_ROW_TOPK] = SS_SAE_SELECT_ROW_TOPK,
    [SS_BATCHTOPK_BATCH] = SS_SAE_SELECT_BATCH_TOPK,
};

/* Then a threshold of 0 is a result, and not the default of an option. */
static bool is_calibrated(const struct ss_sae_rule *rule)
{
    return rule->calibration_hash[0] != '\0';
}

/* 0 stands for the default in options; NaN, inside, for a threshold that is not known. */
static ss_status resolve_options(struct ss_sae_rule *rule, ss_err *err)
{
    if ((unsigned)rule->batchtopk > SS_BATCHTOPK_BATCH) {
        return ss__fail(err, SS_E_USAGE, "there is no batch-top-k rule of number %d",
                        (int)rule->batchtopk);
    }
    if (isinf(rule->batchtopk_threshold) || rule->batchtopk_threshold < 0) {
        return ss__fail(err, SS_E_USAGE,
                        "a batch-top-k threshold is a number above 0, found %g",
                        rule->batchtopk_threshold);
    }
    if (rule->batchtopk_threshold == 0 && !is_calibrated(rule)) {
        rule->batchtopk_threshold = NAN;
    }
    if (rule->calibration_rows == 0) {
        rule->calibration_rows = DEFAULT_CALIBRATION_ROWS;
    }
    if (rule->batch_rows == 0) {
        rule->batch_rows = DEFAULT_BATCH_ROWS;
    }
    return SS_OK;
}

static ss_sae_selection choose_selection(const struct ss_sae_rule *rule)
{
    return ss_sae_needs_batchtopk_choice(rule) ? batchtopk_selections[rule->batchtopk]
           : rule->caps_rows                   ? SS_SAE_SELECT_ROW_TOPK
                                               : selections[rule->kind];
}

/* ---- thresholds ---- */

/* The threshold of all features that have none of their own. */
static float shared_threshold(const struct ss_sae_rule *rule)
{
    if (ss_sae_needs_batchtopk_choice(rule)) {
        return rule->selection == SS_SAE_SELECT_ABOVE && isfinite(rule->batchtopk_threshold)
                   ? (float)rule->batchtopk_threshold
                   : 0;
    }
    return rule->has_stored_threshold ? (float)rule->stored_threshold : 0;
}

/* What h has to be above. A threshold that fires itself is one float higher than this. Negative
 * thresholds and NaN become 0, because a feature fires above 0 only; gates alone compare below
 * it. */
static float strict_threshold(const struct ss_sae_parameters *parameters,
                              const struct ss_sae_rule *rule, size_t feature, float shared)
{
    if (parameters->gate_bias != NULL) {
        return -parameters->gate_bias[feature];
    }
    const float threshold =
        parameters->thresholds != NULL ? parameters->thresholds[feature] : shared;
    if (!(threshold > 0)) {
        return 0;
    }
    return rule->includes_threshold ? nextafterf(threshold, 0) : threshold;
}

/* x, n units in the last place nearer to `towards`. */
static float step(float x, size_t n, float towards)
{
    for (size_t i = 0; i < n; i++) {
        x = nextafterf(x, towards);
    }
    return x;
}

/* The three limits per feature. Pairs near a threshold of 0 are not counted as borderline, nor
 * those of the k largest: there what decides is not the threshold. */
static void set_thresholds(struct ss_sae_activation *self,
                           const struct ss_sae_parameters *parameters)
{
    const size_t n = parameters->n_features;
    const bool is_topk = self->rule.selection == SS_SAE_SELECT_ROW_TOPK;
    const float shared = shared_threshold(&self->rule);
    float *thresholds = self->arrays, *candidate_min = thresholds + n,
          *borderline_max = candidate_min + n;
    for (size_t f = 0; f < n; f++) {
        const float threshold = strict_threshold(parameters, &self->rule, f, shared);
        const bool counts = threshold != 0 && !is_topk;
        thresholds[f] = threshold;
        candidate_min[f] = counts
                               ? step(threshold, BORDERLINE_ULPS, threshold > 0 ? 0 : -INFINITY)
                               : step(threshold, 1, INFINITY);
        borderline_max[f] = counts ? step(threshold, BORDERLINE_ULPS, INFINITY) : -FLT_MAX;
    }
    self->rule.thresholds = thresholds;
    self->rule.candidate_min = candidate_min;
    self->rule.borderline_max = borderline_max;
}

ss_status ss_sae_activation_init(struct ss_sae_activation *self,
                                 const struct ss_sae_parameters *parameters,
                                 const struct ss_sae_rule *rule,
                                 const struct ss_sae_provenance *provenance, ss_err *err)
{
    *self = (struct ss_sae_activation){.rule = *rule};
    SS_RETURN_IF_ERROR(resolve_options(&self->rule, err));
    SS_ALLOC_OR_RETURN(self->arrays, 3 * parameters->n_features); /* below 2^33 */
    self->rule.selection = choose_selection(&self->rule);
    self->rule.gains = parameters->gains;
    self->rule.shifts = parameters->shifts;
    set_thresholds(self, parameters);
    return ss_sae_describe_rule(parameters, &self->rule, provenance, &self->text, err);
}

void ss_sae_activation_release(struct ss_sae_activation *self)
{
    ss__free(self->arrays);
    ss__buf_release(&self->text);
    *self = (struct ss_sae_activation){0};
}

void ss_sae_activation_free(struct ss_sae_activation *activation)
{
    if (activation != NULL) {
        ss_sae_activation_release(activation);
        ss__free(activation);
    }
}

/* ---- whether rows can be encoded ---- */

/* The message is the way out: what the rule means, what may be chosen, and what to begin
 * with. */
ss_status ss_sae_check_rule(const struct ss_sae *sae, const struct ss_sae_rule *rule,
                            ss_err *err)
{
    if (!ss_sae_needs_batchtopk_choice(rule)) {
        return SS_OK;
    }
    if (rule->batchtopk == SS_BATCHTOPK_REFUSE) {
        return ss__fail_file(
            err, sae->provenance.path, SS_E_UNSUPPORTED,
            "a batchtopk SAE keeps the %zu B largest activations of a batch of B rows and "
            "stores "
            "no threshold, so what a text activates depends on its neighbours; choose a rule: "
            "`batchtopk` threshold (calibrated on the first rows, or given), row-topk (the %zu "
            "largest of each row) or batch (as in training, depends on the order of rows); to "
            "begin with: `batchtopk` threshold",
            rule->top_k, rule->top_k);
    }
    if (ss_sae_rule_calibration_rows(rule) > 0) {
        return ss__fail_file(
            err, sae->provenance.path, SS_E_UNSUPPORTED,
            "the threshold of this batchtopk SAE is not known yet; give it, or "
            "analyse a dataset, whose first rows calibrate it");
    }
    return SS_OK;
}

uint64_t ss_sae_calibration_rows(const ss_sae *sae)
{
    return ss_sae_rule_calibration_rows(&sae->activation.rule);
}

size_t ss_sae_batch_rows(const ss_sae *sae)
{
    const struct ss_sae_rule *rule = &sae->activation.rule;
    const bool batches =
        rule->kind == SS_SAE_BATCHTOPK && rule->batchtopk == SS_BATCHTOPK_BATCH;
    return batches ? rule->batch_rows : 0;
}
