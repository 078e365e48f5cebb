/* The table of options of the reference library's readers, and options of csv as one text.
 * Options are of three kinds: those with a function are applied; those without one change no
 * text here, or only some values do; everything else is unknown, and whoever asks says so. */
#include "format/row_options.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/utf8.h"

typedef ss_format_option_fate (*set_fn)(struct ss_format_row_options *options,
                                        const struct ss_format_option_value *value);

/* What the reference reads by default: quotes are '"', the first record is the header, and rows
 * have no bound. */
void ss_format_row_options_init(struct ss_format_row_options *options)
{
    *options = (struct ss_format_row_options){
        .csv = {.quote = '"'}, .header = SS_FORMAT_HEADER_INFER, .n_rows = UINT64_MAX};
}

void ss_format_row_options_release(struct ss_format_row_options *options)
{
    ss__arena_release(&options->arena);
    ss_format_row_options_init(options);
}

/* ---- values ---- */

/* NULL where the value is no single one. */
static const char *scalar(const struct ss_format_option_value *value)
{
    return value->is_null || value->is_list || value->is_map || value->n != 1 ? NULL
                                                                              : value->items[0];
}

/* Python's and YAML's spellings differ in case only. */
static bool read_bool(const struct ss_format_option_value *value, bool *out)
{
    const char *text = scalar(value);
    if (text == NULL) {
        return false;
    }
    *out = ss__equal_ignoring_case(text, "true");
    return *out || ss__equal_ignoring_case(text, "false");
}

/* Fields are named so that zero is the default; options that are true by default come in with
 * `inverse`. */
static ss_format_option_fate set_bool(bool *out, const struct ss_format_option_value *value,
                                      bool inverse)
{
    bool given = false;
    if (!read_bool(value, &given)) {
        return SS_FORMAT_OPTION_REFUSED;
    }
    *out = given != inverse;
    return SS_FORMAT_OPTION_READ;
}

/* One ASCII character that ends no line; "none" and null are 0. */
static ss_format_option_fate set_character(char *out,
                                           const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    if (value->is_null || (text != NULL && strcmp(text, "none") == 0)) {
        *out = 0;
        return SS_FORMAT_OPTION_READ;
    }
    if (text == NULL || strlen(text) != 1 || (unsigned char)text[0] >= 0x80 ||
        text[0] == '\n' || text[0] == '\r') {
        return SS_FORMAT_OPTION_REFUSED;
    }
    *out = text[0];
    return SS_FORMAT_OPTION_READ;
}

static ss_format_option_fate set_count(uint64_t *out,
                                       const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    return text != NULL && ss__parse_u64(text, strlen(text), out) ? SS_FORMAT_OPTION_READ
                                                                  : SS_FORMAT_OPTION_REFUSED;
}

/* Copies that live as long as the options; NULL when memory ran out. */
static const char **copy_items(struct ss_format_row_options *options,
                               const struct ss_format_option_value *value)
{
    const char **items = ss__arena_alloc(&options->arena, (value->n + 1) * sizeof *items);
    for (size_t i = 0; items != NULL && i < value->n; i++) {
        items[i] = ss__arena_strndup(&options->arena, value->items[i], strlen(value->items[i]));
        if (items[i] == NULL) {
            return NULL;
        }
    }
    return items;
}

/* ---- options of csv ---- */

/* One code point. pandas takes a longer one as a regular expression, which is refused. */
static ss_format_option_fate set_delimiter(struct ss_format_row_options *options,
                                           const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    uint32_t code_point = 0;
    const size_t n = text == NULL ? 0 : ss__utf8_decode(text, strlen(text), &code_point);
    if (n == 0 || text[n] != '\0' || text[0] == '\n' || text[0] == '\r') {
        return SS_FORMAT_OPTION_REFUSED;
    }
    memcpy(options->csv.delimiter, text, n);
    options->csv.n_delimiter = (unsigned char)n;
    options->has_delimiter = true;
    return SS_FORMAT_OPTION_READ;
}

static ss_format_option_fate set_quote(struct ss_format_row_options *options,
                                       const struct ss_format_option_value *value)
{
    return value->is_null ? SS_FORMAT_OPTION_REFUSED
                          : set_character(&options->csv.quote, value);
}

/* 0, 1 and 2 tell what a writer quotes; 3 that quotes are text. */
static ss_format_option_fate set_quoting(struct ss_format_row_options *options,
                                         const struct ss_format_option_value *value)
{
    static const char *const names[][2] = {
        {"0", "minimal"}, {"1", "all"}, {"2", "nonnumeric"}, {"3", "none"}};
    const char *text = scalar(value);
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i][0]) == 0 || strcmp(text, names[i][1]) == 0) {
            options->no_quotes = i == 3;
            return SS_FORMAT_OPTION_READ;
        }
    }
    return SS_FORMAT_OPTION_REFUSED;
}

