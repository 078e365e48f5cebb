/* Small JSON documents (configs, headers, manifests) as jansson trees, read strictly: valid
 * UTF-8, no duplicate keys, nothing after the value, bounded size. Rows of datasets are not
 * read here. Getters fail with a sentence that names file and key. */
#ifndef SS_BASE_JSON_H
#define SS_BASE_JSON_H

#include "base/json.h"
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { SS__JSON_MAX_BYTES = 256 << 20 };

/* Parse text that came from `file` (a name for messages); gives *out (ss__json_free). */
SS_MUST_USE ss_status ss__json_parse(const char *file, const char *text, size_t n_bytes,
                                     struct ss__json **out, ss_err *err);

/* Read a file whose top level must be an object (or array). */
SS_MUST_USE ss_status ss__json_load(const char *path, struct ss__json **out, ss_err *err);

/* As ss__json_load, but a missing file is no error and gives NULL. */
SS_MUST_USE ss_status ss__json_load_optional(const char *path, struct ss__json **out,
                                             ss_err *err);

/* Typed access to an object's member. The value is written only if the key is there and not
 * null; a value of another type is SS_E_DATA. Strings are borrowed from the tree. Nothing is
 * written and nothing fails when `object` is NULL. */
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

/* Append a string as JSON: quoted, with the escapes of Python's json.dumps. With `ascii` all
 * code points above 0x7E are escaped, else they stay. `text` must be valid UTF-8. */
void ss__json_add_string(struct ss__buf *buf, const char *text, size_t n_bytes, bool ascii);

#endif
