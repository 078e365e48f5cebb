/* What each kind of SAE computes: the floor of every feature, what is kept of a row, and the
 * sentence that says so in every output. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum { DEFAULT_CALIBRATION_ROWS = 10000, DEFAULT_BATCH_ROWS = 64, BORDER_ULPS = 2 };

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

/* Where h begins to count. A threshold that counts itself is one step higher than its floor. */
static float floor_of(const struct ss_sae *sae, size_t feature, float constant)
{
    if (sae->gate_bias != NULL) {
        return -sae->gate_bias[feature];
    }
    const float threshold = sae->thresholds != NULL ? sae->thresholds[feature] : constant;
    if (!(threshold > 0)) {
        return 0;
    }
    return sae->includes_threshold ? nextafterf(threshold, 0) : threshold;
}

/* x, n units in the last place nearer to `towards`. */
static float step(float x, size_t n, float towards)
{
    for (size_t i = 0; i < n; i++) {
        x = nextafterf(x, towards);
    }
    return x;
}

static void set_floors(struct ss_sae *sae, float constant)
{
    const bool chooses = sae->selection == SS_SAE_SELECT_ROW_TOPK;
    for (size_t f = 0; f < sae->n_features; f++) {
        const float floor = floor_of(sae, f, constant);
        const bool counts = floor != 0 && !chooses;
        sae->floors[f] = floor;
        sae->nearest[f] = counts ? step(floor, BORDER_ULPS, floor > 0 ? 0 : -INFINITY)
                                 : step(floor, 1, INFINITY);
        sae->farthest[f] = counts ? step(floor, BORDER_ULPS, INFINITY) : -FLT_MAX;
    }
}

/* ---- sentences ---- */

void ss_sae_note(struct ss_sae *sae, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ss__buf_printf(&sae->notes, "; %s", text);
}

static const char *const input_names[SS_SAE_N_SAE_INPUTS] = {"x", "LN(x)", "S(x)"};
static const char *const input_meanings[SS_SAE_N_SAE_INPUTS] = {
    [SS_SAE_INPUT_PLAIN] = "",
    [SS_SAE_INPUT_LAYER_NORM] = ", LN(x) = (x - mean) / (std + 1e-5) with n - 1 in std",
    [SS_SAE_INPUT_ROOT_WIDTH] = ", S(x) = x sqrt(width) / |x|",
};

/* "(x - b_dec)" or "x". */
static void describe_u(struct ss_sae *sae)
{
    if (sae->subtracted != NULL) {
        ss__buf_printf(&sae->rule, "(%s - %s)", input_names[sae->input],
                       sae->words->subtracted);
    } else {
        ss__buf_add_text(&sae->rule, input_names[sae->input]);
    }
}

static void describe_h(struct ss_sae *sae, bool is_positive)
{
    struct ss__buf *rule = &sae->rule;
    ss__buf_add_text(rule, is_positive ? "h = relu(" : "h = ");
    describe_u(sae);
    ss__buf_printf(rule, " %s", sae->words->encoder);
    if (sae->bias != NULL) {
        ss__buf_printf(rule, " + %s", sae->words->bias);
    }
    ss__buf_add_text(rule, is_positive ? ")" : "");
}

/* What is and is not done with the biases, as formats differ most in this. */
static void describe_conventions(struct ss_sae *sae)
{
    struct ss__buf *rule = &sae->rule;
    const struct ss_sae_words *words = sae->words;
    ss__buf_add_text(rule, input_meanings[sae->input]);
    if (words->subtracted != NULL) {
        ss__buf_printf(rule, "; %s is %s", words->subtracted,
                       sae->subtracted != NULL ? "subtracted from the input"
                                               : "not subtracted");
    }
    if (words->bias != NULL) {
        ss__buf_printf(rule, ", %s is %s", words->bias,
                       sae->bias != NULL ? "added" : "not used");
    }
    if (sae->notes.n_bytes > 0) {
        ss__buf_add(rule, sae->notes.data, sae->notes.n_bytes);
    }
}

static void describe_relu(struct ss_sae *sae)
{
    ss__buf_add_text(&sae->rule, "a = h; ");
}

static const char *comparison(const struct ss_sae *sae)
{
    return sae->includes_threshold ? ">=" : ">";
}

static void describe_above(struct ss_sae *sae)
{
    ss__buf_printf(&sae->rule, "a = h where h %s %s, else 0; ", comparison(sae),
                   sae->words->threshold);
    if (sae->caps_rows) {
        ss__buf_printf(&sae->rule, "of these the %zu largest of each row at most; ",
                       sae->top_k);
    }
}

