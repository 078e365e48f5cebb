/* An activation rule in words, as every output tells it: how activations are made of h and h of
 * an embedding, and what is and is not done with the biases.
 *
 * The words are part of the results (run.json, inspect), by which somebody checks a run against
 * the original's code: so they use the checkpoint's own names of tensors (labels), and say what
 * is not done as well, since formats differ most in that. A change here changes outputs. */
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "sae/sae_priv.h"

struct description {
    const struct ss_sae_parameters *parameters;
    const struct ss_sae_rule *rule;
    const struct ss_sae_provenance *provenance;
    const struct ss_sae_labels *labels;
    struct ss__buf *text;
};

void ss_sae_add_note(struct ss_sae_parts *sae, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)ss__vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ss__buf_printf(&sae->provenance.notes, "; %s", text);
}

static const char *const input_names[SS_SAE_N_SAE_INPUTS] = {"x", "LN(x)", "S(x)"};
static const char *const input_meanings[SS_SAE_N_SAE_INPUTS] = {
    [SS_SAE_INPUT_PLAIN] = "",
    [SS_SAE_INPUT_LAYER_NORM] = ", LN(x) = (x - mean) / (std + 1e-5) with n - 1 in std",
    [SS_SAE_INPUT_ROOT_WIDTH] = ", S(x) = x sqrt(width) / |x|",
};

/* "(x - b_dec)" or "x". */
static void describe_u(const struct description *d)
{
    if (d->parameters->subtracted != NULL) {
        ss__buf_printf(d->text, "(%s - %s)", input_names[d->parameters->input],
                       d->labels->subtracted);
    } else {
        ss__buf_add_text(d->text, input_names[d->parameters->input]);
    }
}

static void describe_h(const struct description *d, bool is_positive)
{
    struct ss__buf *text = d->text;
    ss__buf_add_text(text, is_positive ? "h = relu(" : "h = ");
    describe_u(d);
    ss__buf_printf(text, " %s", d->labels->encoder);
    if (d->parameters->bias != NULL) {
        ss__buf_printf(text, " + %s", d->labels->bias);
    }
    ss__buf_add_text(text, is_positive ? ")" : "");
}

/* What is and is not done with the biases, as formats differ most in this. */
static void describe_conventions(const struct description *d)
{
    struct ss__buf *text = d->text;
    const struct ss_sae_labels *labels = d->labels;
    ss__buf_add_text(text, input_meanings[d->parameters->input]);
    if (labels->subtracted != NULL) {
        ss__buf_printf(text, "; %s is %s", labels->subtracted,
                       d->parameters->subtracted != NULL ? "subtracted from the input"
                                                         : "not subtracted");
    }
    if (labels->bias != NULL) {
        ss__buf_printf(text, ", %s is %s", labels->bias,
                       d->parameters->bias != NULL ? "added" : "not used");
    }
    if (d->provenance->notes.n_bytes > 0) {
        ss__buf_add(text, d->provenance->notes.data, d->provenance->notes.n_bytes);
    }
}

static void describe_relu(const struct description *d)
{
    ss__buf_add_text(d->text, "a = h; ");
}

static const char *comparison(const struct description *d)
{
    return d->rule->includes_threshold ? ">=" : ">";
}

static void describe_above(const struct description *d)
{
    ss__buf_printf(d->text, "a = h where h %s %s, else 0; ", comparison(d),
                   d->labels->threshold);
    if (d->rule->caps_rows) {
        ss__buf_printf(d->text, "of these the %zu largest of each row at most; ",
                       d->rule->top_k);
    }
}

static void describe_gated(const struct description *d)
{
    const struct ss_sae_labels *labels = d->labels;
    ss__buf_printf(d->text, "a = relu(exp(%s) h + %s) where h + %s > 0, else 0; ",
                   labels->log_gain, labels->shift, labels->gate_bias);
}

static void describe_groupmax(const struct description *d)
{
    ss__buf_printf(d->text,
                   "a = the largest h of each of %zu groups of %zu neighbouring features, "
                   "equal values by lower feature; ",
                   d->rule->top_k, d->parameters->n_features / d->rule->top_k);
}

static void describe_gated_topk(const struct description *d)
{
    ss__buf_printf(d->text,
                   "a = relu(exp(%s) (u %s) sigmoid(h)) for the %zu largest h of each row, "
                   "equal values by lower feature, u = ",
                   d->labels->log_gain, d->labels->shift, d->rule->top_k);
    describe_u(d);
    ss__buf_add_text(d->text, "; ");
}

static void describe_pursuit(const struct description *d)
{
    struct ss__buf *text = d->text;
    ss__buf_add_text(text, "matching pursuit: from r = ");
    describe_u(d);
    ss__buf_printf(text,
                   ", the largest c = r %s^T is added to its feature's a and c times that row "
                   "of %s taken from r, while c > 0, at most %zu times",
                   d->labels->decoder, d->labels->decoder, d->rule->n_steps);
    if (d->rule->residual_threshold > 0) {
        ss__buf_printf(text, ", until |r| < %.9g", d->rule->residual_threshold);
    }
    ss__buf_add_text(
        text, d->rule->stops_on_same_support ? ", or until a feature is chosen again" : "");
}

