/* The files of descriptions: feature_keywords.json, as Python's json.dump(…, indent=2,
 * ensure_ascii=False) writes the seed project's list; descriptions.json, the same list with
 * more; descriptions.csv. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "folder/descriptions.h"

/* ---- feature_keywords.json ---- */

/* "keywords" of a feature, an item a line. */
static void add_keywords(struct ss__buf *buf, const ss_descriptions *descriptions,
                         size_t feature)
{
    const size_t begin = descriptions->terms.offsets[feature];
    const size_t end = descriptions->terms.offsets[feature + 1];
    char number[SS__DOUBLE_TEXT_BYTES];
    ss__buf_add_text(buf, "    \"keywords\": [");
    for (size_t i = begin; i < end; i++) {
        const struct ss_describe_term *term = &descriptions->terms.terms[i];
        ss__buf_add_text(buf, i == begin ? "\n      [\n        " : ",\n      [\n        ");
        ss__json_add_string(buf, term->text.data, term->text.n_bytes, false);
        ss__buf_add_text(buf, ",\n        ");
        ss__buf_add(buf, number, ss__format_double(term->weight, number));
        ss__buf_add_text(buf, "\n      ]");
    }
    ss__buf_add_text(buf, begin == end ? "]" : "\n    ]");
}

typedef void (*add_members_fn)(struct ss__buf *buf, const ss_descriptions *descriptions,
                               size_t feature);

