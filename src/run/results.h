/* The inside of ss_run: the statistics of every feature and its top texts, whether they come
 * from a pass over a dataset or from the folder of an earlier one. */
#ifndef SS_RUN_RESULTS_H
#define SS_RUN_RESULTS_H

#include "base/arena.h"
#include "base/stop.h"
#include "stats/stats.h"

/* The name of the model of a run over embeddings that were there. */
#define SS__NAME_EMBEDDINGS "(embeddings)"

struct ss_run {
    struct ss_run_info info;     /* strings belong to the arena */
    struct ss_feature *features; /* [n_features] */
    size_t *top_offsets;         /* [n_features + 1] into tops */
    struct ss_top_text *tops;    /* by feature, strongest first */
    struct ss__top *top;         /* holds the texts after a pass; NULL otherwise */
    struct ss__arena arena;      /* holds the texts of a folder */
    struct ss__asking *asking;   /* while it is written: whether to stop; nullable */
};

/* Take what the reducers gathered: `top` is taken, `fires` is read. info's counts of rows are
 * set before; its other numbers are set here. */
SS_MUST_USE ss_status ss__run_fill(struct ss_run *run, const struct ss__fires *fires,
                                   struct ss__top **top, ss_err *err);

/* Set n_dead and median_rate_pct from the features. */
SS_MUST_USE ss_status ss__run_summarise(struct ss_run *run, ss_err *err);

/* A copy of a string in the run's arena, or NULL. */
const char *ss__run_keep(struct ss_run *run, const char *text);

/* ---- the files of the output folder (docs/formats.md) ---- */

#define SS__FILE_RATES "fire_rate.npy"
#define SS__FILE_TOP "top_activations.json"
#define SS__FILE_FEATURES "features.csv"
#define SS__FILE_TEXTS "top_texts.jsonl"    /* only where columns are kept */
#define SS__FILE_SKIPPED "skipped_rows.csv" /* only where rows could not be read */
#define SS__FILE_MANIFEST "run.json"

SS_MUST_USE ss_status ss__rates_write(const struct ss_run *run, const char *path, ss_err *err);
SS_MUST_USE ss_status ss__top_json_write(const struct ss_run *run, const char *path,
                                         ss_err *err);
SS_MUST_USE ss_status ss__top_texts_write(const struct ss_run *run, const char *path,
                                          ss_err *err);
/* Of a dataset that was read. */
SS_MUST_USE ss_status ss__skipped_csv_write(const ss_dataset *dataset, const char *path,
                                            ss_err *err);
/* Whether the run carried columns along. */
bool ss__run_has_kept(const struct ss_run *run);
SS_MUST_USE ss_status ss__features_csv_write(const struct ss_run *run, const char *path,
                                             ss_err *err);

/* Readers of the same files, which trust nothing in them. n_features is set before;
 * ss__features_csv_read fills `features` but n_top; ss__top_json_read sets n_top, top_offsets
 * and tops; ss__rates_check wants the rates of `features` in the file. */
SS_MUST_USE ss_status ss__features_csv_read(struct ss_run *run, const char *path, ss_err *err);
SS_MUST_USE ss_status ss__top_json_read(struct ss_run *run, const char *path, ss_err *err);
/* Sets row and kept of the tops, which are there. */
SS_MUST_USE ss_status ss__top_texts_read(struct ss_run *run, const char *path, ss_err *err);
SS_MUST_USE ss_status ss__rates_check(const struct ss_run *run, const char *path, ss_err *err);

#endif
