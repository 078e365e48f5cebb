/* Writing JSON: strings, values of documents, and whole documents item by item. */
#ifndef SS_BASE_JSON_WRITE_H
#define SS_BASE_JSON_WRITE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/json.h"

/* Append a string as JSON: quoted, with the escapes of Python's json.dumps. With `ascii` all
 * code points above 0x7E are escaped, else they stay. `text` must be valid UTF-8. */
void ss__json_add_string(struct ss__buf *buf, const char *text, size_t n_bytes, bool ascii);

/* Append a value on one line, ", " and ": " between items, or without the spaces. Numbers stand
 * as they stood in their document; those that are not finite become null, as JSON has no form
 * for them. A value that is not there (NULL) is null. */
void ss__json_add_value(struct ss__buf *buf, const struct ss__json *value, bool is_compact);

/* A new document (gives *out, ss__json_free): the members of `base`, a nullable object, and
 * over them those of `over`, without the one called `except` (nullable). Errors: SS_E_NOMEM,
 * SS_E_LIMIT. */
SS_MUST_USE ss_status ss__json_merge(const struct ss__json *base, const struct ss__json *over,
                                     const char *except, struct ss__json **out, ss_err *err);

typedef enum ss__json_style {
    SS__JSON_INDENT_2, /* an item a line */
    SS__JSON_INDENT_4,
    SS__JSON_COMPACT, /* no space at all */
    SS__N_JSON_STYLES
} ss__json_style;

/* A document that is written item by item, in the order of the calls; a zeroed struct is an
 * empty one. Indented documents end with a newline. Failure to get memory shows in `buf`. */
struct ss__json_writer {
    struct ss__buf buf;
    ss__json_style style;
    size_t depth;
    bool has_items; /* the innermost open object or array */
};

/* Add an item under `key`; a NULL key makes an element of an array. Texts are valid UTF-8 and
 * are copied; numbers are finite where the reader is to be strict. Open and close take the
 * bracket: '{' and '}', or '[' and ']'. Keys are not checked for being there twice. */
void ss__put_open(struct ss__json_writer *writer, const char *key, char bracket);
void ss__put_close(struct ss__json_writer *writer, char bracket);
void ss__put_text(struct ss__json_writer *writer, const char *key, const char *text);
void ss__put_string(struct ss__json_writer *writer, const char *key, struct ss_text text);
void ss__put_count(struct ss__json_writer *writer, const char *key, uint64_t count);
void ss__put_number(struct ss__json_writer *writer, const char *key, double number);
void ss__put_bool(struct ss__json_writer *writer, const char *key, bool value);
void ss__put_null(struct ss__json_writer *writer, const char *key);
void ss__put_value(struct ss__json_writer *writer, const char *key,
                   const struct ss__json *value);
/* The same in the writer's style: an item a line where it is indented. */
void ss__put_tree(struct ss__json_writer *writer, const char *key,
                  const struct ss__json *value);

#endif