/* A list of objects in the order of features. */
static ss_status write_list(const ss_descriptions *descriptions, const char *path,
                            add_members_fn add_members, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    struct ss__buf buf = {0};
    SS_TRY(ss__out_open(path, &out, err));
    ss__buf_add_text(&buf, "[");
    for (size_t f = 0; f < descriptions->n_features; f++) {
        ss__buf_printf(&buf, "%s\n  {\n    \"feature_id\": %zu,\n", f == 0 ? "" : ",", f);
        add_keywords(&buf, descriptions, f);
        if (add_members != NULL) {
            add_members(&buf, descriptions, f);
        }
        ss__buf_add_text(&buf, "\n  }");
        SS_TRY(ss__buf_check(&buf, err));
        SS_TRY(ss__out_write(&out, buf.data, buf.n_bytes, err));
        buf.n_bytes = 0;
    }
    ss__buf_add_text(&buf, descriptions->n_features == 0 ? "]" : "\n]");
    SS_TRY(ss__buf_check(&buf, err));
    SS_TRY(ss__out_write(&out, buf.data, buf.n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__buf_release(&buf);
    return status;
}

ss_status ss_folder_keywords_write(const ss_descriptions *descriptions, const char *path,
                                   ss_err *err)
{
    return write_list(descriptions, path, NULL, err);
}

/* ---- descriptions.json ---- */

static void add_name(struct ss__buf *buf, size_t indent, const char *name, bool is_first)
{
    ss__buf_printf(buf, "%s\n%*s\"%s\": ", is_first ? "" : ",", (int)indent, "", name);
}

static void add_number(struct ss__buf *buf, size_t indent, const char *name, double value)
{
    add_name(buf, indent, name, false);
    ss_folder_descriptions_add_decimals(buf, value);
}

static void add_list(struct ss__buf *buf, size_t indent, const char *name, const double *values,
                     size_t n)
{
    add_name(buf, indent, name, false);
    ss__buf_add_byte(buf, '[');
    for (size_t i = 0; i < n; i++) {
        ss__buf_add_text(buf, i == 0 ? "" : ", ");
        ss_folder_descriptions_add_decimals(buf, values[i]);
    }
    ss__buf_add_byte(buf, ']');
}

static void add_share(struct ss__buf *buf, size_t indent, const char *name,
                      const struct ss_describe_share *share)
{
    const double values[] = {share->value, share->interval.low, share->interval.high};
    if (isnan(share->value)) {
        add_name(buf, indent, name, false);
        ss__buf_add_text(buf, "null");
    } else {
        add_list(buf, indent, name, values, 3);
    }
}

/* A share of its own number of texts. */
static void add_sentences(struct ss__buf *buf, const struct ss_describe_share *share)
{
    add_name(buf, 6, "sentence", false);
    if (share->n == 0) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add_text(buf, "{\n        \"share\": ");
    ss_folder_descriptions_add_decimals(buf, share->value);
    add_number(buf, 8, "low", share->interval.low);
    add_number(buf, 8, "high", share->interval.high);
    ss__buf_printf(buf, ",\n        \"texts\": %zu\n      }", share->n);
}

static void add_auc(struct ss__buf *buf, ss_describe_negatives kind,
                    const struct ss_describe_auc *auc)
{
    add_name(buf, 6, ss_describe_negatives_name(kind), false);
    if (isnan(auc->value)) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add_text(buf, "{\n        \"auc\": ");
    ss_folder_descriptions_add_decimals(buf, auc->value);
    add_number(buf, 8, "low", auc->interval.low);
    add_number(buf, 8, "high", auc->interval.high);
    add_number(buf, 8, "se", auc->se);
    ss__buf_printf(buf, ",\n        \"positives\": %zu,\n        \"negatives\": %zu\n      }",
                   auc->n_positives, auc->n_negatives);
}

static void add_ceiling(struct ss__buf *buf, const char *name, const double *areas, bool first)
{
    add_name(buf, 8, name, first);
    ss__buf_add_byte(buf, '{');
    for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        ss__buf_printf(buf, "%s\"%s\": ", kind == 0 ? "" : ", ",
                       ss_describe_negatives_name((ss_describe_negatives)kind));
        ss_folder_descriptions_add_decimals(buf, areas[kind]);
    }
    ss__buf_add_byte(buf, '}');
}

static void add_scores(struct ss__buf *buf, const ss_descriptions *descriptions,
                       const struct ss_describe_score *score)
{
    ss__buf_printf(buf, "{\n      \"similarity\": \"%s\",\n      \"pool\": %zu",
                   descriptions->is_plain ? "plain" : "centred", descriptions->n_pool);
    for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        add_auc(buf, (ss_describe_negatives)kind, &score->auc[kind]);
    }
    add_number(buf, 6, "threshold", (double)score->threshold);
    add_share(buf, 6, "tpr", &score->tpr);
    add_share(buf, 6, "fpr", &score->fpr);
    add_number(buf, 6, "balanced_accuracy", score->balanced_accuracy);
    add_number(buf, 6, "f1", score->f1);
    add_number(buf, 6, "precision", score->precision);
    add_number(buf, 6, "coverage", score->coverage);
    add_number(buf, 6, "coverage_random", score->coverage_random);
    add_number(buf, 6, "lift", score->lift);
    add_number(buf, 6, "strength", score->strength);
    add_list(buf, 6, "deciles", score->deciles, SS_DESCRIBE_DECILES);
    add_number(buf, 6, "describe_auc", score->describe_auc);
    add_sentences(buf, &score->sentences);
    ss__buf_add_text(buf, ",\n      \"ceiling\": {");
    add_ceiling(buf, "mean", score->ceiling_mean, true);
    add_ceiling(buf, "probe", score->ceiling_probe, false);
    ss__buf_add_text(buf, "\n      }\n    }");
}

static bool is_scored(const struct ss_describe_score *score)
{
    return score->verdict <= SS_DESCRIBE_CHANCE;
}

static void add_text_or_null(struct ss__buf *buf, struct ss_text text)
{
    if (text.n_bytes > 0) {
        ss__json_add_string(buf, text.data, text.n_bytes, false);
    } else {
        ss__buf_add_text(buf, "null");
    }
}

