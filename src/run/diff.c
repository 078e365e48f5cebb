/* Differences between two runs, or between groups of one.
 *
 * Runs of the same SAE (its files have the same hashes) are compared feature by feature; those of
 * others by pairs of features that are each other's nearest by the cosine of their decoder
 * directions. A difference is that of two shares (stats/proportions.h); q-values are Benjamini
 * and Hochberg's over all of them that fire at all. The surest come first: by p, then feature. */
#include "run/diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sized.h"
#include "folder/results.h"

struct side {
    const char *dir;
    struct ss_run *run;
    struct ss__json *manifest;
};

/* ---- two runs ---- */

static ss_status open_side(const char *dir, const struct ss_diff_options *options,
                           struct side *side, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_run_options run_options = {.struct_size = sizeof run_options,
                                               .progress = options->progress};
    char *path = ss__path_join(dir, SS_FOLDER_FILE_MANIFEST);
    side->dir = dir;
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss_run_open(dir, &run_options, &side->run, err));
    SS_TRY(ss__json_load(path, &side->manifest, err));
out:
    ss__free(path);
    return status;
}

static const struct ss__json *sae_of(const struct side *side)
{
    return ss__json_get(side->manifest, "sae");
}

static bool is_same_sae(const struct side *a, const struct side *b)
{
    const struct ss__json *files_a = ss__json_get(sae_of(a), "files");
    const struct ss__json *files_b = ss__json_get(sae_of(b), "files");
    const struct ss__json *file = NULL;
    size_t i = 0;
    if (ss__json_count(files_a) != ss__json_count(files_b) || ss__json_count(files_a) == 0 ||
        a->run->info.n_features != b->run->info.n_features) {
        return false;
    }
    SS_JSON_EACH (files_a, i, file) {
        const char *hash_a = ss__json_string(ss__json_get(file, "sha256"));
        const char *hash_b = ss__json_string(ss__json_get(ss__json_at(files_b, i), "sha256"));
        if (hash_a == NULL || hash_b == NULL || strcmp(hash_a, hash_b) != 0) {
            return false;
        }
    }
    return true;
}

static ss_status add_pair(struct ss_diff *diff, const struct side *a, const struct side *b,
                          const struct ss_run_difference *pair, ss_err *err)
{
    struct ss_run_difference difference = *pair;
    difference.group = "";
    difference.counts =
        (struct ss_stats_two_counts){.k_a = a->run->features[pair->feature_a].n_fires,
                                     .n_a = a->run->info.n_rows_used,
                                     .k_b = b->run->features[pair->feature_b].n_fires,
                                     .n_b = b->run->info.n_rows_used};
    return ss_run_diff_add(diff, &difference, err);
}

static ss_status compare_same(struct ss_diff *diff, const struct side *a, const struct side *b,
                              ss_err *err)
{
    for (size_t f = 0; f < a->run->info.n_features; f++) {
        const struct ss_run_difference pair = {.feature_a = f, .feature_b = f, .similarity = 1};
        SS_RETURN_IF_ERROR(add_pair(diff, a, b, &pair, err));
    }
    return SS_OK;
}

static ss_status compare_matched(struct ss_diff *diff, const struct side *a,
                                 const struct side *b, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = a->run->info.n_features;
    const char *path_a = ss__json_string(ss__json_get(sae_of(a), "path"));
    const char *path_b = ss__json_string(ss__json_get(sae_of(b), "path"));
    size_t *match = NULL;
    double *cosines = NULL;
    if (path_a == NULL || path_b == NULL) {
        SS_FAIL_FILE(path_a == NULL ? a->dir : b->dir, SS_E_DATA, "the run names no SAE");
    }
    SS_ALLOC(match, n);
    SS_ALLOC(cosines, n);
    SS_TRY(ss_run_diff_match(path_a, path_b, match, cosines, err));
    for (size_t f = 0; f < n; f++) {
        const struct ss_run_difference pair = {
            .feature_a = f, .feature_b = match[f], .similarity = cosines[f]};
        if (match[f] == SS_NO_FEATURE) {
            diff->n_unmatched_a++;
        } else if (match[f] >= b->run->info.n_features) {
            SS_FAIL_FILE(b->dir, SS_E_DATA, "its SAE has another number of features");
        } else {
            SS_TRY(add_pair(diff, a, b, &pair, err));
        }
    }
    diff->n_unmatched_b = b->run->info.n_features - diff->n;
out:
    ss__free(match);
    ss__free(cosines);
    return status;
}

static ss_status compare_runs(struct ss_diff *diff, const char *run_a, const char *run_b,
                              const struct ss_diff_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    struct side a = {0}, b = {0};
    SS_TRY(open_side(run_a, options, &a, err));
    SS_TRY(open_side(run_b, options, &b, err));
    diff->is_same_sae = is_same_sae(&a, &b);
    SS_TRY(diff->is_same_sae ? compare_same(diff, &a, &b, err)
                             : compare_matched(diff, &a, &b, err));
out:
    ss__json_free(a.manifest);
    ss__json_free(b.manifest);
    ss_run_free(a.run);
    ss_run_free(b.run);
    return status;
}

/* ---- the calls ---- */

ss_status ss_diff_run(const char *run_a, const char *run_b,
                      const struct ss_diff_options *options, ss_diff **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_diff *diff = NULL;
    struct ss_diff_options read = {.struct_size = sizeof read};
    *out = NULL;
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_diff_options, err));
    if ((run_b == NULL) != (read.by != NULL)) {
        SS_FAIL(SS_E_USAGE, "two runs are compared, or groups of one by a column");
    }
    SS_ALLOC(diff, 1);
    SS_TRY(run_b == NULL ? ss_run_diff_groups(run_a, read.by, diff, err)
                         : compare_runs(diff, run_a, run_b, &read, err));
    SS_TRY(ss_run_diff_rank(diff, err));
    *out = diff;
    diff = NULL;
out:
    ss_diff_free(diff);
    return status;
}

void ss_diff_free(ss_diff *diff)
{
    if (diff != NULL) {
        ss__free(diff->items);
        ss__arena_release(&diff->arena);
    }
    ss__free(diff);
}

void ss_diff_describe(const ss_diff *diff, struct ss_diff_info *out)
{
    const struct ss_diff_info info = {.struct_size = sizeof info,
                                      .n = diff->n,
                                      .is_same_sae = diff->is_same_sae,
                                      .n_unmatched_a = diff->n_unmatched_a,
                                      .n_unmatched_b = diff->n_unmatched_b};
    (void)ss__result_write(out, &info, sizeof info);
}

ss_status ss_diff_get(const ss_diff *diff, size_t i, struct ss_difference *out)
{
    if (i >= diff->n) {
        return SS_E_USAGE;
    }
    const struct ss_run_difference *item = &diff->items[i];
    const struct ss_stats_two_shares *shares = &item->shares;
    const struct ss_difference difference = {
        .struct_size = sizeof difference,
        .feature_a = item->feature_a,
        .feature_b = item->feature_b,
        .similarity = item->similarity,
        .group = item->group,
        .n_fires_a = item->counts.k_a,
        .n_rows_a = item->counts.n_a,
        .n_fires_b = item->counts.k_b,
        .n_rows_b = item->counts.n_b,
        .difference_pct = 100 * shares->difference,
        .low_pct = 100 * shares->low,
        .high_pct = 100 * shares->high,
        .effect = shares->effect,
        .odds_ratio = shares->odds_ratio,
        .z = shares->z,
        .p = exp(shares->log_p),
        .q = exp(item->log_q),
    };
    return ss__result_write(out, &difference, sizeof difference);
}
