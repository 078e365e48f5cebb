/* What run/ needs of an SAE beyond the public interface.
 *
 * An SAE is `const` once it is open, and any number of threads may use it at the same time,
 * each with an ss_work of its own. What changes while a dataset is read (a calibrated
 * threshold, counts, margins) lies in objects beside it, which belong to whoever made them.
 *
 * Legend: N rows, D width of an embedding, L features, K kept. */
#ifndef SS_SAE_H
#define SS_SAE_H

#include "base/error.h"
#include "base/map.h"

/* An activation rule bound to an SAE's parameters: what encoding keeps of its products. The
 * SAE has one, from its config and the options it was opened with; calibration makes
 * another. It borrows the SAE, which has to outlive it, and does not change, so that threads
 * may share it. */
struct ss_sae_activation;
/* NULL is fine. Not for the SAE's own, which ss_sae_free releases. */
void ss_sae_activation_free(struct ss_sae_activation *activation);
/* The rule in words, as run.json has it: what is compared, what is subtracted, where a
 * threshold comes from (sae_rule_text.c). Borrowed until the activation, or for NULL, which
 * means the SAE's own rule, the SAE is freed. Threads: any. */
const char *ss_sae_activation_text(const ss_sae *sae,
                                   const struct ss_sae_activation *activation);

/* The one threshold of all features that a batch-top-k SAE is used with: stored, given or
 * calibrated, in the scale of the checkpoint's activations. NaN where there is none, because
 * the rule is another or is not calibrated yet. NULL is the SAE's own rule. Threads: any. */
double ss_sae_activation_threshold(const ss_sae *sae,
                                   const struct ss_sae_activation *activation);

/* How many rows have to be embedded before the first can be encoded, because the rule is a
 * batch-top-k with a threshold that is not given; 0: none. The count is the one that was asked
 * for: a shorter dataset calibrates on all it has. Threads: any. */
uint64_t ss_sae_calibration_rows(const ss_sae *sae);

/* Calibrate: the threshold becomes the value midway between the (K N)-th largest activation of
 * the rows and the next, so that they fire K features each on average. The SAE does not change.
 *
 * x        [N, D] f32 row-major, borrowed; the first rows of the dataset, in input order out
 * gives (ss_sae_activation_free); NULL on error. It remembers N and the SHA-256 of x
 * Errors   SS_E_USAGE (nothing to calibrate), SS_E_DATA (n is 0), SS_E_LIMIT (K N beyond 2^32),
 *          SS_E_NONFINITE (err->row), SS_E_STOPPED, SS_E_NOMEM
 * Threads  one call per work; the result does not depend on their number
 * Source   docs/numerics.md, "SAEs"; docs/spec/sae-formats.md, §1.3 */
SS_MUST_USE ss_status ss_sae_calibrate(const ss_sae *sae, ss_work *work, const float *x,
                                       size_t n, struct ss_sae_activation **out, ss_err *err);

/* Rows of a batch over which the rule chooses (`batchtopk` batch): calls of ss_sae_encode_batch
 * must begin at multiples of it for the batches to be those of the whole dataset. 0: rows are
 * free of each other. Threads: any. */
size_t ss_sae_batch_rows(const ss_sae *sae);

/* What is worth reporting of rows that were encoded, summed over the calls that are given one;
 * run.json has both. In n_tied_rows equal values decided which features are kept; a borderline
 * pair is within 2 ulp of its threshold, so that another libm or compiler may decide it
 * otherwise (docs/numerics.md, "SAEs"). */
struct ss_sae_counts {
    uint64_t n_tied_rows;
    uint64_t n_borderline_pairs;
};

/* Rows of a call. All is borrowed for the call. */
struct ss_sae_batch {
    const float *x; /* [n, width] */
    size_t n;
    bool *is_ambiguous;           /* [n], for the functions that speak of it, else unused */
    struct ss_sae_counts *counts; /* are added to; nullable */
};

/* As ss_sae_encode, with an activation rule; NULL is the SAE's own.
 *
 * out      [N] rows of features, ascending in each, with activations above 0; written over, its
 *          memory is used again. On error it has no rows
 * Errors   those of ss_sae_encode; SS_E_UNSUPPORTED for a batch-top-k without a chosen rule, or
 *          one that is to be calibrated
 * Threads  one call per work; sae and activation are shared */
SS_MUST_USE ss_status ss_sae_encode_batch(const ss_sae *sae,
                                          const struct ss_sae_activation *activation,
                                          ss_work *work, const struct ss_sae_batch *batch,
                                          struct ss_sparse *out, ss_err *err);

