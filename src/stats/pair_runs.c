/* Pairs in sorted runs on the disk: external sorting. Entries are gathered until memory is
 * full, sorted, equal keys added up, and written as a run; sixteen runs of a level are merged
 * into one of the next. Every entry is so written once a level, and the levels grow with the
 * logarithm of the number of runs. In a run keys only rise, so that differences are small and
 * most entries take a few bytes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/temporary.h"
#include "stats/pair_counts_priv.h"

enum {
    LEAST_ENTRIES = 1 << 10,
    DIGIT_BITS = 11,
    N_DIGITS = 1 << DIGIT_BITS,
    BLOCK_BYTES = 1 << 16
};

ss_status ss_stats_runs_init(struct ss_stats_runs *runs, uint64_t key_end,
                             uint64_t memory_bytes, ss_err *err)
{
    const uint64_t n = memory_bytes / (2 * sizeof *runs->gathered);
    *runs = (struct ss_stats_runs){.key_end = key_end};
    runs->capacity = n < LEAST_ENTRIES ? LEAST_ENTRIES : (size_t)n;
    SS_ALLOC_OR_RETURN(runs->gathered, runs->capacity);
    SS_ALLOC_OR_RETURN(runs->scratch, runs->capacity);
    return SS_OK;
}

void ss_stats_runs_release(struct ss_stats_runs *runs)
{
    for (size_t i = 0; i < SS_STATS_RUN_LEVELS; i++) {
        if (runs->levels[i].handle > 0) {
            close(runs->levels[i].handle - 1);
        }
    }
    ss__free(runs->gathered);
    ss__free(runs->scratch);
    *runs = (struct ss_stats_runs){0};
}

/* ---- entries as bytes ---- */

/* Seven bits a byte, the lowest first (LEB128). */
static size_t put_number(uint8_t *to, uint64_t value)
{
    size_t n = 0;
    while (value >= 0x80) {
        to[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[n++] = (uint8_t)value;
    return n;
}

/* In its shortest form only; 0: it is not one, or cut off. */
static size_t get_number(const uint8_t *from, size_t n, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < n && i < 10; i++) {
        const uint64_t bits = from[i] & 0x7F;
        if (i == 9 && bits > 1) {
            return 0;
        }
        *value |= bits << 7 * i;
        if (from[i] < 0x80) {
            return i > 0 && from[i] == 0 ? 0 : i + 1;
        }
    }
    return 0;
}

size_t ss_stats_entry_put(uint8_t *to, const struct ss_stats_run_entry *entry, uint64_t before)
{
    size_t n = put_number(to, entry->key - before);
    n += put_number(to + n, entry->cell.counts[0]);
    n += put_number(to + n, entry->cell.counts[1]);
    n += put_number(to + n, entry->cell.products[0]);
    return n + put_number(to + n, entry->cell.products[1]);
}

size_t ss_stats_entry_get(const uint8_t *from, size_t n, uint64_t before,
                          struct ss_stats_run_entry *entry)
{
    uint64_t values[5] = {0};
    size_t at = 0;
    for (size_t i = 0; i < 5; i++) {
        const size_t n_number = get_number(from + at, n - at, &values[i]);
        if (n_number == 0) {
            return 0;
        }
        at += n_number;
    }
    if (values[0] == 0 || !ss__add_u64(before, values[0], &entry->key) ||
        values[1] > UINT32_MAX || values[2] > UINT32_MAX) {
        return 0;
    }
    entry->cell = (struct ss_stats_cell){{values[3], values[4]},
                                         {(uint32_t)values[1], (uint32_t)values[2]}};
    return at;
}

/* ---- writing a run ---- */

/* Keys count from 1 in a run, so that the difference of the first one is not 0 either. */
struct run_writer {
    struct ss_stats_run_level *level;
    uint64_t offset, before;
    size_t n; /* bytes in the block */
    uint64_t n_entries;
    uint8_t block[BLOCK_BYTES];
};

static ss_status open_level(struct ss_stats_run_level *level, ss_err *err)
{
    int descriptor = -1;
    if (level->handle == 0) {
        SS_RETURN_IF_ERROR(ss__temporary_unnamed(&descriptor, err));
        level->handle = descriptor + 1;
    }
    return SS_OK;
}

/* Where the next run begins. */
static uint64_t end_of(const struct ss_stats_run_level *level)
{
    return level->n_runs == 0 ? 0 : level->ends[level->n_runs - 1];
}

static ss_status flush_block(struct run_writer *writer, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss__write_all_at(writer->level->handle - 1, SS__TEMPORARY_UNNAMED,
                                        writer->block, writer->n, writer->offset, err));
    writer->offset += writer->n;
    writer->n = 0;
    return SS_OK;
}

static ss_status begin_run(struct run_writer *writer, struct ss_stats_run_level *level,
                           ss_err *err)
{
    writer->level = level;
    writer->offset = end_of(level);
    writer->n_entries = writer->before = writer->n = 0;
    return open_level(level, err);
}

