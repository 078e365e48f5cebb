/* What the parts of a dataset share: its state, which file is being read, and which column
 * gives the texts. A dataset is opened by dataset.c, walks over its files by dataset_current.c,
 * chooses its columns by dataset_column.c, and gives rows by dataset_rows.c.
 *
 * Threads: caller only, but for halt.is_interrupted. */
#ifndef SS_DATASET_STATE_PRIV_H
#define SS_DATASET_STATE_PRIV_H

#include <stdatomic.h>

#include "dataset/dataset.h"
#include "dataset/dataset_archives.h"
#include "dataset/dataset_files.h"
#include "dataset/dataset_remote.h"
#include "dataset/sample.h"
#include "dataset/where.h"
#include "format/format.h"

struct ss_dataset_file {
    const struct ss_format_reader *reader; /* NULL: not known yet, or it is empty */
    bool is_empty;                         /* not a byte in it, and so no row */
    struct ss_source_stream stream;        /* open only if the file cannot be opened again */
    struct ss__file_facts facts; /* of a regular file, when it was opened to be read */
    bool is_regular;
    bool is_left_out; /* none of its rows is given */
    bool is_complete; /* read to its end */
    uint64_t n_rows;  /* then: of any kind */
};

/* Which rows are given (dataset_share.c). */
struct ss_dataset_share {
    uint64_t part, n_parts; /* from 0 on; of 0: all rows are */
    uint64_t *begins;       /* [use.paths.n + 1] of the files, on the line that is cut */
};

/* What rows are: a text and what is carried along, only that, or whole as JSON. */
enum ss_dataset_rows { SS_DATASET_ROWS_TEXTS, SS_DATASET_ROWS_VALUES, SS_DATASET_ROWS_WHOLE };

/* A value as JSON, as bytes of a buffer. */
struct ss_dataset_value {
    size_t at, n_bytes;
};

/* Rows that the caller gives (dataset_given.c). */
struct ss_dataset_given {
    struct ss_row_source source; /* without `next` where rows come from files */
    struct ss_given_row row;
    struct ss_format_column *columns; /* [source.n_columns + 1] */
    size_t *kept;                     /* [n_kept] of them */
    size_t n_kept;
};

/* Which rows are given: those that an expression wants, of these a sample.
 */
struct ss_dataset_selection {
    struct ss_dataset_where *where;        /* NULL: all */
    char *expression;                      /* as it was given, then */
    size_t n_columns;                      /* of the expression */
    size_t *columns;                       /* [n_columns] among those that are kept */
    struct ss_dataset_where_value *values; /* [n_columns] of the row that was stepped to */
    bool *is_untyped;                      /* [n_columns] in the current file */
    bool *was_seen;                        /* [n_columns] in whole rows */
    struct ss_dataset_sample sample;       /* of n 0: there is none */
    bool is_chosen;                        /* the sample, before rows are read */
    bool is_gathered;                      /* the sample, when all were */
    bool is_wanted;                        /* the row that was stepped to */
    uint64_t n_unmatched, n_unsampled;     /* rows that were passed over */
    size_t mismatched_file;                /* of the first value that was not compared */
    uint64_t mismatched_file_row;
    struct ss__buf row; /* one of a sample that waited */
};

struct ss_dataset {
    struct ss_dataset_found use;   /* with the paths */
    struct ss_dataset_file *files; /* [use.paths.n] */
    struct ss_dataset_remotes remotes;
    struct ss_dataset_archives archives;
    struct ss_dataset_given given;
    struct ss_dataset_selection selection;
    char *given_column, *given_format;
    bool all_columns; /* whole rows show what is no text, too */
    bool has_csv;     /* the caller gave options of delimited text */
    ss_bad_rows on_bad_row;
    struct ss_format_bad_rows bad_rows;
    ss_err bad; /* the error of the last row, where it is to be left out */
    char *
        *keep; /* [n_keep] names of columns: first those to carry along, then the template's */
    size_t n_keep, n_carried;
    size_t
        *kept_as;   /* [n_keep] as the reader numbers them; SS_FORMAT_NO_COLUMN: all are null */
    bool has_begun; /* a file's columns were selected */
    size_t first_file;        /* the first such file, which settles what columns there are */
    struct ss__buf absence;   /* why the rows of the current file have no text; terminated */
    const char *first_absent; /* the first file of which that is so */
    uint64_t n_absent;        /* rows of such files */
    bool is_inferred;         /* the text column was not named */
    bool can_reopen;          /* the current file can be opened again */
    bool must_see;            /* a row of the current file has to have the text column */
    ss_text_unit text_unit;
    struct ss_log log;
    bool has_failed; /* a row could not be read */
    enum ss_dataset_rows rows;
    struct ss_source_halt halt;

    char *text_column; /* NULL until chosen */
    uint64_t n_rows;   /* 0: not known */
    uint64_t next_id;
    uint64_t file_row; /* of the next row, in the current file */
    struct ss_dataset_share share;
    uint64_t n_repaired;
    bool has_said; /* what there was to say of all rows */

    uint64_t *file_bytes; /* [use.paths.n] as stored; NULL where one is not known */
    uint64_t n_bytes;     /* their sum, 0: not known */
    size_t n_files_done;  /* whose bytes are in: */
    uint64_t n_bytes_done;
    uint64_t n_bytes_told; /* the last answer, below which none falls */

    size_t current; /* the file that is read; use.paths.n at the end */
    bool is_open;   /* its source and state are */
    struct ss_format_file source;
    struct ss_source_stream stream; /* its bytes in order; closed where they come by ranges */
    struct ss_source_view view;     /* its bytes by offset, where the reader needs that */
    void *state;
    const struct ss_format_column *columns; /* of the current file */
    size_t n_columns;

