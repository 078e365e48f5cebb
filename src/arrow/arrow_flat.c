/* See arrow_flat.h for the layout. */
#include "arrow/arrow_flat.h"

#include <string.h>

/* The first fault stays. */
static void fail(struct ss_arrow_flat *flat, const char *fault)
{
    flat->fault = flat->fault == NULL ? fault : flat->fault;
}

/* Whether [at, at + n) is inside the buffer and `at` a multiple of `align`. */
static bool is_inside(const struct ss_arrow_flat *flat, size_t at, size_t n, size_t align)
{
    return at % align == 0 && at <= flat->n_bytes && n <= flat->n_bytes - at;
}

/* `width` bytes of a little-endian number; the caller has checked them. */
static uint64_t load(const struct ss_arrow_flat *flat, size_t at, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)flat->data[at + i] << 8 * i;
    }
    return value;
}

static int64_t sign_extend(uint64_t value, unsigned width)
{
    const unsigned shift = 64 - 8 * width;
    return (int64_t)(value << shift) >> shift;
}

/* All of a table and its vtable is checked once, so that its fields need only be inside of
 * it. */
static struct ss_arrow_flat_table open_table(struct ss_arrow_flat *flat, size_t at)
{
    const struct ss_arrow_flat_table none = {0};
    if (!is_inside(flat, at, 4, 4)) {
        fail(flat, "a table of its metadata is outside of it");
        return none;
    }
    const int64_t vtable = (int64_t)at - sign_extend(load(flat, at, 4), 4);
    if (vtable < 0 || !is_inside(flat, (size_t)vtable, 4, 2)) {
        fail(flat, "the layout of a table of its metadata is outside of it");
        return none;
    }
    const struct ss_arrow_flat_table table = {
        .at = at,
        .vtable = (size_t)vtable,
        .n_vtable = (size_t)load(flat, (size_t)vtable, 2),
        .n_table = (size_t)load(flat, (size_t)vtable + 2, 2),
    };
    if (table.n_vtable < 4 || table.n_vtable % 2 != 0 || table.n_table < 4 ||
        !is_inside(flat, table.vtable, table.n_vtable, 2) ||
        !is_inside(flat, at, table.n_table, 4)) {
        fail(flat, "a table of its metadata goes beyond it");
        return none;
    }
    return table;
}

/* Where the field of a slot is, 0 if it is left out. */
static size_t find_field(struct ss_arrow_flat *flat, const struct ss_arrow_flat_table *table,
                         unsigned slot, size_t width)
{
    const size_t entry = 4 + 2 * (size_t)slot;
    if (flat->fault != NULL || table->at == 0 || entry + 2 > table->n_vtable) {
        return 0;
    }
    const size_t offset = (size_t)load(flat, table->vtable + entry, 2);
    if (offset == 0) {
        return 0;
    }
    if (offset + width > table->n_table || !is_inside(flat, table->at + offset, width, width)) {
        fail(flat, "a field of its metadata is outside of its table");
        return 0;
    }
    return table->at + offset;
}

/* Where a distance at `from` leads, 0 on a fault. */
static size_t follow(struct ss_arrow_flat *flat, size_t from)
{
    const size_t distance = (size_t)load(flat, from, 4);
    if (distance == 0 || !is_inside(flat, from + distance, 4, 4)) {
        fail(flat, "its metadata points outside of itself");
        return 0;
    }
    return from + distance;
}

struct ss_arrow_flat_table ss_arrow_flat_root(struct ss_arrow_flat *flat)
{
    const struct ss_arrow_flat_table none = {0};
    if (flat->n_bytes < 8) {
        fail(flat, "its metadata is too short");
        return none;
    }
    const size_t at = follow(flat, 0);
    return at == 0 ? none : open_table(flat, at);
}

int64_t ss_arrow_flat_int(struct ss_arrow_flat *flat, const struct ss_arrow_flat_table *table,
                          unsigned slot, unsigned width, int64_t otherwise)
{
    const size_t at = find_field(flat, table, slot, width);
    return at == 0 ? otherwise : sign_extend(load(flat, at, width), width);
}

struct ss_arrow_flat_table ss_arrow_flat_child(struct ss_arrow_flat *flat,
                                               const struct ss_arrow_flat_table *table,
                                               unsigned slot)
{
    const struct ss_arrow_flat_table none = {0};
    const size_t field = find_field(flat, table, slot, 4);
    const size_t at = field == 0 ? 0 : follow(flat, field);
    return at == 0 ? none : open_table(flat, at);
}

struct ss_arrow_flat_vector ss_arrow_flat_list(struct ss_arrow_flat *flat,
                                               const struct ss_arrow_flat_table *table,
                                               unsigned slot, size_t width)
{
    const struct ss_arrow_flat_vector none = {0};
    const size_t field = find_field(flat, table, slot, 4);
    const size_t at = field == 0 ? 0 : follow(flat, field);
    if (at == 0) {
        return none;
    }
    const size_t count = (size_t)load(flat, at, 4);
    if (count > (flat->n_bytes - at - 4) / width) {
        fail(flat, "a list of its metadata goes beyond it");
        return none;
    }
    return (struct ss_arrow_flat_vector){.at = at + 4, .count = count};
}

struct ss_text ss_arrow_flat_text(struct ss_arrow_flat *flat,
                                  const struct ss_arrow_flat_table *table, unsigned slot)
{
    const struct ss_arrow_flat_vector bytes = ss_arrow_flat_list(flat, table, slot, 1);
    if (bytes.at == 0) {
        return (struct ss_text){"", 0};
    }
    if (bytes.at + bytes.count >= flat->n_bytes || flat->data[bytes.at + bytes.count] != 0) {
        fail(flat, "a text of its metadata has no end");
        return (struct ss_text){"", 0};
    }
    return (struct ss_text){(const char *)flat->data + bytes.at, bytes.count};
}

struct ss_arrow_flat_table ss_arrow_flat_table_at(struct ss_arrow_flat *flat,
                                                  const struct ss_arrow_flat_vector *list,
                                                  size_t i)
{
    const struct ss_arrow_flat_table none = {0};
    const size_t at = flat->fault == NULL ? follow(flat, list->at + 4 * i) : 0;
    return at == 0 ? none : open_table(flat, at);
}

int64_t ss_arrow_flat_i64_at(const struct ss_arrow_flat *flat, size_t at)
{
    return (int64_t)load(flat, at, 8);
}

void ss_arrow_flat_check_notes(struct ss_arrow_flat *flat,
                               const struct ss_arrow_flat_table *table, unsigned slot)
{
    const struct ss_arrow_flat_vector notes = ss_arrow_flat_list(flat, table, slot, 4);
    for (size_t i = 0; i < notes.count && flat->fault == NULL; i++) {
        const struct ss_arrow_flat_table note = ss_arrow_flat_table_at(flat, &notes, i);
        (void)ss_arrow_flat_text(flat, &note, 0);
        (void)ss_arrow_flat_text(flat, &note, 1);
    }
}
