/* No option without effect passes in silence: options that others make useless, and environment
 * variables that look as if they were ours. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "environment.h"

extern char **environ;

static const char prefix[] = "SAESCOPE_";

static const char *const kernels[] = {"reference", "avx2",        "avx2-vnni",
                                      "avx512",    "avx512-vnni", "amx"};

enum { MOST_NAMES = 2 * N_OPTIONS, MOST_BYTES = 64 };

/* TOP_K for --top-k. */
static void variable_of(cli_option_id id, char out[MOST_BYTES])
{
    size_t at = 0;
    for (const char *c = cli_options[id].name; *c != '\0' && at + 1 < MOST_BYTES; c++) {
        out[at++] = (char)(*c == '-' ? '_' : *c - 'a' + 'A');
    }
    out[at] = '\0';
}

const char *cli_environment_of(cli_option_id id, char out[96])
{
    char name[MOST_BYTES];
    variable_of(id, name);
    snprintf(out, 96, "%s%s", prefix, name);
    return out;
}

/* What may follow the prefix: those of options, then those of the table. */
static size_t list_names(char names[MOST_NAMES][MOST_BYTES])
{
    size_t n = 0;
    for (size_t id = OPT_NONE + 1; id < N_OPTIONS; id++) {
        variable_of((cli_option_id)id, names[n++]);
    }
    for (size_t i = 0; i < cli_n_variables * CLI_MAX_NAMES; i++) {
        const char *name = cli_variables[i / CLI_MAX_NAMES].names[i % CLI_MAX_NAMES];
        if (name != NULL && strncmp(name, prefix, strlen(prefix)) == 0 && n < MOST_NAMES) {
            snprintf(names[n++], MOST_BYTES, "%s", name + strlen(prefix));
        }
    }
    return n;
}

static void check_name(const char *name)
{
    char names[MOST_NAMES][MOST_BYTES];
    const char *pointers[MOST_NAMES];
    const size_t n = list_names(names);
    for (size_t i = 0; i < n; i++) {
        pointers[i] = names[i];
        if (strcmp(names[i], name) == 0) {
            return;
        }
    }
    const char *meant = cli_suggest(name, cli_choice_at, pointers, n);
    cli_say(stderr, "note: the environment variable %s%s has no effect%s%s%s", prefix, name,
            meant == NULL ? "" : "; did you mean SAESCOPE_", meant == NULL ? "" : meant,
            meant == NULL ? "" : "?");
}

static void check_kernels(const char *value)
{
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++) {
        if (strcmp(kernels[i], value) == 0) {
            return;
        }
    }
    cli_say(stderr,
            "note: SAESCOPE_CPU='%s' has no effect; it may be reference, avx2, "
            "avx2-vnni, avx512, avx512-vnni or amx",
            value);
}

/* ---- options ---- */

/* An option that has an effect only beside another one (with a value), or only without it. It
 * counts for commands that take both. */