static void describe_gated(struct ss_sae *sae)
{
    const struct ss_sae_words *words = sae->words;
    ss__buf_printf(&sae->rule, "a = relu(exp(%s) h + %s) where h + %s > 0, else 0; ",
                   words->log_gain, words->shift, words->gate_bias);
}

static void describe_groupmax(struct ss_sae *sae)
{
    ss__buf_printf(&sae->rule,
                   "a = the largest h of each of %zu groups of %zu neighbouring features, "
                   "equal values by lower feature; ",
                   sae->top_k, sae->n_features / sae->top_k);
}

static void describe_gated_topk(struct ss_sae *sae)
{
    ss__buf_printf(&sae->rule,
                   "a = relu(exp(%s) (u %s) sigmoid(h)) for the %zu largest h of each row, "
                   "equal values by lower feature, u = ",
                   sae->words->log_gain, sae->words->shift, sae->top_k);
    describe_u(sae);
    ss__buf_add_text(&sae->rule, "; ");
}

static void describe_pursuit(struct ss_sae *sae)
{
    struct ss__buf *rule = &sae->rule;
    ss__buf_add_text(rule, "matching pursuit: from r = ");
    describe_u(sae);
    ss__buf_printf(rule,
                   ", the largest c = r %s^T is added to its feature's a and c times that row "
                   "of %s taken from r, while c > 0, at most %zu times",
                   sae->words->decoder, sae->words->decoder, sae->n_steps);
    if (sae->residual_threshold > 0) {
        ss__buf_printf(rule, ", until |r| < %.9g", sae->residual_threshold);
    }
    ss__buf_add_text(rule,
                     sae->stops_on_same_support ? ", or until a feature is chosen again" : "");
}

static void describe_lista(struct ss_sae *sae)
{
    ss__buf_printf(&sae->rule,
                   "%zu times, among the %zu largest h of a row: h = relu(h - %.9g times the "
                   "sum of the others' h by their rows' products in %s); a = the %zu largest "
                   "of the last round, equal values by lower feature; ",
                   sae->n_steps, ss_sae_n_candidates(sae), sae->eta, sae->words->decoder,
                   sae->top_k);
}

static void describe_row_topk(struct ss_sae *sae)
{
    ss__buf_printf(
        &sae->rule, "a = the %zu largest h of each row%s, equal values by lower feature; ",
        sae->top_k,
        sae->kind == SS_SAE_BATCHTOPK
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
    } else if (ss_sae_calibration_rows(sae) > 0) {
        ss__buf_printf(rule, "to be calibrated on the first %llu rows); ",
                       (unsigned long long)sae->options.calibration_rows);
    } else {
        ss__buf_add_text(rule, "as given); ");
    }
}

