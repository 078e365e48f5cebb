/* Numbers, dates and times of columnar formats as JSON, for values that are carried along.
 *
 * Whole numbers and floats are JSON numbers (a float in the shortest form of its double; null
 * if it is not finite), booleans true and false, decimals strings such as "-0.10", dates and
 * times ISO 8601 strings, without a zone, intervals ISO 8601 durations of months, days and
 * seconds ("P1M-2DT0.5S"), UUIDs {"hex": "…"} as other bytes. */
#ifndef SS_FORMAT_SCALAR_JSON_H
#define SS_FORMAT_SCALAR_JSON_H

#include <stdint.h>

#include "base/buf.h"

/* What the bits of a value mean. */
typedef enum ss_format_scalar_kind {
    SS_FORMAT_SCALAR_SIGNED,
    SS_FORMAT_SCALAR_UNSIGNED,
    SS_FORMAT_SCALAR_BOOL,
    SS_FORMAT_SCALAR_FLOAT,   /* of 2, 4 or 8 bytes */
    SS_FORMAT_SCALAR_DECIMAL, /* two's complement of up to 32 bytes */
    SS_FORMAT_SCALAR_DATE,    /* days of 4 bytes since 1970, or units if `per_second` is set */
    SS_FORMAT_SCALAR_TIME,    /* of a day, in units */
    SS_FORMAT_SCALAR_TIMESTAMP, /* since 1970, in units */
    SS_FORMAT_SCALAR_INT96,     /* nanoseconds of a day, then the Julian day */
    SS_FORMAT_SCALAR_INTERVAL, /* i32 each, by its bytes: 4 months; 8 days, ms; 12 months, days,
                                   ms without signs; 16 months, days, i64 nanoseconds */
    SS_FORMAT_SCALAR_UUID      /* of 16 bytes */
} ss_format_scalar_kind;

/* A zeroed struct is a signed integer. */
struct ss_format_scalar_type {
    ss_format_scalar_kind kind;
    int32_t scale;      /* of a decimal: digits behind the point */
    int64_t per_second; /* units: 1, 1000, 1000000 or 1000000000 */
};

enum { SS_FORMAT_SCALAR_BYTES = 32 }; /* the longest value */

/* Append a little-endian value of n_bytes: 1 … SS_FORMAT_SCALAR_BYTES, and as many as the kind
 * says.
 */
void ss_format_add_scalar(struct ss__buf *out, const struct ss_format_scalar_type *type,
                          const uint8_t *bytes, size_t n_bytes);

/* The value of a signed or unsigned integer or a float of 2, 4 or 8 bytes; else 0. */
double ss_format_scalar_number(const struct ss_format_scalar_type *type, const uint8_t *bytes,
                               size_t n_bytes);

#endif
