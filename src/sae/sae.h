/* What run/ needs of an SAE beyond the public interface. */
#ifndef SS_SAE_H
#define SS_SAE_H

#include "base/error.h"
#include "base/map.h"

/* Whether the chosen rule must look at the first rows before it can encode (batch-top-k with a
 * threshold that is not given), and for how many rows. */
uint64_t ss_sae_calibration_rows(const ss_sae *sae);

/* Calibrate on embeddings x [n, width]: the threshold becomes the value midway between the
 * (k n)-th largest activation and the next. Recorded in the SAE's rule, so that a rule
 * described before is void. Errors: SS_E_USAGE (nothing to calibrate), SS_E_DATA (n is 0),
 * SS_E_LIMIT, SS_E_NONFINITE, SS_E_NOMEM. Not thread-safe: before the SAE is shared. */
SS_MUST_USE ss_status ss_sae_calibrate(ss_sae *sae, ss_work *work, const float *x, size_t n,
                                       ss_err *err);

/* Batch size that the rule demands (batch rule), else 0. */
size_t ss_sae_batch_rows(const ss_sae *sae);

/* Rows with equal values at the k-th place, and pairs within 2 ulp of a threshold, counted over
 * the calls that are given one; reported in the manifest. */
struct ss_sae_counts {
    uint64_t n_tied_rows;
    uint64_t n_borderline_pairs;
};

/* As ss_sae_encode, adding to `counts` (nullable). */
SS_MUST_USE ss_status ss_sae_encode_counted(const ss_sae *sae, ss_work *work, const float *x,
                                            size_t n, struct ss_sparse *out,
                                            struct ss_sae_counts *counts, ss_err *err);

/* ---- rows whose embedding may be off (sae_margin.c) ---- */

/* What embeddings that are off by a part `error` of their length at most mean for the features
 * of an SAE, and scratch. The SAE is borrowed. Gives *out (ss_sae_margins_free). Errors:
 * SS_E_NOMEM. Threads: one call at a time. */
struct ss_sae_margins;
SS_MUST_USE ss_status ss_sae_margins_new(const ss_sae *sae, double error,
                                         struct ss_sae_margins **out, ss_err *err);
void ss_sae_margins_free(struct ss_sae_margins *margins);
/* Whether the SAE's rule lets rows be told apart; if not, every row is near. */
bool ss_sae_margins_decide(const struct ss_sae_margins *margins);

struct ss_sae_near_rows {
    const float *x; /* [n, width] */
    size_t n;
    bool *is_near;                /* [n] */
    struct ss_sae_counts *counts; /* nullable */
};

/* As ss_sae_encode. is_near becomes true for rows that could fire other features if their
 * embedding were off by the error; `out` has the features of all others for certain, and
 * `counts` is about those. */
SS_MUST_USE ss_status ss_sae_encode_near(struct ss_sae_margins *margins, ss_work *work,
                                         const struct ss_sae_near_rows *rows,
                                         struct ss_sparse *out, ss_err *err);

/* Encode the rows that are near again, from an x in which they are exact now, in place of what
 * `out` has of them, adding to `counts`. */
SS_MUST_USE ss_status ss_sae_encode_again(struct ss_sae_margins *margins, ss_work *work,
                                          const struct ss_sae_near_rows *rows,
                                          struct ss_sparse *out, ss_err *err);

/* Find the rows whose exact embeddings ss_sae_calibrate needs for the threshold that it would
 * find with all of them exact. The SAE is the margins' own; nothing is calibrated after.
 * Errors: those of ss_sae_calibrate. */
SS_MUST_USE ss_status ss_sae_calibrate_near(struct ss_sae_margins *margins, ss_sae *sae,
                                            ss_work *work, const struct ss_sae_near_rows *rows,
                                            ss_err *err);

size_t ss_sae_n_files(const ss_sae *sae);
struct ss__file_facts ss_sae_file_facts(const ss_sae *sae, size_t index);
const char *ss_sae_file(const ss_sae *sae, size_t index);

/* Whether a folder looks like an SAE of a format that is read. */
bool ss_sae_is_at(const char *path);

/* Folders of SAEs below a folder, as paths in it, by name; of those within a few levels. Gives
 * *out (ss_sae_list_release). Errors: SS_E_NOMEM. */
struct ss_sae_list {
    char **paths;
    size_t n, n_room;
};
SS_MUST_USE ss_status ss_sae_list_below(const char *folder, struct ss_sae_list *out,
                                        ss_err *err);
void ss_sae_list_release(struct ss_sae_list *list);

/* All keys of its config as they stand, for the manifest (borrowed). */
struct ss__json;
const struct ss__json *ss_sae_config(const ss_sae *sae);

/* The name of the format whose SAE an open weights file is by its tensors alone, NULL if it is
 * none or may be several. */
struct ss_weights;
const char *ss_sae_format_of(struct ss_weights *weights);

/* Open an SAE and write it in another format into an existing folder. */
struct ss_sae_conversion {
    const char *to; /* "seed" or "saelens" */
    const struct ss_sae_options *options;
    bool allows_rounding;
    const char *format; /* out: of the source */
    const char *kind;   /* out: as the target calls it */
    uint64_t n_rounded; /* out */
};
/* Errors: those of ss_sae_open; SS_E_USAGE for an unknown target; SS_E_UNSUPPORTED with what
 * the target cannot say; SS_E_IO. */
/* Names of the files that it writes, NULL at the end; the last one makes a folder complete. */
SS_MUST_USE ss_status ss_sae_target_files(const char *to, const char *const **files,
                                          ss_err *err);
SS_MUST_USE ss_status ss_sae_convert_folder(const char *path, const char *folder,
                                            struct ss_sae_conversion *conversion, ss_err *err);

#endif
