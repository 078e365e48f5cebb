/* The interface that every format implements, and the formats of text.
 *
 * A format is one constant `struct ss_format_reader` and one line in the table of
 * dataset_formats.c. The dataset opens a file, finds its format, asks the reader for its
 * columns, selects one (or all), and takes rows until there are none:
 *
 *     open -> columns -> select -> (next [-> add_json])* -> close
 *
 * The reader does no repair of UTF-8, no counting of rows over files and no choice of the text
 * column: the dataset does. Readers are used by one thread. */
#ifndef SS_FORMAT_READER_H
#define SS_FORMAT_READER_H

#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "format/numbers.h"
#include "format/row_options.h"

/* What is wrong with a row that can be left out. */
typedef enum ss_format_fault {
    SS_FORMAT_FAULT_NONE,
    SS_FORMAT_FAULT_SYNTAX,   /* no JSON */
    SS_FORMAT_FAULT_NO_ROW,   /* a JSON value that is no row */
    SS_FORMAT_FAULT_TYPE,     /* the text column holds something else */
    SS_FORMAT_FAULT_REPEATED, /* the text column is there twice */
    SS_FORMAT_FAULT_LONG_ROW, /* more fields than columns */
    SS_FORMAT_FAULT_QUOTE,    /* an open quote, or text behind one */
    SS_FORMAT_FAULT_TOO_LARGE,
    SS_FORMAT_FAULT_ENCODING, /* bytes that are none of the encoding that was given */
    SS_FORMAT_N_FAULTS
} ss_format_fault;
const char *ss_format_fault_name(ss_format_fault fault); /* "too many fields", ... */

/* A column of a file. Strings are borrowed from the dataset. */
struct ss_format_column {
    const char *name;
    const char *type; /* "string", "int64", "number", "object", ... for people */
    bool is_text;     /* its values can be read as text */
    ss_format_column_numbers numbers;
    bool holds_rows;  /* of the only row: a list of objects, which may be the rows meant */
    bool is_doubtful; /* what was seen of them does not tell: only nulls, or strings and others
                       */
};

/* One file, borrowed by the reader from open until close. */
struct ss_format_file {
    const char *name;                /* for messages: the path, or "standard input" */
    struct ss_source_stream *stream; /* decompressed bytes in order; NULL if needs_view */
    struct ss_source_view *view;     /* the same by offset; NULL unless needs_view */
    ss_text_unit text_unit;
    const struct ss_format_row_options *rows; /* NULL: nothing beside the formats' own ways */
    const struct ss_log *log;                 /* nullable */
    bool all_columns;                         /* whole rows show what is no text, too */
    bool skips_bad_rows; /* a bad first row is no reason to refuse the file */
};

/* The value of the selected column in one row. */
struct ss_format_record {
    struct ss_text text; /* bytes as stored, perhaps not UTF-8; borrowed until the next call */
    bool is_null;        /* null, or the row lacks the column */
    bool repaired;       /* the reader itself had to put U+FFFD (a lone surrogate escape) */
    ss_format_fault fault; /* with an error: the row alone is bad, and next goes on behind it */
};

/* Instead of a column: next only steps, and add_json gives whole rows. */
#define SS_FORMAT_ALL_COLUMNS SIZE_MAX

/* No column either: rows are stepped over for what is carried along with them. */
#define SS_FORMAT_NO_COLUMN (SIZE_MAX - 1)

/* A format. Functions that are nullable say so; all take the state that open gave. */
struct ss_format_reader {
    const char *format; /* "jsonl" */
    bool stores_text;   /* every value is text, whatever the column's type looks like */
    bool needs_view;    /* random access: reads source->view, not source->stream */
    bool next_checks;   /* next has decoded the row before it wholly, without add_json */

    /* Open a file; gives *state, and leaves NULL there on error. A malformed head is SS_E_DATA,
     * what is well-formed but not read SS_E_UNSUPPORTED. Every message names source->name. */
    ss_status (*open)(const struct ss_format_file *source, void **state, ss_err *err);

