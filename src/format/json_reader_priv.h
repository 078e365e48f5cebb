/* What the parts of the reader of JSON share: json_rows.c steps over rows, json_columns.c tells
 * their columns, reader_json.c gives texts and values. */
#ifndef SS_FORMAT_JSON_READER_PRIV_H
#define SS_FORMAT_JSON_READER_PRIV_H

#include "format/json_items.h"
#include "format/reader.h"

struct ss_format_json_column {
    char *name;               /* dotted where it is a key in an object */
    ss_format_json_kind kind; /* of its values; NONE before one that is not null */
    bool is_mixed;
    bool is_dropped;     /* only nulls, where other rows have an object */
    bool has_strings;    /* one of its values is a string */
    bool has_texts_only; /* a list: all elements are strings or null */
    bool has_objects;    /* a list: it begins with an object */
};

struct ss_format_json_reader {
    struct ss_source_stream *stream;
    struct ss_format_json_items items;
    struct ss_format_json_column *found;
    size_t n_found, n_found_capacity;
    struct ss_format_column *columns; /* as shown */
    struct ss_text *values;           /* [n_kept] of the row, as they stand in it */
    size_t n_kept;
    size_t *kept;                  /* indexes of found */
    const char *selected;          /* NULL for whole rows */
    ss_format_json_kind text_kind; /* of the texts so far: strings or lists of them */
    bool has_seen;                 /* a row had the selected column */
    bool has_all;                  /* the rows that were looked at are all */
    bool is_single;                /* there is one row */
    bool skips_bad_rows;
    bool watches;             /* another column of strings is an error */
    struct ss__buf text, key; /* strings whose escapes were resolved */
    struct ss__buf path;      /* a dotted name */
    struct ss__buf made;      /* a row that was put together */
    const char *row;          /* the current item */
    size_t n_row_bytes;
    uint64_t row_offset;
};

/* Walk over a row from its start, leaving the cursor behind its value. On an error
 * record->fault says what is wrong with the row. */
typedef ss_status (*ss_format_json_walk)(struct ss_format_json_reader *reader,
                                         struct ss_format_scan *scan,
                                         struct ss_format_record *record, ss_err *err);

/* A cursor at the start of the current row. */
struct ss_format_scan ss_format_json_scan_row(const struct ss_format_json_reader *reader);

/* Fail with SS_E_DATA: what is wrong at a byte of the current row, and where that is. */
ss_status ss_format_json_fail_row(const struct ss_format_json_reader *reader, const char *at,
                                  const char *problem, ss_err *err);

/* Step to the next row and walk over it. */
SS_MUST_USE ss_status ss_format_json_next_row(struct ss_format_json_reader *reader,
                                              ss_format_json_walk walk,
                                              struct ss_format_record *record, bool *has_row,
                                              ss_err *err);

/* What a key says once its escapes are resolved; borrowed until the next call. */
struct ss_text ss_format_json_key_text(struct ss_format_json_reader *reader,
                                       struct ss_format_scan_string key);

void ss_format_json_reader_close(void *state);

/* Functions of struct ss_format_reader. */
SS_MUST_USE ss_status ss_format_json_columns(void *state,
                                             const struct ss_format_column **columns,
                                             size_t *n_columns, ss_err *err);
SS_MUST_USE ss_status ss_format_json_find_column(void *state, const char *name, size_t *column,
                                                 ss_err *err);

/* Fail where the current row shows that there is another column of strings than the selected
 * one. */
SS_MUST_USE ss_status ss_format_json_refuse_rivals(struct ss_format_json_reader *reader,
                                                   ss_err *err);

#endif
