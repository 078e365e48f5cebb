/* Records of delimited values, found in memory: RFC 4180 and the dialects of it that the
 * reference library's reader takes.
 *
 * A field in quotes may hold delimiters, newlines and doubled quotes. Beyond the RFC: records
 * may end in "\n", "\r\n" or "\r", and a quote inside a field that does not begin with one
 * stands for itself. Lines that are empty, hold only spaces and tabs, or only a comment are
 * blank: they are no records. */
#ifndef SS_FORMAT_CSV_SCAN_H
#define SS_FORMAT_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* The dialect: what separates, quotes and escapes. */
struct ss_format_csv_syntax {
    char delimiter[4]; /* one character of UTF-8 */
    unsigned char n_delimiter;
    char quote;      /* 0: quotes are text */
    char escape;     /* takes the next character as text; 0: none */
    char comment;    /* the rest of the line is none of the record; 0: none */
    char terminator; /* of records; 0: "\n", "\r\n" and "\r" */
    bool no_doubled_quotes;
    bool skips_initial_space; /* spaces behind a delimiter */
    bool keeps_blank_lines;   /* as records */
    bool stops[256];          /* bytes that may end a field without quotes or escape in it */
};

/* Fill in `stops`, once everything else is. */
void ss_format_csv_prepare(struct ss_format_csv_syntax *syntax);

struct ss_format_csv_field {
    size_t start, n_bytes; /* between its quotes, if any */
    bool quoted;
    bool escaped; /* holds doubled quotes or escapes */
};

typedef enum ss_format_csv_result {
    SS_FORMAT_CSV_RECORD,
    SS_FORMAT_CSV_MORE,        /* the record goes on behind the data */
    SS_FORMAT_CSV_OPEN_QUOTE,  /* a quoted field is never closed */
    SS_FORMAT_CSV_OPEN_ESCAPE, /* nothing follows an escape character */
    SS_FORMAT_CSV_AFTER_QUOTE  /* text follows a closing quote */
} ss_format_csv_result;

struct ss_format_csv_record {
    struct ss_format_csv_field *fields; /* [capacity], the caller's */
    size_t capacity;
    size_t n_fields; /* may exceed the capacity: the fields beyond are counted only */
    size_t n_bytes;  /* with the line end */
    bool is_blank;   /* a line to pass over; it has no fields */
};

/* Scan the record at the start of data[0, n), n > 0. `at_end`: nothing comes after the data.
 * Time is that of the record's length. Threads: any. */
ss_format_csv_result ss_format_csv_scan(const char *data, size_t n,
                                        const struct ss_format_csv_syntax *syntax, bool at_end,
                                        struct ss_format_csv_record *record);

/* Append what a field says, its doubled quotes and escapes resolved. */
void ss_format_csv_unescape(const char *data, struct ss_format_csv_field field,
                            const struct ss_format_csv_syntax *syntax, struct ss__buf *out);

#endif
