/* The state of pairs, as bytes: what a part of a run hands on. Little-endian.
 *
 *   "SSPAIR01", u64 features F, u64 [2] rows of each half, u64 pairs
 *   u64 [F, 5]   rows of each half in which a feature fires, partners, squares of each half
 *   of every pair, by rising a, then b: the difference of its key a F + b + 1 from that of the pair
 *   before (0), its two counts and its two products, as numbers of seven bits a byte, the lowest first,
 *   the eighth bit set where more follow, each in its shortest form
 *
 * Reading trusts nothing: sizes are checked against the bytes that are there. */
#include <string.h>

#include "base/mem.h"
#include "stats/pair_counts_priv.h"

static const char magic[8] = {'S', 'S', 'P', 'A', 'I', 'R', '0', '1'};

enum { BLOCK_BYTES = 1 << 16 };

struct head {
    char magic[8];
    uint64_t n_features, n_rows[SS_STATS_N_HALVES], n_pairs;
};

/* ---- saving ---- */

struct saving {
    ss_status (*write)(void *user, const void *data, size_t n_bytes, ss_err *err);
    void *user;
    size_t n;
    uint8_t block[BLOCK_BYTES];
};

static ss_status save_pairs(const struct ss_stats_pairs *pairs, struct saving *saving,
                            struct ss_stats_pairs_walk *walk, ss_err *err)
{
    struct ss_stats_pair pair;
    uint64_t before = 0;
    bool has = true;
    SS_RETURN_IF_ERROR(ss_stats_pairs_begin(pairs, walk, err));
    for (;;) {
        SS_RETURN_IF_ERROR(ss_stats_pairs_next(walk, &pair, &has, err));
        if (!has || saving->n > BLOCK_BYTES - SS_STATS_ENTRY_BYTES) {
            SS_RETURN_IF_ERROR(saving->write(saving->user, saving->block, saving->n, err));
            saving->n = 0;
        }
        if (!has) {
            return SS_OK;
        }
        const struct ss_stats_run_entry entry = {
            (uint64_t)pair.a * pairs->n_features + pair.b + 1,
            {{pair.products[0], pair.products[1]}, {pair.counts[0], pair.counts[1]}}};
        saving->n += ss_stats_entry_put(saving->block + saving->n, &entry, before);
        before = entry.key;
    }
}

ss_status ss_stats_pairs_save(const struct ss_stats_pairs *pairs,
                              ss_status (*write)(void *user, const void *data, size_t n_bytes,
                                                 ss_err *err),
                              void *user, ss_err *err)
{
    ss_status status = SS_OK;
    struct saving *saving = NULL;
    struct ss_stats_pairs_walk walk = {0};
    struct head head = {.n_features = pairs->n_features,
                        .n_rows = {pairs->n_rows[0], pairs->n_rows[1]},
                        .n_pairs = pairs->n_pairs};
    memcpy(head.magic, magic, sizeof magic);
    SS_ALLOC(saving, 1);
    saving->write = write;
    saving->user = user;
    SS_TRY(write(user, &head, sizeof head, err));
    SS_TRY(write(user, pairs->features, pairs->n_features * sizeof *pairs->features, err));
    SS_TRY(save_pairs(pairs, saving, &walk, err));
out:
    ss_stats_pairs_end(&walk);
    ss__free(saving);
    return status;
}

/* ---- loading ---- */

struct loading {
    const char *name;
    const uint8_t *at, *end;
    struct head head;
    struct ss_stats_pairs *pairs;
};

static ss_status fail_state(const struct loading *loading, const char *what, ss_err *err)
{
    return ss__fail_file(err, loading->name, SS_E_DATA, "not the state of pairs: %s", what);
}

