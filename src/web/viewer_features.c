/* Features as JSON: one with its texts, or those that fit a query, as `show --json` has them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "web/viewer_priv.h"

enum { MAX_LIMIT = 1000, DEFAULT_LIMIT = 100, MAX_OFFSET = 100000 };

/* ---- parts of answers ---- */

static void put_facts(struct ss__json_writer *writer, const struct ss_web_source *source,
                      size_t f)
{
    const struct ss_feature *feature = &source->run->features[f];
    ss__put_count(writer, "feature", f);
    ss__put_bool(writer, "dead", feature->dead);
    ss__put_count(writer, "n_fires", feature->n_fires);
    ss_web_put_float(writer, "rate_pct", feature->rate_pct);
    ss__put_number(writer, "rate_low_pct", feature->rate_low_pct);
    ss__put_number(writer, "rate_high_pct", feature->rate_high_pct);
    ss_web_put_float(writer, "max_activation", feature->max_activation);
    ss__put_number(writer, "mean_activation", feature->mean_activation);
}

static void put_description(struct ss__json_writer *writer, const struct ss_web_source *source,
                            size_t f)
{
    struct ss_description description = {.struct_size = sizeof description};
    if (source->descriptions == NULL) {
        return;
    }
    (void)ss_descriptions_get(source->descriptions, f, &description);
    if (description.label[0] == '\0') {
        ss__put_null(writer, "label");
    } else {
        ss__put_text(writer, "label", description.label);
    }
    ss__put_text(writer, "status", description.status);
    ss_web_put_finite(writer, "score", description.random.value);
    ss_web_put_finite(writer, "score_low", description.random.low);
    ss_web_put_finite(writer, "score_high", description.random.high);
    ss__put_count(writer, "n_positives", description.random.n_positives);
    ss__put_count(writer, "n_negatives", description.random.n_negatives);
    ss__put_open(writer, "keywords", '[');
    for (size_t i = 0; i < description.n_keywords; i++) {
        ss__put_text(writer, NULL, description.keywords[i].text);
    }
    ss__put_close(writer, ']');
}

static void put_histogram(struct ss__json_writer *writer, const struct ss_web_source *source,
                          size_t f)
{
    const struct ss_folder_bins bins = ss_folder_evidence_bins(&source->evidence, f);
    ss__put_open(writer, "histogram", '{');
    ss__put_open(writer, "bins", '[');
    for (size_t i = 0; i < bins.n; i++) {
        ss__put_count(writer, NULL, bins.bins[i]);
    }
    ss__put_close(writer, ']');
    ss__put_open(writer, "counts", '[');
    for (size_t i = 0; i < bins.n; i++) {
        ss__put_count(writer, NULL, bins.counts[i]);
    }
    ss__put_close(writer, ']');
    ss__put_close(writer, '}');
}

/* ---- one feature ---- */

static void put_text(struct ss__json_writer *writer, float activation, struct ss_text text)
{
    ss__put_open(writer, NULL, '{');
    ss_web_put_float(writer, "activation", activation);
    ss__put_string(writer, "text", text);
}

