/* Runs in the form of other programs: what the files of ss_descriptions_export share. */
#ifndef SS_RUN_EXPORT_H
#define SS_RUN_EXPORT_H

#include "base/json_write.h"
#include "folder/descriptions.h"
#include "folder/evidence_read.h"
#include "folder/results.h"

struct ss_run_exporting {
    const struct ss_export_options *options;
    const ss_descriptions *descriptions; /* NULL: there are none, and none are needed */
    const ss_run *run;
    const struct ss_folder_evidence *evidence; /* NULL: there is none */
    const char *run_dir, *dir;
    const struct ss_run_export_partners *partners; /* [n_features]; NULL: pairs are not known */
    struct ss__json_writer writer;                 /* of the batch that is being filled */
    size_t n, n_files;                             /* features in it; files written */
};

/* "LAYER-SET[__SUFFIX]". */
struct ss_run_export_source {
    uint64_t layer;
    struct ss_text set, suffix; /* suffix: NULL where there is none */
};
/* Errors: SS_E_USAGE. */
SS_MUST_USE ss_status ss_run_export_source_parse(const char *id,
                                                 struct ss_run_export_source *source,
                                                 ss_err *err);

/* The beginning of a label that the site takes: 512 UTF-16 units. */
struct ss_text ss_run_export_label(struct ss_text label);

/* Write bytes, or bytes as gzip, into a file of the folder. */
SS_MUST_USE ss_status ss_run_export_file(struct ss_run_exporting *exporting, const char *name,
                                         const struct ss__buf *bytes, ss_err *err);
SS_MUST_USE ss_status ss_run_export_gzip(const struct ss__buf *bytes, struct ss__buf *out,
                                         ss_err *err);

/* ---- texts of a feature by how strongly it fires in them (export_texts.c) ---- */

enum {
    SS_RUN_EXPORT_TOPS = 20,
    SS_RUN_EXPORT_INTERVALS = 10, /* of [0, max], from the highest down */
    SS_RUN_EXPORT_SAMPLES = 5,    /* texts of each */
    SS_RUN_EXPORT_TEXTS = SS_RUN_EXPORT_TOPS + SS_RUN_EXPORT_INTERVALS * SS_RUN_EXPORT_SAMPLES,
    SS_RUN_EXPORT_BARS = 50
};

/* bin_contains: the share of all rows whose activation lies in the interval, that are 0 in the
 * lowest one. Of the strongest texts bin_min and bin_contains are -1, bin_max is the maximum. */
struct ss_run_export_text {
    struct ss_text text; /* borrowed from the run and its evidence */
    float value;
    double bin_min, bin_max, bin_contains;
};

/* No text comes twice. Bars are of (0, max], as exact as the histogram: within one of its bins. */
struct ss_run_export_feature {
    size_t n, n_bars; /* n_bars: 0 without a histogram */
    struct ss_run_export_text texts[SS_RUN_EXPORT_TEXTS];
    double bar_middles[SS_RUN_EXPORT_BARS], bar_heights[SS_RUN_EXPORT_BARS];
};
void ss_run_export_gather(const struct ss_run_exporting *exporting, size_t feature,
                          struct ss_run_export_feature *out);

/* "key": [the words of a text, each with the space before it], at most 1,024; how many. */
size_t ss_run_export_put_words(struct ss__json_writer *writer, const char *key,
                               struct ss_text text);
/* "key": [n times the value] */
void ss_run_export_put_repeated(struct ss__json_writer *writer, const char *key, double value,
                                size_t n);
/* Numbers rounded to 5 decimals. */
void ss_run_export_put_numbers(struct ss__json_writer *writer, const char *key,
                               const double *values, size_t n);
void ss_run_export_put_empty(struct ss__json_writer *writer, const char *const *keys, size_t n);

/* ---- features that go together (export_pairs.c) ---- */

enum { SS_RUN_EXPORT_PARTNERS = 3 }; /* as many as SAEDashboard shows */

/* Correlation and cosine of activations over all rows. */
struct ss_run_export_partner {
    uint32_t feature;
    double pearson, cosine;
};
struct ss_run_export_partners {
    size_t n;
    struct ss_run_export_partner best[SS_RUN_EXPORT_PARTNERS];
};
/* Those of all features; gives an array (ss__free), *out NULL where the run has no pairs. Errors:
 * those of ss_folder_coactivation_open. */
SS_MUST_USE ss_status ss_run_export_partners_find(const char *run_dir, const ss_run *run,
                                                  struct ss_run_export_partners **out,
                                                  ss_err *err);
/* The members correlated_features_…; NULL: empty ones. */
void ss_run_export_put_partners(struct ss__json_writer *writer,
                                const struct ss_run_export_partners *partners);

/* ---- forms ---- */

/* batch-N.json as SAEDashboard writes them (export_dashboard.c). */
SS_MUST_USE ss_status ss_run_export_dashboard_add(struct ss_run_exporting *exporting,
                                                  size_t feature, ss_err *err);
/* What a feature's dashboard has: members of an open object. */
void ss_run_export_put_statistics(struct ss__json_writer *writer,
                                  const struct ss_run_exporting *exporting, size_t feature,
                                  const struct ss_run_export_feature *gathered);
/* {model}/{source}/… as Neuronpedia's bulk files (export_bulk.c). */
SS_MUST_USE ss_status ss_run_export_bulk(struct ss_run_exporting *exporting, ss_err *err);

#endif
