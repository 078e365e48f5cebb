/* The canonical form of an SAE, which every format is read into.
 *
 *   u = input(x) - subtracted            absent parts are NULL
 *   h = u W + bias
 *   a = h where h > threshold, else 0; for gated SAEs gain h + shift where h > threshold, if
 *       above 0; then the k largest, as `selection` says
 *
 * A few kinds are no function of h alone: their rule works on whole rows (sae_row_rules.c).
 *
 * An SAE has three parts: parameters (weights), an activation rule (a value), and provenance
 * (files, config, names). Encoding takes parameters and a rule, so that the same weights can be
 * encoded with another rule: with a calibrated threshold, with thresholds lowered by a margin,
 * or with that of an SAE that is being trained.
 *
 * Legend: N rows, D width, L features, K kept, O width of the output (D but for transcoders).
 */
#ifndef SS_SAE_PRIV_H
#define SS_SAE_PRIV_H

#include "base/buf.h"
#include "base/json_write.h"
#include "sae/sae.h"
#include "tensor/tensor.h"

/* What an SAE was trained as. Formats map their names to these (docs/spec/sae-formats.md, §1.2
 * and §2); what is done with a row follows from kind and rule together (sae_rule.c). */
typedef enum ss_sae_kind {
    SS_SAE_JUMPRELU,
    SS_SAE_TOPK,
    SS_SAE_BATCHTOPK,
    SS_SAE_VANILLA,
    SS_SAE_GATED,
    SS_SAE_GROUPMAX,
    SS_SAE_GATED_TOPK,
    SS_SAE_PURSUIT,
    SS_SAE_LISTA,
    SS_SAE_N_SAE_KINDS
} ss_sae_kind;

/* Which h are kept. Kinds and the ways to use a batch-top-k SAE come down to these four, each
 * with a selector of its own (sae_selector.c). */
typedef enum ss_sae_selection {
    SS_SAE_SELECT_ABOVE,      /* every h above its threshold */
    SS_SAE_SELECT_ROW_TOPK,   /* of those, the k largest of a row */
    SS_SAE_SELECT_BATCH_TOPK, /* of those, the k B largest of a batch of B rows */
    SS_SAE_SELECT_BY_ROW      /* what ss_sae_row_rule(kind) makes of a whole row */
} ss_sae_selection;

/* What becomes of an embedding first. */
typedef enum ss_sae_input {
    SS_SAE_INPUT_PLAIN,
    SS_SAE_INPUT_LAYER_NORM, /* (x - mean) / (s + 1e-5), s unbiased over the row */
    SS_SAE_INPUT_ROOT_WIDTH, /* x sqrt(D) / |x| */
    SS_SAE_N_SAE_INPUTS
} ss_sae_input;

/* What is learnt: weights as they are used, inputs and outputs. All arrays are owned
 * (ss_sae_parameters_release); absent ones are NULL. */
struct ss_sae_parameters {
    size_t width, n_features, width_out;
    bool is_transcoder; /* its output is not its input again */
    bool has_skip;
    ss_sae_input input;
    struct ss_tensor_matrix encoder;               /* [L, D], packed */
    float *subtracted;                             /* [D] */
    float *bias;                                   /* [L] */
    float *thresholds;                             /* [L] */
    float *gate_bias, *log_gains, *gains, *shifts; /* [L], gated: h + gate_bias > 0, exp */

    /* For rules by row, for writers (all of them where keeps_all), and for ss_sae_new. */
    bool keeps_all;
    float *encoder_rows; /* [L, D] */
    float *decoder;      /* [L, O] */
    float *decoder_bias; /* [O] */
    float *skip;         /* [O, D]: added to a transcoder's output */
    float *magnitudes;   /* [L, D]: the second encoder of SS_SAE_GATED_TOPK */

    struct ss_sae_filter *filter; /* finds what is worth multiplying (sae_filter.c); or NULL */
};

/* The activation rule, h -> a. A value: it owns nothing and may be copied and changed. What
 * stands below the line is set when the rule is bound to parameters (ss_sae_activation_init),
 * and its arrays are borrowed from there. */
struct ss_sae_rule {
    ss_sae_kind kind;
    size_t top_k;
    bool has_stored_threshold; /* of all features, learnt by a batch-top-k SAE */
    double stored_threshold;
    bool includes_threshold;   /* h that equals the threshold fires, too */
    bool caps_rows;            /* at most top_k of what passes the thresholds */
    double residual_threshold; /* SS_SAE_PURSUIT: stop below it, if it is above 0 */
    bool stops_on_same_support;
    double eta;     /* SS_SAE_LISTA: strength of the inhibition */
    size_t n_steps; /* of LISTA, or the most of a pursuit */

