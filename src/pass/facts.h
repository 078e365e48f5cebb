/* What a state knows beside its reducers: which rows were read, what became of them, and what
 * run.json says of the data and the options. Facts of parts add up to those of the whole. */
#ifndef SS_PASS_FACTS_H
#define SS_PASS_FACTS_H

#include "base/json_write.h"
#include "format/format.h"
#include "pass/batch.h"
#include "pass/evidence_gather.h"
#include "sae/sae.h"

/* A row that could not be read. */
struct ss_pass_bad_row {
    uint32_t file;
    uint64_t row; /* in the file */
    ss_format_fault fault;
    const char *problem;
};

/* A part that is in, with the hash of what it gathered. */
struct ss_pass_part {
    uint64_t part; /* from 1 on */
    const char *id;
};

/* Strings are the arena's. A zeroed struct is valid to release. */
struct ss_pass_facts {
    struct ss__arena arena;
    struct ss_pass_row_counts counts;
    uint64_t n_tokens, n_reembedded;
    struct ss_sae_counts sae_counts;
    double error_margin, largest_error;
    size_t n_files;
    const char **files; /* [n_files] as they were named */
    uint64_t
        *file_rows; /* [n_files] SS_PASS_ROWS_UNKNOWN of files that were not read to the end */
    uint64_t *first_rows;        /* [n_files] set by ss_pass_facts_number */
    struct ss_pass_bad_row *bad; /* [n_bad] the first ones, in order */
    size_t n_bad;
    uint64_t n_bad_of[SS_FORMAT_N_FAULTS]; /* of all */
    uint64_t n_absent;                     /* rows of files without the text column */
    uint32_t first_absent;                 /* the first such file */
    uint64_t n_mismatched;                 /* values that `where` could not compare, */
    uint32_t mismatched_file;              /* and the first of them */
    uint64_t mismatched_row;               /* in the file */
    const char *mismatch;                  /* what it was; NULL: none */
    const char **warnings;                 /* [n_warnings], each once */
    size_t n_warnings, warnings_capacity;

    /* What is not the same for everybody who did the same: */
    uint64_t n_parts;           /* of the plan */
    struct ss_pass_part *parts; /* [n_done] by rising number */
    size_t n_done;
    double seconds, seconds_waiting;
    const char *dataset_name, *title;   /* title: as it was asked for, or NULL */
    struct ss__json *dataset, *options; /* as in run.json */
    struct ss__json *models;            /* its members model, sae and precision */
};

#define SS_PASS_ROWS_UNKNOWN UINT64_MAX

void ss_pass_facts_release(struct ss_pass_facts *facts);

/* Take over those of other parts. `names` of both are for messages. Errors: SS_E_DATA (a file
 * that is not the same in both), SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_facts_merge(struct ss_pass_facts *facts,
                                          const struct ss_pass_facts *other,
                                          const char *const names[2], ss_err *err);

/* Find where files begin in the numbers of all rows. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_facts_number(struct ss_pass_facts *facts, ss_err *err);
/* The number of a row over the whole dataset, then. */
uint64_t ss_pass_facts_row(const struct ss_pass_facts *facts, uint32_t file, uint64_t row);
/* The name of a file as it was given, "" where there is none. */
const char *ss_pass_facts_file(const struct ss_pass_facts *facts, uint32_t file);

/* Say what there is to say of all rows, as a dataset does at its end; numbered. */
void ss_pass_facts_say_rows(const struct ss_pass_facts *facts, const struct ss_log *log);

/* Warnings, each once; in the order of their bytes after ss_pass_facts_sort_warnings. */
void ss_pass_facts_sort_warnings(struct ss_pass_facts *facts);
SS_MUST_USE ss_status ss_pass_facts_add_warning(struct ss_pass_facts *facts,
                                                const char *sentence, ss_err *err);

/* As members of an open object: what is the same for everybody, and the rest. */
void ss_pass_facts_put(struct ss__json_writer *writer, const struct ss_pass_facts *facts);
void ss_pass_facts_put_record(struct ss__json_writer *writer,
                              const struct ss_pass_facts *facts);
/* Read both objects, which are not trusted. `file` is for messages. Errors: SS_E_DATA,
 * SS_E_NOMEM; release after failure too. */
SS_MUST_USE ss_status ss_pass_facts_read(struct ss_pass_facts *facts, const char *file,
                                         const struct ss__json *common,
                                         const struct ss__json *record, ss_err *err);

/* skipped_rows.csv (docs/formats.md), of facts whose rows are numbered. Errors: SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_pass_skipped_csv_write(const struct ss_pass_facts *facts,
                                                const char *path, ss_err *err);

#endif
