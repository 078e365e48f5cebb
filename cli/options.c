/* The one parser of options, which reads them by their table (option_table.c). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

size_t cli_n_uses(const struct cli_command *command)
{
    size_t n = 0;
    while (n < CLI_MAX_USES && command->uses[n].id != OPT_NONE) {
        n++;
    }
    return n;
}

const struct cli_use *cli_command_use(const struct cli_command *command, cli_option_id id)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        if (command->uses[i].id == id) {
            return &command->uses[i];
        }
    }
    return NULL;
}

/* ---- values ---- */

static bool read_count(const char *text, uint64_t *value)
{
    static const struct {
        char suffix;
        uint64_t factor;
    } suffixes[] = {{'k', 1000}, {'M', 1000000}, {'G', 1000000000}};
    uint64_t sum = 0, factor = 1;
    size_t n = strlen(text);
    for (size_t i = 0; n > 1 && i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (text[n - 1] == suffixes[i].suffix) {
            factor = suffixes[i].factor;
            n--;
            break;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(text[i] - '0'), &sum)) {
            return false;
        }
    }
    return n > 0 && !__builtin_mul_overflow(sum, factor, value);
}

static bool read_real(const char *text, double *value)
{
    char *end = NULL;
    const bool starts_well = (text[0] >= '0' && text[0] <= '9') || text[0] == '.';
    errno = 0;
    *value = strtod(text, &end);
    return starts_well && *end == '\0' && errno == 0 && *value > 0 && *value < 1e12;
}

static bool is_choice(const struct cli_option *option, const char *text)
{
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], text) == 0) {
            return true;
        }
    }
    return false;
}

const char *cli_choice_at(const void *names, size_t index)
{
    return ((const char *const *)names)[index];
}

static int wrong_choice(const struct cli_command *command, const struct cli_option *option,
                        const char *text)
{
    char list[256] = "";
    size_t n = 0;
    for (; option->choices[n] != NULL; n++) {
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", n == 0 ? "" : ", ",
                 option->choices[n]);
    }
    const char *meant = cli_suggest(text, cli_choice_at, option->choices, n);
    return cli_usage_error(command, "--%s: '%s' is not one of %s%s%s%s", option->name, text,
                           list, meant == NULL ? "" : "; did you mean '",
                           meant == NULL ? "" : meant, meant == NULL ? "" : "'?");
}

static int take_list(const struct cli_command *command, struct cli_values *values,
                     const char *text)
{
    if (values->n_list == CLI_MAX_LIST) {
        return cli_usage_error(command, "--dataset is given more than %d times", CLI_MAX_LIST);
    }
    values->list[values->n_list++] = text;
    return CLI_OK;
}

static int take_value(const struct cli_command *command, struct cli_values *values,
                      cli_option_id id, const char *text, const char *origin)
{
    const struct cli_option *option = &cli_options[id];
    if (option->kind == CLI_LIST) {
        const int code = take_list(command, values, text);
        if (code != CLI_OK) {
            return code;
        }
    } else if (values->text[id] != NULL) {
        return cli_usage_error(command, "--%s is given twice", option->name);
    }
    values->text[id] = text;
    values->origin[id] = origin;
    if (option->kind == CLI_CHOICE && !is_choice(option, text)) {
        return wrong_choice(command, option, text);
    }
    if (option->kind == CLI_REAL && !read_real(text, &values->real[id])) {
        return cli_usage_error(command, "--%s: '%s' is not a number above 0", option->name,
                               text);
    }
    if (option->kind == CLI_COUNT && option->choices != NULL && is_choice(option, text)) {
        values->count[id] = UINT64_MAX;
        return CLI_OK;
    }
    if (option->kind == CLI_COUNT &&
        (!read_count(text, &values->count[id]) || values->count[id] < option->least)) {
        return cli_usage_error(
            command, "--%s: '%s' is not a whole number of %llu or more, such as 1000 or 1k",
            option->name, text, (unsigned long long)option->least);
    }
    if (option->kind == CLI_COUNT) {
        snprintf(values->number[id], CLI_NUMBER_BYTES, "%llu",
                 (unsigned long long)values->count[id]);
    } else if (option->kind == CLI_REAL) {
        cli_number(values->real[id], values->number[id]);
    }
    return CLI_OK;
}

/* ---- words ---- */

