/* Fire counts as bytes: what a part of a run hands on.
 *
 *   "SSFIRE01", u64 features F, u64 rows
 *   u64 [F]      rows in which a feature fires
 *   u64 [F, 6]   the sum of its activations, in units of 2^-149, the lowest word first
 *   f32 [F]      the largest of them
 *
 * Reading trusts nothing. */
#include <math.h>

#include "stats/state_bytes.h"
#include "stats/stats.h"

struct head {
    char magic[8];
    uint64_t n_features, n_rows;
};

static const char magic[8] = {'S', 'S', 'F', 'I', 'R', 'E', '0', '1'};

ss_status ss_stats_fires_save(const struct ss_stats_fires *fires,
                              ss_status (*write)(void *user, const void *data, size_t n_bytes,
                                                 ss_err *err),
                              void *user, ss_err *err)
{
    const struct ss_stats_sink sink = {write, user};
    const size_t n = fires->n_features;
    struct head head = {.n_features = n, .n_rows = fires->n_rows};
    memcpy(head.magic, magic, sizeof magic);
    SS_RETURN_IF_ERROR(ss_stats_sink_put(&sink, &head, sizeof head, err));
    SS_RETURN_IF_ERROR(ss_stats_sink_put(&sink, fires->counts, n * sizeof *fires->counts, err));
    SS_RETURN_IF_ERROR(ss_stats_sink_put(&sink, fires->sums, n * sizeof *fires->sums, err));
    return ss_stats_sink_put(&sink, fires->maxima, n * sizeof *fires->maxima, err);
}

static bool is_zero(const struct ss_stats_exact_sum *sum)
{
    uint64_t any = 0;
    for (size_t i = 0; i < SS_STATS_EXACT_SUM_WORDS; i++) {
        any |= sum->words[i];
    }
    return any == 0;
}

/* Whether a feature can have fired so. */
static bool can_be(const struct ss_stats_fires *fires, size_t f)
{
    const bool fires_ever = fires->counts[f] > 0;
    return fires->counts[f] <= fires->n_rows && isfinite(fires->maxima[f]) &&
           !signbit(fires->maxima[f]) && (fires->maxima[f] > 0) == fires_ever &&
           is_zero(&fires->sums[f]) != fires_ever;
}

ss_status ss_stats_fires_load(struct ss_stats_fires *fires, const void *data, size_t n_bytes,
                              const char *name, ss_err *err)
{
    struct ss_stats_source source = {data, (const uint8_t *)data + n_bytes};
    struct head head = {.n_features = 0};
    *fires = (struct ss_stats_fires){0};
    const uint8_t *begin = ss_stats_source_next(&source, 1, sizeof head);
    if (begin != NULL) {
        memcpy(&head, begin, sizeof head);
    }
    const uint64_t n = head.n_features;
    const uint8_t *counts = ss_stats_source_next(&source, n, sizeof *fires->counts);
    const uint8_t *sums = ss_stats_source_next(&source, n, sizeof *fires->sums);
    const uint8_t *maxima = ss_stats_source_next(&source, n, sizeof *fires->maxima);
    if (memcmp(head.magic, magic, sizeof magic) != 0 || counts == NULL || sums == NULL ||
        maxima == NULL || source.at != source.end) {
        return ss__fail_file(err, name, SS_E_DATA, "not the state of fire counts, or cut off");
    }
    SS_RETURN_IF_ERROR(ss_stats_fires_init(fires, (size_t)n, err));
    fires->n_rows = head.n_rows;
    memcpy(fires->counts, counts, (size_t)n * sizeof *fires->counts);
    memcpy(fires->sums, sums, (size_t)n * sizeof *fires->sums);
    memcpy(fires->maxima, maxima, (size_t)n * sizeof *fires->maxima);
    for (size_t f = 0; f < n; f++) {
        if (!can_be(fires, f)) {
            ss_stats_fires_release(fires);
            return ss__fail_file(err, name, SS_E_DATA,
                                 "the counts of feature %zu contradict one another", f);
        }
    }
    return SS_OK;
}