    /* How a batch-top-k SAE is used, as in struct ss_sae_options. */
    ss_batchtopk_rule batchtopk;
    double batchtopk_threshold; /* 0 or NaN: to be calibrated */
    uint64_t calibration_rows;
    size_t batch_rows;
    char calibration_hash[65]; /* SHA-256 of the rows that it was calibrated on, else "" */

    /* ---- bound ---- */
    ss_sae_selection selection;
    const float *thresholds;     /* [L] features fire above it; below 0 in gated SAEs only */
    const float *candidate_min;  /* [L] the smallest h that is looked at */
    const float *borderline_max; /* [L] the largest h that is counted as borderline, where pairs
                                    are counted (SS_SAE_SELECT_ABOVE); else below all */
    const float *gains, *shifts; /* [L], gated, else NULL */
};

/* A rule that is bound to the parameters of an SAE. Owns what the rule borrows but for what
 * belongs to the parameters. */
struct ss_sae_activation {
    struct ss_sae_rule rule;
    float *arrays;       /* [3, L] */
    struct ss__buf text; /* the rule in words, terminated */
};

/* How a format calls its parts, for the description of the rule; NULL: there is no such part.
 */
struct ss_sae_labels {
    const char *encoder, *decoder, *subtracted, *bias, *threshold;
    const char *gate_bias, *log_gain, *shift; /* of gated SAEs */
};

/* Where an SAE comes from: nothing here has a part in its activations. All but the static
 * strings are owned (ss_sae_provenance_release); NULL is "". */
struct ss_sae_provenance {
    char *path, *source, *commit, *model_name;
    const char *format, *dtype;         /* static */
    const char *variant;                /* static: what the format calls this kind */
    const struct ss_sae_labels *labels; /* static */
    struct ss__buf notes; /* conventions of the format that the rule must tell, "; …" each */
    struct ss__json *config;
    uint64_t config_num_examples;
    char **files;
    struct ss__file_facts *facts; /* of them, when they were read */
    size_t n_files;
};

/* What a reader fills, zeroed at first; it owns what it has (ss_sae_parts_release). */
struct ss_sae_parts {
    struct ss_sae_parameters parameters;
    struct ss_sae_rule rule;
    struct ss_sae_provenance provenance;
};

/* Nothing of it changes once it is made, so that threads may share it. */
struct ss_sae {
    struct ss_sae_parameters parameters;
    struct ss_sae_provenance provenance;
    struct ss_sae_activation activation;
};

/* Make an SAE of its parts, in memory. Needed are width, n_features, encoder_rows or a packed
 * encoder, and what the rule's kind reads: gains are made of log_gains. To be written in a
 * format (ss_sae_write) it needs keeps_all with encoder_rows, decoder and decoder_bias.
 *
 * parts    taken on success and failure: parameters and provenance are zeroed
 * out      gives (ss_sae_free); NULL on error
 * Errors   SS_E_USAGE, SS_E_SHAPE for parts that do not belong together; SS_E_NOMEM
 * Threads  any
 * Source   tests/unit/test_sae_parts.c */
SS_MUST_USE ss_status ss_sae_new(struct ss_sae_parts *parts, ss_sae **out, ss_err *err);
/* Release what a part owns and leave it zeroed, which may be released again. */
void ss_sae_parameters_release(struct ss_sae_parameters *parameters);
void ss_sae_provenance_release(struct ss_sae_provenance *provenance);
void ss_sae_parts_release(struct ss_sae_parts *parts);

/* ---- a rough product first (sae_filter.c) ---- */

/* The encoder in numbers that are multiplied fast, and how far they are off. Owns all of it but
 * `rows`, where those are the parameters'. */
struct ss_sae_filter {
    struct ss_tensor_matrix rough;
    const float *rows; /* [L, D] as they are */
    float *own_rows;
    float *norms, *errors; /* [L] |w|, and |w - rounded w| */
};
/* Give parameters whose encoder is packed a filter, where the machine and the size make one
 * useful. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_filter_init(struct ss_sae_parameters *parameters, ss_err *err);
/* NULL is fine. */
void ss_sae_filter_free(struct ss_sae_filter *filter);

/* ---- writing in another format ---- */

/* What was written: the kind as the target calls it, and how many thresholds it cannot hold
 * exactly. */
struct ss_sae_written {
    const char *kind;
    uint64_t n_rounded;
};

/* A format that SAEs are written in. The files of `write` are there in their order, so that a
 * folder with the last one is complete. */
