/* Arrays with an item a feature, as features.csv, histograms.npz and descriptions.json have
 * them:
 *
 *   n_fires (f8), rate_pct (f4), max_activation (f4), mean_activation (f8)
 *   histogram_offsets (u4) [n_features + 1], histogram_bins (u2), histogram_counts (u4)
 *   labels, keywords: UTF-8, a line a feature
 *   label_status (u1): number of its name in meta.json
 *   label_auc, label_low, label_high, label_near (f4): NaN where there is none
 *   label_positives, label_negatives (u4) */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "web/pages_priv.h"

ss_status ss_web_columns_put(const struct ss_web_source *source, struct ss_web_zip *zip,
                             ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_feature *features = source->run->features;
    const size_t n = source->run->info.n_features;
    double *n_fires = NULL, *means = NULL;
    float *rates = NULL, *maxima = NULL;
    SS_ALLOC(n_fires, n);
    SS_ALLOC(means, n);
    SS_ALLOC(rates, n);
    SS_ALLOC(maxima, n);
    for (size_t f = 0; f < n; f++) {
        n_fires[f] = (double)features[f].n_fires;
        means[f] = features[f].mean_activation;
        rates[f] = features[f].rate_pct;
        maxima[f] = features[f].max_activation;
    }
    SS_TRY(ss_web_zip_add_array(zip, "n_fires", "<f8", n_fires, n, err));
    SS_TRY(ss_web_zip_add_array(zip, "rate_pct", "<f4", rates, n, err));
    SS_TRY(ss_web_zip_add_array(zip, "max_activation", "<f4", maxima, n, err));
    SS_TRY(ss_web_zip_add_array(zip, "mean_activation", "<f8", means, n, err));
out:
    ss__free(n_fires);
    ss__free(means);
    ss__free(rates);
    ss__free(maxima);
    return status;
}

static size_t count_bins(const struct ss_web_source *source)
{
    size_t n = 0;
    for (size_t f = 0; f < source->run->info.n_features; f++) {
        n += ss_folder_evidence_bins(&source->evidence, f).n;
    }
    return n;
}

ss_status ss_web_histograms_put(const struct ss_web_source *source, struct ss_web_zip *zip,
                                ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n_features = source->run->info.n_features, n_bins = count_bins(source);
    uint32_t *offsets = NULL, *counts = NULL;
    uint16_t *bins = NULL;
    size_t n = 0;
    if (n_bins > UINT32_MAX) {
        SS_FAIL(SS_E_LIMIT, "more than 2^32 bins of histograms");
    }
    SS_ALLOC(offsets, n_features + 1);
    SS_ALLOC(counts, n_bins);
    SS_ALLOC(bins, n_bins);
    for (size_t f = 0; f < n_features; f++) {
        const struct ss_folder_bins of_feature = ss_folder_evidence_bins(&source->evidence, f);
        for (size_t i = 0; i < of_feature.n; i++, n++) {
            bins[n] = (uint16_t)of_feature.bins[i];
            counts[n] =
                of_feature.counts[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)of_feature.counts[i];
        }
        offsets[f + 1] = (uint32_t)n;
    }
    SS_TRY(ss_web_zip_add_array(zip, "histogram_offsets", "<u4", offsets, n_features + 1, err));
    SS_TRY(ss_web_zip_add_array(zip, "histogram_bins", "<u2", bins, n, err));
    SS_TRY(ss_web_zip_add_array(zip, "histogram_counts", "<u4", counts, n, err));
out:
    ss__free(offsets);
    ss__free(counts);
    ss__free(bins);
    return status;
}

/* ---- labels ---- */

/* Without the end of a line. */
static void add_line_part(struct ss__buf *lines, const char *text)
{
    for (; *text != '\0'; text++) {
        ss__buf_add_byte(lines, *text == '\n' ? ' ' : *text);
    }
}

void ss_web_add_line(struct ss__buf *lines, const char *text)
{
    add_line_part(lines, text);
    ss__buf_add_byte(lines, '\n');
}

static ss_status put_words(const struct ss_web_source *source, struct ss_web_zip *zip,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf labels = {0}, keywords = {0};
    for (size_t f = 0; f < source->run->info.n_features; f++) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(source->descriptions, f, &description);
        ss_web_add_line(&labels, description.label);
        for (size_t i = 0; i < description.n_keywords; i++) {
            ss__buf_add_text(&keywords, i == 0 ? "" : ", ");
            add_line_part(&keywords, description.keywords[i].text);
        }
        ss__buf_add_byte(&keywords, '\n');
    }
    SS_TRY(ss__buf_check(&labels, err));
    SS_TRY(ss__buf_check(&keywords, err));
    SS_TRY(ss_web_zip_add_array(zip, "labels", "|u1", labels.data, labels.n_bytes, err));
    SS_TRY(ss_web_zip_add_array(zip, "keywords", "|u1", keywords.data, keywords.n_bytes, err));
out:
    ss__buf_release(&labels);
    ss__buf_release(&keywords);
    return status;
}

static uint8_t number_of_status(const char *name)
{
    uint8_t number = 0;
    while (number < SS_N_LABEL_STATUSES - 1 &&
           strcmp(name, ss_label_status_name((ss_label_status)number)) != 0) {
        number++;
    }
    return number;
}

struct scores {
    uint8_t *statuses;
    float *values[4]; /* area, its low and high end; area against near texts */
    uint32_t *counts[2];
};

static void set_score(struct scores *scores, size_t f, const struct ss_description *description)
{
    scores->statuses[f] = number_of_status(description->status);
    scores->values[0][f] = (float)description->random.value;
    scores->values[1][f] = (float)description->random.low;
    scores->values[2][f] = (float)description->random.high;
    scores->values[3][f] = (float)description->near.value;
    scores->counts[0][f] = (uint32_t)description->random.n_positives;
    scores->counts[1][f] = (uint32_t)description->random.n_negatives;
}

ss_status ss_web_labels_put(const struct ss_web_source *source, struct ss_web_zip *zip,
                            ss_err *err)
{
    static const char *const value_names[] = {"label_auc", "label_low", "label_high",
                                              "label_near"};
    static const char *const count_names[] = {"label_positives", "label_negatives"};
    ss_status status = SS_OK;
    const size_t n = source->run->info.n_features;
    struct scores scores = {0};
    SS_ALLOC(scores.statuses, n);
    for (size_t i = 0; i < 4; i++) {
        SS_ALLOC(scores.values[i], n);
    }
    for (size_t i = 0; i < 2; i++) {
        SS_ALLOC(scores.counts[i], n);
    }
    for (size_t f = 0; f < n; f++) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(source->descriptions, f, &description);
        set_score(&scores, f, &description);
    }
    SS_TRY(put_words(source, zip, err));
    SS_TRY(ss_web_zip_add_array(zip, "label_status", "|u1", scores.statuses, n, err));
    for (size_t i = 0; i < 4; i++) {
        SS_TRY(ss_web_zip_add_array(zip, value_names[i], "<f4", scores.values[i], n, err));
    }
    for (size_t i = 0; i < 2; i++) {
        SS_TRY(ss_web_zip_add_array(zip, count_names[i], "<u4", scores.counts[i], n, err));
    }
out:
    ss__free(scores.statuses);
    for (size_t i = 0; i < 4; i++) {
        ss__free(scores.values[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        ss__free(scores.counts[i]);
    }
    return status;
}
