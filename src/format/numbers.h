/* Numbers of a row: what columns that are carried along hold, a number or a list of numbers
 * each, as embeddings. */
#ifndef SS_FORMAT_NUMBERS_H
#define SS_FORMAT_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "format/scalar_json.h"

/* Whether a row has numbers in a column. */
typedef enum ss_format_column_numbers {
    SS_FORMAT_NUMBERS_NONE,
    SS_FORMAT_NUMBERS_ONE,
    SS_FORMAT_NUMBERS_LIST /* or, where types are not known before, anything in brackets */
} ss_format_column_numbers;

/* What stands where a number is expected. */
typedef enum ss_format_numbers_fault {
    SS_FORMAT_NUMBERS_FINE,
    SS_FORMAT_NUMBERS_NULL,   /* null in the place of a number, or of a list */
    SS_FORMAT_NUMBERS_OTHER,  /* something else than a number */
    SS_FORMAT_NUMBERS_NO_LIST /* something else than a list */
} ss_format_numbers_fault;

/* The numbers of a row. */
struct ss_format_numbers {
    float *values; /* [n] */
    size_t n, capacity;
    ss_format_numbers_fault fault; /* the first one */
};
void ss_format_numbers_release(struct ss_format_numbers *numbers);

/* Room for n more; false when memory ran out. */
SS_MUST_USE bool ss_format_numbers_reserve(struct ss_format_numbers *numbers, size_t n);

static inline void ss_format_numbers_blame(struct ss_format_numbers *numbers,
                                           ss_format_numbers_fault fault)
{
    numbers->fault = numbers->fault == SS_FORMAT_NUMBERS_FINE ? fault : numbers->fault;
}

/* Append the numbers of a JSON value, a number or an array of them; with `are_strings` numbers
 * stand in quotes. */
SS_MUST_USE bool ss_format_numbers_add_json(struct ss_format_numbers *numbers, const char *json,
                                            size_t n_bytes, bool are_strings);

/* Whether values of a columnar format are numbers. */
static inline bool ss_format_numbers_is_type(const struct ss_format_scalar_type *type)
{
    return type->kind == SS_FORMAT_SCALAR_SIGNED || type->kind == SS_FORMAT_SCALAR_UNSIGNED ||
           type->kind == SS_FORMAT_SCALAR_FLOAT;
}

/* Append one little-endian value of n_bytes, for which there is room. An integer goes through
 * double, as its decimal text would. */
void ss_format_numbers_add(struct ss_format_numbers *numbers,
                           const struct ss_format_scalar_type *type, const uint8_t *bytes,
                           size_t n_bytes);

#endif