struct ss_sae_target {
    const char *name;
    const char *files[4]; /* NULL at the end; the last one makes a folder complete */
    /* Write the files of an SAE that has all its weights into an existing folder, or say what
     * the target cannot say (SS_E_UNSUPPORTED). */
    ss_status (*write)(const struct ss_sae *sae, const char *folder, bool allows_rounding,
                       struct ss_sae_written *written, ss_err *err);
};
extern const struct ss_sae_target ss_sae_seed_target, ss_sae_saelens_target;

/* "PATH: the format TARGET cannot say what this SAE does: …" (SS_E_UNSUPPORTED); the rest is a
 * format of printf with its arguments. */
ss_status ss_sae_refuse_target(const struct ss_sae *sae, const char *target, ss_err *err,
                               const char *format, ...) SS_PRINTF(4, 5);
/* The kind that a row's rule is: a batch-top-k SAE with a threshold is a jumprelu, with
 * row-topk a topk. *threshold is that of all features, NaN where each has its own or none.
 * Errors: SS_E_UNSUPPORTED where the rule has something that no other format says. */
SS_MUST_USE ss_status ss_sae_effective_kind(const struct ss_sae *sae, const char *target,
                                            ss_sae_kind *kind, double *threshold, ss_err *err);
/* Whether n numbers are all 0; NULL is. */
bool ss_sae_is_zero(const float *numbers, size_t n);
/* A matrix [n, m] as [m, n], row-major both, into memory that does not overlap it. */
void ss_sae_transpose_into(const float *rows, size_t n, size_t m, float *out);
/* The same. Gives *out (ss__free). Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_transpose(const float *rows, size_t n, size_t m, float **out,
                                       ss_err *err);
/* Write a finished document as FOLDER/NAME, and release it, also on error. Errors: SS_E_IO,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_write_json(const char *folder, const char *name,
                                        struct ss__json_writer *document, ss_err *err);

/* ---- rules ---- */

/* The name of a kind (static), as outputs and messages have it. */
const char *ss_sae_kind_name(ss_sae_kind kind);
/* Bind a rule to parameters: resolve its options, choose its selection, set the thresholds of
 * every feature, and describe it. Both are borrowed for as long as the activation lives; the
 * provenance, with its labels and notes, for the call. Release after success and failure.
 * Errors: SS_E_USAGE, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_activation_init(struct ss_sae_activation *self,
                                             const struct ss_sae_parameters *parameters,
                                             const struct ss_sae_rule *rule,
                                             const struct ss_sae_provenance *provenance,
                                             ss_err *err);
void ss_sae_activation_release(struct ss_sae_activation *self);
/* Describe a rule that is bound (sae_rule_text.c). Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_describe_rule(const struct ss_sae_parameters *parameters,
                                           const struct ss_sae_rule *rule,
                                           const struct ss_sae_provenance *provenance,
                                           struct ss__buf *text, ss_err *err);
/* Note a convention of the format, as a part of the rule's description. */
void ss_sae_add_note(struct ss_sae_parts *sae, const char *format, ...) SS_PRINTF(2, 3);
/* Whether a bound rule uses the threshold that training stored. */
bool ss_sae_uses_stored_threshold(const struct ss_sae_rule *rule);
/* Whether it is a batch-top-k's that is used by another way than with that threshold. */
bool ss_sae_needs_batchtopk_choice(const struct ss_sae_rule *rule);
/* Rows that the threshold is to be calibrated on; 0: none. */
uint64_t ss_sae_rule_calibration_rows(const struct ss_sae_rule *rule);
/* SS_OK, or why rows cannot be encoded with a rule. */
SS_MUST_USE ss_status ss_sae_check_rule(const struct ss_sae *sae,
                                        const struct ss_sae_rule *rule, ss_err *err);

/* ---- rules by row ---- */

/* A candidate of a row; the id is its feature. */
struct ss_sae_kept {
    float value;
    size_t id;
};

/* One row while its rule runs. All memory is the caller's. */
struct ss_sae_row {
    const float *u;           /* [D] */
    float *h;                 /* [L], may be written over */
    float *a;                 /* [L], zeroed: the activations go here */
    float *residual;          /* [D] */
    struct ss_sae_kept *kept; /* [ss_sae_n_candidates] */
    float *product;           /* scratch of a product of one row */
    bool is_tied;             /* equal values decided what is kept */
    /* Where u may be off, else 0 and NULL: |du| at most, and what h and the magnitudes of gated
     * top-k move by it (struct ss_sae_error_bounds). */
    double du;
    const float *h_per_du, *magnitude_per_du;
    bool is_ambiguous; /* another u within |du| may fire other features */
};
typedef void ss_sae_row_rule_fn(const struct ss_sae_parameters *parameters,
                                const struct ss_sae_rule *rule, struct ss_sae_row *row);

