/* What readers with a schema share: names of columns as people see them, values as JSON. */
#ifndef SS_FORMAT_LISTING_H
#define SS_FORMAT_LISTING_H

#include "base/buf.h"
#include "base/error.h"

/* Append a name with control characters as \x1f, so that it stays on one line and does not
 * steer a terminal. */
void ss_format_add_column_name(struct ss__buf *out, const struct ss_text *name);

/* Whether two of the names are equal; sorts them. */
bool ss_format_names_repeat(struct ss_text *names, size_t n);

/* Append bytes as a JSON string if they are UTF-8, else as {"hex": "…"}. */
void ss_format_add_json_bytes(struct ss__buf *out, const struct ss_text *bytes);

/* The names of a list with commas, spaces around them left out; NULL has none. Gives *names,
 * also on error what was read so far (ss__list_release). Errors: SS_E_USAGE (an empty name). */
SS_MUST_USE ss_status ss_format_split_names(const char *list, char ***names, size_t *n_names,
                                            ss_err *err);

#endif
