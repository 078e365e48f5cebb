/* What the writer and the reader of the evidence's files share. */
#ifndef SS_FOLDER_EVIDENCE_FILES_H
#define SS_FOLDER_EVIDENCE_FILES_H

#include "arrow/arrow.h"
#include "folder/evidence_read.h"

/* Columns of texts.arrow, in their order. */
enum {
    SS_FOLDER_TEXT_KEY,
    SS_FOLDER_TEXT_HALF,
    SS_FOLDER_TEXT_IN_POOL,
    SS_FOLDER_TEXT_COUNT,
    SS_FOLDER_TEXT_POSITION,
    SS_FOLDER_TEXT_FILE,
    SS_FOLDER_TEXT_TEXT,
    SS_FOLDER_TEXT_KEPT,
    SS_FOLDER_TEXT_FEATURES,
    SS_FOLDER_TEXT_VALUES,
    SS_FOLDER_N_TEXT_COLUMNS
};
extern const struct ss_arrow_output_column ss_folder_text_columns[SS_FOLDER_N_TEXT_COLUMNS];

/* Columns of samples.arrow. */
enum {
    SS_FOLDER_SAMPLE_FEATURE,
    SS_FOLDER_SAMPLE_KIND,
    SS_FOLDER_SAMPLE_HALF,
    SS_FOLDER_SAMPLE_RANK,
    SS_FOLDER_SAMPLE_ACTIVATION,
    SS_FOLDER_SAMPLE_TEXT,
    SS_FOLDER_N_SAMPLE_COLUMNS
};
extern const struct ss_arrow_output_column ss_folder_sample_columns[SS_FOLDER_N_SAMPLE_COLUMNS];

/* A list of a feature: its name, and the half of its texts, −1: of both. */
struct ss_folder_sample_list {
    const char *name;
    int half;
};
extern const struct ss_folder_sample_list ss_folder_sample_lists[SS_STATS_N_SAMPLES];

/* Readers of single files, after one another: n_features and width are set before. Errors: as
 * ss_folder_evidence_open. */
SS_MUST_USE ss_status ss_folder_evidence_read_texts(struct ss_folder_evidence *evidence,
                                                    const char *path, ss_err *err);
SS_MUST_USE ss_status ss_folder_evidence_read_samples(struct ss_folder_evidence *evidence,
                                                      const char *path, ss_err *err);
SS_MUST_USE ss_status ss_folder_evidence_read_embeddings(struct ss_folder_evidence *evidence,
                                                         const char *path, ss_err *err);
SS_MUST_USE ss_status ss_folder_evidence_read_histograms(struct ss_folder_evidence *evidence,
                                                         const char *path, ss_err *err);

#endif
