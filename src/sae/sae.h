/* What run/ needs of an SAE beyond the public interface. */
#ifndef SS_SAE_H
#define SS_SAE_H

#include "base/error.h"
#include "base/map.h"

/* An activation rule bound to an SAE's parameters: what encoding keeps of its products. The SAE
 * has one, from its config and the options it was opened with; calibration makes another. It
 * borrows the SAE and does not change, so that threads may share it. */
struct ss_sae_activation;
void ss_sae_activation_free(struct ss_sae_activation *activation);
/* In words (borrowed). NULL is the SAE's own. */
const char *ss_sae_activation_text(const ss_sae *sae,
                                   const struct ss_sae_activation *activation);

/* The one threshold of all features that a batch-top-k SAE is used with: stored, given or
 * calibrated. NaN where there is none. */
double ss_sae_activation_threshold(const ss_sae *sae,
                                   const struct ss_sae_activation *activation);

/* Whether the SAE's rule needs the first rows before rows can be encoded (batch-top-k with a
 * threshold that is not given), and how many of them. */
uint64_t ss_sae_calibration_rows(const ss_sae *sae);

/* Calibrate on embeddings x [n, width]: the threshold becomes the value midway between the
 * (k n)-th largest activation and the next. The SAE does not change. Gives *out
 * (ss_sae_activation_free). Errors: SS_E_USAGE (nothing to calibrate), SS_E_DATA (n is 0),
 * SS_E_LIMIT, SS_E_NONFINITE, SS_E_NOMEM. Threads: one per work. */
SS_MUST_USE ss_status ss_sae_calibrate(const ss_sae *sae, ss_work *work, const float *x,
                                       size_t n, struct ss_sae_activation **out, ss_err *err);

/* Batch size that the rule demands (batch rule), else 0. */
size_t ss_sae_batch_rows(const ss_sae *sae);

/* Rows with equal values at the k-th from, and pairs within 2 ulp of a threshold, counted
 * over the calls that are given one; reported in the manifest. */
struct ss_sae_counts {
    uint64_t n_tied_rows;
    uint64_t n_borderline_pairs;
};

struct ss_sae_batch {
    const float *x; /* [n, width] */
    size_t n;
    bool *is_ambiguous;           /* [n], for the functions that speak of it, else unused */
    struct ss_sae_counts *counts; /* are added to; nullable */
};

/* As ss_sae_encode, with an activation rule; NULL is the SAE's own. */
SS_MUST_USE ss_status ss_sae_encode_batch(const ss_sae *sae,
                                          const struct ss_sae_activation *activation,
                                          ss_work *work, const struct ss_sae_batch *batch,
                                          struct ss_sparse *out, ss_err *err);

/* Open an SAE with its decoder [n_features, *width_out], which lives as long as it does. Gives *out
 * (ss_sae_free). Errors: as ss_sae_open; SS_E_UNSUPPORTED (it has none). */
SS_MUST_USE ss_status ss_sae_open_decoder(const char *path,
                                          const struct ss_sae_options *options, ss_sae **out,
                                          const float **decoder, size_t *width_out,
                                          ss_err *err);

/* The decoder's directions of an SAE in a folder or file: *out [n_features, width], gives
 * (ss__free). Errors: as ss_sae_open; SS_E_UNSUPPORTED (its format has no decoder). */
SS_MUST_USE ss_status ss_sae_read_decoder(const char *path, float **out, size_t *n_features,
                                          size_t *width, ss_err *err);

/* ---- pre-activations (sae_pre_activations.c) ---- */

/* Whether the rule compares a number of each feature with a threshold or with others'. */
bool ss_sae_has_pre_activations(const ss_sae *sae);
/* That number with the bias: out [n, n_features] of embeddings x [n, width] that the SAE has
 * encoded. Errors: SS_E_NOMEM, SS_E_STOPPED. Threads: one call per `work` at a time. */
SS_MUST_USE ss_status ss_sae_pre_activations(const ss_sae *sae, ss_work *work, const float *x,
                                             size_t n, float *out, ss_err *err);

/* ---- ambiguous rows (sae_margin.c; docs/numerics.md, "Fire sets at high") ---- */

/* A row is ambiguous if it could fire other features were its embedding off by a relative error
 * that is known. This is what such an error means for the features of an SAE, and scratch. The
 * SAE is borrowed. Gives *out (ss_sae_margins_free). Errors: SS_E_NOMEM. Threads: one call at a
 * time. */
struct ss_sae_margins;
SS_MUST_USE ss_status ss_sae_margins_new(const ss_sae *sae, double error,
                                         struct ss_sae_margins **out, ss_err *err);
void ss_sae_margins_free(struct ss_sae_margins *margins);
/* Whether the SAE's rule lets rows be told apart; if not, every row is ambiguous. */
bool ss_sae_margins_decide(const struct ss_sae_margins *margins);

