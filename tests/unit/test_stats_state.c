/* Fire counts and top texts as bytes: the same for any cut of the rows and any order of merges,
 * read back strictly. What other reducers save is in their own tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sparse_rows.h"
#include "stats/stats.h"

enum { N_ROWS = 300, N_FEATURES = 11, RARITY = 4, MAX_PARTS = 12, N_SPLITS = 60 };

struct state {
    struct ss_stats_fires fires;
    struct ss_stats_top *top;
};

static ss_status append(void *user, const void *data, size_t n_bytes, ss_err *err)
{
    ss__buf_add(user, data, n_bytes);
    return ss__buf_check(user, err);
}

static const struct {
    size_t k;
    uint32_t n_texts;
    bool keep_duplicates, has_notes;
} settings[] = {{10, 1000000, false, true}, {10, 40, false, false},  {10, 40, true, true},
                {1, 200, false, false},     {400, 300, false, true}, {0, 10, false, false}};
enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

static struct state state_new(size_t setting)
{
    struct state made;
    assert_int_equal(ss_stats_fires_init(&made.fires, N_FEATURES, NULL), SS_OK);
    assert_int_equal(ss_stats_top_new(N_FEATURES, settings[setting].k,
                                      settings[setting].keep_duplicates, &made.top, NULL),
                     SS_OK);
    return made;
}

static void state_free(struct state *state)
{
    ss_stats_fires_release(&state->fires);
    ss_stats_top_free(state->top);
}

static void add(struct state *state, const struct test_rows *rows, size_t first, size_t n,
                bool has_notes)
{
    size_t offsets[N_ROWS + 1];
    const struct ss_sparse part = test_rows_part(rows, first, n, offsets);
    const struct ss_stats_row_texts texts = {
        rows->texts + first, has_notes ? rows->texts + first : NULL, rows->ids + first};
    ss_stats_fires_add(&state->fires, &part);
    assert_int_equal(ss_stats_top_add(state->top, &part, &texts, NULL), SS_OK);
}

static void merge(struct state *into, const struct state *from)
{
    assert_int_equal(ss_stats_fires_merge(&into->fires, &from->fires, NULL), SS_OK);
    assert_int_equal(ss_stats_top_merge(into->top, from->top, NULL), SS_OK);
}

/* The two states, one behind the other; *n_first: bytes of the first. */
static struct ss__buf saved(struct state *state, size_t *n_first)
{
    struct ss__buf bytes = {0};
    ss_stats_top_finish(state->top);
    assert_int_equal(ss_stats_fires_save(&state->fires, append, &bytes, NULL), SS_OK);
    *n_first = bytes.n_bytes;
    assert_int_equal(bytes.n_bytes % 8, 0);
    assert_int_equal(ss_stats_top_save(state->top, append, &bytes, NULL), SS_OK);
    assert_int_equal(bytes.n_bytes % 8, 0);
    return bytes;
}

static ss_status load(const struct ss__buf *bytes, size_t n_first, struct state *out)
{
    ss_err err;
    *out = (struct state){.top = NULL};
    const ss_status status =
        ss_stats_fires_load(&out->fires, bytes->data, n_first, "state", &err);
    return status != SS_OK ? status
                           : ss_stats_top_load(bytes->data + n_first, bytes->n_bytes - n_first,
                                               "state", &out->top, &err);
}

static void assert_saved(struct state *state, const struct ss__buf *expected)
{
    size_t n_first = 0;
    struct ss__buf bytes = saved(state, &n_first);
    assert_int_equal(bytes.n_bytes, expected->n_bytes);
    assert_memory_equal(bytes.data, expected->data, bytes.n_bytes);
    ss__buf_release(&bytes);
}

