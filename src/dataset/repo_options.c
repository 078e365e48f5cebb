/* Options of readers that a card gives with a configuration, as the reference library's readers
 * take them. Those that change nothing in what is read here are passed over; others must have
 * a value that does what is done here anyway, or one that is understood. */
#include <string.h>

#include "base/buf.h"
#include "dataset/repo.h"

struct option_rule {
    const char *kind; /* NULL: of every kind */
    const char *name;
    const char *accepted; /* values, "a|b"; NULL: any, it changes nothing here */
};

static const char utf8_names[] = "utf-8|utf8|UTF-8|UTF8|utf_8";

static const struct option_rule rules[] = {
    {"text", "features", ""}, /* they rename the column */
    {NULL, "features", NULL},
    {NULL, "chunksize", NULL},
    {NULL, "encoding", utf8_names},
    {NULL, "encoding_errors", "strict"},
    {"csv", "header", "infer|0"},
    {"csv", "names", ""},
    {"csv", "column_names", ""},
    {"csv", "index_col", ""},
    {"csv", "usecols", NULL},
    {"csv", "prefix", NULL},
    {"csv", "mangle_dupe_cols", NULL},
    {"csv", "engine", "c|python"},
    {"csv", "true_values", NULL},
    {"csv", "false_values", NULL},
    {"csv", "skipinitialspace", "false|False"},
    {"csv", "skiprows", "0"},
    {"csv", "nrows", ""},
    {"csv", "na_values", ""},
    {"csv", "keep_default_na", "true|True"},
    {"csv", "na_filter", "true|True"},
    {"csv", "verbose", NULL},
    {"csv", "skip_blank_lines", "true|True"},
    {"csv", "thousands", NULL},
    {"csv", "decimal", NULL},
    {"csv", "lineterminator", "\n"},
    {"csv", "quotechar", "\""},
    {"csv", "quoting", "0|1|2"},
    {"csv", "escapechar", ""},
    {"csv", "comment", ""},
    {"csv", "dialect", "excel"},
    {"csv", "error_bad_lines", "true|True"},
    {"csv", "warn_bad_lines", NULL},
    {"csv", "skipfooter", "0"},
    {"csv", "doublequote", "true|True"},
    {"csv", "memory_map", NULL},
    {"csv", "float_precision", NULL},
    {"csv", "on_bad_lines", "error"},
    {"csv", "date_format", NULL},
    {"json", "field", ""},
    {"json", "use_threads", NULL},
    {"json", "block_size", NULL},
    {"json", "on_mixed_types", NULL},
    {"json", "parse_agent_traces", NULL},
    {"parquet", "batch_size", NULL},
    {"parquet", "columns", NULL},
    {"parquet", "fragment_scan_options", NULL},
    {"parquet", "filters", ""},
    {"parquet", "on_bad_files", "error"},
    {"text", "keep_linebreaks", "false|False"},
};

static bool is_accepted(const char *accepted, const char *value)
{
    if (accepted == NULL) {
        return true;
    }
    const size_t n = value == NULL ? 0 : strlen(value);
    for (const char *at = accepted; n > 0 && *at != '\0';) {
        const size_t length = strcspn(at, "|");
        if (length == n && memcmp(at, value, n) == 0) {
            return true;
        }
        at += length + (at[length] == '|');
    }
    return false;
}

static const struct option_rule *find_rule(const char *kind, const char *name)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcmp(rules[i].name, name) == 0 &&
            (rules[i].kind == NULL || strcmp(rules[i].kind, kind) == 0)) {
            return &rules[i];
        }
    }
    return NULL;
}

/* ---- options that do something ---- */

static bool apply_separator(const char *value, struct ss__repo_choice *out)
{
    static const char *const not_one[] = {"\"", "\n", "\r", " "};
    if (value == NULL || strlen(value) != 1 || (unsigned char)value[0] >= 0x80) {
        return false;
    }
    for (size_t i = 0; i < sizeof not_one / sizeof not_one[0]; i++) {
        if (strcmp(value, not_one[i]) == 0) {
            return false;
        }
    }
    out->delimiter = value[0];
    return true;
}

static bool apply_sample_by(const char *value, struct ss__repo_choice *out)
{
    static const char *const units[] = {[SS_UNIT_LINE] = "line",
                                        [SS_UNIT_PARAGRAPH] = "paragraph",
                                        [SS_UNIT_DOCUMENT] = "document"};
    for (size_t i = 0; value != NULL && i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i], value) == 0) {
            out->text_unit = (ss_text_unit)i;
            out->has_text_unit = true;
            return true;
        }
    }
    return false;
}

static const struct {
    const char *kind, *name;
    bool (*apply)(const char *value, struct ss__repo_choice *out);
} effects[] = {
    {"csv", "sep", apply_separator},
    {"csv", "delimiter", apply_separator},
    {"text", "sample_by", apply_sample_by},
};

ss_status ss__repo_apply_options(const char *repo, const struct ss__repo_config *config,
                                 struct ss__repo_choice *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf ignored = {0};
    const char *kind = out->kind == NULL ? "" : out->kind->name;
    for (size_t i = 0; config != NULL && i < config->n_options; i++) {
        const struct ss__repo_option *option = &config->options[i];
        const struct option_rule *rule = find_rule(kind, option->name);
        bool is_known = rule != NULL,
             is_fine = is_known && is_accepted(rule->accepted, option->value);
        for (size_t j = 0; j < sizeof effects / sizeof effects[0]; j++) {
            if (strcmp(effects[j].kind, kind) == 0 &&
                strcmp(effects[j].name, option->name) == 0) {
                is_known = true;
                is_fine = effects[j].apply(option->value, out);
            }
        }
        if (is_known && !is_fine) {
            SS_FAIL_FILE(repo, SS_E_UNSUPPORTED,
                         "its card sets '%.60s: %.60s' for configuration '%.80s', which is not "
                         "read that way here",
                         option->name, option->value == NULL ? "…" : option->value,
                         config->name);
        }
        if (!is_known && ignored.n_bytes < 200) {
            ss__buf_printf(&ignored, "%s%.60s", ignored.n_bytes == 0 ? "" : ", ", option->name);
        }
    }
    SS_TRY(ss__buf_check(&ignored, err));
    if (ignored.n_bytes > 0) {
        out->ignored = ss__arena_strndup(&out->arena, ignored.data, ignored.n_bytes);
    }
out:
    ss__buf_release(&ignored);
    return status;
}
