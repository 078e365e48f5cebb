/* The canonical form of an SAE, which every format is read into.
 *
 *   u = x, or LN(x) = (x - mean) / (s + 1e-5) with s unbiased over the row, if normalizes_input
 *   h = (u - subtracted) W + bias        absent parts are NULL
 *   a = h where h > floor, else 0; then the k largest, as `selection` says
 *
 * Legend: N rows, D width, L features, K kept. */
#ifndef SS_SAE_PRIV_H
#define SS_SAE_PRIV_H

#include <jansson.h>

#include "base/buf.h"
#include "sae/sae.h"
#include "tensor/tensor.h"

typedef enum ss__sae_kind {
    SS__SAE_JUMPRELU,
    SS__SAE_TOPK,
    SS__SAE_BATCHTOPK,
    SS__SAE_VANILLA,
    SS__N_SAE_KINDS
} ss__sae_kind;

typedef enum ss__selection {
    SS__SELECT_ABOVE,     /* every h above its floor */
    SS__SELECT_ROW_TOPK,  /* of those, the k largest of a row */
    SS__SELECT_BATCH_TOPK /* of those, the k B largest of a batch of B rows */
} ss__selection;

struct ss_sae {
    char *path, *model_name;
    const char *format, *dtype;
    ss__sae_kind kind;
    size_t width, n_features, top_k;
    bool normalizes_input;
    struct ss__matrix encoder; /* [L, D] */
    float *subtracted;         /* [D] or NULL */
    float *bias;               /* [L] or NULL */
    float *thresholds;         /* [L], jumprelu only */

    ss__selection selection;
    float *floors;  /* [L], not negative */
    float *nearest; /* [L] the smallest h that is kept or counted as borderline */

    struct ss_sae_options options; /* of batch-top-k; sizes resolved; strings and log unused */
    bool calibrated;
    char calibration_hash[65];
    struct ss__buf rule;

    json_t *config;
    uint64_t config_num_examples;
    char **files;
    size_t n_files;
};

/* ---- formats ---- */

/* Where a user pointed: a folder, or a weights file in it. */
struct ss__sae_place {
    const char *folder;
    const char *weights; /* path, or NULL: the format looks for it */
};

struct ss__sae_format {
    const char *name;
    bool (*is_at)(const struct ss__sae_place *place);
    ss_status (*read)(struct ss_sae *sae, const struct ss__sae_place *place,
                      const struct ss_log *log, ss_err *err);
};
extern const struct ss__sae_format ss__sae_seed_format;

/* Note a file that was read, for the manifest. */
SS_MUST_USE ss_status ss__sae_add_file(struct ss_sae *sae, const char *path, ss_err *err);

/* ---- rules ---- */

const char *ss__sae_kind_name(ss__sae_kind kind);
/* Set selection, floors and the rule's sentence from kind, thresholds and options. Called after
 * reading and again when a threshold was found. Errors: SS_E_USAGE, SS_E_NOMEM. */
SS_MUST_USE ss_status ss__sae_set_rule(struct ss_sae *sae, ss_err *err);
/* SS_OK, or why the SAE cannot encode rows. */
SS_MUST_USE ss_status ss__sae_check_rule(const struct ss_sae *sae, ss_err *err);

/* ---- the k strongest ---- */

/* Keeps the k largest values of those offered; ids are offered in rising order, and of equal
 * values the one with the lower id is kept. `kept` [k] is the caller's memory: a heap with the
 * weakest first. */
struct ss__kept {
    float value;
    uint64_t id;
};
struct ss__strongest {
    struct ss__kept *kept;
    size_t n, k;
    float best_left; /* largest value that was offered and is not kept; 0 if none */
};
void ss__strongest_offer(struct ss__strongest *self, float value, uint64_t id);
void ss__strongest_sort_by_id(struct ss__strongest *self);
/* Of two equal values one is kept and one is not. */
bool ss__strongest_is_tied(const struct ss__strongest *self);

/* Keep only the `k` largest of all values of `rows`; equal values: lower row, then lower
 * feature. */
SS_MUST_USE ss_status ss__sparse_keep_strongest(struct ss_sparse *rows, size_t k, ss_err *err);

/* ---- encoding ---- */

/* Rows of a call: x [n, D]; `first` is the number of the first, for messages. */
struct ss__rows {
    const float *x;
    size_t n;
    uint64_t first;
};

/* Encode with a selection that may differ from the SAE's own. */
SS_MUST_USE ss_status ss__sae_encode_part(const struct ss_sae *sae, ss__selection selection,
                                          ss_work *work, const struct ss__rows *rows,
                                          struct ss_sparse *out, struct ss__sae_counts *counts,
                                          ss_err *err);

#endif