static ss_format_option_fate set_escape(struct ss_format_row_options *options,
                                        const struct ss_format_option_value *value)
{
    return set_character(&options->csv.escape, value);
}

static ss_format_option_fate set_comment(struct ss_format_row_options *options,
                                         const struct ss_format_option_value *value)
{
    return set_character(&options->csv.comment, value);
}

/* One that is given is the only one: then "\n" is text like any other character
 * (csv_scan.c). */
static ss_format_option_fate set_terminator(struct ss_format_row_options *options,
                                            const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    if (text == NULL || strlen(text) != 1 || (unsigned char)text[0] >= 0x80) {
        return SS_FORMAT_OPTION_REFUSED;
    }
    options->csv.terminator = text[0];
    return SS_FORMAT_OPTION_READ;
}

static ss_format_option_fate set_doubled(struct ss_format_row_options *options,
                                         const struct ss_format_option_value *value)
{
    return set_bool(&options->csv.no_doubled_quotes, value, true);
}

static ss_format_option_fate set_initial_space(struct ss_format_row_options *options,
                                               const struct ss_format_option_value *value)
{
    return set_bool(&options->csv.skips_initial_space, value, false);
}

static ss_format_option_fate set_blank_lines(struct ss_format_row_options *options,
                                             const struct ss_format_option_value *value)
{
    return set_bool(&options->csv.keeps_blank_lines, value, true);
}

/* Python's csv module has three. excel and unix differ in what a writer does. */
static ss_format_option_fate set_dialect(struct ss_format_row_options *options,
                                         const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    if (text != NULL && strcmp(text, "excel-tab") == 0) {
        options->csv.delimiter[0] = '\t';
        options->csv.n_delimiter = 1;
        options->has_delimiter = true;
        return SS_FORMAT_OPTION_READ;
    }
    return text != NULL && (strcmp(text, "excel") == 0 || strcmp(text, "unix") == 0)
               ? SS_FORMAT_OPTION_READ
               : SS_FORMAT_OPTION_REFUSED;
}

/* A number counts records from 0 after the skipped lines. A list of numbers (a header of
 * several rows) is refused. */
static ss_format_option_fate set_header(struct ss_format_row_options *options,
                                        const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    uint64_t record = 0;
    if (value->is_null || (text != NULL && ss__equal_ignoring_case(text, "none"))) {
        options->header = SS_FORMAT_HEADER_NONE;
    } else if (text != NULL && strcmp(text, "infer") == 0) {
        options->header = SS_FORMAT_HEADER_INFER;
    } else if (text != NULL && ss__parse_u64(text, strlen(text), &record) &&
               record < INT32_MAX) {
        options->header = (int64_t)record;
    } else {
        return SS_FORMAT_OPTION_REFUSED;
    }
    return SS_FORMAT_OPTION_READ;
}

static ss_format_option_fate set_names(struct ss_format_row_options *options,
                                       const struct ss_format_option_value *value)
{
    if (value->is_map || value->is_null || value->n == 0) {
        return SS_FORMAT_OPTION_REFUSED;
    }
    options->names = copy_items(options, value);
    options->n_names = value->n;
    return SS_FORMAT_OPTION_READ;
}

/* A map would give words for each column: refused, since here they hold for all. */
static ss_format_option_fate set_null_words(struct ss_format_row_options *options,
                                            const struct ss_format_option_value *value)
{
    if (value->is_map || value->is_null) {
        return SS_FORMAT_OPTION_REFUSED;
    }
    options->null_words = copy_items(options, value);
    options->n_null_words = value->n;
    return SS_FORMAT_OPTION_READ;
}

static ss_format_option_fate set_usual_null_words(struct ss_format_row_options *options,
                                                  const struct ss_format_option_value *value)
{
    return set_bool(&options->no_usual_null_words, value, true);
}

static ss_format_option_fate set_null_filter(struct ss_format_row_options *options,
                                             const struct ss_format_option_value *value)
{
    return set_bool(&options->no_null_words, value, true);
}

static ss_format_option_fate set_skip_lines(struct ss_format_row_options *options,
                                            const struct ss_format_option_value *value)
{
    return set_count(&options->skip_lines, value);
}

static ss_format_option_fate set_n_rows(struct ss_format_row_options *options,
                                        const struct ss_format_option_value *value)
{
    return set_count(&options->n_rows, value);
}

