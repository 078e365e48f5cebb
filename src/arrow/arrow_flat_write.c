/* Tables and vectors of flatbuffers, written forward. */
#include "arrow/arrow_flat_write.h"

#include <string.h>

/* Padding is zeros, so that equal files have equal bytes. */
static void add_zeros(struct ss__buf *buf, size_t n)
{
    void *place = ss__buf_reserve(buf, n);
    if (place != NULL && n > 0) {
        memset(place, 0, n);
        buf->n_bytes += n;
    }
}

void ss_arrow_flat_align(struct ss__buf *buf, size_t n)
{
    add_zeros(buf, (0 - buf->n_bytes) & (n - 1));
}

void ss_arrow_flat_set(struct ss__buf *buf, size_t at, uint64_t value, size_t width)
{
    for (size_t i = 0; !buf->failed && i < width; i++) {
        buf->data[at + i] = (char)(value >> 8 * i & 0xFF);
    }
}

void ss_arrow_flat_refer(struct ss__buf *buf, size_t at, size_t target)
{
    ss_arrow_flat_set(buf, at, target - at, 4);
}

/* The widest slots come first, so that all of them are aligned. */
struct ss_arrow_flat_made ss_arrow_flat_add_table(struct ss__buf *buf, const uint8_t *widths,
                                                  size_t n_slots)
{
    struct ss_arrow_flat_made made = {0};
    const size_t vtable = buf->n_bytes + (buf->n_bytes & 1);
    size_t at = 4;
    ss_arrow_flat_align(buf, 2);
    add_zeros(buf, 4 + 2 * n_slots);
    ss_arrow_flat_align(buf, 8);
    add_zeros(buf, 4); /* so that what follows the table's first 4 bytes is aligned to 8 */
    made.at = buf->n_bytes;
    for (size_t width = 8; width > 0; width /= 2) {
        for (size_t i = 0; i < n_slots; i++) {
            if (widths[i] == width) {
                made.slots[i] = made.at + at;
                ss_arrow_flat_set(buf, vtable + 4 + 2 * i, at, 2);
                at += width;
            }
        }
    }
    add_zeros(buf, at);
    ss_arrow_flat_set(buf, vtable, 4 + 2 * n_slots, 2);
    ss_arrow_flat_set(buf, vtable + 2, at, 2);
    ss_arrow_flat_set(buf, made.at, made.at - vtable, 4);
    return made;
}

/* It is the elements that are aligned, not the count before them. */
size_t ss_arrow_flat_add_vector(struct ss__buf *buf, size_t n, size_t width, size_t *elements)
{
    const size_t alignment = width >= 8 ? 8 : 4;
    ss_arrow_flat_align(buf, 4);
    if ((buf->n_bytes + 4) % alignment != 0) {
        add_zeros(buf, 4);
    }
    const size_t at = buf->n_bytes;
    add_zeros(buf, 4 + n * width);
    ss_arrow_flat_set(buf, at, n, 4);
    *elements = at + 4;
    return at;
}

size_t ss_arrow_flat_add_string(struct ss__buf *buf, const char *text)
{
    const size_t n = strlen(text);
    ss_arrow_flat_align(buf, 4);
    const size_t at = buf->n_bytes;
    add_zeros(buf, 4);
    ss_arrow_flat_set(buf, at, n, 4);
    ss__buf_add(buf, text, n + 1);
    return at;
}
