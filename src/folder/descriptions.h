/* Descriptions of a run's features: keywords, label, scores; in memory and in the files that
 * they are written to (docs/formats.md). */
#ifndef SS_FOLDER_DESCRIPTIONS_H
#define SS_FOLDER_DESCRIPTIONS_H

#include "base/json_write.h"
#include "describe/describe.h"
#include "describe/llm.h"
#include "folder/results.h"

#define SS_FOLDER_FILE_KEYWORDS "feature_keywords.json"
#define SS_FOLDER_FILE_DESCRIPTIONS "descriptions.json"
#define SS_FOLDER_FILE_DESCRIPTIONS_CSV "descriptions.csv"
#define SS_FOLDER_FILE_DESCRIPTIONS_RUN "descriptions.run.json" /* how they were made */
/* All of them. */
#define SS_FOLDER_DESCRIPTION_FILES                                                            \
    SS_FOLDER_FILE_KEYWORDS, SS_FOLDER_FILE_DESCRIPTIONS, SS_FOLDER_FILE_DESCRIPTIONS_CSV,     \
        SS_FOLDER_FILE_DESCRIPTIONS_RUN

struct ss_descriptions {
    size_t n_features;
    const char *method;               /* "contrast", "seed", "given" */
    bool is_plain;                    /* similarities are not centred */
    size_t n_pool;                    /* texts of the score half's pool: the R of the scores */
    struct ss_describe_terms terms;   /* keywords */
    struct ss_text *labels;           /* [n_features] "": none; terminated */
    struct ss_describe_score *scores; /* [n_features] */
    uint64_t *counts;                 /* [n_features] fires, of all rows */
    double *rates;                    /* [n_features] share of rows */
    struct ss_keyword *keywords;      /* the terms as the public header has them */
    const char **methods;             /* [n_features] NULL: `method` */
    struct ss_text *sentences;        /* [n_features] descriptions; "": none; terminated */
    struct ss_folder_llm *llm;        /* NULL: none was asked */
    struct ss__arena arena;           /* of the labels */
};
const char *ss_folder_descriptions_method(const ss_descriptions *descriptions, size_t feature);

/* Room for n_features, all of them without a label. */
SS_MUST_USE ss_status ss_folder_descriptions_new(size_t n_features, ss_descriptions **out,
                                                 ss_err *err);
/* Set keywords from terms. */
SS_MUST_USE ss_status ss_folder_descriptions_finish(ss_descriptions *descriptions, ss_err *err);

/* Append a field of a CSV file, between quotes where it has to be. */
void ss_folder_csv_add_field(struct ss__buf *buf, struct ss_text text);

SS_MUST_USE ss_status ss_folder_keywords_write(const ss_descriptions *descriptions,
                                               const char *path, ss_err *err);
SS_MUST_USE ss_status ss_folder_descriptions_json_write(const ss_descriptions *descriptions,
                                                        const char *path, ss_err *err);
SS_MUST_USE ss_status ss_folder_descriptions_csv_write(const ss_descriptions *descriptions,
                                                       const char *path, ss_err *err);

/* ---- a language model (llm_results.c) ---- */

/* What asking it came to. */
struct ss_folder_llm {
    struct ss_describe_llm_results results;
    char host[320];
    const char *model, *api; /* in the arena of the descriptions */
    const char *failures;
    uint64_t n_texts;
    bool has_price;
};
void ss_folder_llm_free(struct ss_folder_llm *llm);
/* "llm" of a feature in descriptions.json, behind the name; and of the step's record. */
void ss_folder_llm_add_feature(struct ss__buf *buf, const ss_descriptions *descriptions,
                               size_t feature);
void ss_folder_llm_put_record(struct ss__json_writer *writer, const struct ss_folder_llm *llm);
/* Six decimals, as the shortest text; null where there is no number. */
void ss_folder_descriptions_add_decimals(struct ss__buf *buf, double value);

#endif