static void describe_lista(const struct description *d)
{
    ss__buf_printf(d->text,
                   "%zu times, among the %zu largest h of a row: h = relu(h - %.9g times the "
                   "sum of the others' h by their rows' products in %s); a = the %zu largest "
                   "of the last round, equal values by lower feature; ",
                   d->rule->n_steps, ss_sae_n_candidates(d->parameters, d->rule), d->rule->eta,
                   d->labels->decoder, d->rule->top_k);
}

static void describe_row_topk(const struct description *d)
{
    ss__buf_printf(
        d->text, "a = the %zu largest h of each row%s, equal values by lower feature; ",
        d->rule->top_k,
        d->rule->kind == SS_SAE_BATCHTOPK
            ? " (row-topk, chosen for a batch-top-k SAE that was trained over batches)"
            : "");
}

static void describe_threshold(const struct description *d)
{
    struct ss__buf *text = d->text;
    if (isfinite(d->rule->batchtopk_threshold)) {
        ss__buf_printf(
            text, "a = h where h > %.9g, else 0 (threshold, chosen for a batch-top-k SAE: ",
            d->rule->batchtopk_threshold);
    } else {
        ss__buf_add_text(text, "a = h where h > a threshold, else 0 (threshold, chosen for a "
                               "batch-top-k SAE: ");
    }
    if (d->rule->calibration_hash[0] != '\0') {
        ss__buf_printf(text,
                       "calibrated on the first %llu rows for a mean of %zu features a row, "
                       "SHA-256 of their embeddings %s); ",
                       (unsigned long long)d->rule->calibration_rows, d->rule->top_k,
                       d->rule->calibration_hash);
    } else if (ss_sae_rule_calibration_rows(d->rule) > 0) {
        ss__buf_printf(text, "to be calibrated on the first %llu rows); ",
                       (unsigned long long)d->rule->calibration_rows);
    } else {
        ss__buf_add_text(text, "as given); ");
    }
}

/* The threshold that training left in the file. */
static void describe_stored(const struct description *d)
{
    ss__buf_printf(d->text,
                   "a = h where h %s %.9g, else 0 (the threshold that training stored in '%s'",
                   comparison(d), d->rule->stored_threshold, d->labels->threshold);
    ss__buf_add_text(d->text, d->rule->stored_threshold > 0
                                  ? "); "
                                  : ": it is not above 0, so that every positive h is kept); ");
    if (d->rule->caps_rows) {
        ss__buf_printf(d->text, "of these the %zu largest of each row at most; ",
                       d->rule->top_k);
    }
}

static void describe_batch(const struct description *d)
{
    ss__buf_printf(
        d->text,
        "a = the %zu B largest h of each batch of B = %zu rows in input order (batch, "
        "chosen for a batch-top-k SAE: a row's features depend on its batch); ",
        d->rule->top_k, d->rule->batch_rows);
}

static void describe_refused(const struct description *d)
{
    ss__buf_printf(
        d->text,
        "a = the %zu B largest h of each batch of B rows, which says nothing about one "
        "row until a rule is chosen (threshold, row-topk or batch); ",
        d->rule->top_k);
}

/* ---- which ---- */

/* How a rule is told: its words, and whether h is told as relu(…), linear or not at all. */
struct form {
    void (*describe)(const struct description *d);
    enum { H_RELU, H_LINEAR, NO_H } h; /* how h enters the description */
};

static const struct form forms[SS_SAE_N_SAE_KINDS] = {
    [SS_SAE_JUMPRELU] = {describe_above, H_RELU},
    [SS_SAE_TOPK] = {describe_row_topk, H_RELU},
    [SS_SAE_BATCHTOPK] = {describe_stored, H_RELU},
    [SS_SAE_VANILLA] = {describe_relu, H_RELU},
    [SS_SAE_GATED] = {describe_gated, H_LINEAR},
    [SS_SAE_GROUPMAX] = {describe_groupmax, H_RELU},
    [SS_SAE_GATED_TOPK] = {describe_gated_topk, H_LINEAR},
    [SS_SAE_PURSUIT] = {describe_pursuit, NO_H},
    [SS_SAE_LISTA] = {describe_lista, H_RELU},
};

static const struct form batchtopk_forms[] = {
    [SS_BATCHTOPK_REFUSE] = {describe_refused, H_RELU},
    [SS_BATCHTOPK_THRESHOLD] = {describe_threshold, H_RELU},
    [SS_BATCHTOPK_ROW_TOPK] = {describe_row_topk, H_RELU},
    [SS_BATCHTOPK_BATCH] = {describe_batch, H_RELU},
};

ss_status ss_sae_describe_rule(const struct ss_sae_parameters *parameters,
                               const struct ss_sae_rule *rule,
                               const struct ss_sae_provenance *provenance, struct ss__buf *text,
                               ss_err *err)
{
    const struct description d = {parameters, rule, provenance, provenance->labels, text};
    const struct form *form = ss_sae_needs_batchtopk_choice(rule)
                                  ? &batchtopk_forms[rule->batchtopk]
                                  : &forms[rule->kind];
    text->n_bytes = 0;
    form->describe(&d);
    if (form->h != NO_H) {
        describe_h(&d, form->h == H_RELU);
    }
    describe_conventions(&d);
    return provenance->notes.failed || ss__buf_text(text) == NULL
               ? ss__fail_nomem(err, "the rule of an SAE")
               : SS_OK;
}