/* Rows in random parts, the parts merged two by two at random, now and then by way of bytes. */
static void check_split(const struct test_rows *rows, size_t setting, uint64_t *random,
                        const struct ss__buf *expected)
{
    struct state parts[MAX_PARTS];
    const size_t n_parts = 1 + test_random(random) % MAX_PARTS;
    size_t n = n_parts;
    for (size_t i = 0; i < n_parts; i++) {
        parts[i] = state_new(setting);
    }
    for (size_t r = 0; r < N_ROWS; r++) {
        add(&parts[test_random(random) % n_parts], rows, r, 1, settings[setting].has_notes);
    }
    while (n > 1) {
        const size_t from = test_random(random) % n;
        size_t into = test_random(random) % (n - 1);
        into += into >= from;
        if (test_random(random) % 2 == 0) {
            size_t n_first = 0;
            struct ss__buf bytes = saved(&parts[from], &n_first);
            state_free(&parts[from]);
            assert_int_equal(load(&bytes, n_first, &parts[from]), SS_OK);
            assert_saved(&parts[from], &bytes);
            ss__buf_release(&bytes);
        }
        merge(&parts[into], &parts[from]);
        state_free(&parts[from]);
        parts[from] = parts[--n];
    }
    assert_saved(&parts[0], expected);
    state_free(&parts[0]);
}

static void any_cut_and_any_order_give_the_same_bytes(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        struct test_rows rows;
        size_t n_first = 0;
        uint64_t random = 500 + s;
        struct state whole = state_new(s);
        test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, settings[s].n_texts, 40 + s);
        add(&whole, &rows, 0, N_ROWS, settings[s].has_notes);
        struct ss__buf expected = saved(&whole, &n_first);
        for (size_t i = 0; i < N_SPLITS; i++) {
            check_split(&rows, s, &random, &expected);
        }
        ss__buf_release(&expected);
        state_free(&whole);
        test_rows_release(&rows);
    }
}

static void rows_may_be_added_to_what_was_loaded(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        struct test_rows rows;
        size_t n_first = 0;
        struct state whole = state_new(s), half = state_new(s), again;
        test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, settings[s].n_texts, 60 + s);
        add(&whole, &rows, 0, N_ROWS, settings[s].has_notes);
        struct ss__buf expected = saved(&whole, &n_first);
        add(&half, &rows, 0, N_ROWS / 2, settings[s].has_notes);
        struct ss__buf bytes = saved(&half, &n_first);
        assert_int_equal(load(&bytes, n_first, &again), SS_OK);
        add(&again, &rows, N_ROWS / 2, N_ROWS - N_ROWS / 2, settings[s].has_notes);
        assert_saved(&again, &expected);
        ss__buf_release(&bytes);
        ss__buf_release(&expected);
        state_free(&whole);
        state_free(&half);
        state_free(&again);
        test_rows_release(&rows);
    }
}

/* Whatever is read is in the form that is written: other bytes are refused, or say the same. */
static void damaged_bytes_are_refused_or_mean_what_they_say(void **state)
{
    (void)state;
    struct test_rows rows;
    size_t n_first = 0, n_refused = 0, n_flips = 0;
    struct state whole = state_new(2), read;
    test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, settings[2].n_texts, 77);
    add(&whole, &rows, 0, N_ROWS, true);
    struct ss__buf bytes = saved(&whole, &n_first);
    for (size_t i = 0; i < bytes.n_bytes; i++) {
        bytes.data[i] = (char)(bytes.data[i] ^ (1 << i % 8));
        if (load(&bytes, n_first, &read) == SS_OK) {
            size_t n_again = 0;
            struct ss__buf again = saved(&read, &n_again);
            assert_int_equal(again.n_bytes, bytes.n_bytes);
            ss__buf_release(&again);
        } else {
            n_refused++;
        }
        n_flips++;
        state_free(&read);
        bytes.data[i] = (char)(bytes.data[i] ^ (1 << i % 8));
    }
    assert_true(n_refused > n_flips / 4);
    for (size_t n = 0; n < n_first; n++) {
        assert_int_equal(ss_stats_fires_load(&read.fires, bytes.data, n, "state", NULL),
                         SS_E_DATA);
    }
    for (size_t n = 0; n < bytes.n_bytes - n_first; n++) {
        assert_int_equal(ss_stats_top_load(bytes.data + n_first, n, "state", &read.top, NULL),
                         SS_E_DATA);
    }
    ss__buf_release(&bytes);
    state_free(&whole);
    test_rows_release(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_cut_and_any_order_give_the_same_bytes),
        cmocka_unit_test(rows_may_be_added_to_what_was_loaded),
        cmocka_unit_test(damaged_bytes_are_refused_or_mean_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
