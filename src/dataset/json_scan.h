/* A pull scanner for JSON text (RFC 8259), without a tree and without recursion. Unless it is
 * strict it takes NaN, Infinity and -Infinity for numbers, as Python's json writes them.
 *
 * It walks over memory. Where something is wrong, `problem` says what and `at` where; `ended`
 * tells that only more bytes are missing. Bytes of strings are not checked for UTF-8. */
#ifndef SS_DATASET_JSON_SCAN_H
#define SS_DATASET_JSON_SCAN_H

#include "base/buf.h"

struct ss__scan {
    const char *at, *end;
    const char *problem; /* NULL while all is well */
    bool ended;
    bool strict;
};

typedef enum ss__json_kind {
    SS__JSON_NONE, /* the end, or nothing that starts a value */
    SS__JSON_OBJECT,
    SS__JSON_ARRAY,
    SS__JSON_STRING,
    SS__JSON_NUMBER,
    SS__JSON_BOOL,
    SS__JSON_NULL,
    SS__N_JSON_KINDS
} ss__json_kind;

enum { SS__JSON_MAX_DEPTH = 1024 };

const char *ss__json_kind_name(ss__json_kind kind); /* "object", ... */

/* What value comes next, white space skipped. */
ss__json_kind ss__scan_peek(struct ss__scan *scan);

/* Whether this character comes next, white space skipped; it is passed if so. */
bool ss__scan_char(struct ss__scan *scan, char character);

/* Pass a whole value of any kind; false where it is malformed or nested too deeply. */
bool ss__scan_value(struct ss__scan *scan);

/* A string as it stands between its quotes. */
struct ss__scan_string {
    const char *data;
    size_t n_bytes;
    bool escaped; /* holds backslashes */
};
bool ss__scan_string(struct ss__scan *scan, struct ss__scan_string *out);

/* Step through an object: after the "{" was passed, each call passes one key and its ":", and
 * then the caller passes the value. At the "}" *has_key is false. */
bool ss__scan_key(struct ss__scan *scan, bool first, struct ss__scan_string *key,
                  bool *has_key);

/* Append a string with its escapes resolved; a lone surrogate becomes U+FFFD, which is told by
 * true. The string came from ss__scan_string. */
bool ss__scan_unescape(struct ss__scan_string string, struct ss__buf *out);

/* Append a valid value without the white space between its parts, numbers that are not finite
 * as null. */
void ss__json_compact(const char *data, size_t n_bytes, struct ss__buf *out);

#endif
