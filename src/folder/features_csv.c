/* features.csv: a header, then a row per feature in order, newline after each:
 *
 *   feature,n_fires,rate_pct,rate_low_pct,rate_high_pct,max_activation,mean_activation,dead
 *   0,12,0.6000000238418579,0.34...,1.04...,3.25,1.5,false
 *
 * and, once there are labels, two more columns: label,verdict. A label with a comma or a quote
 * stands between quotes. Numbers are the shortest text that reads back as the same double; rate_pct and
 * max_activation are f32 values widened to double. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "folder/descriptions.h"
#include "weights/weights.h"

static const char header[] = "feature,n_fires,rate_pct,rate_low_pct,rate_high_pct,"
                             "max_activation,mean_activation,dead";
static const char label_header[] = ",label,verdict";

enum { N_FIELDS = 8, FIRST_NUMBER = 2, N_NUMBERS = 5 };

ss_status ss_folder_features_csv_write(const struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    ss__buf_add_text(&buf, header);
    ss__buf_add_text(&buf, run->descriptions == NULL ? "\n" : ",label,verdict\n");
    for (size_t f = 0; f < run->info.n_features; f++) {
        const struct ss_feature *feature = &run->features[f];
        SS_TRY(ss__check_stop(run->asking, err));
        const double numbers[N_NUMBERS] = {
            (double)feature->rate_pct,       feature->rate_low_pct,    feature->rate_high_pct,
            (double)feature->max_activation, feature->mean_activation,
        };
        ss__buf_printf(&buf, "%zu,%" PRIu64, f, feature->n_fires);
        for (size_t i = 0; i < N_NUMBERS; i++) {
            char text[SS__DOUBLE_TEXT_BYTES];
            ss__buf_add_byte(&buf, ',');
            ss__buf_add(&buf, text, ss__format_double(numbers[i], text));
        }
        ss__buf_add_text(&buf, feature->dead ? ",true" : ",false");
        if (run->descriptions != NULL) {
            ss__buf_add_byte(&buf, ',');
            ss_folder_csv_add_field(&buf, run->descriptions->labels[f]);
            ss__buf_printf(&buf, ",%s",
                           ss_describe_verdict_name(run->descriptions->scores[f].verdict));
        }
        ss__buf_add_byte(&buf, '\n');
    }
    SS_TRY(ss__buf_check(&buf, err));
    SS_TRY(ss__file_write(path, buf.data, buf.n_bytes, err));
out:
    ss__buf_release(&buf);
    return status;
}

struct field {
    const char *data;
    size_t n;
};

/* The fields of one line without its newline; false if there are not N_FIELDS. */
static bool split(const char *line, size_t n, struct field fields[N_FIELDS])
{
    size_t n_fields = 0, begin = 0;
    for (size_t at = 0; at <= n; at++) {
        if (at < n && line[at] != ',') {
            continue;
        }
        if (n_fields == N_FIELDS) {
            return false;
        }
        fields[n_fields++] = (struct field){line + begin, at - begin};
        begin = at + 1;
    }
    return n_fields == N_FIELDS;
}

static bool equals(struct field field, const char *text)
{
    return field.n == strlen(text) && memcmp(field.data, text, field.n) == 0;
}

/* One line as feature f of n_rows rows; false if anything about it is impossible. */
static bool parse_feature(const char *line, size_t n, size_t f, uint64_t n_rows,
                          struct ss_feature *feature)
{
    struct field fields[N_FIELDS];
    double numbers[N_NUMBERS];
    uint64_t index = 0;
    if (!split(line, n, fields) || !ss__parse_u64(fields[0].data, fields[0].n, &index) ||
        index != f || !ss__parse_u64(fields[1].data, fields[1].n, &feature->n_fires) ||
        feature->n_fires > n_rows) {
        return false;
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        const struct field *field = &fields[FIRST_NUMBER + i];
        if (!ss__parse_double(field->data, field->n, &numbers[i]) || !isfinite(numbers[i]) ||
            numbers[i] < 0 || (i < 3 && numbers[i] > 100)) {
            return false;
        }
    }
    feature->rate_pct = (float)numbers[0];
    feature->rate_low_pct = numbers[1];
    feature->rate_high_pct = numbers[2];
    feature->max_activation = (float)numbers[3];
    feature->mean_activation = numbers[4];
    feature->dead = equals(fields[7], "true");
    return (feature->dead || equals(fields[7], "false")) &&
           feature->dead == (feature->n_fires == 0) &&
           (double)feature->rate_pct == numbers[0] &&
           (double)feature->max_activation == numbers[3] &&
           feature->dead == (feature->max_activation == 0);
}

