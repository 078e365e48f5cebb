/* What the parts of the reader of delimited text share: csv_record.c finds records in the
 * stream, csv_delimiter.c says what parts their fields, reader_csv.c makes columns and rows. */
#ifndef SS_DATASET_CSV_PRIV_H
#define SS_DATASET_CSV_PRIV_H

#include "dataset/csv_scan.h"
#include "dataset/dataset_files.h"

enum { SS__CSV_MAX_COLUMNS = 4096 };

struct ss__csv {
    struct ss__stream *stream;
    const struct ss__row_options *options;
    const struct ss_log *log; /* nullable */
    struct ss__csv_syntax syntax;
    struct ss__csv_record record;
    const char *row;   /* its first byte, in the stream's window */
    uint64_t n_line;   /* 1-based, where the record begins */
    uint64_t n_passed; /* lines that the record and those before it take */
    uint64_t n_rows;   /* given so far */
    struct ss__column *columns;
    size_t n_columns;
    bool has_all; /* the rows that were looked at are all */
    size_t *kept; /* columns that are carried along */
    size_t selected;
    struct ss__buf cell;          /* a field whose quotes and escapes were resolved */
    struct ss__row_options usual; /* where nobody gave options */
};

/* The record at `*at` in the window, which moves behind it; blank lines are passed. On an error
 * `*at` is where the record begins. Errors: SS_E_DATA with the line, SS_E_LIMIT, those of the
 * stream; *fault (nullable) tells which of them are of the record alone. */
SS_MUST_USE ss_status ss__csv_find_record(struct ss__csv *csv, size_t *at, bool *has_record,
                                          ss__fault *fault, ss_err *err);

/* What a field says; borrowed until the next call. The record has it. */
struct ss_text ss__csv_field_text(struct ss__csv *csv, size_t i);

/* Take the stream up to the line behind the one at `at` in the window. Errors: the stream's. */
SS_MUST_USE ss_status ss__csv_skip_line(struct ss__csv *csv, size_t at, ss_err *err);

/* "FILE: line 3: PROBLEM"; offset is in the stream. */
ss_status ss__csv_fail(const struct ss__csv *csv, uint64_t offset, const char *problem,
                       ss_err *err);

/* Where nobody gave the delimiter and the first record is one field: find another that parts
 * all of the first records alike, or refuse a file that is no table as it stands. Errors:
 * SS_E_DATA (the sentence says how to give the delimiter), those of the stream. */
SS_MUST_USE ss_status ss__csv_find_delimiter(struct ss__csv *csv, ss_err *err);

#endif
