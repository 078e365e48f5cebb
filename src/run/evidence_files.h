/* What the writer and the reader of the evidence's files share. */
#ifndef SS_RUN_EVIDENCE_FILES_H
#define SS_RUN_EVIDENCE_FILES_H

#include "arrow/arrow.h"
#include "run/evidence_read.h"

/* Columns of texts.arrow, in their order. */
enum {
    SS_RUN_TEXT_KEY,
    SS_RUN_TEXT_HALF,
    SS_RUN_TEXT_IN_POOL,
    SS_RUN_TEXT_COUNT,
    SS_RUN_TEXT_POSITION,
    SS_RUN_TEXT_FILE,
    SS_RUN_TEXT_TEXT,
    SS_RUN_TEXT_KEPT,
    SS_RUN_TEXT_FEATURES,
    SS_RUN_TEXT_VALUES,
    SS_RUN_N_TEXT_COLUMNS
};
extern const struct ss_arrow_output_column ss_run_text_columns[SS_RUN_N_TEXT_COLUMNS];

/* Columns of samples.arrow. */
enum {
    SS_RUN_SAMPLE_FEATURE,
    SS_RUN_SAMPLE_KIND,
    SS_RUN_SAMPLE_HALF,
    SS_RUN_SAMPLE_RANK,
    SS_RUN_SAMPLE_ACTIVATION,
    SS_RUN_SAMPLE_TEXT,
    SS_RUN_N_SAMPLE_COLUMNS
};
extern const struct ss_arrow_output_column ss_run_sample_columns[SS_RUN_N_SAMPLE_COLUMNS];

/* A list of a feature: its name, and the half of its texts, −1: of both. */
struct ss_run_sample_list {
    const char *name;
    int half;
};
extern const struct ss_run_sample_list ss_run_sample_lists[SS_STATS_N_SAMPLES];

/* Readers of single files, after one another: n_features and width are set before. Errors: as
 * ss_run_evidence_open. */
SS_MUST_USE ss_status ss_run_evidence_read_texts(struct ss_run_evidence *evidence,
                                                 const char *path, ss_err *err);
SS_MUST_USE ss_status ss_run_evidence_read_samples(struct ss_run_evidence *evidence,
                                                   const char *path, ss_err *err);
SS_MUST_USE ss_status ss_run_evidence_read_embeddings(struct ss_run_evidence *evidence,
                                                      const char *path, ss_err *err);
SS_MUST_USE ss_status ss_run_evidence_read_histograms(struct ss_run_evidence *evidence,
                                                      const char *path, ss_err *err);

#endif
