/* What the parts of the reader of delimited text share: csv_record.c finds records in the
 * stream, csv_delimiter.c says what parts their fields, reader_csv.c makes columns and rows. */
#ifndef SS_FORMAT_CSV_PRIV_H
#define SS_FORMAT_CSV_PRIV_H

#include "format/csv_scan.h"
#include "format/reader.h"

enum { SS_FORMAT_CSV_MAX_COLUMNS = 4096 };

/* The state of a reader. A record is a view of the stream's window: it goes when more is
 * read. */
struct ss_format_csv {
    struct ss_source_stream *stream;
    const struct ss_format_row_options *options;
    const struct ss_log *log; /* nullable */
    struct ss_format_csv_syntax syntax;
    struct ss_format_csv_record record;
    const char *row;   /* its first byte, in the stream's window */
    uint64_t n_line;   /* 1-based, where the record begins */
    uint64_t n_passed; /* lines that the record and those before it take */
    uint64_t n_rows;   /* given so far */
    struct ss_format_column *columns;
    size_t n_columns;
    bool has_all; /* the rows that were looked at are all */
    size_t *kept; /* columns that are carried along */
    size_t selected;
    struct ss__buf cell;                /* a field whose quotes and escapes were resolved */
    struct ss_format_row_options usual; /* where nobody gave options */
};

/* The record at `*at` in the window, which moves behind it; blank lines are passed. On an error
 * `*at` is where the record begins. Errors: SS_E_DATA with the line, SS_E_LIMIT, those of the
 * stream; *fault (nullable) tells which of them are of the record alone. */
SS_MUST_USE ss_status ss_format_csv_find_record(struct ss_format_csv *csv, size_t *at,
                                                bool *has_record, ss_format_fault *fault,
                                                ss_err *err);

/* What a field says; borrowed until the next call. The record has it. */
struct ss_text ss_format_csv_field_text(struct ss_format_csv *csv, size_t i);

/* Take the stream up to the line behind the one at `at` in the window. Errors: the stream's. */
SS_MUST_USE ss_status ss_format_csv_skip_line(struct ss_format_csv *csv, size_t at,
                                              ss_err *err);

/* "FILE: line 3: PROBLEM"; offset is in the stream. */
ss_status ss_format_csv_fail(const struct ss_format_csv *csv, uint64_t offset,
                             const char *problem, ss_err *err);

/* Where nobody gave the delimiter and the first record is one field: find another that parts
 * all of the first records alike, or refuse a file that is no table as it stands. Errors:
 * SS_E_DATA (the message says how to give the delimiter), those of the stream. */
SS_MUST_USE ss_status ss_format_csv_find_delimiter(struct ss_format_csv *csv, ss_err *err);

#endif
