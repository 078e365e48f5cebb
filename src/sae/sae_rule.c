/* What each kind of SAE computes: the floor of every feature, what is kept of a row, and the
 * sentence that says so in every output. */
#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum { DEFAULT_CALIBRATION_ROWS = 10000, DEFAULT_BATCH_ROWS = 64 };

static const char *const kind_names[SS__N_SAE_KINDS] = {
    [SS__SAE_JUMPRELU] = "jumprelu",
    [SS__SAE_TOPK] = "topk",
    [SS__SAE_BATCHTOPK] = "batchtopk",
    [SS__SAE_VANILLA] = "vanilla",
};

const char *ss__sae_kind_name(ss__sae_kind kind)
{
    return kind_names[kind];
}

static void set_floors(struct ss_sae *sae, float constant)
{
    for (size_t f = 0; f < sae->n_features; f++) {
        const float floor = sae->thresholds != NULL ? sae->thresholds[f] : constant;
        sae->floors[f] = floor > 0 ? floor : 0;
        sae->nearest[f] = floor > 0 ? nextafterf(nextafterf(floor, 0), 0) : FLT_TRUE_MIN;
    }
}

/* ---- sentences ---- */

static void describe_input(struct ss_sae *sae)
{
    const char *input = sae->normalizes_input ? "LN(x)" : "x";
    struct ss__buf *rule = &sae->rule;
    if (sae->subtracted != NULL) {
        ss__buf_printf(rule, "h = relu((%s - b_dec) W_enc", input);
    } else {
        ss__buf_printf(rule, "h = relu(%s W_enc", input);
    }
    ss__buf_add_text(rule, sae->bias != NULL ? " + b_enc)" : ")");
    if (sae->normalizes_input) {
        ss__buf_add_text(rule, ", LN(x) = (x - mean) / (std + 1e-5) with n - 1 in std");
    }
    ss__buf_add_text(rule, sae->subtracted != NULL ? "; b_dec is subtracted from the input"
                                                   : "; b_dec is not subtracted");
    ss__buf_add_text(rule, sae->bias != NULL ? ", b_enc is added" : ", b_enc is not used");
}

static void describe_above(struct ss_sae *sae)
{
    const bool jumps = sae->kind == SS__SAE_JUMPRELU;
    ss__buf_add_text(&sae->rule,
                     jumps ? "a = h where h > exp(log_threshold), else 0; " : "a = h; ");
}

static void describe_row_topk(struct ss_sae *sae)
{
    ss__buf_printf(
        &sae->rule, "a = the %zu largest h of each row%s, equal values by lower feature; ",
        sae->top_k,
        sae->kind == SS__SAE_BATCHTOPK
            ? " (row-topk, chosen for a batch-top-k SAE that was trained over batches)"
            : "");
}

static void describe_threshold(struct ss_sae *sae)
{
    struct ss__buf *rule = &sae->rule;
    if (isfinite(sae->options.batchtopk_threshold)) {
        ss__buf_printf(
            rule, "a = h where h > %.9g, else 0 (threshold, chosen for a batch-top-k SAE: ",
            sae->options.batchtopk_threshold);
    } else {
        ss__buf_add_text(rule, "a = h where h > a threshold, else 0 (threshold, chosen for a "
                               "batch-top-k SAE: ");
    }
    if (sae->calibrated) {
        ss__buf_printf(rule,
                       "calibrated on the first %llu rows for a mean of %zu features a row, "
                       "SHA-256 of their embeddings %s); ",
                       (unsigned long long)sae->options.calibration_rows, sae->top_k,
                       sae->calibration_hash);
    } else if (ss__sae_calibration_rows(sae) > 0) {
        ss__buf_printf(rule, "to be calibrated on the first %llu rows); ",
                       (unsigned long long)sae->options.calibration_rows);
    } else {
        ss__buf_add_text(rule, "as given); ");
    }
}

static void describe_batch(struct ss_sae *sae)
{
    ss__buf_printf(
        &sae->rule,
        "a = the %zu B largest h of each batch of B = %zu rows in input order (batch, "
        "chosen for a batch-top-k SAE: a row's features depend on its batch); ",
        sae->top_k, sae->options.batch_rows);
}

static void describe_refused(struct ss_sae *sae)
{
    ss__buf_printf(
        &sae->rule,
        "a = the %zu B largest h of each batch of B rows, which says nothing about one "
        "row until a rule is chosen (threshold, row-topk or batch); ",
        sae->top_k);
}

/* ---- choosing ---- */

struct way {
    ss__selection selection;
    void (*describe)(struct ss_sae *sae);
};