static void add_description(struct ss__buf *buf, const ss_descriptions *descriptions, size_t f)
{
    const struct ss_describe_score *score = &descriptions->scores[f];
    ss__buf_add_text(buf, ",\n    \"label\": ");
    add_text_or_null(buf, descriptions->labels[f]);
    ss__buf_printf(buf, ",\n    \"method\": \"%s\",\n    \"description\": ",
                   ss_folder_descriptions_method(descriptions, f));
    add_text_or_null(buf, descriptions->sentences[f]);
    ss__buf_printf(buf, ",\n    \"count\": %" PRIu64, descriptions->counts[f]);
    add_number(buf, 4, "rate", descriptions->rates[f]);
    ss__buf_printf(buf, ",\n    \"status\": \"%s\",\n    \"positives\": %zu,\n    \"scores\": ",
                   ss_describe_verdict_name(score->verdict), score->n_positives);
    if (is_scored(score)) {
        add_scores(buf, descriptions, score);
    } else {
        ss__buf_add_text(buf, "null");
    }
    ss__buf_add_text(buf, ",\n    \"llm\": ");
    ss_folder_llm_add_feature(buf, descriptions, f);
}

ss_status ss_folder_descriptions_json_write(const ss_descriptions *descriptions,
                                            const char *path, ss_err *err)
{
    return write_list(descriptions, path, add_description, err);
}

/* ---- descriptions.csv ---- */

static const char header[] = "feature,count,rate,label,method,status,auc,auc_low,auc_high,"
                             "auc_near,auc_miss,f1,coverage,lift,positives,negatives,"
                             "description\n";

void ss_folder_csv_add_field(struct ss__buf *buf, struct ss_text text)
{
    bool quotes = false;
    for (size_t i = 0; i < text.n_bytes && !quotes; i++) {
        quotes = strchr(",\"\n\r", text.data[i]) != NULL;
    }
    if (!quotes) {
        ss__buf_add(buf, text.data, text.n_bytes);
        return;
    }
    ss__buf_add_byte(buf, '"');
    for (size_t i = 0; i < text.n_bytes; i++) {
        if (text.data[i] == '"') {
            ss__buf_add_byte(buf, '"');
        }
        ss__buf_add_byte(buf, text.data[i]);
    }
    ss__buf_add_byte(buf, '"');
}

static void add_cell(struct ss__buf *buf, double value)
{
    ss__buf_add_byte(buf, ',');
    if (isfinite(value)) {
        ss_folder_descriptions_add_decimals(buf, value);
    }
}

ss_status ss_folder_descriptions_csv_write(const ss_descriptions *descriptions,
                                           const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    ss__buf_add_text(&buf, header);
    for (size_t f = 0; f < descriptions->n_features; f++) {
        const struct ss_describe_score *score = &descriptions->scores[f];
        const struct ss_describe_auc *random = &score->auc[SS_DESCRIBE_RANDOM];
        ss__buf_printf(&buf, "%zu,%" PRIu64, f, descriptions->counts[f]);
        add_cell(&buf, descriptions->rates[f]);
        ss__buf_add_byte(&buf, ',');
        ss_folder_csv_add_field(&buf, descriptions->labels[f]);
        ss__buf_printf(&buf, ",%s,%s", ss_folder_descriptions_method(descriptions, f),
                       ss_describe_verdict_name(score->verdict));
        add_cell(&buf, random->value);
        add_cell(&buf, random->interval.low);
        add_cell(&buf, random->interval.high);
        add_cell(&buf, score->auc[SS_DESCRIBE_NEAR].value);
        add_cell(&buf, score->auc[SS_DESCRIBE_MISS].value);
        add_cell(&buf, score->f1);
        add_cell(&buf, score->coverage);
        add_cell(&buf, score->lift);
        ss__buf_printf(&buf, ",%zu,%zu,", score->n_positives, random->n_negatives);
        ss_folder_csv_add_field(&buf, descriptions->sentences[f]);
        ss__buf_add_byte(&buf, '\n');
    }
    SS_TRY(ss__buf_check(&buf, err));
    SS_TRY(ss__file_write(path, buf.data, buf.n_bytes, err));
out:
    ss__buf_release(&buf);
    return status;
}