/* "error" | "warn" | "skip", for rows of too many fields; pandas' fourth, a function, is no
 * text. */
static ss_format_option_fate set_bad_lines(struct ss_format_row_options *options,
                                           const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    const bool skips = text != NULL && (strcmp(text, "skip") == 0 || strcmp(text, "warn") == 0);
    options->skips_long_rows = skips;
    return skips || (text != NULL && strcmp(text, "error") == 0) ? SS_FORMAT_OPTION_READ
                                                                 : SS_FORMAT_OPTION_REFUSED;
}

/* An index stays a column; but "false" cuts off the ends of rows. */
static ss_format_option_fate check_index(struct ss_format_row_options *options,
                                         const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    (void)options;
    return text != NULL && !ss__equal_ignoring_case(text, "false") ? SS_FORMAT_OPTION_READ
                                                                   : SS_FORMAT_OPTION_REFUSED;
}

/* ---- options of several kinds ---- */

static ss_format_option_fate set_encoding(struct ss_format_row_options *options,
                                          const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    if (text == NULL || text[0] == '\0') {
        return SS_FORMAT_OPTION_REFUSED;
    }
    options->encoding = ss__arena_strndup(&options->arena, text, strlen(text));
    return SS_FORMAT_OPTION_READ;
}

/* An option whose value is one of a few words. */
static bool find_name(const struct ss_format_option_value *value, const char *const *names,
                      size_t n, size_t *index)
{
    const char *text = scalar(value);
    for (*index = 0; text != NULL && *index < n; ++*index) {
        if (strcmp(text, names[*index]) == 0) {
            return true;
        }
    }
    return false;
}

static ss_format_option_fate set_decode_errors(struct ss_format_row_options *options,
                                               const struct ss_format_option_value *value)
{
    static const char *const names[] = {[SS_SOURCE_DECODE_STRICT] = "strict",
                                        [SS_SOURCE_DECODE_REPLACE] = "replace",
                                        [SS_SOURCE_DECODE_IGNORE] = "ignore"};
    size_t i = 0;
    if (!find_name(value, names, sizeof names / sizeof names[0], &i)) {
        return SS_FORMAT_OPTION_REFUSED;
    }
    options->decode_errors = (ss_source_decode_errors)i;
    return SS_FORMAT_OPTION_READ;
}

static ss_format_option_fate set_field(struct ss_format_row_options *options,
                                       const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    if (text == NULL) {
        return SS_FORMAT_OPTION_REFUSED;
    }
    options->field = ss__arena_strndup(&options->arena, text, strlen(text));
    return SS_FORMAT_OPTION_READ;
}

static ss_format_option_fate set_text_unit(struct ss_format_row_options *options,
                                           const struct ss_format_option_value *value)
{
    static const char *const units[] = {[SS_UNIT_LINE] = "line",
                                        [SS_UNIT_PARAGRAPH] = "paragraph",
                                        [SS_UNIT_DOCUMENT] = "document"};
    size_t i = 0;
    if (!find_name(value, units, sizeof units / sizeof units[0], &i)) {
        return SS_FORMAT_OPTION_REFUSED;
    }
    options->text_unit = (ss_text_unit)i;
    options->has_text_unit = true;
    return SS_FORMAT_OPTION_READ;
}

/* ---- the table ---- */

/* Options of pandas.read_csv and of the builders of `datasets` (csv, json, parquet, text). A
 * row with neither function nor list is of an option that cannot change a text; a list has the
 * values that do not, and all others are refused. */