/* Open an SAE with its decoder.
 *
 * out      gives (ss_sae_free); it may be set on error, too, when there is no decoder decoder
 * [L, *width_out] f32 row-major, borrowed from *out
 * Errors   those of ss_sae_open; SS_E_UNSUPPORTED (this kind has no decoder)
 * Threads  any */
SS_MUST_USE ss_status ss_sae_open_decoder(const char *path,
                                          const struct ss_sae_options *options, ss_sae **out,
                                          const float **decoder, size_t *width_out,
                                          ss_err *err);

/* The decoder's directions of an SAE in a folder or file, without the rest of it.
 *
 * out      [*n_features, *width] f32 row-major, gives (ss__free); NULL on error
 * Errors   those of ss_sae_open; SS_E_UNSUPPORTED (its format has no decoder)
 * Threads  any */
SS_MUST_USE ss_status ss_sae_read_decoder(const char *path, float **out, size_t *n_features,
                                          size_t *width, ss_err *err);

/* ---- pre-activations (sae_pre_activations.c) ---- */

/* Whether the rule compares a number of each feature with a threshold or with others'. Rules by
 * row (groups, gated top-k, pursuit, lista) have none that would say by how much a feature
 * missed. */
bool ss_sae_has_pre_activations(const ss_sae *sae);
/* That number, h = u W + bias (sae_priv.h), of all features.
 *
 * x        [N, D] f32 row-major, borrowed; rows that the SAE has encoded, so that they are
 *          finite
 * out      [N, L] f32 row-major, written; the caller's
 * Errors   SS_E_NOMEM, SS_E_STOPPED
 * Threads  one call per work at a time
 * Cost     2 N D L flop; dense, so for a few rows of interest only */
SS_MUST_USE ss_status ss_sae_pre_activations(const ss_sae *sae, ss_work *work, const float *x,
                                             size_t n, float *out, ss_err *err);

/* ---- ambiguous rows (sae_margin.c; docs/numerics.md, "Fire sets at high") ---- */

/* A row is ambiguous if it could fire other features were its embedding off by a relative error
 * that is known. This is what such an error means for the features of an SAE, and scratch.
 *
 * error    |dx| / |x| of an embedding at most, as the table of kernels states it
 * out      gives (ss_sae_margins_free); borrows the SAE; NULL on error
 * Errors   SS_E_NOMEM
 * Threads  one call at a time per object, since it holds scratch */
struct ss_sae_margins;
SS_MUST_USE ss_status ss_sae_margins_new(const ss_sae *sae, double error,
                                         struct ss_sae_margins **out, ss_err *err);
void ss_sae_margins_free(struct ss_sae_margins *margins);
/* Whether the SAE's rule lets rows be told apart; if not (lista), every row is ambiguous, and
 * it is cheaper to embed all of them exactly in the first place. */
bool ss_sae_margins_decide(const struct ss_sae_margins *margins);

/* As ss_sae_encode_batch, and set batch->is_ambiguous of every row: `out` has the features of
 * all others for certain, and `counts` is about those. Threads and errors: those of
 * ss_sae_encode_batch. */
SS_MUST_USE ss_status ss_sae_encode_marking(struct ss_sae_margins *margins,
                                            const struct ss_sae_activation *activation,
                                            ss_work *work, const struct ss_sae_batch *batch,
                                            struct ss_sparse *out, ss_err *err);

/* Encode the marked rows again, from an x in which they are exact now, in place of what `out`
 * has of them, adding to `counts`. The other rows of `out` stay as they are, but for a rule
 * over batches, where one row's values may change what the others keep. Errors: those of
 * ss_sae_encode_batch. */
SS_MUST_USE ss_status ss_sae_reencode_marked(struct ss_sae_margins *margins,
                                             const struct ss_sae_activation *activation,
                                             ss_work *work, const struct ss_sae_batch *batch,
                                             struct ss_sparse *out, ss_err *err);

/* Mark the rows whose exact embeddings ss_sae_calibrate needs for the threshold that it would
 * find with all of them exact: those that may have one of the two values between which it lies.
 * The caller embeds them again, puts them into x and calibrates. Errors: those of
 * ss_sae_calibrate. */
SS_MUST_USE ss_status ss_sae_mark_for_calibration(struct ss_sae_margins *margins, ss_work *work,
                                                  const struct ss_sae_batch *batch,
                                                  ss_err *err);

/* ---- reconstruction ---- */

/* As ss_sae_open; with keeps_all all weights stay as floats beside the packed encoder, as a
 * conversion, a reconstruction or an evaluation needs them: twice the memory. */
