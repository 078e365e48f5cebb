/* A pull scanner for JSON text (RFC 8259), without a tree and without recursion. Unless it is
 * strict it takes NaN, Infinity and -Infinity for numbers, as Python's json writes them.
 *
 * It walks over memory. Where something is wrong, `problem` says what and `at` where; `ended`
 * tells that only more bytes are missing. Bytes of strings are not checked for UTF-8. */
#ifndef SS_FORMAT_JSON_SCAN_H
#define SS_FORMAT_JSON_SCAN_H

#include "base/buf.h"

struct ss_format_scan {
    const char *at, *end;
    const char *problem; /* NULL while all is well */
    bool ended;
    bool strict;
};

typedef enum ss_format_json_kind {
    SS_FORMAT_JSON_NONE, /* the end, or nothing that starts a value */
    SS_FORMAT_JSON_OBJECT,
    SS_FORMAT_JSON_ARRAY,
    SS_FORMAT_JSON_STRING,
    SS_FORMAT_JSON_NUMBER,
    SS_FORMAT_JSON_BOOL,
    SS_FORMAT_JSON_NULL,
    SS_FORMAT_N_JSON_KINDS
} ss_format_json_kind;

enum { SS_FORMAT_JSON_MAX_DEPTH = 1024 };

const char *ss_format_json_kind_name(ss_format_json_kind kind); /* "object", ... */

/* What value comes next, white space skipped. */
ss_format_json_kind ss_format_scan_peek(struct ss_format_scan *scan);

/* Whether this character comes next, white space skipped; it is passed if so. */
bool ss_format_scan_char(struct ss_format_scan *scan, char character);

/* Pass a whole value of any kind; false where it is malformed or nested too deeply. */
bool ss_format_scan_value(struct ss_format_scan *scan);

/* A string as it stands between its quotes. */
struct ss_format_scan_string {
    const char *data;
    size_t n_bytes;
    bool escaped; /* holds backslashes */
};
bool ss_format_scan_string(struct ss_format_scan *scan, struct ss_format_scan_string *out);

/* Step through an object: after the "{" was passed, each call passes one key and its ":", and
 * then the caller passes the value. At the "}" *has_key is false. */
bool ss_format_scan_key(struct ss_format_scan *scan, bool first,
                        struct ss_format_scan_string *key, bool *has_key);

/* Append a string with its escapes resolved; a lone surrogate becomes U+FFFD, which is told by
 * true. The string came from ss_format_scan_string. */
bool ss_format_scan_unescape(struct ss_format_scan_string string, struct ss__buf *out);

/* Append a valid value without the white space between its parts, numbers that are not finite
 * as null. */
void ss_format_json_compact(const char *data, size_t n_bytes, struct ss__buf *out);

#endif