static void put_tops(struct ss__json_writer *writer, const struct ss_run *run, size_t f)
{
    ss__put_open(writer, "top_texts", '[');
    for (size_t i = run->top_offsets[f]; i < run->top_offsets[f + 1]; i++) {
        put_text(writer, run->tops[i].activation, run->tops[i].text);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

static void put_samples(struct ss__json_writer *writer, const struct ss_web_source *source,
                        const char *key, size_t f, ss_stats_sample_kind kind)
{
    const struct ss_folder_evidence *evidence = &source->evidence;
    const struct ss_folder_samples samples = ss_folder_evidence_samples(evidence, f, kind);
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < samples.n; i++) {
        const uint32_t row = samples.texts[i];
        put_text(writer, samples.activations[i], evidence->texts[row]);
        ss__put_count(writer, "row", evidence->positions[row]);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

void ss_web_answer_feature(struct ss_web_call *call)
{
    const struct ss_web_source *source = &call->api->source;
    struct ss__json_writer *writer = &call->writer;
    const size_t f = (size_t)call->id;
    if (f >= source->run->info.n_features) {
        ss_web_refuse(call, 404, "The SAE has no such feature.");
        return;
    }
    put_facts(writer, source, f);
    put_description(writer, source, f);
    put_tops(writer, source->run, f);
    if (source->has_evidence) {
        put_histogram(writer, source, f);
        put_samples(writer, source, "firing_texts", f, SS_STATS_SAMPLE_FIRING_SCORE);
        put_samples(writer, source, "near_misses", f, SS_STATS_SAMPLE_MISS_SCORE);
    }
}

/* ---- many ---- */

enum { OFFSET, LIMIT, SORT, Q, RATE_MIN, RATE_MAX, SHOW, N_PARAMETERS };
const char *const ss_web_features_parameters[] = {"offset",   "limit",    "sort", "q",
                                                  "rate_min", "rate_max", "show", NULL};

static bool read_percent(const char *text, double otherwise, double *value)
{
    *value = otherwise;
    return text[0] == '\0' ||
           (ss__parse_double(text, strlen(text), value) && *value >= 0 && *value <= 100);
}

struct listing {
    struct ss_feature_query query;
    size_t offset, limit;
};

static const char *read_listing(const struct ss_web_call *call, struct listing *listing)
{
    const char(*values)[SS_WEB_VALUE_BYTES] = call->values;
    listing->query = (struct ss_feature_query){.struct_size = sizeof listing->query,
                                               .words = values[Q][0] == '\0' ? NULL : values[Q],
                                               .order = SS_ORDER_RATE};
    listing->query.has_rate = values[RATE_MIN][0] != '\0' || values[RATE_MAX][0] != '\0';
    listing->query.is_dead = strcmp(values[SHOW], "dead") == 0;
    if (!ss_web_read_count(values[OFFSET], 0, MAX_OFFSET, &listing->offset)) {
        return "offset is not a number up to 100000.";
    }
    if (!ss_web_read_count(values[LIMIT], DEFAULT_LIMIT, MAX_LIMIT, &listing->limit)) {
        return "limit is not a number up to 1000.";
    }
    if (!read_percent(values[RATE_MIN], 0, &listing->query.rate_least_pct) ||
        !read_percent(values[RATE_MAX], 100, &listing->query.rate_most_pct)) {
        return "rate_min or rate_max is not a percentage.";
    }
    if (values[SORT][0] != '\0' &&
        !ss_feature_order_parse(values[SORT], &listing->query.order)) {
        return "sort is not one of rate, max, mean, texts, feature.";
    }
    if (values[SHOW][0] != '\0' && !listing->query.is_dead) {
        return "show is not dead.";
    }
    return NULL;
}

static ss_status put_features(struct ss_web_call *call, const struct listing *listing,
                              ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_web_source *source = &call->api->source;
    struct ss__json_writer *writer = &call->writer;
    struct ss_feature_match *matches = NULL;
    size_t n_found = 0;
    SS_ALLOC(matches, source->run->info.n_features);
    SS_TRY(ss_run_select(source->run, &listing->query, matches, &n_found, err));
    ss__put_count(writer, "rows_used", source->run->info.n_rows_used);
    ss__put_count(writer, "n_found", n_found);
    ss__put_open(writer, "features", '[');
    for (size_t i = listing->offset; i < n_found && i < listing->offset + listing->limit; i++) {
        ss__put_open(writer, NULL, '{');
        put_facts(writer, source, matches[i].feature);
        put_description(writer, source, matches[i].feature);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
out:
    ss__free(matches);
    return status;
}

void ss_web_answer_features(struct ss_web_call *call)
{
    struct listing listing;
    ss_err err = {0};
    const char *why = read_listing(call, &listing);
    if (why != NULL) {
        ss_web_refuse(call, 400, why);
    } else if (put_features(call, &listing, &err) != SS_OK) {
        ss_web_refuse_error(call, &err);
    }
}
