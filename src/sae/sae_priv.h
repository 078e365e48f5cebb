/* The canonical form of an SAE, which every format is read into.
 *
 *   u = input(x) - subtracted            absent parts are NULL
 *   h = u W + bias
 *   a = h where h > floor, else 0; for gated SAEs gain h + shift where h > floor, if above 0;
 *       then the k largest, as `selection` says
 *
 * A few kinds are no function of h alone: their rule works on whole rows (sae_rows.c).
 *
 * Legend: N rows, D width, L features, K kept, O width of the output (D but for transcoders).
 */
#ifndef SS_SAE_PRIV_H
#define SS_SAE_PRIV_H

#include "base/buf.h"
#include "base/json_write.h"
#include "sae/sae.h"
#include "tensor/tensor.h"

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

typedef enum ss_sae_selection {
    SS_SAE_SELECT_ABOVE,      /* every h above its floor */
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

/* How a format calls its parts, for the sentence of the rule; NULL: there is no such part. */
struct ss_sae_words {
    const char *encoder, *decoder, *subtracted, *bias, *threshold;
    const char *gate_bias, *log_gain, *shift; /* of gated SAEs */
};

struct ss_sae {
    char *path, *source, *commit, *model_name;
    const char *format, *dtype;
    const char *variant; /* what the format calls this kind */
    const struct ss_sae_words *words;
    ss_sae_kind kind;
    size_t width, n_features, width_out, top_k;
    bool is_transcoder; /* its output is not its input again */
    bool has_skip;
    ss_sae_input input;
    struct ss_tensor_matrix encoder; /* [L, D] */
    float *subtracted;               /* [D] or NULL */
    float *bias;                     /* [L] or NULL */
    float *thresholds;               /* [L] or NULL */
    double threshold;        /* of all features, learnt by a batch-top-k SAE; NaN: none */
    bool includes_threshold; /* h that equals the threshold fires, too */
    bool caps_rows;          /* at most top_k of what passes the thresholds */
    float *gate_bias, *log_gains, *gains, *shifts; /* [L], gated: h + gate_bias > 0, exp */

    /* For rules by row, and for conversions if `keeps_parts`; else NULL. */
    bool keeps_parts;
    float *encoder_rows;       /* [L, D] */
    float *decoder;            /* [L, O] */
    float *decoder_bias;       /* [O] */
    float *skip;               /* [O, D] or NULL: added to a transcoder's output */
    float *magnitudes;         /* [L, D]: the second encoder of SS_SAE_GATED_TOPK */
    double residual_threshold; /* SS_SAE_PURSUIT: stop below it, if it is above 0 */
    bool stops_on_same_support;
    double eta;     /* SS_SAE_LISTA: strength of the inhibition */
    size_t n_steps; /* of LISTA, or the most of a pursuit */

    ss_sae_selection selection;
    float *floors;   /* [L], below 0 in gated SAEs only */
    float *nearest;  /* [L] the smallest h that is kept, or counted as borderline where that is
                        counted (SS_SAE_SELECT_ABOVE) */
    float *farthest; /* [L] the largest that is counted; below all where none is */

    struct ss_sae_options options; /* of batch-top-k; sizes resolved; strings and log unused */
    bool calibrated;
    char calibration_hash[65];
    struct ss__buf notes; /* conventions of the format that the rule must tell, "; …" each */
    struct ss__buf rule;

    struct ss__json *config;
    uint64_t config_num_examples;
    char **files;
    struct ss__file_facts *facts; /* of them, when they were read */
    size_t n_files;
};

/* As ss_sae_open, and keep all parts if a conversion needs them. */
SS_MUST_USE ss_status ss_sae_open_with_parts(const char *path,
                                             const struct ss_sae_options *options,
                                             bool keeps_parts, ss_sae **out, ss_err *err);

/* ---- writing in another format ---- */

/* What was written: the kind as the target calls it, and how many thresholds it cannot hold
 * exactly. */
struct ss_sae_written {
    const char *kind;
    uint64_t n_rounded;
};

struct ss_sae_target {
    const char *name;
    const char *files[4]; /* NULL at the end; the last one makes a folder complete */
    /* Write the files of an SAE that was opened with its parts into an existing folder, or say
     * what the target cannot say (SS_E_UNSUPPORTED). */
    ss_status (*write)(const struct ss_sae *sae, const char *folder, bool allows_rounding,
                       struct ss_sae_written *written, ss_err *err);
};
extern const struct ss_sae_target ss_sae_seed_target, ss_sae_saelens_target;

/* "…: the format TARGET cannot say this: …". */
ss_status ss_sae_cannot(const struct ss_sae *sae, const char *target, ss_err *err,
                        const char *format, ...) SS_PRINTF(4, 5);
/* The kind that a row's rule is: a batch-top-k SAE with a threshold is a jumprelu, with
 * row-topk a topk. *threshold is that of all features, NaN where each has its own or none. */
SS_MUST_USE ss_status ss_sae_settle(const struct ss_sae *sae, const char *target,
                                    ss_sae_kind *kind, double *threshold, ss_err *err);
/* Whether n numbers are all 0; NULL is. */
bool ss_sae_is_zero(const float *numbers, size_t n);
/* A matrix [n, m] turned to [m, n]. Gives *out (ss__free). */
SS_MUST_USE ss_status ss_sae_turn(const float *rows, size_t n, size_t m, float **out,
                                  ss_err *err);
/* Write a finished document as FOLDER/NAME, and release it. */
SS_MUST_USE ss_status ss_sae_write_json(const char *folder, const char *name,
                                        struct ss__json_writer *document, ss_err *err);

/* ---- rules ---- */

const char *ss_sae_kind_name(ss_sae_kind kind);
/* Set selection, floors and the rule's sentence from kind, thresholds and options. Called after
 * reading and again when a threshold was found. Errors: SS_E_USAGE, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_sae_set_rule(struct ss_sae *sae, ss_err *err);
/* Note a convention of the format, as a part of the rule's sentence. */
void ss_sae_note(struct ss_sae *sae, const char *format, ...) SS_PRINTF(2, 3);
/* SS_OK, or why the SAE cannot encode rows. */
SS_MUST_USE ss_status ss_sae_check_rule(const struct ss_sae *sae, ss_err *err);

/* ---- the k strongest ---- */

/* Where the k largest of some numbers end: at `value`. is_tied: more equal it than there is
 * room for; the first n_equal of them are taken. */
struct ss_sae_border {
    float value;
    bool is_tied;
    size_t n_equal;
};
/* Of those of x [n] that are not below `least`; if they are no more than k, all. NaN is none.
 */
struct ss_sae_border ss_sae_find_border(const float *x, size_t n, size_t k, float least);
/* Whether the next number is one of the k; asked in their order. */
static inline bool ss_sae_border_takes(struct ss_sae_border *border, float x)
{
    if (border->is_tied && x == border->value) {
        const bool takes = border->n_equal > 0;
        border->n_equal -= takes;
        return takes;
    }
    return x >= border->value;
}

/* Keeps the k largest of those offered, in the order in which they were offered. Its memory is
 * the caller's. */
struct ss_sae_strongest {
    float *values;     /* [room] */
    uint32_t *ids;     /* the same */
    size_t n, k, room; /* ss_sae_strongest_room(k) */
    float least;       /* lower values need not be offered; -INFINITY at first */
    bool is_tied;      /* of equal values some are kept and some are not, after a cut */
};
size_t ss_sae_strongest_room(size_t k);
/* Offer values[j] with the id first + j for every bit j of `bits`. */
void ss_sae_strongest_offer(struct ss_sae_strongest *self, const float *values, uint32_t bits,
                            uint32_t first);
/* Let go of all but the k largest. */
void ss_sae_strongest_cut(struct ss_sae_strongest *self);

/* No rows yet, with room for the offsets of n. */
SS_MUST_USE ss_status ss_sae_sparse_start(struct ss_sparse *out, size_t n, ss_err *err);

/* Keep only the `k` largest of all values of rows from `first_row` on, which are the last;
 * equal values: lower row, then lower feature. */
void ss_sae_sparse_keep_strongest(struct ss_sparse *rows, size_t first_row, size_t k);

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
    /* Where u may be off, else 0 and NULL: |du|, and what it may do (struct ss_sae_doubt). */
    double reach;
    const float *lengths, *size_lengths;
    bool is_near;
};
typedef void ss_sae_rule_of_row(const struct ss_sae *sae, struct ss_sae_row *row);

