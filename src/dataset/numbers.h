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
SS_MUST_USE bool ss_format_numbers_reserve(struct ss_dataset_numbers *numbers, size_t n);

static inline void ss_format_numbers_blame(struct ss_dataset_numbers *numbers,
                                           ss_dataset_numbers_fault fault)
{
    numbers->fault = numbers->fault == SS_DATASET_NUMBERS_FINE ? fault : numbers->fault;
}

/* Append the numbers of a JSON value, a number or an array of them; with `are_strings` numbers
 * stand in quotes. */
SS_MUST_USE bool ss_format_numbers_add_json(struct ss_dataset_numbers *numbers,
                                            const char *json, size_t n_bytes, bool are_strings);

/* Whether values of a columnar format are numbers. */
static inline bool ss_format_numbers_is_type(const struct ss_format_scalar_type *type)
{
    return type->kind == SS_FORMAT_SCALAR_SIGNED || type->kind == SS_FORMAT_SCALAR_UNSIGNED ||
           type->kind == SS_FORMAT_SCALAR_FLOAT;
}

/* Append one little-endian value of n_bytes, for which there is room. An integer goes through
 * double, as its decimal text would. */
void ss_format_numbers_add(struct ss_dataset_numbers *numbers,
                           const struct ss_format_scalar_type *type, const uint8_t *bytes,
                           size_t n_bytes);

#endif
