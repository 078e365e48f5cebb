/* Results in memory: what the reducers gathered, as features and their top texts. */
#include "folder/results.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "base/sort.h"
#include "folder/npy.h"

const char *ss_folder_run_strdup(struct ss_run *run, const char *text)
{
    return ss__arena_strndup(&run->arena, text, strlen(text));
}

static struct ss_feature feature_of(const struct ss_stats_fires *fires, size_t f)
{
    const uint64_t n_fires = fires->counts[f];
    double low = 0, high = 0;
    ss_stats_wilson(n_fires, fires->n_rows, &low, &high);
    return (struct ss_feature){
        .struct_size = sizeof(struct ss_feature),
        .n_fires = n_fires,
        .rate_pct = ss_stats_fires_rate_pct(fires, f),
        .rate_low_pct = 100 * low,
        .rate_high_pct = 100 * high,
        .max_activation = n_fires == 0 ? 0 : fires->maxima[f],
        .mean_activation = n_fires == 0 ? 0 : ss_stats_fires_mean(fires, f),
        .dead = n_fires == 0,
    };
}

static ss_status fill_tops(struct ss_run *run, ss_err *err)
{
    const size_t n = run->info.n_features;
    SS_ALLOC_OR_RETURN(run->top_offsets, n + 1);
    for (size_t f = 0; f < n; f++) {
        run->features[f].n_top = ss_stats_top_n(run->top, f);
        run->top_offsets[f + 1] = run->top_offsets[f] + run->features[f].n_top;
    }
    SS_ALLOC_OR_RETURN(run->tops, run->top_offsets[n]);
    for (size_t f = 0; f < n; f++) {
        for (size_t rank = 0; rank < run->features[f].n_top; rank++) {
            run->tops[run->top_offsets[f] + rank] = ss_stats_top_at(run->top, f, rank);
        }
    }
    return SS_OK;
}

ss_status ss_folder_run_fill(struct ss_run *run, const struct ss_stats_fires *fires,
                             struct ss_stats_top **top, ss_err *err)
{
    run->info.n_features = fires->n_features;
    run->top = *top;
    *top = NULL;
    ss_stats_top_finish(run->top);
    SS_ALLOC_OR_RETURN(run->features, fires->n_features);
    for (size_t f = 0; f < fires->n_features; f++) {
        run->features[f] = feature_of(fires, f);
    }
    SS_RETURN_IF_ERROR(fill_tops(run, err));
    return ss_folder_run_summarise(run, err);
}

static int compare_rates(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

ss_status ss_folder_run_summarise(struct ss_run *run, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = run->info.n_features;
    float *rates = NULL;
    SS_ALLOC(rates, n);
    run->info.n_dead = 0;
    for (size_t f = 0; f < n; f++) {
        rates[f] = run->features[f].rate_pct;
        run->info.n_dead += run->features[f].dead;
    }
    ss__sort(rates, n, sizeof *rates, compare_rates);
    run->info.median_rate_pct =
        n == 0 ? 0 : ((double)rates[(n - 1) / 2] + (double)rates[n / 2]) / 2;
out:
    ss__free(rates);
    return status;
}

void ss_run_free(ss_run *run)
{
    if (run == NULL) {
        return;
    }
    ss__free(run->features);
    ss__free(run->top_offsets);
    ss__free(run->tops);
    ss_stats_top_free(run->top);
    ss__arena_release(&run->arena);
    ss__free(run);
}

ss_status ss_run_describe(const ss_run *run, struct ss_run_info *out)
{
    return ss__result_write(out, &run->info, sizeof run->info);
}

ss_status ss_run_feature(const ss_run *run, size_t feature, struct ss_feature *out)
{
    return feature < run->info.n_features
               ? ss__result_write(out, &run->features[feature], sizeof run->features[feature])
               : SS_E_USAGE;
}

ss_status ss_run_top(const ss_run *run, size_t feature, size_t rank, struct ss_top_text *out)
{
    const bool is_there = feature < run->info.n_features && rank < run->features[feature].n_top;
    return is_there ? ss__result_write(out, &run->tops[run->top_offsets[feature] + rank],
                                       sizeof run->tops[0])
                    : SS_E_USAGE;
}

size_t ss_run_most_frequent(const ss_run *run, size_t n, size_t *features)
{
    size_t n_found = 0;
    for (size_t f = 0; f < run->info.n_features; f++) {
        size_t at = n_found;
        while (at > 0 && run->features[features[at - 1]].n_fires < run->features[f].n_fires) {
            at--;
        }
        if (at < n) {
            n_found += n_found < n;
            memmove(features + at + 1, features + at, (n_found - 1 - at) * sizeof *features);
            features[at] = f;
        }
    }
    return n_found;
}

ss_status ss_folder_rates_write(const struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    const uint64_t n = run->info.n_features;
    float *rates = NULL;
    SS_ALLOC(rates, run->info.n_features);
    for (size_t f = 0; f < run->info.n_features; f++) {
        rates[f] = run->features[f].rate_pct;
    }
    SS_TRY(ss_folder_npy_write(path, rates, 1, &n, err));
out:
    ss__free(rates);
    return status;
}