    /* The columns of the file, or of its first rows where it has no schema, borrowed until
     * close. Names may repeat. There are none only if there are no rows, or rows of nothing. */
    ss_status (*columns)(void *state, const struct ss_format_column **columns,
                         size_t *n_columns, ss_err *err);

    /* Where a file has no schema: whether `columns` saw all of its rows. NULL: it has one. */
    bool (*is_whole)(const void *state);

    /* Where a file has no schema: the index of a column that `columns` need not have shown, for
     * rows may have it later. NULL: it has one. Before the first row. */
    ss_status (*find)(void *state, const char *name, size_t *column, ss_err *err);

    /* Whether a row so far had the selected column at all. NULL: it is in the schema. */
    bool (*has_seen)(const void *state);

    /* From now on fail at a row by which another column is one of strings too. Nullable. */
    void (*watch)(void *state);

    /* Choose a column by its index, or SS_FORMAT_ALL_COLUMNS, before the first row. A column
     * that cannot be read as text is refused here, by name, if that is known, else by next. */
    ss_status (*select)(void *state, size_t column, ss_err *err);

    /* Step to the next row; at the end *has_row is false. A value of another type than text or
     * null is SS_E_DATA, naming row (1-based in the file) or line, column and type. Where only
     * this row is bad, record->fault says so, and the next call gives the row behind it. */
    ss_status (*next)(void *state, struct ss_format_record *record, bool *has_row, ss_err *err);

    /* Append the row that next stepped to as one JSON object without newlines, all columns in
     * file order. Invalid UTF-8 in it is repaired by the caller, so a reader that escapes text
     * itself uses ss_format_add_json_text. Only after select(SS_FORMAT_ALL_COLUMNS). */
    ss_status (*add_json)(void *state, struct ss__buf *out, ss_err *err);

    /* Carry columns along, whatever their types, before the first row. NULL where nothing has
     * to be made ready for that. */
    ss_status (*keep)(void *state, const size_t *columns, size_t n, ss_err *err);

    /* Append the value of the i-th column that is carried along, in the row that next stepped
     * to, as JSON; for each row once per column, in order. NULL: rows have no columns. */
    ss_status (*add_kept)(void *state, size_t i, struct ss__buf *out, ss_err *err);

    /* Append the numbers of the same value, a number or a list of them, once instead of
     * add_kept. NULL: they are taken out of what add_kept gives. */
    ss_status (*add_numbers)(void *state, size_t i, struct ss_format_numbers *out, ss_err *err);

    /* Rows in the file if it says so, else 0. Nullable. */
    uint64_t (*n_rows)(const void *state);

    void (*close)(void *state); /* NULL is fine */
};

/* The formats of text. */
extern const struct ss_format_reader ss_format_reader_jsonl, ss_format_reader_json,
    ss_format_reader_csv, ss_format_reader_tsv, ss_format_reader_txt;

/* ---- kinds that are not read (format_refused.c) ---- */

/* Fail with SS_E_UNSUPPORTED and a message on what a file is, if its first bytes (`is_text`:
 * its name is that of a dataset's file), or its name say so. `name` is for messages. */
SS_MUST_USE ss_status ss_format_refuse_content(const struct ss_source_stream *stream,
                                               bool is_text, ss_err *err);
SS_MUST_USE ss_status ss_format_refuse_name(const char *name, const char *path, ss_err *err);

/* Fail with SS_E_DATA if a file that is called a table begins as a web page does, or as
 * the XML of a store's error. */
SS_MUST_USE ss_status ss_format_refuse_page(const struct ss_source_stream *stream, ss_err *err);

/* Whether a name says that the file holds rows in a form that is not read. */
bool ss_format_is_other_table(const char *path);

/* Append bytes as a JSON string, invalid UTF-8 replaced by U+FFFD, not escaped beyond need. */
void ss_format_add_json_text(struct ss__buf *out, const char *text, size_t n_bytes);

#endif
