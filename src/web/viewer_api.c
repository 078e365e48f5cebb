/* Features as JSON: one with its texts, or those that fit a query, as `show --json` has them. */
#include "web/viewer_api.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "web/pages_priv.h"
#include "web/viewer_encode.h"

enum { SCHEMA = 1, MAX_LIMIT = 1000, DEFAULT_LIMIT = 100, MAX_DIGITS = 10 };

ss_status ss_web_api_open(struct ss_web_api *api, const char *run_dir,
                          struct ss__asking *asking, const struct ss_view_options *options,
                          ss_err *err)
{
    *api = (struct ss_web_api){.log = options->log};
    return ss_web_source_open(run_dir, asking, &api->source, err);
}

void ss_web_api_close(struct ss_web_api *api)
{
    ss_web_models_free(api->models);
    ss_web_source_release(&api->source);
    *api = (struct ss_web_api){0};
}

/* ---- parts of answers ---- */

/* As features.csv has it: widened to a double. */
static void put_float(struct ss__json_writer *writer, const char *key, float value)
{
    ss__put_number(writer, key, (double)value);
}

static void put_facts(struct ss__json_writer *writer, const struct ss_web_source *source,
                      size_t f)
{
    const struct ss_feature *feature = &source->run->features[f];
    ss__put_count(writer, "feature", f);
    ss__put_bool(writer, "dead", feature->dead);
    ss__put_count(writer, "n_fires", feature->n_fires);
    put_float(writer, "rate_pct", feature->rate_pct);
    ss__put_number(writer, "rate_low_pct", feature->rate_low_pct);
    ss__put_number(writer, "rate_high_pct", feature->rate_high_pct);
    put_float(writer, "max_activation", feature->max_activation);
    ss__put_number(writer, "mean_activation", feature->mean_activation);
}

static void put_finite(struct ss__json_writer *writer, const char *key, double value)
{
    if (isfinite(value)) {
        ss__put_number(writer, key, value);
    } else {
        ss__put_null(writer, key);
    }
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
    put_finite(writer, "score", description.random.value);
    put_finite(writer, "score_low", description.random.low);
    put_finite(writer, "score_high", description.random.high);
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
    const struct ss_run_bins bins = ss_run_evidence_bins(&source->evidence, f);
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
    put_float(writer, "activation", activation);
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
    const struct ss_run_evidence *evidence = &source->evidence;
    const struct ss_run_samples samples = ss_run_evidence_samples(evidence, f, kind);
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < samples.n; i++) {
        const uint32_t row = samples.texts[i];
        put_text(writer, samples.activations[i], evidence->texts[row]);
        ss__put_count(writer, "row", evidence->positions[row]);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
}

