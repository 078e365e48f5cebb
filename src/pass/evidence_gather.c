/* How much is kept follows the budget: sizes of lists and of the pool go down by steps until
 * the files are expected to fit. */
#include "pass/evidence_gather.h"

#include <inttypes.h>

#include "base/mem.h"
#include "encoder/encoder.h"

enum { DEFAULT_POOL = 4096, EXPECTED_TEXT_BYTES = 1200, EXPECTED_FIRES = 64 };

/* ---- sizes ---- */

/* From large to small; the first two have names. */
static const struct {
    uint32_t strongest, firing[SS_STATS_N_HALVES], misses[SS_STATS_N_HALVES];
} steps[] = {
    {20, {64, 100}, {50, 100}},
    {10, {24, 36}, {18, 36}},
    {5, {12, 18}, {9, 18}},
    {3, {6, 9}, {5, 9}},
};
enum { N_STEPS = sizeof steps / sizeof steps[0] };

static struct ss_stats_evidence_sizes sizes_of(size_t step, uint64_t n_pool, size_t top_k)
{
    return (struct ss_stats_evidence_sizes){
        .n_pool = n_pool,
        .n_samples = {[SS_STATS_SAMPLE_TOP] = (uint32_t)top_k,
                      [SS_STATS_SAMPLE_STRONGEST] = steps[step].strongest,
                      [SS_STATS_SAMPLE_FIRING_DESCRIBE] = steps[step].firing[0],
                      [SS_STATS_SAMPLE_FIRING_SCORE] = steps[step].firing[1],
                      [SS_STATS_SAMPLE_MISS_DESCRIBE] = steps[step].misses[0],
                      [SS_STATS_SAMPLE_MISS_SCORE] = steps[step].misses[1]}};
}

/* Bytes of all files in the largest case that is usual. Firing samples of features overlap,
 * since they all prefer the smallest keys: about a quarter of their texts are different ones.
 */
static double expected_bytes(const struct ss_stats_evidence_sizes *sizes, size_t n_features,
                             size_t width)
{
    const double text = EXPECTED_TEXT_BYTES + 4.0 * (double)width + 8 * EXPECTED_FIRES;
    const double n = (double)n_features;
    const double n_strong = sizes->n_samples[SS_STATS_SAMPLE_TOP] / 2.0 +
                            sizes->n_samples[SS_STATS_SAMPLE_STRONGEST];
    const double n_firing = (double)sizes->n_samples[SS_STATS_SAMPLE_FIRING_DESCRIBE] +
                            sizes->n_samples[SS_STATS_SAMPLE_FIRING_SCORE];
    double n_places = 0;
    for (size_t i = 0; i < SS_STATS_N_SAMPLES; i++) {
        n_places += sizes->n_samples[i];
    }
    return (2 * (double)sizes->n_pool + n * n_strong + n * n_firing / 4) * text +
           32 * n * n_places;
}

static ss_status choose_sizes(const struct ss_analyze_options *options,
                              const struct ss_log *log, const struct ss_sae_info *sae,
                              size_t top_k, struct ss_stats_evidence_sizes *sizes, ss_err *err)
{
    const uint64_t n_pool = options->sample_rows > 0 ? options->sample_rows : DEFAULT_POOL;
    const uint64_t budget = options->evidence_bytes;
    size_t step = options->evidence == SS_EVIDENCE_LIGHT;
    *sizes = sizes_of(step, n_pool, top_k);
    while (budget > 0 && expected_bytes(sizes, sae->n_features, sae->width) > (double)budget &&
           step + 1 < N_STEPS) {
        *sizes = sizes_of(++step, n_pool, top_k);
    }
    const double expected = expected_bytes(sizes, sae->n_features, sae->width);
    if (budget > 0 && expected > (double)budget) {
        return ss__fail(
            err, SS_E_USAGE,
            "the smallest evidence of %zu features with %" PRIu64
            " sample rows of each half takes about %.1f MB, more than `evidence_bytes` "
            "allows; give fewer `sample_rows`, or `evidence` none",
            sae->n_features, n_pool, expected / 1e6);
    }
    if (budget > 0) {
        ss__log(log, SS_LEVEL_NOTICE,
                "evidence: %u strongest texts and %u + %u firing ones of each feature, about "
                "%.1f MB",
                steps[step].strongest, steps[step].firing[0], steps[step].firing[1],
                expected / 1e6);
    }
    return SS_OK;
}

/* ---- the pass ---- */

ss_status ss_pass_evidence_start(struct ss_pass_evidence_gathered *gathered,
                                 const struct ss_analyze_options *options,
                                 const struct ss_pass *pass, size_t top_k, ss_err *err)
{
    struct ss_sae_info sae = {.struct_size = sizeof sae};
    *gathered = (struct ss_pass_evidence_gathered){.kind = options->evidence};
    if (options->out_dir == NULL || options->evidence == SS_EVIDENCE_NONE) {
        gathered->kind = SS_EVIDENCE_NONE;
        return SS_OK;
    }
    if (options->sample_seed > INT64_MAX) {
        return ss__fail(err, SS_E_USAGE, "the sample seed %" PRIu64 " is 2^63 or more",
                        options->sample_seed);
    }
    ss_sae_describe(pass->sae, &sae);
    struct ss_stats_evidence_options chosen = {
        .n_features = sae.n_features,
        .width = sae.width,
        .seed = options->sample_seed,
        .keep_duplicates = options->keep_duplicates,
        .tells_embeddings = pass->embeddings != NULL,
        .has_texts = pass->encoder != NULL || pass->dataset != NULL,
    };
    SS_RETURN_IF_ERROR(choose_sizes(options, &pass->log, &sae, top_k, &chosen.sizes, err));
    SS_RETURN_IF_ERROR(ss_stats_magnitudes_init(&gathered->magnitudes, sae.n_features, err));
    return ss_stats_evidence_new(&chosen, &gathered->evidence, err);
}

ss_status ss_pass_evidence_take(struct ss_pass_evidence_gathered *gathered,
                                const struct ss_pass_rows *rows,
                                const struct ss_stats_position *positions, ss_err *err)
{
    const struct ss_pass_batch *batch = rows->batch;
    if (gathered->kind == SS_EVIDENCE_NONE || batch->n_rows == 0) {
        return SS_OK;
    }
    const struct ss_stats_evidence_rows taken = {
        .codes = rows->rows,
        .embeddings = rows->embeddings,
        .texts = batch->texts,
        .kept = batch->has_notes ? batch->kept : NULL,
        .positions = positions,
        .numbers = batch->row_ids,
    };
    SS_RETURN_IF_ERROR(ss_stats_magnitudes_add(&gathered->magnitudes, rows->rows, err));
    return ss_stats_evidence_add(gathered->evidence, &taken, err);
}

void ss_pass_evidence_abort(struct ss_pass_evidence_gathered *gathered)
{
    ss_stats_evidence_free(gathered->evidence);
    ss_stats_magnitudes_release(&gathered->magnitudes);
    ss__free(gathered->misses);
    ss__free(gathered->n_misses);
    *gathered = (struct ss_pass_evidence_gathered){.kind = SS_EVIDENCE_NONE};
}
