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

/* An option that has an effect only beside another one (with a value), or only without it. */
static const struct effect {
    cli_option_id option;
    bool needs; /* else: is useless beside it */
    cli_option_id other;
    const char *value; /* NULL: any */
} effects[] = {
    {OPT_EMBEDDING_COLUMN, true, OPT_EMBEDDINGS, NULL},
    {OPT_PROMPT, false, OPT_EMBEDDINGS, NULL},
    {OPT_PROMPT_NAME, false, OPT_EMBEDDINGS, NULL},
    {OPT_MAX_TOKENS, false, OPT_EMBEDDINGS, NULL},
    {OPT_TRUNCATE_DIM, false, OPT_EMBEDDINGS, NULL},
    {OPT_PRECISION, false, OPT_EMBEDDINGS, NULL},
    {OPT_BATCHTOPK_THRESHOLD, true, OPT_BATCHTOPK, "threshold"},
    {OPT_CALIBRATION_ROWS, true, OPT_BATCHTOPK, "threshold"},
    {OPT_CALIBRATION_ROWS, false, OPT_BATCHTOPK_THRESHOLD, NULL},
    {OPT_BATCH_ROWS, true, OPT_BATCHTOPK, "batch"},
    {OPT_PROMPT_NAME, false, OPT_PROMPT, NULL},
    {OPT_EVIDENCE_BYTES, false, OPT_EVIDENCE, "none"},
    {OPT_SAMPLE_ROWS, false, OPT_EVIDENCE, "none"},
    {OPT_PAIRS_BYTES, false, OPT_NO_PAIRS, NULL},
    {OPT_SAMPLE_SEED, false, OPT_EVIDENCE, "none"},
    {OPT_LLM_API, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_SCORE, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_CANDIDATES, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_HINTS, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_EFFORT, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_TIMEOUT, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_JOBS, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_PRICE, true, OPT_LLM_MODEL, NULL},
    {OPT_MAX_COST, true, OPT_LLM_MODEL, NULL},
    {OPT_MAX_CALLS, true, OPT_LLM_MODEL, NULL},
    {OPT_MAX_LLM_TOKENS, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_CACHE, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_AGAIN, true, OPT_LLM_MODEL, NULL},
    {OPT_LLM_LOG_PROMPTS, true, OPT_LLM_MODEL, NULL},
};

static bool was_given(const struct cli_values *values, cli_option_id id)
{
    return values->origin[id] != NULL && strcmp(values->origin[id], "command line") == 0;
}

static void check_options(const struct cli_values *values)
{
    for (size_t i = 0; i < sizeof effects / sizeof effects[0]; i++) {
        const struct effect *effect = &effects[i];
        const char *found = values->text[effect->other];
        const bool is_there = effect->value == NULL
                                  ? was_given(values, effect->other)
                                  : found != NULL && strcmp(found, effect->value) == 0;
        if (was_given(values, effect->option) && is_there != effect->needs) {
            cli_say(stderr, "note: --%s has no effect %s --%s%s%s",
                    cli_options[effect->option].name, effect->needs ? "without" : "beside",
                    cli_options[effect->other].name, effect->value == NULL ? "" : " ",
                    effect->value == NULL ? "" : effect->value);
        }
    }
}

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

void cli_check_effects(const struct cli_values *values)
{
    if (!cli_given(values, OPT_QUIET)) {
        check_options(values);
        check_environment();
    }
}
