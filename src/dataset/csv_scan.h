/* Records of comma- or tab-separated values (RFC 4180), found in memory.
 *
 * A field in quotes may hold delimiters, newlines and doubled quotes. Beyond the RFC: records
 * may end in "\n", "\r\n" or "\r", and a quote inside a field that does not begin with one
 * stands for itself. */
#ifndef SS_DATASET_CSV_SCAN_H
#define SS_DATASET_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct ss__csv_field {
    size_t start, n_bytes; /* between its quotes, if any */
    bool quoted;
    bool doubled; /* holds doubled quotes */
};

typedef enum ss__csv_result {
    SS__CSV_RECORD,
    SS__CSV_MORE,       /* the record goes on behind the data */
    SS__CSV_OPEN_QUOTE, /* a quoted field is never closed */
    SS__CSV_AFTER_QUOTE /* text follows a closing quote */
} ss__csv_result;

struct ss__csv_record {
    struct ss__csv_field *fields; /* [room], the caller's */
    size_t room;
    size_t n_fields; /* may exceed room: the fields beyond are counted only */
    size_t n_bytes;  /* with the line end */
};

/* Scan the record at the start of data[0, n). `at_end`: nothing comes after the data. */
ss__csv_result ss__csv_scan(const char *data, size_t n, char delimiter, bool at_end,
                            struct ss__csv_record *record);

#endif
