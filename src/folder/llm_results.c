/* What asking a language model came to, as the public header and the files have it. Counts of
 * requests and what they cost are of the last call alone; the answers of earlier calls are in
 * the cache (describe/llm.h), and only their number is told. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "base/sized.h"
#include "folder/descriptions.h"

void ss_folder_llm_free(struct ss_folder_llm *llm)
{
    if (llm != NULL) {
        ss_describe_llm_results_release(&llm->results);
        ss__free(llm);
    }
}

ss_status ss_descriptions_llm(const ss_descriptions *descriptions, struct ss_llm_report *out)
{
    const struct ss_folder_llm *llm = descriptions->llm;
    struct ss_llm_report report = {
        .struct_size = sizeof report, .host = "", .failures = "", .prompt = ""};
    if (llm != NULL) {
        report.host = llm->host;
        report.n_texts = llm->n_texts;
        report.n_described = llm->results.n_described;
        report.n_missing = llm->results.n_missing;
        report.failures = llm->failures;
        report.n_calls = llm->results.spent.n_calls;
        report.n_answers_kept = llm->results.n_cached;
        report.n_tokens_in = llm->results.spent.n_in;
        report.n_tokens_out = llm->results.spent.n_out;
        report.cost = llm->results.spent.cost;
        report.prompt = llm->results.prompt.data == NULL ? "" : llm->results.prompt.data;
    }
    return ss__result_write(out, &report, sizeof report);
}

/* ---- files ---- */

static void add_share(struct ss__buf *buf, const char *name,
                      const struct ss_describe_share *share)
{
    ss__buf_printf(buf, "\"%s\": ", name);
    if (share->n == 0) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add_byte(buf, '[');
    ss_folder_descriptions_add_decimals(buf, share->value);
    ss__buf_add_text(buf, ", ");
    ss_folder_descriptions_add_decimals(buf, share->interval.low);
    ss__buf_add_text(buf, ", ");
    ss_folder_descriptions_add_decimals(buf, share->interval.high);
    ss__buf_add_byte(buf, ']');
}

static void add_area(struct ss__buf *buf, const char *name, const struct ss_describe_auc *auc)
{
    const struct ss_describe_share share = {auc->value, auc->interval, auc->n_negatives};
    add_share(buf, name, &share);
}

static void add_number(struct ss__buf *buf, const char *name, double value)
{
    ss__buf_printf(buf, ",\n        \"%s\": ", name);
    ss_folder_descriptions_add_decimals(buf, value);
}

static void add_detection(struct ss__buf *buf, const struct ss_describe_llm_result *result)
{
    const struct ss_describe_llm_detection *detection = &result->detection;
    const struct ss_describe_share *random = &detection->fpr[SS_DESCRIBE_RANDOM];
    const struct ss_describe_share *near = &detection->fpr[SS_DESCRIBE_NEAR];
    if (!result->has_detection) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add_text(buf, "{\n        ");
    add_share(buf, "tpr", &detection->tpr);
    ss__buf_add_text(buf, ",\n        \"fpr\": {");
    add_share(buf, "random", random);
    ss__buf_add_text(buf, ", ");
    add_share(buf, "near", near);
    ss__buf_add_byte(buf, '}');
    add_number(buf, "balanced_accuracy", detection->balanced_accuracy);
    add_number(buf, "f1", detection->f1);
    add_number(buf, "precision", detection->precision);
    ss__buf_add_text(buf, ",\n        \"auc\": {");
    add_area(buf, "random", &detection->auc[SS_DESCRIBE_RANDOM]);
    ss__buf_add_text(buf, ", ");
    add_area(buf, "near", &detection->auc[SS_DESCRIBE_NEAR]);
    ss__buf_add_byte(buf, '}');
    ss__buf_printf(
        buf,
        ",\n        \"positives\": %zu,\n        \"random\": %zu,\n        \"near\": "
        "%zu,\n        \"unanswered\": %zu\n      }",
        detection->tpr.n, random->n, near->n, detection->n_unanswered);
}