/* As ss_sae_encode_batch, and mark ambiguous rows: `out` has the features of all others for
 * certain, and `counts` is about those. */
SS_MUST_USE ss_status ss_sae_encode_marking(struct ss_sae_margins *margins,
                                            const struct ss_sae_activation *activation,
                                            ss_work *work, const struct ss_sae_batch *batch,
                                            struct ss_sparse *out, ss_err *err);

/* Encode the marked rows again, from an x in which they are exact now, in place of what `out`
 * has of them, adding to `counts`. */
SS_MUST_USE ss_status ss_sae_reencode_marked(struct ss_sae_margins *margins,
                                             const struct ss_sae_activation *activation,
                                             ss_work *work, const struct ss_sae_batch *batch,
                                             struct ss_sparse *out, ss_err *err);

/* Mark the rows whose exact embeddings ss_sae_calibrate needs for the threshold that it would
 * find with all of them exact. Errors: those of ss_sae_calibrate. */
SS_MUST_USE ss_status ss_sae_mark_for_calibration(struct ss_sae_margins *margins, ss_work *work,
                                                  const struct ss_sae_batch *batch,
                                                  ss_err *err);

/* ---- reconstruction ---- */

/* As ss_sae_open, and keep all weights as floats if a conversion needs them. */
SS_MUST_USE ss_status ss_sae_open_with_weights(const char *path,
                                               const struct ss_sae_options *options,
                                               bool keeps_all, ss_sae **out, ss_err *err);

/* Rows as the SAE sees them (normalised), reconstructed in that form, and as they came. All
 * [n, width], written. */
struct ss_sae_reconstruction {
    float *x_normalised, *y_normalised, *y;
};
/* Of embeddings x [n, width] with their activations, by an SAE that keeps all weights. Errors:
 * SS_E_UNSUPPORTED (a transcoder, no decoder), SS_E_NOMEM. Threads: any. */
SS_MUST_USE ss_status ss_sae_reconstruct(const ss_sae *sae, const float *x,
                                         const struct ss_sparse *a,
                                         const struct ss_sae_reconstruction *out, ss_err *err);
/* Its weights [n_features, width] by feature (borrowed); NULL where they are not kept. */
const float *ss_sae_decoder(const ss_sae *sae);
const float *ss_sae_encoder_rows(const ss_sae *sae);

/* ---- facts ---- */

size_t ss_sae_n_files(const ss_sae *sae);
struct ss__file_facts ss_sae_file_facts(const ss_sae *sae, size_t index);
const char *ss_sae_file(const ss_sae *sae, size_t index);

/* Whether a folder looks like an SAE of a format that is read. */
bool ss_sae_is_at(const char *path);

/* Folders of SAEs below a folder, as paths in it, by name; of those within a few levels. Gives
 * *out (ss_sae_list_release). Errors: SS_E_NOMEM. */
struct ss_sae_list {
    char **paths;
    size_t n, capacity;
};
SS_MUST_USE ss_status ss_sae_list_subfolders(const char *folder, struct ss_sae_list *out,
                                             ss_err *err);
void ss_sae_list_release(struct ss_sae_list *list);

/* All keys of its config as they stand, for the manifest (borrowed). */
struct ss__json;
const struct ss__json *ss_sae_config(const ss_sae *sae);

/* The name of the format whose SAE an open weights file is by its tensors alone, NULL if it is
 * none or may be several. */
struct ss_weights;
const char *ss_sae_format_of(struct ss_weights *weights);

/* ---- writing in another format ---- */

/* Names of the files that a target ("seed", "saelens") writes, NULL at the end; the last one
 * makes a folder complete. Errors: SS_E_USAGE for an unknown target. */
SS_MUST_USE ss_status ss_sae_target_files(const char *to, const char *const **files,
                                          ss_err *err);

struct ss_sae_conversion {
    const char *to; /* "seed" or "saelens" */
    const struct ss_sae_options *options;
    bool allows_rounding;
    const char *format; /* out: of the source */
    const char *kind;   /* out: as the target calls it */
    uint64_t n_rounded; /* out: thresholds that the target does not hold exactly */
};
/* Write an SAE that has all its weights into an existing folder. Errors: SS_E_USAGE for an
 * unknown target and for missing weights; SS_E_UNSUPPORTED with what the target cannot say;
 * SS_E_IO. */
SS_MUST_USE ss_status ss_sae_write(const ss_sae *sae, const char *folder,
                                   struct ss_sae_conversion *conversion, ss_err *err);
/* Open an SAE and write it. Errors: those of ss_sae_open and ss_sae_write. */
SS_MUST_USE ss_status ss_sae_convert_folder(const char *path, const char *folder,
                                            struct ss_sae_conversion *conversion, ss_err *err);

#endif
