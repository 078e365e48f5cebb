/* Evidence of a run (stats/evidence.h): gathered in the pass, written into the folder. Reading
 * it back is in evidence_read.h. */
#ifndef SS_PASS_EVIDENCE_GATHER_H
#define SS_PASS_EVIDENCE_GATHER_H

#include "base/json_write.h"
#include "pass/pass.h"
#include "stats/evidence.h"
#include "stats/magnitudes.h"

/* A zeroed struct is a run without evidence. */
struct ss_pass_evidence_gathered {
    ss_evidence kind; /* as the sizes came out; SS_EVIDENCE_NONE: nothing is gathered */
    struct ss_stats_evidence *evidence;
    struct ss_stats_magnitudes magnitudes;
    struct ss_stats_sample *misses; /* found after the pass: [F, k of both halves], each with
                                       its pre-activation; NULL: there are none */
    uint32_t *n_misses;             /* [F, 2] */
};

/* Choose the sizes and make ready; says on the log which sizes a budget led to. Errors:
 * SS_E_USAGE (a budget too small), SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_evidence_start(struct ss_pass_evidence_gathered *gathered,
                                             const struct ss_analyze_options *options,
                                             const struct ss_pass *pass, size_t top_k,
                                             ss_err *err);
/* Take the rows of a batch, which are at `positions` [n_rows]. Errors: SS_E_IO, SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_evidence_take(struct ss_pass_evidence_gathered *gathered,
                                            const struct ss_pass_rows *rows,
                                            const struct ss_stats_position *positions,
                                            ss_err *err);
/* The place of a miss of a half, best first. */
struct ss_stats_sample *ss_pass_evidence_miss(const struct ss_pass_evidence_gathered *gathered,
                                              size_t feature, int half, size_t rank);
/* Find them in what is in order, with the SAE and the threads of the pass (evidence_misses.c);
 * nothing happens where no evidence is gathered. Errors: SS_E_IO, SS_E_STOPPED, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_evidence_find_misses(struct ss_pass_evidence_gathered *gathered,
                                                   const struct ss_pass *pass, ss_err *err);
void ss_pass_evidence_abort(struct ss_pass_evidence_gathered *gathered);

/* Its files, by the names of results.h. */
struct ss_pass_facts;
struct ss_pass_evidence_files {
    const struct ss_pass_evidence_gathered *gathered;
    const struct ss_pass_facts *facts; /* whose rows are numbered: names of files */
    struct ss__asking *asking;
};
SS_MUST_USE ss_status ss_pass_evidence_texts_write(const struct ss_pass_evidence_files *files,
                                                   const char *path, ss_err *err);
SS_MUST_USE ss_status ss_pass_evidence_embeddings_write(
    const struct ss_pass_evidence_files *files, const char *path, ss_err *err);
SS_MUST_USE ss_status ss_pass_evidence_samples_write(const struct ss_pass_evidence_files *files,
                                                     const char *path, ss_err *err);
SS_MUST_USE ss_status ss_pass_histograms_write(const struct ss_pass_evidence_files *files,
                                               const char *path, ss_err *err);

/* The object that run.json and the metadata of the Arrow files have. */
void ss_pass_evidence_put_sizes(struct ss__json_writer *writer, const char *name,
                                const struct ss_pass_evidence_gathered *gathered);

#endif