static const char *use_name_at(const void *command, size_t index)
{
    return cli_options[((const struct cli_command *)command)->uses[index].id].name;
}

static const struct cli_use *find_long(const struct cli_command *command, const char *name,
                                       size_t n)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const char *known = use_name_at(command, i);
        if (strlen(known) == n && strncmp(known, name, n) == 0) {
            return &command->uses[i];
        }
    }
    return NULL;
}

static const struct cli_use *find_letter(const struct cli_command *command, char letter)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        if (cli_options[command->uses[i].id].letter == letter) {
            return &command->uses[i];
        }
    }
    return NULL;
}

static int unknown_option(const struct cli_command *command, const char *word)
{
    const char *bare = word + strspn(word, "-");
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bare, "="), bare);
    const char *meant = cli_suggest(name, use_name_at, command, cli_n_uses(command));
    if (meant != NULL) {
        return cli_usage_error(command, "unknown option '%s'; did you mean '--%s'?", word,
                               meant);
    }
    return cli_usage_error(command, "unknown option '%s'", word);
}

/* An option as it stands: what is attached to it, and the word behind it, NULL where there is
 * none. */
struct stated {
    bool is_long;
    const char *value, *next;
};

/* *used becomes how many words the option took. */
static int take_found(const struct cli_command *command, struct cli_values *values,
                      const struct cli_use *use, const struct stated *stated, int *used)
{
    const struct cli_option *option = &cli_options[use->id];
    const char *value = stated->value;
    if (option->kind == CLI_FLAG) {
        if (value != NULL) {
            return cli_usage_error(command, "--%s takes no value", option->name);
        }
        const bool is_short_help = use->id == OPT_HELP && !stated->is_long;
        return take_value(command, values, use->id, is_short_help ? "-h" : "", "command line");
    }
    if (value == NULL && stated->next == NULL) {
        return cli_usage_error(command, "--%s needs a value: --%s %s", option->name,
                               option->name, option->placeholder);
    }
    *used = value == NULL ? 2 : 1;
    return take_value(command, values, use->id, value == NULL ? stated->next : value,
                      "command line");
}

/* -n 9, -n9, and flags in one word: -qf, -qn9. */
static int take_letters(const struct cli_command *command, struct cli_values *values,
                        const char *word, const char *next, int *used)
{
    for (size_t i = 1; word[i] != '\0'; i++) {
        const struct cli_use *use = find_letter(command, word[i]);
        if (use == NULL) {
            return unknown_option(command, word);
        }
        const bool is_flag = cli_options[use->id].kind == CLI_FLAG;
        const struct stated stated = {
            .value = is_flag || word[i + 1] == '\0' ? NULL : word + i + 1, .next = next};
        const int code = take_found(command, values, use, &stated, used);
        if (code != CLI_OK || !is_flag) {
            return code;
        }
    }
    return CLI_OK;
}

/* One option word with its value; *used becomes how many words it took. */
static int take_option(const struct cli_command *command, struct cli_values *values, int n,
                       char *const *words, int *used)
{
    const char *word = words[0];
    const char *next = n > 1 ? words[1] : NULL;
    *used = 1;
    if (word[1] != '-') {
        return take_letters(command, values, word, next, used);
    }
    const char *equals = strchr(word, '=');
    const size_t n_name = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word + 2);
    const struct cli_use *use = find_long(command, word + 2, n_name);
    const struct stated stated = {
        .is_long = true, .value = equals == NULL ? NULL : equals + 1, .next = next};
    return use == NULL ? unknown_option(command, word)
                       : take_found(command, values, use, &stated, used);
}

/* SAESCOPE_TOP_K for --top-k, and so on; options of the command line take precedence. */
static int take_environment(const struct cli_command *command, struct cli_values *values)
{
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const cli_option_id id = command->uses[i].id;
        char name[96];
        const char *value = getenv(cli_environment_of(id, name));
        if (value == NULL || value[0] == '\0' || cli_given(values, id) || id == OPT_HELP) {
            continue;
        }
        const bool is_flag = cli_options[id].kind == CLI_FLAG;
        if (is_flag && strcmp(value, "0") == 0) {
            continue;
        }
        const int code = take_value(command, values, id, is_flag ? "" : value, "environment");
        if (code != CLI_OK) {
            return code;
        }
    }
    return CLI_OK;
}