/* A rule over one whole row: it reads u and h and writes the activations of `row->a`, sets
 * is_tied, and where du is above 0 is_ambiguous. NULL for kinds that have none. Threads: any, a
 * row each. */
ss_sae_row_rule_fn *ss_sae_row_rule(ss_sae_kind kind);
/* Whether the rule makes its own products, so that h is but scratch. */
bool ss_sae_row_rule_multiplies(ss_sae_kind kind);
/* How many features a rule by row handles at once at most: the length of row->kept. */
size_t ss_sae_n_candidates(const struct ss_sae_parameters *parameters,
                           const struct ss_sae_rule *rule);

/* h = u W + bias, whole rows of it, without the activation rule. */
struct ss_sae_product {
    const float *x; /* [n_rows, D] */
    size_t n_rows;
    const float *bias; /* [L] or NULL */
    float *h;          /* [n_rows, stride] */
    size_t stride;
    float *scratch; /* ss_tensor_linear_tiles_floats */
};
/* By one thread, the caller's; all memory is the caller's. The sums are those that selectors
 * see, bit for bit. */
void ss_sae_multiply(const struct ss_sae_parameters *parameters,
                     const struct ss_sae_product *product);

/* ---- encoding ---- */

/* Whether rows are changed before they are multiplied. */
bool ss_sae_changes_input(const struct ss_sae_parameters *parameters);
/* out [n_rows, D] = input(x) - subtracted, if that changes x. Gives the number of rows before
 * the first in which x or out holds a number that is not finite; but a row of zeros that has no
 * such form becomes NaN, of which no rule keeps anything. */
size_t ss_sae_prepare_rows(const struct ss_sae_parameters *parameters, const float *x,
                           size_t n_rows, float *out);

bool ss_sae_is_finite_row(const struct ss_sae_parameters *parameters, const float *x);

/* How far u may be off where x [D] is, |du|, over the relative error of x (docs/numerics.md,
 * "Fire sets at high"). */
double ss_sae_input_sensitivity(const struct ss_sae_parameters *parameters, const float *x);

/* How far the u of rows may be off, and what that does (docs/numerics.md, "Fire sets at high").
 */
struct ss_sae_error_bounds {
    const double *du;      /* [n] |du| at most */
    const float *h_per_du; /* [L] |dh| / |du| at most */
    const float
        *magnitude_per_du; /* [L] the same of the magnitudes of gated top-k, else NULL */
    bool *is_ambiguous;    /* [n] becomes true where another u may fire others */
};

/* Rows of a call: x [n, D]; `first` is the number of the first, for messages. */
struct ss_sae_rows {
    const float *x;
    size_t n;
    uint64_t first;
    const struct ss_sae_error_bounds *bounds; /* for SS_SAE_SELECT_BY_ROW, or NULL */
    struct ss_sae_counts *counts;             /* are added to; nullable */
};

/* Append the rows' activations by a bound rule to `out`, which is started (offsets[0] is 0).
 * The rule is any but SS_SAE_SELECT_BATCH_TOPK.
 *
 * out      [N] rows more, features ascending, values above 0. On error it has no rows
 * Errors   SS_E_NONFINITE (err->row), SS_E_STOPPED, SS_E_NOMEM
 * Threads  one call per work, which brings the threads; all else is shared
 * Cost     2 N D L flop; no allocation in a call like one before */
SS_MUST_USE ss_status ss_sae_encode_part(const struct ss_sae_parameters *parameters,
                                         const struct ss_sae_rule *rule, ss_work *work,
                                         const struct ss_sae_rows *rows, struct ss_sparse *out,
                                         ss_err *err);
/* The same; with SS_SAE_SELECT_BATCH_TOPK by batches of rule->batch_rows rows, counted from the
 * first row. */
SS_MUST_USE ss_status ss_sae_encode_rows(const struct ss_sae_parameters *parameters,
                                         const struct ss_sae_rule *rule, ss_work *work,
                                         const struct ss_sae_rows *rows, struct ss_sparse *out,
                                         ss_err *err);

/* No rows yet, with capacity for the offsets of n; memory of an earlier call is used again. */
SS_MUST_USE ss_status ss_sae_sparse_start(struct ss_sparse *out, size_t n, ss_err *err);

/* The threshold midway between the (k n)-th largest activation of rows x [n, D] and the next,
 * by the bound rule of an SAE that is to be calibrated. Errors: as ss_sae_calibrate. */
SS_MUST_USE ss_status ss_sae_find_batchtopk_threshold(const struct ss_sae *sae, ss_work *work,
                                                      const float *x, size_t n,
                                                      double *threshold, ss_err *err);

#endif