static void answer_feature(const struct ss_web_source *source, size_t f,
                           struct ss__json_writer *writer)
{
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
static const char *const parameters[N_PARAMETERS] = {"offset",   "limit",    "sort", "q",
                                                     "rate_min", "rate_max", "show"};

static bool read_count(const char *text, size_t otherwise, size_t most, size_t *value)
{
    const size_t n = strlen(text);
    if (n == 0) {
        *value = otherwise;
        return true;
    }
    if (n > MAX_DIGITS || strspn(text, "0123456789") != n) {
        return false;
    }
    *value = (size_t)strtoull(text, NULL, 10);
    return *value <= most;
}

static bool read_percent(const char *text, double otherwise, double *value)
{
    char *end = NULL;
    *value = otherwise;
    if (text[0] == '\0') {
        return true;
    }
    if (strspn(text, "0123456789.eE+-") != strlen(text)) {
        return false;
    }
    *value = strtod(text, &end);
    return *end == '\0' && *value >= 0 && *value <= 100;
}

struct listing {
    struct ss_feature_query query;
    size_t offset, limit;
    char values[N_PARAMETERS][SS_WEB_VALUE_BYTES];
};

static const char *read_listing(struct ss_text query, struct listing *listing)
{
    const char *why = NULL;
    char(*values)[SS_WEB_VALUE_BYTES] = listing->values;
    if (ss_web_query(query, parameters, N_PARAMETERS, values, &why) != 0) {
        return why;
    }
    listing->query = (struct ss_feature_query){.struct_size = sizeof listing->query,
                                               .words = values[Q][0] == '\0' ? NULL : values[Q],
                                               .order = SS_ORDER_RATE};
    listing->query.has_rate = values[RATE_MIN][0] != '\0' || values[RATE_MAX][0] != '\0';
    listing->query.is_dead = strcmp(values[SHOW], "dead") == 0;
    if (!read_count(values[OFFSET], 0, 100000, &listing->offset)) {
        return "offset is not a number up to 100000.";
    }
    if (!read_count(values[LIMIT], DEFAULT_LIMIT, MAX_LIMIT, &listing->limit)) {
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

static const char *answer_features(const struct ss_web_source *source, struct ss_text query,
                                   struct ss__json_writer *writer)
{
    struct listing listing;
    size_t n_found = 0;
    const char *why = read_listing(query, &listing);
    if (why != NULL) {
        return why;
    }
    struct ss_feature_match *matches = ss__alloc(source->run->info.n_features, sizeof *matches);
    if (matches == NULL ||
        ss_run_select(source->run, &listing.query, matches, &n_found, NULL) != SS_OK) {
        ss__free(matches);
        return matches == NULL ? "There is no memory for it." : "The words cannot be read.";
    }
    ss__put_count(writer, "rows_used", source->run->info.n_rows_used);
    ss__put_count(writer, "n_found", n_found);
    ss__put_open(writer, "features", '[');
    for (size_t i = listing.offset; i < n_found && i < listing.offset + listing.limit; i++) {
        ss__put_open(writer, NULL, '{');
        put_facts(writer, source, matches[i].feature);
        put_description(writer, source, matches[i].feature);
        ss__put_close(writer, '}');
    }
    ss__put_close(writer, ']');
    ss__free(matches);
    return NULL;
}

/* ---- routes ---- */

static bool begins(struct ss_text path, const char *prefix, char rest[SS_WEB_VALUE_BYTES])
{
    const size_t n = strlen(prefix);
    if (path.n_bytes < n || memcmp(path.data, prefix, n) != 0 ||
        path.n_bytes - n >= SS_WEB_VALUE_BYTES) {
        return false;
    }
    memcpy(rest, path.data + n, path.n_bytes - n);
    rest[path.n_bytes - n] = '\0';
    return true;
}

static void answer_get(const struct ss_web_source *source, const struct ss_web_request *request,
                       struct ss__json_writer *writer, struct ss_web_response *response)
{
    char rest[SS_WEB_VALUE_BYTES];
    size_t f = 0;
    const char *why = NULL;
    if (!begins(request->path, "/api/v1/", rest)) {
        ss_web_problem(response, 404, "There is no such answer.");
    } else if (strcmp(rest, "features") == 0) {
        why = answer_features(source, request->query, writer);
    } else if (request->query.n_bytes > 0) {
        why = "This takes no parameters.";
    } else if (strcmp(rest, "run") == 0) {
        ss_web_meta_put_members(writer, source);
    } else if (begins(request->path, "/api/v1/features/", rest) && rest[0] != '\0' &&
               read_count(rest, 0, source->run->info.n_features - 1, &f)) {
        answer_feature(source, f, writer);
    } else {
        ss_web_problem(response, 404, "There is no such answer.");
    }
    if (why != NULL) {
        ss_web_problem(response, 400, why);
    }
}

void ss_web_api_answer(struct ss_web_api *api, const struct ss_web_request *request,
                       struct ss_text body, struct ss_web_response *response)
{
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    ss__put_open(&writer, NULL, '{');
    ss__put_count(&writer, "schema", SCHEMA);
    if (request->method == SS_WEB_POST) {
        ss_web_encode_answer(api, request, body, &writer, response);
    } else {
        answer_get(&api->source, request, &writer, response);
    }
    ss__put_close(&writer, '}');
    ss__buf_add_byte(&writer.buf, '\n');
    if (response->status == 0) {
        response->body = writer.buf;
        response->type = "application/json";
    } else {
        ss__buf_release(&writer.buf);
    }
}
