/* descriptions.json read back, for what shows it. Nothing in it is trusted: features come in
 * order from 0, numbers are finite or null, names are those that this program writes. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "folder/descriptions.h"

static ss_status need(const char *file, bool holds, size_t feature, const char *what,
                      ss_err *err)
{
    return holds ? SS_OK : ss__fail_file(err, file, SS_E_DATA, "item %zu: %s", feature, what);
}

/* NaN where it is null or missing. */
static double number_of(const struct ss__json *object, const char *key)
{
    const struct ss__json *value = ss__json_get(object, key);
    return ss__json_is_number(value) ? ss__json_real(value) : NAN;
}

static size_t count_of(const struct ss__json *object, const char *key)
{
    const int64_t n = ss__json_integer(ss__json_get(object, key));
    return n < 0 ? 0 : (size_t)n;
}

static void read_auc(const struct ss__json *scores, ss_describe_negatives kind,
                     struct ss_describe_auc *auc)
{
    const struct ss__json *object = ss__json_get(scores, ss_describe_negatives_name(kind));
    auc->value = number_of(object, "auc");
    auc->se = number_of(object, "se");
    auc->interval.low = number_of(object, "low");
    auc->interval.high = number_of(object, "high");
    auc->n_positives = count_of(object, "positives");
    auc->n_negatives = count_of(object, "negatives");
}

/* Of n texts. */
static void read_share(const struct ss__json *scores, const char *key, size_t n,
                       struct ss_describe_share *share)
{
    const struct ss__json *list = ss__json_get(scores, key);
    if (ss__json_count(list) == 3) {
        share->n = n;
        share->value = ss__json_real(ss__json_at(list, 0));
        share->interval.low = ss__json_real(ss__json_at(list, 1));
        share->interval.high = ss__json_real(ss__json_at(list, 2));
    }
}

static void read_sentences(const struct ss__json *scores, struct ss_describe_share *share)
{
    const struct ss__json *object = ss__json_get(scores, "sentence");
    share->n = count_of(object, "texts");
    share->value = number_of(object, "share");
    share->interval.low = number_of(object, "low");
    share->interval.high = number_of(object, "high");
}

static void read_ceiling(const struct ss__json *scores, const char *name, double *areas)
{
    const struct ss__json *object = ss__json_get(ss__json_get(scores, "ceiling"), name);
    for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        areas[kind] =
            number_of(object, ss_describe_negatives_name((ss_describe_negatives)kind));
    }
}

static void read_scores(const struct ss__json *scores, struct ss_describe_score *score)
{
    for (int kind = 0; kind < SS_DESCRIBE_N_NEGATIVES; kind++) {
        read_auc(scores, (ss_describe_negatives)kind, &score->auc[kind]);
    }
    read_share(scores, "tpr", score->n_positives, &score->tpr);
    read_share(scores, "fpr", score->auc[SS_DESCRIBE_RANDOM].n_negatives, &score->fpr);
    read_sentences(scores, &score->sentences);
    read_ceiling(scores, "mean", score->ceiling_mean);
    read_ceiling(scores, "probe", score->ceiling_probe);
    score->threshold = (float)number_of(scores, "threshold");
    score->balanced_accuracy = number_of(scores, "balanced_accuracy");
    score->f1 = number_of(scores, "f1");
    score->precision = number_of(scores, "precision");
    score->coverage = number_of(scores, "coverage");
    score->coverage_random = number_of(scores, "coverage_random");
    score->lift = number_of(scores, "lift");
    score->strength = number_of(scores, "strength");
    score->describe_auc = number_of(scores, "describe_auc");
}

static bool find_verdict(const struct ss__json *value, ss_describe_verdict *out)
{
    const char *name = ss__json_string(value);
    for (int i = 0; name != NULL && i < SS_DESCRIBE_N_VERDICTS; i++) {
        if (strcmp(name, ss_describe_verdict_name((ss_describe_verdict)i)) == 0) {
            *out = (ss_describe_verdict)i;
            return true;
        }
    }
    return false;
}

static ss_status read_keywords(ss_descriptions *descriptions, const char *file, size_t f,
                               const struct ss__json *list, size_t *n, ss_err *err)
{
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_JSON_EACH (list, i, item) {
        const struct ss__json *text = ss__json_at(item, 0);
        const struct ss__json *weight = ss__json_at(item, 1);
        SS_RETURN_IF_ERROR(need(file, ss__json_is_string(text) && ss__json_is_number(weight), f,
                                "a keyword is not [text, number]", err));
        SS_RETURN_IF_ERROR(ss_describe_terms_add(
            &descriptions->terms, n,
            (struct ss_text){ss__json_string(text), ss__json_string_bytes(text)},
            ss__json_real(weight), err));
    }
    descriptions->terms.offsets[f + 1] = *n;
    return SS_OK;
}

