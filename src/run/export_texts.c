/* Texts of a feature for other programs: the strongest, then samples of ten equal intervals of its
 * activations from the highest down, none of them twice. */
#include <math.h>
#include <string.h>

#include "run/export.h"
#include "stats/magnitudes.h"

enum { MOST_WORDS = 1024 };
#define DECIMALS 1e5

/* ---- how many activations are small ---- */

static double bin_start(uint32_t bin)
{
    const uint32_t bits = bin << SS_STATS_BIN_SHIFT;
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* Activations of at most x, of a feature whose largest is `most`; linear within a bin. */
static double count_up_to(const struct ss_folder_bins *bins, double most, double x)
{
    double n = 0;
    for (size_t i = 0; i < bins->n; i++) {
        const double low = bin_start(bins->bins[i]);
        const double high = fmin(most, bin_start(bins->bins[i] + 1));
        const double part = high > low ? (x - low) / (high - low) : (double)(x >= low);
        n += (double)bins->counts[i] * fmax(0, fmin(1, part));
    }
    return n;
}

static void set_bars(const struct ss_folder_bins *bins, double most,
                     struct ss_run_export_feature *out)
{
    double before = 0;
    out->n_bars = bins->n > 0 ? SS_RUN_EXPORT_BARS : 0;
    for (size_t i = 0; i < out->n_bars; i++) {
        const double high = most * (double)(i + 1) / SS_RUN_EXPORT_BARS;
        const double up_to = nearbyint(count_up_to(bins, most, high));
        out->bar_middles[i] = most * ((double)i + 0.5) / SS_RUN_EXPORT_BARS;
        out->bar_heights[i] = up_to - before;
        before = up_to;
    }
}

/* ---- texts ---- */

static bool is_new(const struct ss_run_export_feature *out, struct ss_text text)
{
    for (size_t i = 0; i < out->n; i++) {
        if (out->texts[i].text.n_bytes == text.n_bytes &&
            memcmp(out->texts[i].text.data, text.data, text.n_bytes) == 0) {
            return false;
        }
    }
    return true;
}

static void add_tops(const ss_run *run, size_t feature, struct ss_run_export_feature *out)
{
    const struct ss_feature *facts = &run->features[feature];
    for (size_t rank = 0; rank < facts->n_top && out->n < SS_RUN_EXPORT_TOPS; rank++) {
        const struct ss_top_text *top = &run->tops[run->top_offsets[feature] + rank];
        if (is_new(out, top->text)) {
            out->texts[out->n++] =
                (struct ss_run_export_text){.text = top->text,
                                            .value = top->activation,
                                            .bin_min = -1,
                                            .bin_max = (double)facts->max_activation,
                                            .bin_contains = -1};
        }
    }
}

/* Texts of one list that lie in an interval, until it has its samples. */
static void add_from(const struct ss_folder_evidence *evidence,
                     const struct ss_folder_samples *samples,
                     const struct ss_run_export_text *interval, size_t *n_added,
                     struct ss_run_export_feature *out)
{
    for (size_t i = 0; i < samples->n && *n_added < SS_RUN_EXPORT_SAMPLES; i++) {
        const double value = (double)samples->activations[i];
        const struct ss_text text = evidence->texts[samples->texts[i]];
        if (value > interval->bin_min && value <= interval->bin_max && is_new(out, text)) {
            out->texts[out->n] = *interval;
            out->texts[out->n].text = text;
            out->texts[out->n++].value = samples->activations[i];
            ++*n_added;
        }
    }
}

static void add_intervals(const struct ss_run_exporting *exporting, size_t feature,
                          const struct ss_folder_bins *bins, struct ss_run_export_feature *out)
{
    static const ss_stats_sample_kind lists[] = {SS_STATS_SAMPLE_FIRING_DESCRIBE,
                                                 SS_STATS_SAMPLE_FIRING_SCORE,
                                                 SS_STATS_SAMPLE_STRONGEST};
    const double most = (double)exporting->run->features[feature].max_activation;
    const double n_rows = (double)exporting->run->info.n_rows_used;
    const double n_zeros = n_rows - (double)exporting->run->features[feature].n_fires;
    for (size_t k = SS_RUN_EXPORT_INTERVALS; k-- > 0;) {
        const double low = most * (double)k / SS_RUN_EXPORT_INTERVALS;
        const double high = most * (double)(k + 1) / SS_RUN_EXPORT_INTERVALS;
        const double n = count_up_to(bins, most, high) - count_up_to(bins, most, low) +
                         (k == 0 ? n_zeros : 0);
        const struct ss_run_export_text interval = {
            .bin_min = low, .bin_max = high, .bin_contains = n / n_rows};
        size_t n_added = 0;
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
            const struct ss_folder_samples samples =
                ss_folder_evidence_samples(exporting->evidence, feature, lists[i]);
            add_from(exporting->evidence, &samples, &interval, &n_added, out);
        }
    }
}

void ss_run_export_gather(const struct ss_run_exporting *exporting, size_t feature,
                          struct ss_run_export_feature *out)
{
    out->n = out->n_bars = 0;
    add_tops(exporting->run, feature, out);
    if (exporting->evidence != NULL && exporting->run->features[feature].n_fires > 0) {
        const struct ss_folder_bins bins =
            ss_folder_evidence_bins(exporting->evidence, feature);
        set_bars(&bins, (double)exporting->run->features[feature].max_activation, out);
        if (exporting->evidence->has_texts) {
            add_intervals(exporting, feature, &bins, out);
        }
    }
}

/* ---- as JSON ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

size_t ss_run_export_put_words(struct ss__json_writer *writer, const char *key,
                               struct ss_text text)
{
    size_t n = 0, at = 0;
    ss__put_open(writer, key, '[');
    do {
        const size_t begin = at;
        while (at < text.n_bytes && is_space(text.data[at])) {
            at++;
        }
        while (at < text.n_bytes && !is_space(text.data[at])) {
            at++;
        }
        ss__put_string(writer, NULL, (struct ss_text){text.data + begin, at - begin});
        n++;
    } while (at < text.n_bytes && n < MOST_WORDS);
    ss__put_close(writer, ']');
    return n;
}

static double rounded(double value)
{
    return nearbyint(value * DECIMALS) / DECIMALS;
}

void ss_run_export_put_repeated(struct ss__json_writer *writer, const char *key, double value,
                                size_t n)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        ss__put_number(writer, NULL, rounded(value));
    }
    ss__put_close(writer, ']');
}

void ss_run_export_put_numbers(struct ss__json_writer *writer, const char *key,
                               const double *values, size_t n)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        ss__put_number(writer, NULL, rounded(values[i]));
    }
    ss__put_close(writer, ']');
}

void ss_run_export_put_empty(struct ss__json_writer *writer, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ss__put_open(writer, keys[i], '[');
        ss__put_close(writer, ']');
    }
}
