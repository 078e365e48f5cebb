/* The inside of ss_run: the statistics of every feature and its top texts, whether they come
 * from a pass over a dataset or from the folder of an earlier one. */
#ifndef SS_FOLDER_RESULTS_H
#define SS_FOLDER_RESULTS_H

#include "base/arena.h"
#include "base/stop.h"
#include "stats/stats.h"

/* The name of the model of a run over embeddings that were there. */
#define SS_FOLDER_NAME_EMBEDDINGS "(embeddings)"

struct ss_run {
    struct ss_run_info info;     /* strings belong to the arena */
    struct ss_feature *features; /* [n_features] */
    size_t *top_offsets;         /* [n_features + 1] into tops */
    struct ss_top_text *tops;    /* by feature, strongest first */
    struct ss_stats_top *top;    /* holds the texts after a pass; NULL otherwise */
    struct ss__arena arena;      /* holds the texts of a folder */
    const char *sae_rule;        /* in words, with what was calibrated; NULL from a folder */
    const char *sae_source;      /* the name that the SAE was asked for by; NULL: by its path */
    double sae_threshold;        /* as ss_sae_activation_threshold; 0 from a folder */
    const ss_descriptions *descriptions; /* to be written, too; borrowed; NULL: none */
    bool has_labels;                     /* features.csv says how sure labels are: */
    size_t n_labels[SS_N_LABEL_STATUSES];
    struct ss__asking *asking; /* while it is read or written: whether to stop; nullable */
};

/* Take what the reducers gathered: `top` is taken, `fires` is read. info's counts of rows are
 * set before; its other numbers are set here. */
SS_MUST_USE ss_status ss_folder_run_fill(struct ss_run *run, const struct ss_stats_fires *fires,
                                         struct ss_stats_top **top, ss_err *err);

/* What the files say of labels, too: borrowed while they are written. */
void ss_folder_run_set_descriptions(struct ss_run *run, const ss_descriptions *descriptions);

/* Set n_dead and median_rate_pct from the features. */
SS_MUST_USE ss_status ss_folder_run_summarise(struct ss_run *run, ss_err *err);

/* A copy of a string in the run's arena, or NULL. */
const char *ss_folder_run_strdup(struct ss_run *run, const char *text);

/* ---- the files of the output folder (docs/formats.md) ---- */

#define SS_FOLDER_FILE_RATES "fire_rate.npy"
#define SS_FOLDER_FILE_TOP "top_activations.json"
#define SS_FOLDER_FILE_FEATURES "features.csv"
#define SS_FOLDER_FILE_TEXTS "top_texts.jsonl"    /* only where columns are kept */
#define SS_FOLDER_FILE_SKIPPED "skipped_rows.csv" /* only where rows could not be read */
/* Of the evidence, if it is kept: */
#define SS_FOLDER_FILE_HISTOGRAMS "histograms.npz"
#define SS_FOLDER_FILE_EVIDENCE_TEXTS "evidence/texts.arrow"
#define SS_FOLDER_FILE_EMBEDDINGS "evidence/embeddings.npy"
#define SS_FOLDER_FILE_SAMPLES "evidence/samples.arrow"
#define SS_FOLDER_FILE_COACTIVATION "coactivation.npz" /* unless pairs are switched off */
#define SS_FOLDER_FILE_CENTROIDS "centroids.npz"
#define SS_FOLDER_FILE_MANIFEST "run.json"

SS_MUST_USE ss_status ss_folder_rates_write(const struct ss_run *run, const char *path,
                                            ss_err *err);
SS_MUST_USE ss_status ss_folder_top_json_write(const struct ss_run *run, const char *path,
                                               ss_err *err);
SS_MUST_USE ss_status ss_folder_top_texts_write(const struct ss_run *run, const char *path,
                                                ss_err *err);
/* Whether the run carried columns along. */
bool ss_folder_run_has_kept(const struct ss_run *run);
SS_MUST_USE ss_status ss_folder_features_csv_write(const struct ss_run *run, const char *path,
                                                   ss_err *err);

/* Readers of the same files, which trust nothing in them. n_features is set before;
 * ss_folder_features_csv_read fills `features` but n_top; ss_folder_top_json_read sets n_top,
 * top_offsets and tops; ss_folder_rates_check wants the rates of `features` in the file. */
SS_MUST_USE ss_status ss_folder_features_csv_read(struct ss_run *run, const char *path,
                                                  ss_err *err);
SS_MUST_USE ss_status ss_folder_top_json_read(struct ss_run *run, const char *path,
                                              ss_err *err);
/* Sets row and kept of the tops, which are there. */
SS_MUST_USE ss_status ss_folder_top_texts_read(struct ss_run *run, const char *path,
                                               ss_err *err);
SS_MUST_USE ss_status ss_folder_rates_check(const struct ss_run *run, const char *path,
                                            ss_err *err);

#endif