enum { MOST_OTHERS = 2 };
static const struct effect {
    cli_option_id option;
    bool needs; /* one of them; else: is useless beside each of them */
    struct {
        cli_option_id id;
        const char *value; /* NULL: any */
    } others[MOST_OTHERS];
    const char *but; /* not in this command; NULL: in all */
} effects[] = {
    {OPT_EMBEDDING_COLUMN, true, {{OPT_EMBEDDINGS, NULL}}, NULL},
    {OPT_PROMPT, true, {{OPT_MODEL, NULL}}, NULL},
    {OPT_PROMPT_NAME, true, {{OPT_MODEL, NULL}}, NULL},
    {OPT_PROMPT_NAME, false, {{OPT_PROMPT, NULL}}, NULL},
    {OPT_MAX_TOKENS, true, {{OPT_MODEL, NULL}}, NULL},
    {OPT_TRUNCATE_DIM, true, {{OPT_MODEL, NULL}}, NULL},
    {OPT_PRECISION, true, {{OPT_MODEL, NULL}}, NULL},
    {OPT_BATCH_TOKENS, true, {{OPT_MODEL, NULL}}, NULL},
    {OPT_SPLIT, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_CONFIG, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_CACHE_DATASET, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_TEXT_COLUMN, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_TEXT_COLUMN, true, {{OPT_PLACE, NULL}}, NULL},
    {OPT_KEEP, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_WITH_TEXT, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_FORMAT, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_TEXT_UNIT, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_CSV, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_ENCODING, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_FIELD, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_ON_BAD_ROW, true, {{OPT_DATASET, NULL}}, NULL},
    {OPT_SEED, true, {{OPT_SAMPLE, NULL}}, "train"},
    {OPT_BATCHTOPK_THRESHOLD, true, {{OPT_BATCHTOPK, "threshold"}}, NULL},
    {OPT_CALIBRATION_ROWS, true, {{OPT_BATCHTOPK, "threshold"}}, NULL},
    {OPT_CALIBRATION_ROWS, false, {{OPT_BATCHTOPK_THRESHOLD, NULL}}, NULL},
    {OPT_BATCH_ROWS, true, {{OPT_BATCHTOPK, "batch"}}, NULL},
    {OPT_EVIDENCE_BYTES, false, {{OPT_EVIDENCE, "none"}}, NULL},
    {OPT_SAMPLE_ROWS, false, {{OPT_EVIDENCE, "none"}}, NULL},
    {OPT_SAMPLE_SEED, false, {{OPT_EVIDENCE, "none"}}, NULL},
    {OPT_PAIRS_BYTES, false, {{OPT_NO_PAIRS, NULL}}, NULL},
    {OPT_TITLE, false, {{OPT_PART, NULL}}, NULL},
    {OPT_STEPS, false, {{OPT_PART, NULL}}, NULL},
    {OPT_VIEW, false, {{OPT_PART, NULL}}, NULL},
    {OPT_SEED_VARIANT, true, {{OPT_METHOD, "seed"}}, NULL},
    {OPT_STOP_WORDS, true, {{OPT_METHOD, "contrast"}}, NULL},
    {OPT_NO_SENTENCE_TEST, false, {{OPT_NO_SCORE, NULL}, {OPT_METHOD, "none"}}, NULL},
    {OPT_SIMILARITY, false, {{OPT_NO_SCORE, NULL}, {OPT_METHOD, "none"}}, NULL},
    {OPT_NO_SCORE, false, {{OPT_METHOD, "none"}}, NULL},
    {OPT_METHOD, false, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_NO_SCORE, false, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_NO_SENTENCE_TEST, false, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_SIMILARITY, false, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_STOP_WORDS, false, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_MODEL, false, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_LLM_MODEL, false, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_MODEL_ID, true, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_SOURCE_ID, true, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_AUTHOR_ID, true, {{OPT_EXPORT, "neuronpedia-import"}}, NULL},
    {OPT_FORCE, true, {{OPT_EXPORT, NULL}}, NULL},
    {OPT_LLM_API, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_SCORE, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_CANDIDATES, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_HINTS, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_EFFORT, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_TIMEOUT, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_JOBS, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_PRICE, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_MAX_COST, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_MAX_CALLS, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_MAX_LLM_TOKENS, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_CACHE, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_AGAIN, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_LLM_LOG_PROMPTS, true, {{OPT_LLM_MODEL, NULL}}, NULL},
    {OPT_MIN_CLUSTER_SIZE, true, {{OPT_CLUSTER_METHOD, "hdbscan"}}, NULL},
    {OPT_MIN_SAMPLES, true, {{OPT_CLUSTER_METHOD, "hdbscan"}}, NULL},
    {OPT_LEAVES, true, {{OPT_CLUSTER_METHOD, "hdbscan"}}, NULL},
    {OPT_THREADS, true, {{OPT_MEANING, NULL}}, NULL},
    {OPT_PRINT_CSV, false, {{OPT_JSON, NULL}}, NULL},
    {OPT_LIMIT, false, {{OPT_PRINT_CSV, NULL}}, NULL},
    {OPT_MOST_Q, false, {{OPT_PRINT_CSV, NULL}}, NULL},
    {OPT_BUDGET, false, {{OPT_EXTRACT, NULL}}, NULL},
    {OPT_NO_TEXTS, false, {{OPT_EXTRACT, NULL}}, NULL},
    {OPT_WITH, false, {{OPT_EXTRACT, NULL}}, NULL},
    {OPT_BANDWIDTH, true, {{OPT_KIND, "jumprelu"}, {OPT_RECIPE, "seed"}}, NULL},
    {OPT_TOP_K, false, {{OPT_KIND, "vanilla"}, {OPT_TARGET_L0, NULL}}, NULL},
    {OPT_FIXED_RANGE, false, {{OPT_ZOOM, NULL}, {OPT_THRESHOLDS, NULL}}, NULL},
};
enum { N_EFFECTS = sizeof effects / sizeof effects[0] };

