/* A bounded reader of flatbuffers, as far as Arrow's metadata needs it.
 *
 * A table begins with an i32: how far its vtable lies before it. The vtable is u16 numbers: its
 * own size, the table's size, then for each slot where the field is in the table (0: left out,
 * so it has its default). Strings, vectors and tables are u32 distances forward; a vector is a
 * u32 count and its elements, a string is a vector of bytes with a zero behind it. Everything
 * is little-endian and aligned to its size.
 *
 * Nothing is copied or trusted: each access is checked against the bytes, the first fault stays
 * in `fault`, and after it everything reads as absent. Tables may be referred to more than
 * once, so whoever walks a tree bounds the number of its nodes. */
#ifndef SS_ARROW_FLAT_H
#define SS_ARROW_FLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct ss_arrow_flat {
    const uint8_t *data; /* borrowed */
    size_t n_bytes;
    const char *fault; /* NULL while all is well */
};

/* A table, or with `at` 0 none: then all fields have their defaults. */
struct ss_arrow_flat_table {
    size_t at, vtable;
    size_t n_table, n_vtable; /* bytes */
};

struct ss_arrow_flat_vector {
    size_t at; /* of the first element; 0: the vector is not there */
    size_t count;
};

/* The table that a buffer begins with a distance to. */
struct ss_arrow_flat_table ss_arrow_flat_root(struct ss_arrow_flat *flat);

/* The number in a slot, sign-extended from `width` (1, 2, 4 or 8) bytes; `otherwise` where the
 * slot is left out or a fault was met. */
int64_t ss_arrow_flat_int(struct ss_arrow_flat *flat, const struct ss_arrow_flat_table *table,
                          unsigned slot, unsigned width, int64_t otherwise);
/* The table that a slot refers to; none where it is left out. */
struct ss_arrow_flat_table ss_arrow_flat_child(struct ss_arrow_flat *flat,
                                               const struct ss_arrow_flat_table *table,
                                               unsigned slot);
/* A vector of elements of `width` bytes, all of which are inside the buffer. */
struct ss_arrow_flat_vector ss_arrow_flat_list(struct ss_arrow_flat *flat,
                                               const struct ss_arrow_flat_table *table,
                                               unsigned slot, size_t width);
/* A text, which is not checked to be UTF-8; empty where it is left out. Borrowed from the
 * buffer. */
struct ss_text ss_arrow_flat_text(struct ss_arrow_flat *flat,
                                  const struct ss_arrow_flat_table *table, unsigned slot);

/* Elements of a vector; `i` is below its count. */
struct ss_arrow_flat_table ss_arrow_flat_table_at(struct ss_arrow_flat *flat,
                                                  const struct ss_arrow_flat_vector *list,
                                                  size_t i);
/* A number in an element of a list whose width was checked. */
int64_t ss_arrow_flat_i64_at(const struct ss_arrow_flat *flat, size_t at);

/* Check a vector of key and value pairs, as Arrow has them for notes. */
void ss_arrow_flat_check_notes(struct ss_arrow_flat *flat,
                               const struct ss_arrow_flat_table *table, unsigned slot);

#endif