/* What is no text stays as it is. */
static ss_status read_text(ss_descriptions *descriptions, const struct ss__json *value,
                           struct ss_text *out, ss_err *err)
{
    if (!ss__json_is_string(value)) {
        return SS_OK;
    }
    const size_t n = ss__json_string_bytes(value);
    const char *copy = ss__arena_strndup(&descriptions->arena, ss__json_string(value), n);
    if (copy == NULL) {
        return ss__fail_nomem(err, "labels");
    }
    *out = (struct ss_text){copy, n};
    return SS_OK;
}

/* Those of one file are few: equal ones that follow each other are one text. */
static ss_status read_method(ss_descriptions *descriptions, size_t f,
                             const struct ss__json *value, ss_err *err)
{
    struct ss_text text = {"", 0};
    const char *before = f == 0 ? NULL : descriptions->methods[f - 1];
    const char *method = ss__json_string(value);
    if (before != NULL && method != NULL && strcmp(before, method) == 0) {
        descriptions->methods[f] = before;
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(read_text(descriptions, value, &text, err));
    descriptions->methods[f] = text.data;
    return SS_OK;
}

static ss_status read_feature(ss_descriptions *descriptions, const char *file, size_t f,
                              const struct ss__json *item, size_t *n, ss_err *err)
{
    struct ss_describe_score *score = &descriptions->scores[f];
    const struct ss__json *label = ss__json_get(item, "label");
    const struct ss__json *id = ss__json_get(item, "feature_id");
    SS_RETURN_IF_ERROR(need(file, ss__json_is_integer(id) && ss__json_integer(id) == (int64_t)f,
                            f, "feature_id is not its place in the list", err));
    SS_RETURN_IF_ERROR(
        read_keywords(descriptions, file, f, ss__json_get(item, "keywords"), n, err));
    SS_RETURN_IF_ERROR(need(file, find_verdict(ss__json_get(item, "status"), &score->verdict),
                            f, "status is none that is known", err));
    SS_RETURN_IF_ERROR(need(file, ss__json_is_null(label) || ss__json_is_string(label), f,
                            "label is no text", err));
    SS_RETURN_IF_ERROR(read_text(descriptions, label, &descriptions->labels[f], err));
    SS_RETURN_IF_ERROR(read_method(descriptions, f, ss__json_get(item, "method"), err));
    SS_RETURN_IF_ERROR(read_text(descriptions, ss__json_get(item, "description"),
                                 &descriptions->sentences[f], err));
    const struct ss__json *scores = ss__json_get(item, "scores");
    const char *similarity = ss__json_string(ss__json_get(scores, "similarity"));
    if (similarity != NULL) {
        descriptions->is_plain = strcmp(similarity, "plain") == 0;
        descriptions->n_pool = count_of(scores, "pool");
    }
    descriptions->counts[f] = count_of(item, "count");
    descriptions->rates[f] = number_of(item, "rate");
    score->n_positives = count_of(item, "positives");
    read_scores(scores, score);
    return SS_OK;
}

ss_status ss_descriptions_open(const char *run_dir, ss_descriptions **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    ss_descriptions *descriptions = NULL;
    size_t n = 0;
    char *path = ss__path_join(run_dir, SS_FOLDER_FILE_DESCRIPTIONS);
    *out = NULL;
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(path, SS_E_NOINPUT,
                     "the run has no descriptions yet; saescope describe makes them");
    }
    SS_TRY(ss__json_load(path, &root, err));
    if (!ss__json_is_array(root)) {
        SS_FAIL_FILE(path, SS_E_DATA, "not a list of features");
    }
    SS_TRY(ss_folder_descriptions_new(ss__json_count(root), &descriptions, err));
    descriptions->method = "";
    for (size_t f = 0; f < descriptions->n_features; f++) {
        SS_TRY(read_feature(descriptions, path, f, ss__json_at(root, f), &n, err));
    }
    SS_TRY(ss_folder_descriptions_finish(descriptions, err));
    *out = descriptions;
    descriptions = NULL;
out:
    ss_descriptions_free(descriptions);
    ss__json_free(root);
    ss__free(path);
    return status;
}
