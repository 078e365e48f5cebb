/* How the rows of files are read where a dataset's card or a caller says so: the dialect of
 * delimited text, the encoding, the key under which the rows of a JSON document are.
 *
 * One table (row_options.c) knows every option of the reference library's readers for csv,
 * json, parquet and text: those that are read here, those that change nothing, and those that
 * are refused by name. The card of a repository and `ss_dataset_options.csv` both go through
 * it. */
#ifndef SS_FORMAT_ROW_OPTIONS_H
#define SS_FORMAT_ROW_OPTIONS_H

#include "base/arena.h"
#include "base/error.h"
#include "format/csv_scan.h"
#include "source/source.h"

enum { SS_FORMAT_HEADER_INFER = -2, SS_FORMAT_HEADER_NONE = -1 };

struct ss_format_row_options {
    struct ss__arena arena; /* of its strings */
    struct ss_format_csv_syntax csv;
    bool has_delimiter, no_quotes;
    bool finds_no_delimiter; /* where it is another than the format's, the file is refused */
    int64_t header;     /* which record holds the names: SS_FORMAT_HEADER_INFER: the first one,
                           unless     `names` are given */
    const char **names; /* [n_names] of columns; NULL: the header's */
    size_t n_names;
    const char **null_words; /* [n_null_words] beside the usual ones */
    size_t n_null_words;
    bool no_usual_null_words, no_null_words;
    uint64_t skip_lines;  /* before the header */
    uint64_t n_rows;      /* of a file at most; UINT64_MAX: all */
    bool skips_long_rows; /* records with too many fields are left out */
    const char *encoding; /* NULL: UTF-8 */
    ss_source_decode_errors decode_errors;
    const char *field; /* key of the rows in a JSON document; NULL: it is the rows */
    bool has_text_unit;
    ss_text_unit text_unit;
};

/* What the formats do when nobody says otherwise. Released by ss_format_row_options_release. */
void ss_format_row_options_init(struct ss_format_row_options *options);
void ss_format_row_options_release(struct ss_format_row_options *options);

/* A value as a card gives it: a scalar or a list of scalars. */
struct ss_format_option_value {
    const char *const *items; /* [n] */
    size_t n;
    bool is_list, is_null, is_map;
};

typedef enum ss_format_option_fate {
    SS_FORMAT_OPTION_READ, /* applied, or it changes nothing */
    SS_FORMAT_OPTION_REFUSED,
    SS_FORMAT_OPTION_UNKNOWN
} ss_format_option_fate;

/* Apply an option of the reader of a kind ("csv", "json", "parquet", "text"). Strings are
 * copied. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_format_row_options_set(struct ss_format_row_options *options,
                                                const char *kind, const char *name,
                                                const struct ss_format_option_value *value,
                                                ss_format_option_fate *fate, ss_err *err);

/* Options of csv as one text: "delimiter=;,quotechar=',encoding=latin-1". A comma within a
 * value is written "\,"; "\t", "\n", "\\" and the words comma, tab, space, semicolon, pipe and
 * none are known for characters; items of lists are parted by "|". Errors: SS_E_USAGE. */
SS_MUST_USE ss_status ss_format_row_options_parse_csv(struct ss_format_row_options *options,
                                                      const char *text, ss_err *err);

#endif