static ss_status write_entry(struct run_writer *writer, const struct ss_stats_run_entry *entry,
                             ss_err *err)
{
    struct ss_stats_run_entry shifted = *entry;
    if (writer->n > BLOCK_BYTES - SS_STATS_ENTRY_BYTES) {
        SS_RETURN_IF_ERROR(flush_block(writer, err));
    }
    shifted.key++;
    writer->n += ss_stats_entry_put(writer->block + writer->n, &shifted, writer->before);
    writer->before = shifted.key;
    writer->n_entries++;
    return SS_OK;
}

static ss_status end_run(struct run_writer *writer, ss_err *err)
{
    SS_RETURN_IF_ERROR(flush_block(writer, err));
    writer->level->ends[writer->level->n_runs++] = writer->offset;
    return SS_OK;
}

/* ---- reading a run ---- */

/* One run being read, a block at a time. */
struct ss_stats_pair_cursor {
    int handle;
    uint64_t offset, end; /* of what was not read yet */
    uint64_t before;
    size_t at, n; /* in the block */
    bool has;     /* `entry`, while runs are merged */
    struct ss_stats_run_entry entry;
    uint8_t block[BLOCK_BYTES];
};

static void open_cursor(struct ss_stats_pair_cursor *cursor,
                        const struct ss_stats_run_level *level, size_t run)
{
    cursor->handle = level->handle;
    cursor->offset = run == 0 ? 0 : level->ends[run - 1];
    cursor->end = level->ends[run];
    cursor->before = cursor->at = cursor->n = 0;
}

/* Keep what was not read yet, so that an entry is never in two blocks. */
static ss_status fill_block(struct ss_stats_pair_cursor *cursor, ss_err *err)
{
    cursor->n -= cursor->at;
    memmove(cursor->block, cursor->block + cursor->at, cursor->n);
    cursor->at = 0;
    while (cursor->n < BLOCK_BYTES && cursor->offset < cursor->end) {
        const uint64_t left =
            ss__min_u64(cursor->end - cursor->offset, BLOCK_BYTES - cursor->n);
        const ssize_t n = pread(cursor->handle - 1, cursor->block + cursor->n, (size_t)left,
                                (off_t)cursor->offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ss__fail_file(err, SS__TEMPORARY_UNNAMED, SS_E_IO, "reading failed: %s",
                                 n == 0 ? "it was cut off" : strerror(errno));
        }
        cursor->n += (size_t)n;
        cursor->offset += (uint64_t)n;
    }
    return SS_OK;
}

ss_status ss_stats_cursor_next(struct ss_stats_pair_cursor *cursor,
                               struct ss_stats_run_entry *entry, bool *has, ss_err *err)
{
    if (cursor->n - cursor->at < SS_STATS_ENTRY_BYTES && cursor->offset < cursor->end) {
        SS_RETURN_IF_ERROR(fill_block(cursor, err));
    }
    *has = cursor->at < cursor->n;
    if (!*has) {
        return SS_OK;
    }
    const size_t n = ss_stats_entry_get(cursor->block + cursor->at, cursor->n - cursor->at,
                                        cursor->before, entry);
    if (n == 0) {
        return ss__fail_file(err, SS__TEMPORARY_UNNAMED, SS_E_IO,
                             "it does not hold what was written");
    }
    cursor->at += n;
    cursor->before = entry->key;
    entry->key--;
    return SS_OK;
}

/* The level that holds the single run; NULL: there are no pairs. */
static const struct ss_stats_run_level *level_of_all(const struct ss_stats_runs *runs)
{
    for (size_t i = 0; i < SS_STATS_RUN_LEVELS; i++) {
        if (runs->levels[i].n_runs > 0) {
            return &runs->levels[i];
        }
    }
    return NULL;
}

struct ss_stats_pair_cursor *ss_stats_cursor_of_all(const struct ss_stats_runs *runs)
{
    struct ss_stats_pair_cursor *cursor = ss__alloc(1, sizeof *cursor);
    const struct ss_stats_run_level *level = level_of_all(runs);
    if (cursor != NULL && level != NULL) {
        open_cursor(cursor, level, 0);
    }
    return cursor;
}

void ss_stats_cursor_free(struct ss_stats_pair_cursor *cursor)
{
    ss__free(cursor);
}

/* ---- making runs ---- */

/* Radix sort by the lowest digit first, which is stable; as many digits as keys have. */
static void sort_gathered(struct ss_stats_runs *runs)
{
    for (unsigned shift = 0; shift < 64 && (runs->key_end - 1) >> shift > 0;
         shift += DIGIT_BITS) {
        size_t starts[N_DIGITS + 1] = {0};
        for (size_t i = 0; i < runs->n_gathered; i++) {
            starts[1 + (runs->gathered[i].key >> shift & (N_DIGITS - 1))]++;
        }
        for (size_t i = 0; i < N_DIGITS; i++) {
            starts[i + 1] += starts[i];
        }
        for (size_t i = 0; i < runs->n_gathered; i++) {
            const size_t digit = runs->gathered[i].key >> shift & (N_DIGITS - 1);
            runs->scratch[starts[digit]++] = runs->gathered[i];
        }
        struct ss_stats_run_entry *sorted = runs->scratch;
        runs->scratch = runs->gathered;
        runs->gathered = sorted;
    }
}