    struct ss_dataset_value *values; /* [n_keep] of the row that was stepped to, in json */
    bool has_template;               /* given_column is one, and rows are values */
    struct ss__buf repaired, json, kept, text;
};

/* ---- the file that is read (dataset_current.c) ---- */

/* Open the file `current`, find its format if that is not known, and ask for its columns.
 * Errors: those of the stream, the formats and the reader; ss_dataset_close then closes what
 * was opened. */
SS_MUST_USE ss_status ss_dataset_open_file(ss_dataset *dataset, ss_err *err);

/* Whether the file is still what it was when it was opened: SS_E_IO if it has become shorter
 * since, or, where it is not read as a stream, was written to. */
SS_MUST_USE ss_status ss_dataset_check_end(const ss_dataset *dataset, ss_err *err);

/* Open a file wherever it is, and decode it if an encoding was given: as a stream, or, if its
 * bytes come by ranges, as a view. The one that is not opened stays as it is. Errors: those of
 * the source and the decoder. */
SS_MUST_USE ss_status ss_dataset_open_stream(ss_dataset *dataset, size_t index,
                                             struct ss_source_stream *stream,
                                             struct ss_source_view *view, ss_err *err);

/* Close it; nothing happens if none is open. */
void ss_dataset_close_file(ss_dataset *dataset);

/* ---- bytes (dataset_bytes.c) ---- */

/* Add up the files, before the first is read. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_count_bytes(ss_dataset *dataset, ss_err *err);

/* Of a file as it is stored; 0: not known. */
uint64_t ss_dataset_stored_bytes(const ss_dataset *dataset, size_t index);

/* ---- the rows of a part (dataset_share.c) ---- */

/* Whether it has rows of a file; whether a row of the current file is one of them. */
bool ss_dataset_share_has_file(const ss_dataset *dataset, size_t file);
bool ss_dataset_share_has_row(const ss_dataset *dataset, uint64_t row);

/* ---- its columns (dataset_column.c) ---- */

/* Tell the reader of the current file which column gives the texts, chosen at the first file,
 * and which are carried along. Errors: SS_E_DATA (none, or several of that name; no choice, the
 * message lists the columns), SS_E_USAGE (the format has no columns to keep), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_select(ss_dataset *dataset, ss_err *err);

/* At the end of a file: whether a row had the column that one has to have. Errors: SS_E_DATA.
 */
SS_MUST_USE ss_status ss_dataset_check_seen(ss_dataset *dataset, ss_err *err);

/* ---- columns in the path of the current file (dataset_partition.c) ---- */

bool ss_dataset_has_partition(const ss_dataset *dataset, const char *name);
/* Append its value as JSON: a whole number, a string, or null. */
void ss_dataset_add_partition(const ss_dataset *dataset, const char *name, struct ss__buf *out);
/* Put all of them into the JSON object of a row, but those that the file has as columns. */
void ss_dataset_add_partitions(const ss_dataset *dataset, struct ss__buf *object);

/* ---- texts of several columns (dataset_template.c) ---- */

bool ss_dataset_is_template(const char *column);

/* Keep a column beside those that are kept already, if it is none of them; gives its place.
 * Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_keep_value(ss_dataset *dataset, const char *name, size_t n,
                                            size_t *at, ss_err *err);

/* Keep the columns of the template that given_column is. Errors: SS_E_USAGE (braces),
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_take_template(ss_dataset *dataset, ss_err *err);

/* The text of the row that was stepped to, borrowed until the next one. Errors: of the reader,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_fill_template(ss_dataset *dataset,
                                               struct ss_format_record *record, ss_err *err);

/* ---- which rows are wanted (dataset_selection.c), and all rows (dataset_rows.c); the next
 * that is wanted is given by dataset_wanted.c ---- */

/* Take the options of an open dataset, after those of its columns. Errors: SS_E_USAGE, SS_E_DATA,
 * SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_take_selection(ss_dataset *dataset,
                                                const struct ss_dataset_options *options,
                                                ss_err *err);
void ss_dataset_release_selection(struct ss_dataset_selection *selection);

/* When the columns of a file were chosen: which values of it have no types. Errors: SS_E_DATA (a
 * column that no row can have). */
SS_MUST_USE ss_status ss_dataset_select_begin_file(ss_dataset *dataset, ss_err *err);

/* Before the first row: choose a sample where the number of rows is known. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_select_begin(ss_dataset *dataset, ss_err *err);

/* Whether the row that was stepped to is wanted, by the values that were kept, or as JSON, into
 * selection.is_wanted. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_dataset_match_kept(ss_dataset *dataset, ss_err *err);
SS_MUST_USE ss_status ss_dataset_match_json(ss_dataset *dataset, struct ss_text json,
                                            ss_err *err);

/* Every row, in turn; of one that is not wanted, nothing but its number is given. Errors: as
 * ss_dataset_next. */
SS_MUST_USE ss_status ss_dataset_read_row(ss_dataset *dataset, struct ss_row *row,
                                          bool *has_row, ss_err *err);
SS_MUST_USE ss_status ss_dataset_read_json(ss_dataset *dataset, struct ss_text *json,
                                           bool *has_row, ss_err *err);

static inline bool ss_dataset_is_selective(const ss_dataset *dataset)
{
    return dataset->selection.where != NULL || dataset->selection.sample.n > 0;
}

/* ---- the next file (dataset_next.c) ---- */

/* Open the next files, from `current` on, until one has columns, and so perhaps rows, and
 * select its column; or none is left: then `current` is their number. Errors: as above, and
 * those of ss_dataset_select. */
SS_MUST_USE ss_status ss_dataset_start_file(ss_dataset *dataset, ss_err *err);

#endif
