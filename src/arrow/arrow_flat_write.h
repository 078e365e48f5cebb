/* Writing flatbuffers, as far as Arrow's metadata needs it (see arrow_flat.h for the layout).
 *
 * Everything is written forward: a table first, then what it refers to, whose distance is put
 * into the table's slot afterwards. Positions count from the beginning of the buffer, which is
 * aligned. Failure to get memory shows in the buffer. */
#ifndef SS_ARROW_FLAT_WRITE_H
#define SS_ARROW_FLAT_WRITE_H

#include <stdint.h>

#include "base/buf.h"

enum { SS_ARROW_FLAT_MAX_SLOTS = 8 };

/* A table under construction: where its slots lie. */
struct ss_arrow_flat_made {
    size_t at, slots[SS_ARROW_FLAT_MAX_SLOTS];
};

/* Append a table with slots of 0 (left out), 1, 2, 4 or 8 bytes, all zero; a reference to
 * something else takes 4. */
struct ss_arrow_flat_made ss_arrow_flat_add_table(struct ss__buf *buf, const uint8_t *widths,
                                                  size_t n_slots);
/* Put a number into a slot, or an element of a vector. */
void ss_arrow_flat_set(struct ss__buf *buf, size_t at, uint64_t value, size_t width);
/* Let the 4 bytes at `at` refer to `target`, which lies behind them. */
void ss_arrow_flat_refer(struct ss__buf *buf, size_t at, size_t target);

/* Append a vector of n zeroed elements; *elements is where they begin. Gives its position. */
size_t ss_arrow_flat_add_vector(struct ss__buf *buf, size_t n, size_t width, size_t *elements);
size_t ss_arrow_flat_add_string(struct ss__buf *buf, const char *text);

/* Fill up to a multiple of n (a power of two). */
void ss_arrow_flat_align(struct ss__buf *buf, size_t n);

#endif
