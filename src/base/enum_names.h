/* Names of the values of an enum: one table per enum, read in both directions. */
#ifndef SS_BASE_ENUM_NAMES_H
#define SS_BASE_ENUM_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* names[value], or `otherwise` where there is none. */
const char *ss__name_of(const char *const *names, size_t n, size_t value,
                        const char *otherwise);

/* The value whose name this is; false, and *value as it was, where there is none or `name` is
 * NULL. Gaps of the table are NULL. */
bool ss__name_find(const char *const *names, size_t n, const char *name, size_t *value);

#endif