static size_t find_missing(const struct cli_command *command, const struct cli_values *values)
{
    size_t n = 0;
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        n += command->uses[i].required && !cli_given(values, command->uses[i].id);
    }
    return n;
}

/* All that is missing in one sentence, with an example. A model and a dataset are, too, where
 * embeddings could stand for them and do not. */
static int missing_options(const struct cli_command *command, const struct cli_values *values)
{
    char list[256] = "";
    size_t n_missing = 0;
    const bool has_required = find_missing(command, values) > 0;
    const bool takes_texts =
        cli_command_use(command, OPT_EMBEDDINGS) != NULL && !cli_given(values, OPT_EMBEDDINGS);
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const struct cli_use *use = &command->uses[i];
        const bool is_text = use->id == OPT_MODEL || use->id == OPT_DATASET;
        if (has_required && !cli_given(values, use->id) &&
            (use->required || (is_text && takes_texts))) {
            const size_t n = strlen(list);
            snprintf(list + n, sizeof list - n, "%s--%s %s", n_missing == 0 ? "" : ", ",
                     cli_options[use->id].name, cli_options[use->id].placeholder);
            n_missing++;
        }
    }
    return n_missing == 0
               ? CLI_OK
               : cli_usage_error(command, "%s %s needed, as in: %s", list,
                                 n_missing == 1 ? "is" : "are", command->examples[0].command);
}

static int take_defaults(const struct cli_command *command, struct cli_values *values)
{
    if (cli_given(values, OPT_APPEND) && !cli_given(values, OPT_OUT)) { /* it is that folder */
        const int code = take_value(command, values, OPT_OUT, values->text[OPT_APPEND],
                                    values->origin[OPT_APPEND]);
        if (code != CLI_OK) {
            return code;
        }
    }
    const int missing = missing_options(command, values);
    if (missing != CLI_OK) {
        return missing;
    }
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const struct cli_use *use = &command->uses[i];
        if (cli_given(values, use->id)) {
            continue;
        }
        if (use->fallback != NULL) {
            const int code = take_value(command, values, use->id, use->fallback, "default");
            if (code != CLI_OK) {
                return code;
            }
        }
    }
    return CLI_OK;
}

static int check_arguments(const struct cli_command *command, const struct cli_values *values)
{
    if (values->n_arguments > command->n_most) {
        return cli_usage_error(command, "unexpected argument '%s'",
                               values->arguments[command->n_most]);
    }
    if (values->n_arguments < command->n_least) {
        return cli_usage_error(command, "%s is needed", command->argument);
    }
    return CLI_OK;
}

void cli_expect_json(const struct cli_command *command, int n, char *const *words)
{
    bool is_there = false;
    for (int i = 0; i < n && strcmp(words[i], "--") != 0; i++) {
        is_there = is_there || strcmp(words[i], "--json") == 0;
    }
    if (is_there && (command == NULL || cli_command_use(command, OPT_JSON) != NULL)) {
        cli_errors_as_json();
    }
}

int cli_parse(const struct cli_command *command, int n, char *const *words,
              struct cli_values *values)
{
    *values = (struct cli_values){0};
    values->list = calloc(CLI_MAX_LIST, sizeof *values->list);
    values->arguments = calloc((size_t)n + 1, sizeof *values->arguments);
    if (values->list == NULL || values->arguments == NULL) {
        return cli_no_memory();
    }
    bool only_arguments = false;
    cli_expect_json(command, n, words);
    for (int at = 0, used = 1; at < n; at += used) {
        const char *word = words[at];
        used = 1;
        if (!only_arguments && strcmp(word, "--") == 0) {
            only_arguments = true;
        } else if (only_arguments || word[0] != '-' || word[1] == '\0') {
            values->arguments[values->n_arguments++] = word;
        } else {
            const int code = take_option(command, values, n - at, words + at, &used);
            if (code != CLI_OK) {
                return code;
            }
        }
    }
    if (cli_given(values, OPT_HELP)) {
        return CLI_OK;
    }
    int code = take_environment(command, values);
    if (cli_given(values, OPT_JSON)) {
        cli_errors_as_json();
    }
    code = code == CLI_OK ? take_defaults(command, values) : code;
    return code == CLI_OK ? check_arguments(command, values) : code;
}

void cli_values_release(struct cli_values *values)
{
    free(values->list);
    free(values->arguments);
    *values = (struct cli_values){0};
}
