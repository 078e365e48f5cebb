/* Numbers of a row: what columns that are carried along hold, a number or a list of numbers
 * each, as embeddings. */
#ifndef SS_DATASET_NUMBERS_H
#define SS_DATASET_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataset/dataset.h"
#include "dataset/scalar_json.h"

/* Room for n more; false when memory ran out. */
SS_MUST_USE bool ss__numbers_reserve(struct ss__numbers *numbers, size_t n);

static inline void ss__numbers_blame(struct ss__numbers *numbers, ss__numbers_fault fault)
{
    numbers->fault = numbers->fault == SS__NUMBERS_FINE ? fault : numbers->fault;
}

/* Append the numbers of a JSON value, a number or an array of them; with `are_strings` numbers
 * stand in quotes. */
SS_MUST_USE bool ss__numbers_add_json(struct ss__numbers *numbers, const char *json,
                                      size_t n_bytes, bool are_strings);

/* Whether values of a columnar format are numbers. */
static inline bool ss__numbers_is_type(const struct ss__scalar_type *type)
{
    return type->kind == SS__SCALAR_SIGNED || type->kind == SS__SCALAR_UNSIGNED ||
           type->kind == SS__SCALAR_FLOAT;
}

/* Append one little-endian value of n_bytes, for which there is room. An integer goes through
 * double, as its decimal text would. */
void ss__numbers_add(struct ss__numbers *numbers, const struct ss__scalar_type *type,
                     const uint8_t *bytes, size_t n_bytes);

#endif