static ss_status load_features(struct loading *loading, ss_err *err)
{
    struct ss_stats_pairs *pairs = loading->pairs;
    const size_t n_bytes = pairs->n_features * sizeof *pairs->features;
    memcpy(pairs->features, loading->at, n_bytes);
    loading->at += n_bytes;
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        pairs->n_rows[half] = loading->head.n_rows[half];
        for (size_t f = 0; f < pairs->n_features; f++) {
            if (pairs->features[f].counts[half] > pairs->n_rows[half]) {
                return fail_state(loading, "a feature fires in more rows than there are", err);
            }
        }
    }
    return SS_OK;
}

/* Whether two features can fire together as often as a pair says. */
static bool can_be(const struct ss_stats_pairs *pairs, const struct ss_stats_pair *pair)
{
    bool fits = pair->a < pair->b && (pair->counts[0] > 0 || pair->counts[1] > 0);
    for (int half = 0; half < SS_STATS_N_HALVES && fits; half++) {
        fits = pair->counts[half] <= pairs->features[pair->a].counts[half] &&
               pair->counts[half] <= pairs->features[pair->b].counts[half];
    }
    return fits;
}

/* Keys rise by what an entry is (a difference of 0 is none), so that no pair can come twice. */
static ss_status load_pairs(struct loading *loading, ss_err *err)
{
    struct ss_stats_pairs *pairs = loading->pairs;
    struct ss_stats_run_entry entry;
    uint64_t before = 0;
    for (uint64_t i = 0; i < loading->head.n_pairs; i++) {
        const size_t n = ss_stats_entry_get(loading->at, (size_t)(loading->end - loading->at),
                                            before, &entry);
        if (n == 0 || (entry.key - 1) / pairs->n_features >= pairs->n_features) {
            return fail_state(loading, "it is cut off, or its pairs are out of order", err);
        }
        const struct ss_stats_pair pair = {(uint32_t)((entry.key - 1) / pairs->n_features),
                                           (uint32_t)((entry.key - 1) % pairs->n_features),
                                           {entry.cell.counts[0], entry.cell.counts[1]},
                                           {entry.cell.products[0], entry.cell.products[1]}};
        if (!can_be(pairs, &pair)) {
            return fail_state(loading, "a pair cannot be", err);
        }
        loading->at += n;
        before = entry.key;
    }
    return loading->at == loading->end ? SS_OK : fail_state(loading, "something follows", err);
}

ss_status ss_stats_pairs_load(const void *data, size_t n_bytes, const char *name,
                              uint64_t memory_bytes, struct ss_stats_pairs **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct loading loading = {.name = name, .at = data, .end = (const uint8_t *)data + n_bytes};
    *out = NULL;
    if (n_bytes >= sizeof loading.head) {
        memcpy(&loading.head, data, sizeof loading.head);
        loading.at += sizeof loading.head;
    }
    const size_t n_left = (size_t)(loading.end - loading.at);
    if (n_bytes < sizeof loading.head || memcmp(loading.head.magic, magic, sizeof magic) != 0 ||
        loading.head.n_features > n_left / sizeof(struct ss_stats_pair_feature) ||
        loading.head.n_pairs > (loading.head.n_features == 0 ? 0 : n_left) ||
        loading.head.n_rows[0] > UINT32_MAX || loading.head.n_rows[1] > UINT32_MAX) {
        SS_TRY(fail_state(&loading, "it begins otherwise, or is cut off", err));
    }
    SS_ALLOC(loading.pairs, 1);
    loading.pairs->n_features = (size_t)loading.head.n_features;
    loading.pairs->memory_bytes = memory_bytes;
    SS_ALLOC(loading.pairs->features, loading.pairs->n_features);
    SS_TRY(load_features(&loading, err));
    const uint8_t *packed = loading.at;
    SS_TRY(load_pairs(&loading, err));
    loading.pairs->n_pairs = loading.head.n_pairs;
    loading.pairs->n_packed = (size_t)(loading.end - packed);
    SS_ALLOC(loading.pairs->packed, loading.pairs->n_packed + 1);
    memcpy(loading.pairs->packed, packed, loading.pairs->n_packed);
    *out = loading.pairs;
    loading.pairs = NULL;
out:
    ss_stats_pairs_free(loading.pairs);
    return status;
}