/* At most sixteen, so the smallest key is found by looking at all. */
static ss_status merge_cursors(struct ss_stats_pair_cursor *cursors, size_t n,
                               struct run_writer *writer, ss_err *err)
{
    for (size_t i = 0; i < n; i++) {
        SS_RETURN_IF_ERROR(
            ss_stats_cursor_next(&cursors[i], &cursors[i].entry, &cursors[i].has, err));
    }
    for (;;) {
        struct ss_stats_run_entry sum = {.key = UINT64_MAX};
        for (size_t i = 0; i < n; i++) {
            sum.key = cursors[i].has ? ss__min_u64(sum.key, cursors[i].entry.key) : sum.key;
        }
        if (sum.key == UINT64_MAX) {
            return SS_OK;
        }
        for (size_t i = 0; i < n; i++) {
            if (cursors[i].has && cursors[i].entry.key == sum.key) {
                ss_stats_cell_add(&sum.cell, &cursors[i].entry.cell);
                SS_RETURN_IF_ERROR(
                    ss_stats_cursor_next(&cursors[i], &cursors[i].entry, &cursors[i].has, err));
            }
        }
        SS_RETURN_IF_ERROR(write_entry(writer, &sum, err));
    }
}

static ss_status empty_level(struct ss_stats_run_level *level, ss_err *err)
{
    level->n_runs = 0;
    return ftruncate(level->handle - 1, 0) == 0
               ? SS_OK
               : ss__fail_file(err, SS__TEMPORARY_UNNAMED, SS_E_IO, "cannot be emptied: %s",
                               strerror(errno));
}

static ss_status merge_level(struct ss_stats_runs *runs, size_t level, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_run_level *from = &runs->levels[level];
    struct ss_stats_pair_cursor *cursors = NULL;
    struct run_writer *writer = NULL;
    SS_ALLOC(writer, 1);
    SS_ALLOC(cursors, from->n_runs);
    for (size_t i = 0; i < from->n_runs; i++) {
        open_cursor(&cursors[i], from, i);
    }
    SS_TRY(begin_run(writer, &runs->levels[level + 1], err));
    SS_TRY(merge_cursors(cursors, from->n_runs, writer, err));
    SS_TRY(end_run(writer, err));
    SS_TRY(empty_level(from, err));
    runs->n_pairs = writer->n_entries;
out:
    ss__free(cursors);
    ss__free(writer);
    return status;
}

/* Levels that are full, from the first on; the last one takes 16^11 runs, so that it never is. */
static ss_status merge_full_levels(struct ss_stats_runs *runs, ss_err *err)
{
    for (size_t i = 0;
         i + 1 < SS_STATS_RUN_LEVELS && runs->levels[i].n_runs == SS_STATS_RUN_FAN; i++) {
        SS_RETURN_IF_ERROR(merge_level(runs, i, err));
    }
    return SS_OK;
}

static ss_status write_gathered(struct ss_stats_runs *runs, ss_err *err)
{
    ss_status status = SS_OK;
    struct run_writer *writer = NULL;
    SS_ALLOC(writer, 1);
    sort_gathered(runs);
    SS_TRY(begin_run(writer, &runs->levels[0], err));
    for (size_t i = 0; i < runs->n_gathered;) {
        struct ss_stats_run_entry sum = runs->gathered[i++];
        for (; i < runs->n_gathered && runs->gathered[i].key == sum.key; i++) {
            ss_stats_cell_add(&sum.cell, &runs->gathered[i].cell);
        }
        SS_TRY(write_entry(writer, &sum, err));
    }
    SS_TRY(end_run(writer, err));
    runs->n_gathered = 0;
    runs->n_pairs = writer->n_entries;
    SS_TRY(merge_full_levels(runs, err));
out:
    ss__free(writer);
    return status;
}

ss_status ss_stats_runs_add(struct ss_stats_runs *runs, const struct ss_stats_run_entry *entry,
                            ss_err *err)
{
    if (runs->n_gathered == runs->capacity) {
        SS_RETURN_IF_ERROR(write_gathered(runs, err));
    }
    runs->gathered[runs->n_gathered++] = *entry;
    return SS_OK;
}

/* What lies on lower levels moves up until one run is left. */
ss_status ss_stats_runs_finish(struct ss_stats_runs *runs, ss_err *err)
{
    size_t last = 0;
    if (runs->n_gathered > 0) {
        SS_RETURN_IF_ERROR(write_gathered(runs, err));
    }
    for (size_t i = 0; i < SS_STATS_RUN_LEVELS; i++) {
        last = runs->levels[i].n_runs > 0 ? i : last;
    }
    for (size_t i = 0; i < last; i++) {
        if (runs->levels[i].n_runs > 0) {
            SS_RETURN_IF_ERROR(merge_level(runs, i, err));
        }
    }
    while (last + 1 < SS_STATS_RUN_LEVELS && runs->levels[last].n_runs > 1) {
        SS_RETURN_IF_ERROR(merge_level(runs, last++, err));
    }
    return SS_OK;
}