SS_MUST_USE ss_status ss_sae_open_with_weights(const char *path,
                                               const struct ss_sae_options *options,
                                               bool keeps_all, ss_sae **out, ss_err *err);

/* Rows as the SAE sees them (normalised), reconstructed in that form, and as they came. All
 * [n, width], written. */
struct ss_sae_reconstruction {
    float *x_normalised, *y_normalised, *y;
};
/* The rows that an SAE makes of activations.
 *
 * x        [N, D] f32 row-major, borrowed: the embeddings, whose norms are put back
 * a        [N] their activations, borrowed
 * out      three buffers [N, D] of the caller's, written
 * Errors   SS_E_UNSUPPORTED (a transcoder, no decoder, not all weights kept), SS_E_NOMEM
 * Threads  any */
SS_MUST_USE ss_status ss_sae_reconstruct(const ss_sae *sae, const float *x,
                                         const struct ss_sparse *a,
                                         const struct ss_sae_reconstruction *out, ss_err *err);
/* Its weights by feature, row-major, borrowed until the SAE is freed: the decoder [L, width of
 * the output], the encoder [L, D]. NULL where they are not kept (ss_sae_open_with_weights). */
const float *ss_sae_decoder(const ss_sae *sae);
const float *ss_sae_encoder_rows(const ss_sae *sae);

/* ---- facts ---- */

/* The files that the SAE was read from, for the manifest: weights, and the document that tells
 * its rule. Indices are below ss_sae_n_files; texts are borrowed until the SAE is freed. Hashes
 * and sizes are those of what was read, not of what lies there now. */
size_t ss_sae_n_files(const ss_sae *sae);
struct ss__file_facts ss_sae_file_facts(const ss_sae *sae, size_t index);
const char *ss_sae_file(const ss_sae *sae, size_t index);

/* Whether a folder or file looks like an SAE of a format that is known, also one that cannot be
 * opened (so that opening it tells why). Opens weights only where no document decides. Threads:
 * any. */
bool ss_sae_is_at(const char *path);

/* Folders of SAEs below a folder, as paths in it, by name; of those within a few levels, since
 * repositories keep a folder for each hook point, layer or trainer. Gives *out
 * (ss_sae_list_release), which is empty on error. Errors: SS_E_NOMEM. Threads: any. */
struct ss_sae_list {
    char **paths;
    size_t n, capacity;
};
SS_MUST_USE ss_status ss_sae_list_subfolders(const char *folder, struct ss_sae_list *out,
                                             ss_err *err);
void ss_sae_list_release(struct ss_sae_list *list);

/* All keys of its config as they stand, for the manifest (borrowed until the SAE is freed);
 * NULL for formats without a document. */
struct ss__json;
const struct ss__json *ss_sae_config(const ss_sae *sae);

/* The name (static) of the format whose SAE an open weights file is by its tensors alone, NULL
 * if it is none or may be several. Threads: one per weights. */
struct ss_weights;
const char *ss_sae_format_of(struct ss_weights *weights);

/* ---- writing in another format ---- */

/* Names of the files that a target ("seed", "saelens") writes, NULL at the end; the last one
 * makes a folder complete. Errors: SS_E_USAGE for an unknown target. */
SS_MUST_USE ss_status ss_sae_target_files(const char *to, const char *const **files,
                                          ss_err *err);

/* What is asked of a conversion, and what came of it. The texts that come out are static or
 * live as long as the SAE. */
struct ss_sae_conversion {
    const char *to; /* "seed" or "saelens" */
    const struct ss_sae_options *options;
    bool allows_rounding;
    const char *format; /* out: of the source */
    const char *kind;   /* out: as the target calls it */
    uint64_t n_rounded; /* out: thresholds that the target does not hold exactly */
};
/* Write an SAE that has all its weights into an existing folder, whose files of that name are
 * replaced one by one, the one that completes it last. No number changes but, where that is
 * allowed, thresholds that the target stores as logarithms.
 *
 * Errors   SS_E_USAGE (unknown target, weights not kept), SS_E_UNSUPPORTED with what the target
 *          cannot say, SS_E_IO, SS_E_NOMEM
 * Threads  any, for different folders
 * Source   docs/numerics.md, "SAEs"; tools/check_converted.py */
SS_MUST_USE ss_status ss_sae_write(const ss_sae *sae, const char *folder,
                                   struct ss_sae_conversion *conversion, ss_err *err);
/* Open an SAE and write it. Errors: those of ss_sae_open and ss_sae_write. */
SS_MUST_USE ss_status ss_sae_convert_folder(const char *path, const char *folder,
                                            struct ss_sae_conversion *conversion, ss_err *err);

#endif