/* Take a label and a verdict off the end of a line; false if they are not there. */
static bool take_verdict(const char *line, size_t *n, struct ss_run *run)
{
    const char *comma = memrchr(line, ',', *n); /* before the verdict: a label may have some */
    const char *label = line;
    int verdict = 0;
    for (size_t i = 0; i < N_FIELDS && label != NULL; i++) {
        label = memchr(label, ',', *n - (size_t)(label - line));
        label = label == NULL ? NULL : label + 1;
    }
    if (label == NULL || comma < label) {
        return false;
    }
    const struct field name = {comma + 1, *n - (size_t)(comma + 1 - line)};
    while (verdict < SS_N_LABEL_STATUSES &&
           !equals(name, ss_label_status_name((ss_label_status)verdict))) {
        verdict++;
    }
    if (verdict == SS_N_LABEL_STATUSES) {
        return false;
    }
    run->n_labels[verdict]++;
    *n = (size_t)(label - 1 - line);
    return true;
}

ss_status ss_folder_features_csv_read(struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    const size_t n_header = sizeof header - 1;
    SS_TRY(ss__file_load(path, &map, err));
    const char *end = (const char *)map.data + map.n_bytes;
    const char *at = memchr(map.data, '\n', map.n_bytes);
    const size_t n_first = at == NULL ? 0 : (size_t)(at - (const char *)map.data);
    run->has_labels =
        n_first == n_header + strlen(label_header) &&
        memcmp((const char *)map.data + n_header, label_header, strlen(label_header)) == 0;
    /* A line has at least 17 bytes: the count of features is checked before memory is asked. */
    if (n_first < n_header || memcmp(map.data, header, n_header) != 0 ||
        (n_first > n_header && !run->has_labels) || run->info.n_features > map.n_bytes / 17) {
        SS_FAIL_FILE(path, SS_E_DATA, "not the table of %zu features that %s announces",
                     run->info.n_features, SS_FOLDER_FILE_MANIFEST);
    }
    SS_ALLOC(run->features, run->info.n_features);
    at++;
    for (size_t f = 0; f < run->info.n_features; f++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        SS_TRY(ss__check_stop(run->asking, err));
        size_t n = newline == NULL ? 0 : (size_t)(newline - at);
        if (newline == NULL || (run->has_labels && !take_verdict(at, &n, run)) ||
            !parse_feature(at, n, f, run->info.n_rows_used, &run->features[f])) {
            SS_FAIL_FILE(path, SS_E_DATA, "line %zu is not the row of feature %zu", f + 2, f);
        }
        at = newline + 1;
    }
    if (at != end) {
        SS_FAIL_FILE(path, SS_E_DATA, "more rows than the %zu features of the run",
                     run->info.n_features);
    }
out:
    ss__map_release(&map);
    return status;
}

ss_status ss_folder_rates_check(const struct ss_run *run, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_weights *weights = NULL;
    const struct ss_weights_tensor *tensor = NULL;
    float *rates = NULL;
    SS_TRY(ss_weights_open(path, NULL, &weights, err));
    tensor = ss_weights_n(weights) == 1 ? ss_weights_at(weights, 0) : NULL;
    if (tensor == NULL || tensor->dtype != SS_WEIGHTS_F32 || tensor->n_dims != 1 ||
        tensor->shape[0] != run->info.n_features) {
        SS_FAIL_FILE(path, SS_E_SHAPE, "expected float32 [%zu], a rate per feature",
                     run->info.n_features);
    }
    SS_ALLOC(rates, run->info.n_features);
    SS_TRY(ss_weights_tensor_to_f32(tensor, rates, err));
    for (size_t f = 0; f < run->info.n_features; f++) {
        if (rates[f] != run->features[f].rate_pct) {
            SS_FAIL_FILE(path, SS_E_DATA, "the rate of feature %zu is not the one of %s", f,
                         SS_FOLDER_FILE_FEATURES);
        }
    }
out:
    ss__free(rates);
    ss_weights_close(weights);
    return status;
}