static const struct way ways[SS__N_SAE_KINDS] = {
    [SS__SAE_JUMPRELU] = {SS__SELECT_ABOVE, describe_above},
    [SS__SAE_TOPK] = {SS__SELECT_ROW_TOPK, describe_row_topk},
    [SS__SAE_VANILLA] = {SS__SELECT_ABOVE, describe_above},
};

static const struct way batchtopk_ways[] = {
    [SS_BATCHTOPK_REFUSE] = {SS__SELECT_BATCH_TOPK, describe_refused},
    [SS_BATCHTOPK_THRESHOLD] = {SS__SELECT_ABOVE, describe_threshold},
    [SS_BATCHTOPK_ROW_TOPK] = {SS__SELECT_ROW_TOPK, describe_row_topk},
    [SS_BATCHTOPK_BATCH] = {SS__SELECT_BATCH_TOPK, describe_batch},
};

static ss_status resolve_options(struct ss_sae *sae, ss_err *err)
{
    struct ss_sae_options *options = &sae->options;
    if ((unsigned)options->batchtopk_rule > SS_BATCHTOPK_BATCH) {
        return ss__fail(err, SS_E_USAGE, "there is no batch-top-k rule of number %d",
                        (int)options->batchtopk_rule);
    }
    if (isinf(options->batchtopk_threshold) || options->batchtopk_threshold < 0) {
        return ss__fail(err, SS_E_USAGE,
                        "a batch-top-k threshold is a number above 0, found %g",
                        options->batchtopk_threshold);
    }
    if (options->batchtopk_threshold == 0) {
        options->batchtopk_threshold = NAN;
    }
    if (options->calibration_rows == 0) {
        options->calibration_rows = DEFAULT_CALIBRATION_ROWS;
    }
    if (options->batch_rows == 0) {
        options->batch_rows = DEFAULT_BATCH_ROWS;
    }
    return SS_OK;
}

ss_status ss__sae_set_rule(struct ss_sae *sae, ss_err *err)
{
    ss_status status = SS_OK;
    float constant = 0;
    struct way way = ways[sae->kind];
    if (!sae->calibrated) {
        SS_TRY(resolve_options(sae, err));
    }
    if (sae->kind == SS__SAE_BATCHTOPK) {
        way = batchtopk_ways[sae->options.batchtopk_rule];
        if (way.selection == SS__SELECT_ABOVE && isfinite(sae->options.batchtopk_threshold)) {
            constant = (float)sae->options.batchtopk_threshold;
        }
    }
    sae->selection = way.selection;
    set_floors(sae, constant);
    sae->rule.n_bytes = 0;
    way.describe(sae);
    describe_input(sae);
    if (ss__buf_text(&sae->rule) == NULL) {
        status = ss__fail_nomem(err, "the rule of an SAE");
    }
out:
    return status;
}

ss_status ss__sae_check_rule(const struct ss_sae *sae, ss_err *err)
{
    if (sae->kind != SS__SAE_BATCHTOPK) {
        return SS_OK;
    }
    if (sae->options.batchtopk_rule == SS_BATCHTOPK_REFUSE) {
        return ss__fail_file(
            err, sae->path, SS_E_UNSUPPORTED,
            "a batchtopk SAE keeps the %zu B largest activations of a batch of B rows and "
            "stores "
            "no threshold, so what a text activates depends on its neighbours; choose a rule: "
            "--batchtopk threshold (calibrated on the first rows, or given), row-topk (the %zu "
            "largest of each row) or batch (as in training, depends on the order of rows)",
            sae->top_k, sae->top_k);
    }
    if (ss__sae_calibration_rows(sae) > 0) {
        return ss__fail_file(
            err, sae->path, SS_E_UNSUPPORTED,
            "the threshold of this batchtopk SAE is not known yet; give it, or "
            "analyse a dataset, whose first rows calibrate it");
    }
    return SS_OK;
}

uint64_t ss__sae_calibration_rows(const ss_sae *sae)
{
    const bool waits = sae->kind == SS__SAE_BATCHTOPK &&
                       sae->options.batchtopk_rule == SS_BATCHTOPK_THRESHOLD &&
                       !isfinite(sae->options.batchtopk_threshold);
    return waits ? sae->options.calibration_rows : 0;
}

size_t ss__sae_batch_rows(const ss_sae *sae)
{
    const bool batches =
        sae->kind == SS__SAE_BATCHTOPK && sae->options.batchtopk_rule == SS_BATCHTOPK_BATCH;
    return batches ? sae->options.batch_rows : 0;
}