static const struct rule {
    const char *kind; /* NULL: of every kind */
    const char *name;
    set_fn set;
    const char *accepted; /* without `set`: values, "a|b"; NULL: any, it changes nothing */
} rules[] = {
    {"text", "features", NULL, ""}, /* they rename the column */
    {NULL, "features", NULL, NULL},
    {NULL, "chunksize", NULL, NULL},
    {"csv", "encoding", set_encoding, NULL},
    {"json", "encoding", set_encoding, NULL},
    {"text", "encoding", set_encoding, NULL},
    {NULL, "encoding", NULL, NULL},
    {NULL, "encoding_errors", set_decode_errors, NULL},
    {"csv", "sep", set_delimiter, NULL},
    {"csv", "delimiter", set_delimiter, NULL},
    {"csv", "header", set_header, NULL},
    {"csv", "names", set_names, NULL},
    {"csv", "column_names", set_names, NULL},
    {"csv", "index_col", check_index, NULL},
    {"csv", "usecols", NULL, NULL},
    {"csv", "prefix", NULL, NULL},
    {"csv", "mangle_dupe_cols", NULL, NULL},
    {"csv", "engine", NULL, "c|python"},
    {"csv", "true_values", NULL, NULL},
    {"csv", "false_values", NULL, NULL},
    {"csv", "skipinitialspace", set_initial_space, NULL},
    {"csv", "skiprows", set_skip_lines, NULL},
    {"csv", "nrows", set_n_rows, NULL},
    {"csv", "na_values", set_null_words, NULL},
    {"csv", "keep_default_na", set_usual_null_words, NULL},
    {"csv", "na_filter", set_null_filter, NULL},
    {"csv", "verbose", NULL, NULL},
    {"csv", "skip_blank_lines", set_blank_lines, NULL},
    {"csv", "thousands", NULL, NULL},
    {"csv", "decimal", NULL, NULL},
    {"csv", "lineterminator", set_terminator, NULL},
    {"csv", "quotechar", set_quote, NULL},
    {"csv", "quoting", set_quoting, NULL},
    {"csv", "escapechar", set_escape, NULL},
    {"csv", "comment", set_comment, NULL},
    {"csv", "dialect", set_dialect, NULL},
    {"csv", "error_bad_lines", NULL, "true|True"},
    {"csv", "warn_bad_lines", NULL, NULL},
    {"csv", "skipfooter", NULL, "0"},
    {"csv", "doublequote", set_doubled, NULL},
    {"csv", "memory_map", NULL, NULL},
    {"csv", "float_precision", NULL, NULL},
    {"csv", "on_bad_lines", set_bad_lines, NULL},
    {"csv", "date_format", NULL, NULL},
    {"json", "field", set_field, NULL},
    {"json", "use_threads", NULL, NULL},
    {"json", "block_size", NULL, NULL},
    {"json", "on_mixed_types", NULL, NULL},
    {"json", "parse_agent_traces", NULL, NULL},
    {"parquet", "batch_size", NULL, NULL},
    {"parquet", "columns", NULL, NULL},
    {"parquet", "fragment_scan_options", NULL, NULL},
    {"parquet", "filters", NULL, ""},
    {"parquet", "on_bad_files", NULL, "error"},
    {"text", "keep_linebreaks", NULL, "false|False"},
    {"text", "sample_by", set_text_unit, NULL},
};
enum { N_RULES = sizeof rules / sizeof rules[0] };

/* One of the words of "a|b|c"; "" accepts none. */
static bool is_accepted(const char *accepted, const struct ss_format_option_value *value)
{
    const char *text = scalar(value);
    if (accepted == NULL) {
        return true;
    }
    const size_t n = text == NULL ? 0 : strlen(text);
    for (const char *at = accepted; n > 0 && *at != '\0';) {
        const size_t length = strcspn(at, "|");
        if (length == n && memcmp(at, text, n) == 0) {
            return true;
        }
        at += length + (at[length] == '|');
    }
    return false;
}

static const struct rule *find_rule(const char *kind, const char *name)
{
    for (size_t i = 0; i < N_RULES; i++) {
        if (strcmp(rules[i].name, name) == 0 &&
            (rules[i].kind == NULL || strcmp(rules[i].kind, kind) == 0)) {
            return &rules[i];
        }
    }
    return NULL;
}

/* Functions of the table have no `err`: a copy that is missing tells that memory ran out. */
static bool ran_out(const struct ss_format_row_options *options, const struct rule *rule)
{
    return (rule->set == set_names && options->names == NULL) ||
           (rule->set == set_null_words && options->null_words == NULL) ||
           (rule->set == set_encoding && options->encoding == NULL) ||
           (rule->set == set_field && options->field == NULL);
}

ss_status ss_format_row_options_set(struct ss_format_row_options *options, const char *kind,
                                    const char *name,
                                    const struct ss_format_option_value *value,
                                    ss_format_option_fate *fate, ss_err *err)
{
    const struct rule *rule = find_rule(kind, name);
    *fate = SS_FORMAT_OPTION_UNKNOWN;
    if (rule == NULL) {
        return SS_OK;
    }
    /* A null is the reference's default, but for the header, where it says that there is none.
     */
    if (value->is_null && rule->set != set_header) {
        *fate = SS_FORMAT_OPTION_READ;
        return SS_OK;
    }
    if (rule->set == NULL) {
        *fate = is_accepted(rule->accepted, value) ? SS_FORMAT_OPTION_READ
                                                   : SS_FORMAT_OPTION_REFUSED;
        return SS_OK;
    }
    *fate = rule->set(options, value);
    return *fate == SS_FORMAT_OPTION_READ && ran_out(options, rule)
               ? ss__fail_nomem(err, "an option of a reader")
               : SS_OK;
}