static void add_simulation(struct ss__buf *buf, const struct ss_describe_llm_result *result)
{
    const struct ss_describe_llm_simulation *simulation = &result->simulation;
    if (!result->has_simulation) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add_text(buf, "{\n        \"pearson\": ");
    ss_folder_descriptions_add_decimals(buf, simulation->pearson);
    add_number(buf, "spearman", simulation->spearman);
    ss__buf_printf(buf, ",\n        \"texts\": %zu,\n        \"unanswered\": %zu\n      }",
                   simulation->n, simulation->n_unanswered);
}

static void add_fuzzing(struct ss__buf *buf, const struct ss_describe_llm_result *result)
{
    const struct ss_describe_llm_fuzzing *fuzzing = &result->fuzzing;
    if (!result->has_fuzzing) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add_text(buf, "{\n        ");
    add_share(buf, "strong", &fuzzing->strong);
    ss__buf_add_text(buf, ",\n        ");
    add_share(buf, "weak", &fuzzing->weak);
    add_number(buf, "balanced_accuracy", fuzzing->balanced_accuracy);
    ss__buf_printf(buf,
                   ",\n        \"strong_sentences\": %zu,\n        \"weak_sentences\": %zu,\n  "
                   "      \"unanswered\": %zu\n      }",
                   fuzzing->strong.n, fuzzing->weak.n, fuzzing->n_unanswered);
}

void ss_folder_llm_add_feature(struct ss__buf *buf, const ss_descriptions *descriptions,
                               size_t feature)
{
    const struct ss_folder_llm *llm = descriptions->llm;
    const struct ss_describe_llm_result *result =
        llm == NULL ? NULL : &llm->results.features[feature];
    if (result == NULL || result->failure == SS_DESCRIBE_LLM_NO_TEXTS) {
        ss__buf_add_text(buf, "null");
        return;
    }
    ss__buf_add_text(buf, "{\n      \"model\": ");
    ss__json_add_string(buf, llm->model, strlen(llm->model), false);
    ss__buf_printf(buf, ",\n      \"key\": \"%s\",\n      \"error\": ", result->key);
    if (result->failure == SS_DESCRIBE_LLM_ANSWERED) {
        ss__buf_printf(buf, "null,\n      \"kind\": \"%s\"", result->kind);
    } else {
        ss__buf_printf(buf, "\"%s\",\n      \"kind\": null",
                       ss_describe_llm_failure_name(result->failure));
    }
    ss__buf_add_text(buf, ",\n      \"detection\": ");
    add_detection(buf, result);
    ss__buf_add_text(buf, ",\n      \"simulation\": ");
    add_simulation(buf, result);
    ss__buf_add_text(buf, ",\n      \"fuzzing\": ");
    add_fuzzing(buf, result);
    ss__buf_add_text(buf, "\n    }");
}

void ss_folder_llm_put_record(struct ss__json_writer *writer, const struct ss_folder_llm *llm)
{
    const struct ss_describe_llm_results *results = &llm->results;
    ss__put_open(writer, "llm", '{');
    ss__put_text(writer, "host", llm->host);
    ss__put_text(writer, "api", llm->api);
    ss__put_text(writer, "model", llm->model);
    ss__put_count(writer, "prompt_version", SS_DESCRIBE_LLM_PROMPT_VERSION);
    ss__put_count(writer, "described", results->n_described);
    ss__put_count(writer, "missing", results->n_missing);
    ss__put_count(writer, "answers", results->of_answers.n_calls);
    ss__put_count(writer, "tokens_in", results->of_answers.n_in);
    ss__put_count(writer, "tokens_out", results->of_answers.n_out);
    if (llm->has_price) {
        ss__put_number(writer, "cost", results->of_answers.cost);
    } else {
        ss__put_null(writer, "cost");
    }
    ss__put_text(writer, "failures", llm->failures);
    ss__put_close(writer, '}');
}
