/* JSON documents (configs, headers, manifests, responses of services) as immutable trees.
 *
 * What Python's json module reads is read: also NaN, Infinity and -Infinity, numbers out of
 * range (1e999 is infinite), and repeated keys, of which the last one holds. A lone surrogate
 * becomes U+FFFD. Otherwise the reader is strict (RFC 8259): valid UTF-8, no control characters
 * in strings, nothing after the value, at most SS__JSON_TREE_DEPTH levels. Rows of datasets are
 * not read here.
 *
 * A document is one block of memory: 16 bytes a value, 32 a member of an object, and its texts.
 * Memory that runs out is SS_E_NOMEM and never another document. Getters accept NULL and values
 * of other types, which hold nothing; typed getters fail with file and key. A document does not
 * change, so that threads may share it; its owners (ss__json_share) are counted without a lock,
 * by one thread at a time. */
#ifndef SS_BASE_JSON_H
#define SS_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { SS__JSON_MAX_BYTES = 256 << 20, SS__JSON_TREE_DEPTH = 1024 };

/* A value of a document, borrowed from it. */
struct ss__json;

/* Parse text that came from `file` (a name for messages); gives *out (ss__json_free), NULL on
 * error. The text is borrowed for the call. Errors: SS_E_DATA (with line, column and
 * err->offset), SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss__json_parse(const char *file, const char *text, size_t n_bytes,
                                     struct ss__json **out, ss_err *err);

/* Read a file whose top level must be an object (or array). Errors: those of ss__file_read and
 * ss__json_parse, which name the file. */
SS_MUST_USE ss_status ss__json_load(const char *path, struct ss__json **out, ss_err *err);

/* As ss__json_load, but a missing file is no error and gives NULL. A link that leads
 * nowhere is not missing. */
SS_MUST_USE ss_status ss__json_load_optional(const char *path, struct ss__json **out,
                                             ss_err *err);

/* A further owner of a whole document, which each owner frees. */
struct ss__json *ss__json_share(struct ss__json *document);
void ss__json_free(struct ss__json *document);

/* ---- values ---- */

typedef enum ss__json_tag {
    SS__JSON_IS_NULL,
    SS__JSON_IS_FALSE,
    SS__JSON_IS_TRUE,
    SS__JSON_IS_INTEGER, /* fits into 64 bits, with a sign */
    SS__JSON_IS_REAL,    /* also NaN and infinity, and integers that do not fit */
    SS__JSON_IS_STRING,
    SS__JSON_IS_ARRAY,
    SS__JSON_IS_OBJECT
} ss__json_tag;

/* A value that is not there (NULL) has the type null. */
ss__json_tag ss__json_tag_of(const struct ss__json *value);
bool ss__json_is_null(const struct ss__json *value);
bool ss__json_is_true(const struct ss__json *value);
bool ss__json_is_boolean(const struct ss__json *value);
bool ss__json_is_integer(const struct ss__json *value);
bool ss__json_is_number(const struct ss__json *value);
bool ss__json_is_string(const struct ss__json *value);
bool ss__json_is_array(const struct ss__json *value);
bool ss__json_is_object(const struct ss__json *value);

/* The member of an object; NULL where there is none. */
struct ss__json *ss__json_get(const struct ss__json *object, const char *key);
/* The i-th element of an array; NULL behind the last one. */
struct ss__json *ss__json_at(const struct ss__json *array, size_t i);
/* The i-th member of an object, in the order of the text; NULL behind the last one. */
struct ss__json *ss__json_member(const struct ss__json *object, size_t i, const char **key);
/* Elements of an array or members of an object; else 0. */
size_t ss__json_count(const struct ss__json *value);

/* A string, terminated (it may hold NUL, too), or NULL. */
const char *ss__json_string(const struct ss__json *value);
size_t ss__json_string_bytes(const struct ss__json *value);
/* 0 where the value is no integer, or no number. */
int64_t ss__json_integer(const struct ss__json *value);
double ss__json_real(const struct ss__json *value);

/* Loops over the elements of an array, and over the members of an object. */
#define SS_JSON_EACH(array, i, item)                                                           \
    for ((i) = 0; ((item) = ss__json_at((array), (i))) != NULL; (i)++)
#define SS_JSON_EACH_MEMBER(object, key, item)                                                 \
    for (size_t key##_at = 0; ((item) = ss__json_member((object), key##_at, &(key))) != NULL;  \
         key##_at++)

/* ---- typed members ---- */

/* The value is written only if the key is there and not null; a value of another type is
 * SS_E_DATA, as is a number that is not finite: so a default is what *value was before the
 * call. Strings are borrowed from the document. Nothing is written and nothing fails when
 * `object` is NULL. */
SS_MUST_USE ss_status ss__json_size(const char *file, const struct ss__json *object,
                                    const char *key, size_t *value, ss_err *err);
SS_MUST_USE ss_status ss__json_number(const char *file, const struct ss__json *object,
                                      const char *key, double *value, ss_err *err);
SS_MUST_USE ss_status ss__json_bool(const char *file, const struct ss__json *object,
                                    const char *key, bool *value, ss_err *err);
SS_MUST_USE ss_status ss__json_text(const char *file, const struct ss__json *object,
                                    const char *key, const char **value, ss_err *err);

/* Fails with SS_E_DATA, naming file and key, unless the object has the key with a value. */
SS_MUST_USE ss_status ss__json_need(const char *file, const struct ss__json *object,
                                    const char *key, ss_err *err);

#endif
