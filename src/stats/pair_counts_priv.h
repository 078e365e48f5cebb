/* What pair_counts.c (the reducer and its triangle), pair_runs.c (sorted runs) and pair_state.c
 * (saving and loading) share. */
#ifndef SS_STATS_PAIR_COUNTS_PRIV_H
#define SS_STATS_PAIR_COUNTS_PRIV_H

#include "base/buf.h"
#include "stats/pair_counts.h"

/* A cell of the triangle. */
struct ss_stats_cell {
    uint64_t products[SS_STATS_N_HALVES];
    uint32_t counts[SS_STATS_N_HALVES];
};

/* A pair as runs have it; key = a F + b. */
struct ss_stats_run_entry {
    uint64_t key;
    struct ss_stats_cell cell;
};

enum { SS_STATS_RUN_FAN = 16, SS_STATS_RUN_LEVELS = 12, SS_STATS_ENTRY_BYTES = 48 };

/* Runs of a level, one behind the other in a file without a name. */
struct ss_stats_run_level {
    int handle; /* of the file, + 1; 0: none */
    size_t n_runs;
    uint64_t ends[SS_STATS_RUN_FAN];
};

/* Entries are gathered, sorted, added up and written as a run; so many runs of a level become
 * one of the next, so that the files stay below about twice the size of one run of all pairs. A
 * zeroed struct is valid to release. */
struct ss_stats_runs {
    struct ss_stats_run_entry *gathered, *scratch; /* [capacity] each */
    size_t n_gathered, capacity;
    uint64_t key_end; /* keys lie below it */
    struct ss_stats_run_level levels[SS_STATS_RUN_LEVELS];
    uint64_t n_pairs; /* once there is a single run */
};

/* Memory for gathering, half of memory_bytes for entries and half for sorting them, but for a
 * least number. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_stats_runs_init(struct ss_stats_runs *runs, uint64_t key_end,
                                         uint64_t memory_bytes, ss_err *err);
void ss_stats_runs_release(struct ss_stats_runs *runs);
/* Errors: SS_E_IO, SS_E_NOMEM, when a run is written. */
SS_MUST_USE ss_status ss_stats_runs_add(struct ss_stats_runs *runs,
                                        const struct ss_stats_run_entry *entry, ss_err *err);
/* Make a single run of all. */
SS_MUST_USE ss_status ss_stats_runs_finish(struct ss_stats_runs *runs, ss_err *err);
/* A reader of it, of a new cursor; NULL when memory ran out. */
struct ss_stats_pair_cursor *ss_stats_cursor_of_all(const struct ss_stats_runs *runs);
/* The next entry; *has false: the run is at its end. */
SS_MUST_USE ss_status ss_stats_cursor_next(struct ss_stats_pair_cursor *cursor,
                                           struct ss_stats_run_entry *entry, bool *has,
                                           ss_err *err);
void ss_stats_cursor_free(struct ss_stats_pair_cursor *cursor);

/* Sums of terms that are not negative: at the end of their range they stay there. */
static inline void ss_stats_cell_add(struct ss_stats_cell *cell,
                                     const struct ss_stats_cell *term)
{
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        const uint64_t product = term->products[half];
        cell->products[half] = cell->products[half] > UINT64_MAX - product
                                   ? UINT64_MAX
                                   : cell->products[half] + product;
        cell->counts[half] += term->counts[half];
    }
}

/* An entry as bytes: the difference of its key from the one before, its counts and its products,
 * seven bits a byte. Returns how many, at most SS_STATS_ENTRY_BYTES. */
size_t ss_stats_entry_put(uint8_t *to, const struct ss_stats_run_entry *entry, uint64_t before);
/* The entry behind `before`, from n bytes; 0: they do not hold one, else how many it took. */
size_t ss_stats_entry_get(const uint8_t *from, size_t n, uint64_t before,
                          struct ss_stats_run_entry *entry);

/* Pairs that were loaded stay as the bytes they came as until something is added to them: most are
 * only walked over once, into the sum of many parts. */
struct ss_stats_pairs {
    size_t n_features;
    uint64_t n_rows[SS_STATS_N_HALVES];
    struct ss_stats_pair_feature *features; /* [F] */
    struct ss_stats_cell *triangle;         /* [F (F - 1) / 2] by a, then b; NULL: */
    struct ss_stats_runs runs;
    uint8_t *packed; /* [n_packed] entries, in place of both; NULL: none */
    size_t n_packed;
    uint64_t memory_bytes; /* as ss_stats_pairs_new was given */
    uint64_t n_pairs;      /* with a count, once it is finished */
};

/* Add a pair's counts and products. Errors: as ss_stats_runs_add. */
SS_MUST_USE ss_status ss_stats_pairs_put(struct ss_stats_pairs *pairs,
                                         const struct ss_stats_pair *pair, ss_err *err);

#endif