ss_sae_rule_of_row *ss_sae_row_rule(ss_sae_kind kind);
/* Whether the rule makes its own products, so that h is but scratch. */
bool ss_sae_rule_multiplies(ss_sae_kind kind);
size_t ss_sae_n_candidates(const struct ss_sae *sae);

/* h = x W + bias, whole rows of it. */
struct ss_sae_product {
    const float *x; /* [n_rows, D] */
    size_t n_rows;
    const float *bias; /* [L] or NULL */
    float *h;          /* [n_rows, stride] */
    size_t stride;
    float *scratch; /* ss_tensor_visit_floats */
};
void ss_sae_multiply(const struct ss_sae *sae, const struct ss_sae_product *product);

/* ---- encoding ---- */

/* Whether rows are changed before they are multiplied. */
bool ss_sae_changes_input(const struct ss_sae *sae);
/* out [n_rows, D] = input(x) - subtracted, if that changes x. Gives the number of rows before
 * the first in which x or out holds a number that is not finite; but a row of zeros that has no
 * such form becomes NaN, of which no rule keeps anything. */
size_t ss_sae_prepare(const struct ss_sae *sae, const float *x, size_t n_rows, float *out);

bool ss_sae_is_finite_row(const struct ss_sae *sae, const float *x);

/* How far u may be off where x is, |du|, over the relative error of x. */
double ss_sae_input_reach(const ss_sae *sae, const float *x);

/* Rows of a call: x [n, D]; `first` is the number of the first, for messages. */
struct ss_sae_rows {
    const float *x;
    size_t n;
    uint64_t first;
    const struct ss_sae_doubt *doubt; /* for a selection by row: where u may be off; or NULL */
};

/* Rows whose u may be off, and how much that is. */
struct ss_sae_doubt {
    const double *reach; /* [n] |du| at most */
    const float *lengths,
        *size_lengths; /* [L] |dh| / |du| at most, and of gated top-k's size */
    bool *is_near;     /* [n] becomes true where another u may fire others */
};

/* Append the rows' activations to `out`, which is started (offsets[0] is 0), with a selection
 * that may differ from the SAE's own. On error `out` has no rows. */
SS_MUST_USE ss_status ss_sae_encode_part(const struct ss_sae *sae, ss_sae_selection selection,
                                         ss_work *work, const struct ss_sae_rows *rows,
                                         struct ss_sparse *out, struct ss_sae_counts *counts,
                                         ss_err *err);

/* The same by batches of options.batch_rows rows, counted from the first row. */
SS_MUST_USE ss_status ss_sae_encode_batches(const struct ss_sae *sae, ss_work *work,
                                            const struct ss_sae_rows *rows,
                                            struct ss_sparse *out, ss_err *err);

#endif