/* ---- one text of options ---- */

/* Options that are one character: words and a lone comma are known there. */
static bool is_character(set_fn set)
{
    return set == set_delimiter || set == set_quote || set == set_escape ||
           set == set_comment || set == set_terminator;
}

static const char *character_of(const char *word)
{
    static const char *const words[][2] = {{"comma", ","},     {"tab", "\t"}, {"space", " "},
                                           {"semicolon", ";"}, {"pipe", "|"}, {"colon", ":"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i][0], word) == 0) {
            return words[i][1];
        }
    }
    return word;
}

/* With names that are easier to guess than pandas'. */
static const struct rule *find_csv_rule(const char *name)
{
    static const char *const also[][2] = {{"quote", "quotechar"},
                                          {"escape", "escapechar"},
                                          {"skip_rows", "skiprows"},
                                          {"columns", "column_names"}};
    for (size_t i = 0; i < sizeof also / sizeof also[0]; i++) {
        name = strcmp(name, also[i][0]) == 0 ? also[i][1] : name;
    }
    return find_rule("csv", name);
}

/* The value at *at up to a comma that is not escaped, with its items parted by 0 bytes. */
static size_t take_value(const char **at, bool is_list, bool takes_comma, struct ss__buf *out)
{
    size_t n_items = 1;
    const char *c = *at;
    if (takes_comma && c[0] == ',' && (c[1] == ',' || c[1] == '\0')) {
        ss__buf_add_byte(out, *c++);
    }
    for (; *c != '\0' && *c != ','; c++) {
        if (*c == '|' && is_list) {
            ss__buf_add_byte(out, '\0');
            n_items++;
        } else if (*c == '\\' && c[1] != '\0') {
            c++;
            ss__buf_add_byte(out, *c == 't' ? '\t' : *c == 'n' ? '\n' : *c);
        } else {
            ss__buf_add_byte(out, *c);
        }
    }
    ss__buf_add_byte(out, '\0');
    *at = c + (*c == ',');
    return n_items;
}

static ss_status fail_csv(const char *name, const char *message, ss_err *err)
{
    const ss_status status =
        ss__fail(err, SS_E_USAGE, "csv options: '%.60s' %s", name, message);
    ss__err_about(err, "csv");
    return status;
}

static const char known_names[] =
    "is none of them; expected delimiter, quotechar, quoting, escapechar, doublequote, header, "
    "column_names, encoding, encoding_errors, comment, skiprows, nrows, on_bad_lines, "
    "na_values, "
    "keep_default_na, na_filter, skipinitialspace, skip_blank_lines or lineterminator";

static ss_status set_from_text(struct ss_format_row_options *options, const struct rule *rule,
                               const char *data, size_t n_items, ss_err *err)
{
    ss_status status = SS_OK;
    const char **items = NULL;
    ss_format_option_fate fate = SS_FORMAT_OPTION_REFUSED;
    SS_ALLOC(items, n_items);
    for (size_t i = 0; i < n_items; i++) {
        items[i] = is_character(rule->set) ? character_of(data) : data;
        data += strlen(data) + 1;
    }
    const struct ss_format_option_value value = {
        .items = items, .n = n_items, .is_list = n_items > 1};
    SS_TRY(ss_format_row_options_set(options, "csv", rule->name, &value, &fate, err));
    if (fate != SS_FORMAT_OPTION_READ) {
        char message[120];
        snprintf(message, sizeof message, "does not take the value '%.60s'", items[0]);
        status = fail_csv(rule->name, message, err);
    }
out:
    ss__free(items);
    return status;
}

ss_status ss_format_row_options_parse_csv(struct ss_format_row_options *options,
                                          const char *text, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf value = {0};
    for (const char *at = text; *at != '\0';) {
        char name[64];
        const size_t n_name = strcspn(at, "=,");
        snprintf(name, sizeof name, "%.*s", (int)ss__min_size(n_name, sizeof name - 1), at);
        const struct rule *rule = find_csv_rule(name);
        if (at[n_name] != '=') {
            SS_TRY(fail_csv(name, "has no value; write name=value,name=value", err));
        }
        if (rule == NULL) {
            SS_TRY(fail_csv(name, known_names, err));
        }
        at += n_name + 1;
        value.n_bytes = 0;
        const bool is_list = rule->set == set_names || rule->set == set_null_words;
        const size_t n = take_value(&at, is_list, is_character(rule->set), &value);
        SS_TRY(ss__buf_check(&value, err));
        SS_TRY(set_from_text(options, rule, value.data, n, err));
    }
out:
    ss__buf_release(&value);
    return status;
}