bool cli_was_typed(const struct cli_values *values, cli_option_id id)
{
    return values->origin[id] != NULL && strcmp(values->origin[id], "command line") == 0;
}

/* Whether the i-th of the others is there, wherever it came from; defaults count as values. */
static bool is_there(const struct cli_values *values, const struct effect *effect, size_t i)
{
    const cli_option_id id = effect->others[i].id;
    const char *found = values->text[id], *wanted = effect->others[i].value;
    if (wanted != NULL) {
        return found != NULL && strcmp(found, wanted) == 0;
    }
    return found != NULL && strcmp(values->origin[id], "default") != 0;
}

static bool counts(const struct cli_command *command, const struct effect *effect)
{
    return cli_command_use(command, effect->others[0].id) != NULL &&
           (effect->but == NULL || strcmp(effect->but, command->name) != 0);
}

static void say_effect(const struct effect *effect, size_t first, size_t n)
{
    char list[128] = "";
    for (size_t i = first; i < first + n; i++) {
        const char *value = effect->others[i].value;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s--%s%s%s",
                 i == first ? "" : " or ", cli_options[effect->others[i].id].name,
                 value == NULL ? "" : " ", value == NULL ? "" : value);
    }
    cli_say(stderr, "note: --%s has no effect %s %s", cli_options[effect->option].name,
            effect->needs ? "without" : "beside", list);
}

static void check_effect(const struct cli_values *values, const struct effect *effect)
{
    size_t n_others = 0, n_there = 0, which = 0;
    while (n_others < MOST_OTHERS && effect->others[n_others].id != OPT_NONE) {
        if (is_there(values, effect, n_others)) {
            n_there++;
            which = n_others;
        }
        n_others++;
    }
    if (effect->needs && n_there == 0) {
        say_effect(effect, 0, n_others);
    } else if (!effect->needs && n_there > 0) {
        say_effect(effect, which, 1);
    }
}

static void check_options(const struct cli_command *command, const struct cli_values *values)
{
    for (size_t i = 0; i < N_EFFECTS; i++) {
        if (cli_was_typed(values, effects[i].option) && counts(command, &effects[i])) {
            check_effect(values, &effects[i]);
        }
    }
}

/* ---- what depends on the files ---- */

void cli_check_dataset_effects(const struct cli_values *values, const ss_dataset *dataset)
{
    static const char *const binary[] = {"parquet", "arrow"};
    struct ss_dataset_info info = {.struct_size = sizeof info};
    bool is_binary = false;
    if (cli_given(values, OPT_QUIET) || ss_dataset_describe(dataset, &info) != SS_OK) {
        return;
    }
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++) {
        is_binary = is_binary || strcmp(info.format, binary[i]) == 0;
    }
    if (cli_was_typed(values, OPT_TEXT_UNIT) && strcmp(info.format, "txt") != 0 &&
        strcmp(info.format, "mixed") != 0) {
        cli_say(stderr, "note: --text-unit has no effect: these are no text files, but %s",
                info.format);
    }
    if (cli_was_typed(values, OPT_ENCODING) && is_binary) {
        cli_say(stderr, "note: --encoding has no effect on %s, whose texts are UTF-8",
                info.format);
    }
    if (cli_was_typed(values, OPT_CACHE_DATASET) && info.commit[0] == '\0') {
        cli_say(stderr, "note: --cache-dataset has no effect: nothing is read from the hub");
    }
}

/* ---- the environment ---- */

static void check_environment(void)
{
    const size_t n_prefix = strlen(prefix);
    for (char **entry = environ; *entry != NULL; entry++) {
        char name[MOST_BYTES];
        const char *rest = *entry + n_prefix;
        const char *equals = strchr(*entry, '=');
        if (strncmp(*entry, prefix, n_prefix) != 0 || equals == NULL || equals[1] == '\0' ||
            (size_t)(equals - rest) >= sizeof name) {
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)(equals - rest), rest);
        if (strcmp(name, "CPU") == 0) {
            check_kernels(equals + 1);
        } else {
            check_name(name);
        }
    }
}

void cli_check_effects(const struct cli_command *command, const struct cli_values *values)
{
    if (!cli_given(values, OPT_QUIET)) {
        check_options(command, values);
        check_environment();
    }
}
