/* The tables of names of every public enum stand here and nowhere else: messages, options and
 * run.json all read them. A value without a row has the name "unknown" and is found by none;
 * the tests of the interface go through all values. */
#include "base/enum_names.h"

#include <string.h>

#include "saescope.h"

/* A value from a newer header, or one that is not set, is no index into a table. */
const char *ss__name_of(const char *const *names, size_t n, size_t value, const char *otherwise)
{
    return value < n && names[value] != NULL ? names[value] : otherwise;
}

bool ss__name_find(const char *const *names, size_t n, const char *name, size_t *value)
{
    for (size_t i = 0; name != NULL && i < n; i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

/* ss_KIND_name and ss_KIND_parse of an enum, from a table with that name. */
#define SS_NAMES(kind, table)                                                                  \
    const char *ss_##kind##_name(ss_##kind value)                                              \
    {                                                                                          \
        return ss__name_of(table, sizeof(table) / sizeof((table)[0]), (size_t)value,           \
                           "unknown");                                                         \
    }                                                                                          \
    bool ss_##kind##_parse(const char *name, ss_##kind *value)                                 \
    {                                                                                          \
        size_t found = 0;                                                                      \
        if (!ss__name_find(table, sizeof(table) / sizeof((table)[0]), name, &found)) {         \
            return false;                                                                      \
        }                                                                                      \
        *value = (ss_##kind)found;                                                             \
        return true;                                                                           \
    }

static const char *const precisions[SS_N_PRECISIONS] = {
    [SS_PRECISION_HIGH] = "high",
    [SS_PRECISION_HIGHEST] = "highest",
    [SS_PRECISION_MEDIUM] = "medium",
    [SS_PRECISION_LOW] = "low",
};
SS_NAMES(precision, precisions)

static const char *const options[SS_N_OPTIONS] = {
    [SS_OPTION_NONE] = "",
    [SS_OPTION_MODEL] = "model",
    [SS_OPTION_EMBEDDINGS] = "embeddings",
    [SS_OPTION_EMBEDDING_COLUMN] = "embedding_column",
    [SS_OPTION_SAE] = "sae",
    [SS_OPTION_DATASET] = "dataset",
    [SS_OPTION_SPLIT] = "split",
    [SS_OPTION_CONFIG] = "config",
    [SS_OPTION_CACHE_DATASET] = "cache_dataset",
    [SS_OPTION_OUT] = "out",
    [SS_OPTION_TEXT_COLUMN] = "text_column",
    [SS_OPTION_KEEP] = "keep",
    [SS_OPTION_FORMAT] = "format",
    [SS_OPTION_TEXT_UNIT] = "text_unit",
    [SS_OPTION_CSV] = "csv",
    [SS_OPTION_ENCODING] = "encoding",
    [SS_OPTION_FIELD] = "field",
    [SS_OPTION_ON_BAD_ROW] = "on_bad_row",
    [SS_OPTION_NUM_EXAMPLES] = "num_examples",
    [SS_OPTION_SKIP_EMPTY] = "skip_empty",
    [SS_OPTION_NULL] = "null",
    [SS_OPTION_WITH_TEXT] = "with_text",
    [SS_OPTION_TOP_K] = "top_k",
    [SS_OPTION_KEEP_DUPLICATES] = "keep_duplicates",
    [SS_OPTION_PROMPT] = "prompt",
    [SS_OPTION_PROMPT_NAME] = "prompt_name",
    [SS_OPTION_MAX_TOKENS] = "max_tokens",
    [SS_OPTION_TRUNCATE_DIM] = "truncate_dim",
    [SS_OPTION_PRECISION] = "precision",
    [SS_OPTION_SAE_FORMAT] = "sae_format",
    [SS_OPTION_SAE_TOP_K] = "sae_top_k",
    [SS_OPTION_TO] = "to",
    [SS_OPTION_ALLOW_ROUNDING] = "allow_rounding",
    [SS_OPTION_BATCHTOPK] = "batchtopk",
    [SS_OPTION_BATCHTOPK_THRESHOLD] = "batchtopk_threshold",
    [SS_OPTION_CALIBRATION_ROWS] = "calibration_rows",
    [SS_OPTION_BATCH_ROWS] = "batch_rows",
    [SS_OPTION_AS] = "as",
    [SS_OPTION_THREADS] = "threads",
    [SS_OPTION_BATCH_TOKENS] = "batch_tokens",
    [SS_OPTION_FORCE] = "force",
    [SS_OPTION_OFFLINE] = "offline",
    [SS_OPTION_EVIDENCE] = "evidence",
    [SS_OPTION_EVIDENCE_BYTES] = "evidence_bytes",
    [SS_OPTION_SAMPLE_ROWS] = "sample_rows",
    [SS_OPTION_STEPS] = "steps",
    [SS_OPTION_MODEL_ID] = "model_id",
    [SS_OPTION_SOURCE_ID] = "source_id",
    [SS_OPTION_AUTHOR_ID] = "author_id",
    [SS_OPTION_PAIRS_BYTES] = "pairs_bytes",
    [SS_OPTION_NO_PAIRS] = "no_pairs",
    [SS_OPTION_RECIPE] = "recipe",
    [SS_OPTION_KIND] = "kind",
    [SS_OPTION_DICT_SIZE] = "dict_size",
    [SS_OPTION_BATCH_SIZE] = "batch_size",
    [SS_OPTION_MAX_STEPS] = "max_steps",
    [SS_OPTION_LR] = "lr",
    [SS_OPTION_L1_COEFF] = "l1_coeff",
    [SS_OPTION_BANDWIDTH] = "bandwidth",
    [SS_OPTION_PREFIXES] = "prefixes",
    [SS_OPTION_LLM] = "llm",
    [SS_OPTION_LLM_MODEL] = "llm_model",
    [SS_OPTION_LLM_PRICE] = "llm_price",
    [SS_OPTION_LLM_JOBS] = "llm_jobs",
    [SS_OPTION_LLM_CANDIDATES] = "llm_candidates",
    [SS_OPTION_MAX_COST] = "max_cost",
    [SS_OPTION_MAX_CALLS] = "max_calls",
    [SS_OPTION_MAX_LLM_TOKENS] = "max_llm_tokens",
    [SS_OPTION_BUDGET] = "budget",
    [SS_OPTION_NO_TEXTS] = "no_texts",
    [SS_OPTION_PORT] = "port",
    [SS_OPTION_WHERE] = "where",
    [SS_OPTION_SAMPLE] = "sample",
    [SS_OPTION_PART] = "part",
    [SS_OPTION_ALLOW_MISSING] = "allow_missing",
    [SS_OPTION_APPEND] = "append",
    [SS_OPTION_PLAN] = "plan",
    [SS_OPTION_PARTS] = "parts",
    [SS_OPTION_SAVE_EMBEDDINGS] = "save_embeddings",
};
SS_NAMES(option, options)

static const char *const fetch_kinds[] = {
    [SS_FETCH_MODEL] = "model", [SS_FETCH_SAE] = "sae", [SS_FETCH_DATASET] = "dataset"};
SS_NAMES(fetch_kind, fetch_kinds)

static const char *const batchtopk_rules[] = {[SS_BATCHTOPK_REFUSE] = "refuse",
                                              [SS_BATCHTOPK_THRESHOLD] = "threshold",
                                              [SS_BATCHTOPK_ROW_TOPK] = "row-topk",
                                              [SS_BATCHTOPK_BATCH] = "batch"};
SS_NAMES(batchtopk_rule, batchtopk_rules)

static const char *const text_units[] = {[SS_UNIT_LINE] = "line",
                                         [SS_UNIT_PARAGRAPH] = "paragraph",
                                         [SS_UNIT_DOCUMENT] = "document"};
SS_NAMES(text_unit, text_units)

static const char *const bad_rows_rules[] = {
    [SS_BAD_ROWS_STOP] = "stop", [SS_BAD_ROWS_SKIP] = "skip"};
SS_NAMES(bad_rows, bad_rows_rules)

static const char *const row_kinds[SS_N_ROW_KINDS] = {[SS_ROW_TEXT] = "text",
                                                      [SS_ROW_NULL] = "null",
                                                      [SS_ROW_EMPTY] = "empty",
                                                      [SS_ROW_BLANK] = "blank",
                                                      [SS_ROW_BAD] = "bad"};
SS_NAMES(row_kind, row_kinds)

static const char *const feature_orders[] = {[SS_ORDER_INDEX] = "feature",
                                             [SS_ORDER_RATE] = "rate",
                                             [SS_ORDER_MAX] = "max",
                                             [SS_ORDER_MEAN] = "mean",
                                             [SS_ORDER_TEXTS] = "texts"};
SS_NAMES(feature_order, feature_orders)

static const char *const null_rules[] = {[SS_NULL_DEFAULT] = "default",
                                         [SS_NULL_STOP] = "stop",
                                         [SS_NULL_SKIP] = "skip",
                                         [SS_NULL_ZERO] = "zero",
                                         [SS_NULL_NAN] = "nan"};
SS_NAMES(null_rule, null_rules)