/* The threshold that training left in the file. */
static void describe_stored(struct ss_sae *sae)
{
    ss__buf_printf(&sae->rule,
                   "a = h where h %s %.9g, else 0 (the threshold that training stored in '%s'",
                   comparison(sae), sae->threshold, sae->words->threshold);
    ss__buf_add_text(&sae->rule,
                     sae->threshold > 0
                         ? "); "
                         : ": it is not above 0, so that every positive h is kept); ");
    if (sae->caps_rows) {
        ss__buf_printf(&sae->rule, "of these the %zu largest of each row at most; ",
                       sae->top_k);
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
    ss_sae_selection selection;
    enum { H_RELU, H_LINEAR, NO_H } h; /* how h enters the sentence */
    void (*describe)(struct ss_sae *sae);
};

static const struct way ways[SS_SAE_N_SAE_KINDS] = {
    [SS_SAE_JUMPRELU] = {SS_SAE_SELECT_ABOVE, H_RELU, describe_above},
    [SS_SAE_TOPK] = {SS_SAE_SELECT_ROW_TOPK, H_RELU, describe_row_topk},
    [SS_SAE_BATCHTOPK] = {SS_SAE_SELECT_ABOVE, H_RELU, describe_stored},
    [SS_SAE_VANILLA] = {SS_SAE_SELECT_ABOVE, H_RELU, describe_relu},
    [SS_SAE_GATED] = {SS_SAE_SELECT_ABOVE, H_LINEAR, describe_gated},
    [SS_SAE_GROUPMAX] = {SS_SAE_SELECT_BY_ROW, H_RELU, describe_groupmax},
    [SS_SAE_GATED_TOPK] = {SS_SAE_SELECT_BY_ROW, H_LINEAR, describe_gated_topk},
    [SS_SAE_PURSUIT] = {SS_SAE_SELECT_BY_ROW, NO_H, describe_pursuit},
    [SS_SAE_LISTA] = {SS_SAE_SELECT_BY_ROW, H_RELU, describe_lista},
};

static const struct way batchtopk_ways[] = {
    [SS_BATCHTOPK_REFUSE] = {SS_SAE_SELECT_BATCH_TOPK, H_RELU, describe_refused},
    [SS_BATCHTOPK_THRESHOLD] = {SS_SAE_SELECT_ABOVE, H_RELU, describe_threshold},
    [SS_BATCHTOPK_ROW_TOPK] = {SS_SAE_SELECT_ROW_TOPK, H_RELU, describe_row_topk},
    [SS_BATCHTOPK_BATCH] = {SS_SAE_SELECT_BATCH_TOPK, H_RELU, describe_batch},
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

/* A batch-top-k SAE whose file holds the threshold of its training, and no other rule is
 * asked for. */
static bool uses_stored_threshold(const struct ss_sae *sae)
{
    return isfinite(sae->threshold) && sae->options.batchtopk_rule == SS_BATCHTOPK_REFUSE;
}

static bool needs_choice(const struct ss_sae *sae)
{
    return sae->kind == SS_SAE_BATCHTOPK && !uses_stored_threshold(sae);
}

/* How rows are encoded, and the threshold of all features in `constant`. */
static struct way find_way(const struct ss_sae *sae, float *constant)
{
    struct way way = ways[sae->kind];
    *constant = 0;
    if (needs_choice(sae)) {
        way = batchtopk_ways[sae->options.batchtopk_rule];
        if (way.selection == SS_SAE_SELECT_ABOVE &&
            isfinite(sae->options.batchtopk_threshold)) {
            *constant = (float)sae->options.batchtopk_threshold;
        }
        return way;
    }
    if (isfinite(sae->threshold)) {
        *constant = (float)sae->threshold;
    }
    if (sae->caps_rows) {
        way.selection = SS_SAE_SELECT_ROW_TOPK;
    }
    return way;
}

ss_status ss_sae_set_rule(struct ss_sae *sae, ss_err *err)
{
    ss_status status = SS_OK;
    float constant = 0;
    if (!sae->calibrated) {
        SS_TRY(resolve_options(sae, err));
    }
    const struct way way = find_way(sae, &constant);
    sae->selection = way.selection;
    set_floors(sae, constant);
    sae->rule.n_bytes = 0;
    way.describe(sae);
    if (way.h != NO_H) {
        describe_h(sae, way.h == H_RELU);
    }
    describe_conventions(sae);
    if (sae->notes.failed || ss__buf_text(&sae->rule) == NULL) {
        status = ss__fail_nomem(err, "the rule of an SAE");
    }
out:
    return status;
}

ss_status ss_sae_check_rule(const struct ss_sae *sae, ss_err *err)
{
    if (!needs_choice(sae)) {
        return SS_OK;
    }
    if (sae->options.batchtopk_rule == SS_BATCHTOPK_REFUSE) {
        return ss__fail_file(
            err, sae->path, SS_E_UNSUPPORTED,
            "a batchtopk SAE keeps the %zu B largest activations of a batch of B rows and "
            "stores "
            "no threshold, so what a text activates depends on its neighbours; choose a rule: "
            "--batchtopk threshold (calibrated on the first rows, or given), row-topk (the %zu "
            "largest of each row) or batch (as in training, depends on the order of rows); to "
            "begin with: --batchtopk threshold",
            sae->top_k, sae->top_k);
    }
    if (ss_sae_calibration_rows(sae) > 0) {
        return ss__fail_file(
            err, sae->path, SS_E_UNSUPPORTED,
            "the threshold of this batchtopk SAE is not known yet; give it, or "
            "analyse a dataset, whose first rows calibrate it");
    }
    return SS_OK;
}

uint64_t ss_sae_calibration_rows(const ss_sae *sae)
{
    const bool waits = sae->kind == SS_SAE_BATCHTOPK &&
                       sae->options.batchtopk_rule == SS_BATCHTOPK_THRESHOLD &&
                       !isfinite(sae->options.batchtopk_threshold);
    return waits ? sae->options.calibration_rows : 0;
}

size_t ss_sae_batch_rows(const ss_sae *sae)
{
    const bool batches =
        sae->kind == SS_SAE_BATCHTOPK && sae->options.batchtopk_rule == SS_BATCHTOPK_BATCH;
    return batches ? sae->options.batch_rows : 0;
}
