/* Descriptions in memory, and what the public header tells of them. */
#include "folder/descriptions.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sized.h"
#include "base/sort.h"

ss_status ss_folder_descriptions_new(size_t n_features, ss_descriptions **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_descriptions *descriptions = NULL;
    *out = NULL;
    SS_ALLOC(descriptions, 1);
    descriptions->n_features = n_features;
    SS_ALLOC(descriptions->labels, n_features);
    SS_ALLOC(descriptions->scores, n_features);
    SS_ALLOC(descriptions->counts, n_features);
    SS_ALLOC(descriptions->rates, n_features);
    SS_ALLOC(descriptions->methods, n_features);
    SS_ALLOC(descriptions->sentences, n_features);
    SS_ALLOC(descriptions->terms.offsets, n_features + 1);
    descriptions->terms.n_features = n_features;
    for (size_t f = 0; f < n_features; f++) {
        descriptions->labels[f].data = "";
        descriptions->sentences[f].data = "";
        ss_describe_score_clear(&descriptions->scores[f], SS_DESCRIBE_UNSCORED);
    }
    *out = descriptions;
    descriptions = NULL;
out:
    ss_descriptions_free(descriptions);
    return status;
}

ss_status ss_folder_descriptions_finish(ss_descriptions *descriptions, ss_err *err)
{
    const size_t n = descriptions->terms.offsets[descriptions->n_features];
    SS_ALLOC_OR_RETURN(descriptions->keywords, n);
    for (size_t i = 0; i < n; i++) {
        descriptions->keywords[i] = (struct ss_keyword){descriptions->terms.terms[i].text.data,
                                                        descriptions->terms.terms[i].weight};
    }
    return SS_OK;
}

void ss_descriptions_free(ss_descriptions *descriptions)
{
    if (descriptions == NULL) {
        return;
    }
    ss_describe_terms_release(&descriptions->terms);
    ss__free(descriptions->labels);
    ss__free(descriptions->scores);
    ss__free(descriptions->counts);
    ss__free(descriptions->rates);
    ss__free(descriptions->methods);
    ss__free(descriptions->sentences);
    ss_folder_llm_free(descriptions->llm);
    ss__free(descriptions->keywords);
    ss__arena_release(&descriptions->arena);
    ss__free(descriptions);
}

/* ---- what others see ---- */

size_t ss_descriptions_n_features(const ss_descriptions *descriptions)
{
    return descriptions->n_features;
}

const char *ss_folder_descriptions_method(const ss_descriptions *descriptions, size_t feature)
{
    const char *own = descriptions->methods[feature];
    return own == NULL ? descriptions->method : own;
}

static struct ss_label_auc auc_of(const struct ss_describe_auc *auc)
{
    return (struct ss_label_auc){.value = auc->value,
                                 .low = auc->interval.low,
                                 .high = auc->interval.high,
                                 .n_positives = auc->n_positives,
                                 .n_negatives = auc->n_negatives};
}

static struct ss_label_share share_of(const struct ss_describe_share *share)
{
    return (struct ss_label_share){.value = share->value,
                                   .low = share->interval.low,
                                   .high = share->interval.high,
                                   .n = share->n};
}

ss_status ss_descriptions_get(const ss_descriptions *descriptions, size_t feature,
                              struct ss_description *out)
{
    if (feature >= descriptions->n_features) {
        return SS_E_USAGE;
    }
    const size_t *offsets = descriptions->terms.offsets + feature;
    const struct ss_describe_score *score = &descriptions->scores[feature];
    const struct ss_description description = {
        .struct_size = sizeof description,
        .label = descriptions->labels[feature].data,
        .method = ss_folder_descriptions_method(descriptions, feature),
        .status = ss_describe_verdict_name(score->verdict),
        .keywords = descriptions->keywords == NULL ? NULL : descriptions->keywords + offsets[0],
        .n_keywords = offsets[1] - offsets[0],
        .random = auc_of(&score->auc[SS_DESCRIBE_RANDOM]),
        .near = auc_of(&score->auc[SS_DESCRIBE_NEAR]),
        .miss = auc_of(&score->auc[SS_DESCRIBE_MISS]),
        .f1 = score->f1,
        .precision = score->precision,
        .coverage = score->coverage,
        .lift = score->lift,
        .strength = score->strength,
        .similarity = descriptions->is_plain ? "plain" : "centred",
        .n_pool = descriptions->n_pool,
        .tpr = share_of(&score->tpr),
        .fpr = share_of(&score->fpr),
        .balanced_accuracy = score->balanced_accuracy,
        .sentences = share_of(&score->sentences),
        .ceiling_mean = score->ceiling_mean[SS_DESCRIBE_RANDOM],
        .ceiling_probe = score->ceiling_probe[SS_DESCRIBE_RANDOM],
        .description = descriptions->sentences[feature].data,
    };
    return ss__result_write(out, &description, sizeof description);
}

struct ranked {
    size_t feature;
    int class;
    double low;
};

/* What can be said of it, then how sure it is that the label tells its texts apart. */
static int by_sharpness(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->class != b->class) {
        return a->class - b->class;
    }
    if (a->low != b->low) {
        return a->low > b->low ? -1 : 1;
    }
    return (a->feature > b->feature) - (a->feature < b->feature);
}

ss_status ss_descriptions_sharpest(const ss_descriptions *descriptions, size_t n,
                                   size_t *features, size_t *n_found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ranked *ranked = NULL;
    size_t n_ranked = 0;
    *n_found = 0;
    SS_ALLOC(ranked, descriptions->n_features);
    for (size_t f = 0; f < descriptions->n_features; f++) {
        const struct ss_describe_score *score = &descriptions->scores[f];
        if (score->verdict <= SS_DESCRIBE_WEAK) {
            ranked[n_ranked++] = (struct ranked){f, (int)score->verdict,
                                                 score->auc[SS_DESCRIBE_RANDOM].interval.low};
        }
    }
    if (n_ranked > 0) {
        ss__sort(ranked, n_ranked, sizeof *ranked, by_sharpness);
    }
    for (; *n_found < n_ranked && *n_found < n; ++*n_found) {
        features[*n_found] = ranked[*n_found].feature;
    }
out:
    ss__free(ranked);
    return status;
}

size_t ss_descriptions_count(const ss_descriptions *descriptions, ss_label_status status)
{
    size_t n = 0;
    for (size_t f = 0; f < descriptions->n_features; f++) {
        n += (int)descriptions->scores[f].verdict == (int)status;
    }
    return n;
}

const char *ss_label_status_name(ss_label_status status)
{
    return ss_describe_verdict_name((ss_describe_verdict)status);
}

void ss_folder_run_set_descriptions(struct ss_run *run, const ss_descriptions *descriptions)
{
    run->descriptions = descriptions;
    run->has_labels = true;
    for (int i = 0; i < SS_N_LABEL_STATUSES; i++) {
        run->n_labels[i] = ss_descriptions_count(descriptions, (ss_label_status)i);
    }
}
