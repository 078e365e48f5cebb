/* Which parts of a Parquet file hold a column: its chunk of every row group. Parts that are
 * close to each other become one, since asking costs more than what lies between. */
#include <string.h>

#include "base/mem.h"
#include "parquet/parquet_priv.h"

enum { GAP_BYTES = 64 << 10 };

/* Ranges must rise and not overlap, as the source reads them once, in order. */
static ss_status add_range(struct ss_source_ranges *ranges, uint64_t begin, uint64_t end,
                           ss_err *err)
{
    struct ss_source_range *last = ranges->n == 0 ? NULL : &ranges->items[ranges->n - 1];
    if (begin == end) {
        return SS_OK;
    }
    if (last != NULL && begin >= last->end && begin - last->end <= GAP_BYTES) {
        last->end = end;
        return SS_OK;
    }
    if (last != NULL && begin < last->end) {
        return SS_OK; /* chunks out of order are fetched when they are reached */
    }
    SS_GROW_OR_RETURN(ranges->items, ranges->capacity, ranges->n + 1);
    ranges->items[ranges->n++] = (struct ss_source_range){begin, end};
    return SS_OK;
}

/* A chunk whose place is impossible is left out here; the cursor says why when it gets
 * there. */
ss_status ss_parquet_plan_leaf(const struct ss_parquet *file, size_t text_leaf,
                               struct ss_source_ranges *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_parquet_chunk *chunks = NULL;
    struct ss_parquet_groups groups;
    struct ss_parquet_extent extent;
    uint64_t n_rows = 0;
    *out = (struct ss_source_ranges){.items = NULL};
    SS_ALLOC(chunks, file->n_texts);
    ss_parquet_groups_init(file, &groups);
    while (groups.index < groups.n_groups) {
        SS_TRY(ss_parquet_groups_next(file, &groups, &n_rows, chunks, err));
        const struct ss_parquet_meta *meta = &chunks[text_leaf].meta;
        if (meta->n_values > 0 && ss_parquet_chunk_extent(file, meta, &extent) == NULL) {
            SS_TRY(add_range(out, extent.offset, extent.end, err));
        }
    }
out:
    ss__free(chunks);
    if (status != SS_OK) {
        ss__free(out->items);
        *out = (struct ss_source_ranges){.items = NULL};
    }
    return status;
}

/* The ranges of a column by its name, of a file of which only the footer is there. A file or
 * column that cannot be read so is not planned: its reader will say why. */
static bool plan_column(const struct ss_source_partial *in, const char *column,
                        struct ss_source_ranges *out)
{
    struct ss_parquet file = {.name = NULL};
    ss_status status =
        ss_parquet_open(in->name, in->map.data, in->map.n_bytes, false, &file, NULL);
    size_t n_found = 0, leaf = 0;
    for (size_t i = 0; status == SS_OK && i < file.n_columns; i++) {
        const struct ss_parquet_node *node = &file.nodes[file.column_nodes[i]];
        if (strcmp(file.columns[i].name, column) == 0) {
            n_found += ss_parquet_node_is_text(node) && node->max_rep == 0 ? 1 : 2;
            leaf = node->first_text;
        }
    }
    if (status == SS_OK) {
        status = n_found == 1 ? ss_parquet_plan_leaf(&file, leaf, out, NULL) : SS_E_DATA;
    }
    ss_parquet_release(&file);
    return status == SS_OK;
}

/* The last 64 KiB are read first, and more if the footer is longer. The first four bytes are
 * not asked for, which saves a request: they are put there as the last four say them. */
ss_status ss_parquet_planner(struct ss_source_partial *file, const char *column,
                             struct ss_source_ranges *ranges, bool *is_planned, ss_err *err)
{
    enum {
        MAGIC_BYTES = 4,
        TRAILER_BYTES = 8,
        TAIL_BYTES = 64 << 10,
        MAX_FOOTER_BYTES = 256 << 20
    };
    const size_t n = file->map.n_bytes;
    if (n < MAGIC_BYTES + TRAILER_BYTES) {
        return ss__fail_file(err, file->name, SS_E_DATA,
                             "not a Parquet file: the server says that it has %zu bytes", n);
    }
    const size_t n_tail = ss__min_size(n, TAIL_BYTES);
    SS_RETURN_IF_ERROR(file->fill(file, n - n_tail, n, err));
    const uint8_t *trailer = file->map.data + n - TRAILER_BYTES;
    const size_t n_footer = (size_t)trailer[0] | (size_t)trailer[1] << 8 |
                            (size_t)trailer[2] << 16 | (size_t)trailer[3] << 24;
    const bool is_parquet = memcmp(trailer + 4, "PAR", 3) == 0;
    if (is_parquet && n_footer > MAX_FOOTER_BYTES) {
        return ss__fail_file(err, file->name, SS_E_LIMIT,
                             "its footer claims %zu bytes, more than %d", n_footer,
                             MAX_FOOTER_BYTES);
    }
    if (is_parquet && n_footer <= n - MAGIC_BYTES - TRAILER_BYTES &&
        n_footer + TRAILER_BYTES > n_tail) {
        SS_RETURN_IF_ERROR(file->fill(file, n - TRAILER_BYTES - n_footer, n - n_tail, err));
    }
    memcpy((void *)(uintptr_t)file->map.data, trailer + 4, MAGIC_BYTES);
    *is_planned = column != NULL && plan_column(file, column, ranges);
    return SS_OK;
}
