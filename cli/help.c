/* Help as text, from the tables of options and commands. */
#include "help.h"

#include <string.h>

enum { HELP_COLUMN = 30, HELP_WIDTH = 78 };

/* What holds for all commands. */
const char cli_on_values[] =
    "A whole number may end in k, M or G: 100k is 100,000. Every option can also be set by an "
    "environment variable, SAESCOPE_ and its name in capitals with underscores, such as "
    "SAESCOPE_TOP_K=5; one without a value by 1. Command-line options take precedence.";
const char cli_on_exit[] =
    "Exit status: 0 success, 64 usage error, 65 bad data, 66 no such input, 69 service "
    "unavailable, 70 internal fault or out of memory, 74 reading or writing failed or the "
    "output exists, 75 stopped before the end. Where the reader of standard output has gone, "
    "as "
    "head does, the program ends quietly as by SIGPIPE: 141 in a shell.";

/* Words of `text` from column `indent` on, folded before HELP_WIDTH. */
static void print_folded(FILE *to, const char *text, size_t indent)
{
    size_t column = indent;
    while (*text != '\0') {
        const size_t n = strcspn(text, " \n");
        if (column > indent && column + 1 + n > HELP_WIDTH) {
            fprintf(to, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', to);
            column++;
        }
        fprintf(to, "%.*s", (int)n, text);
        column += n;
        text += n;
        if (strncmp(text, "\n\n", 2) == 0) {
            fprintf(to, "\n\n%*s", (int)indent, "");
            column = indent;
        }
        text += strspn(text, " \n");
    }
    fputc('\n', to);
}

static const char *use_help(const struct cli_use *use)
{
    return use->help != NULL ? use->help : cli_options[use->id].help;
}

/* "-k, --top-k N" */
static void format_option(const struct cli_option *option, char out[80])
{
    char letter[8] = "    ";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    snprintf(out, 80, "%s--%s%s%s", letter, option->name,
             option->placeholder != NULL ? " " : "",
             option->placeholder != NULL ? option->placeholder : "");
}

void cli_format_details(const struct cli_use *use, char *out, size_t n_room)
{
    const struct cli_option *option = &cli_options[use->id];
    size_t n = (size_t)snprintf(out, n_room, "%s", use_help(use));
    if (option->kind == CLI_CHOICE) {
        n += (size_t)snprintf(out + n, n_room - n, ": ");
        for (size_t i = 0; option->choices[i] != NULL; i++) {
            n += (size_t)snprintf(out + n, n_room - n, "%s%s", i == 0 ? "" : ", ",
                                  option->choices[i]);
        }
    }
    if (use->fallback != NULL) {
        n += (size_t)snprintf(out + n, n_room - n, " [default: %s]", use->fallback);
    }
    if (use->required) {
        snprintf(out + n, n_room - n, " (required)");
    }
}

static void print_option(const struct cli_use *use, FILE *to)
{
    char left[80], details[512];
    format_option(&cli_options[use->id], left);
    cli_format_details(use, details, sizeof details);
    fprintf(to, "  %-*s", HELP_COLUMN - 4, left);
    if (strlen(left) > HELP_COLUMN - 4) {
        fprintf(to, "\n%*s", HELP_COLUMN - 2, "");
    }
    fputs("  ", to);
    print_folded(to, details, HELP_COLUMN);
}

void cli_format_usage(const struct cli_command *command, char *out, size_t n_room)
{
    size_t n = 0;
    if (command->usage != NULL) {
        snprintf(out, n_room, "%s", command->usage);
        return;
    }
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        const struct cli_option *option = &cli_options[command->uses[i].id];
        if (command->uses[i].required) {
            n += (size_t)snprintf(out + n, n_room - n, "--%s %s ", option->name,
                                  option->placeholder);
        }
    }
    n += (size_t)snprintf(out + n, n_room - n, "[options]");
    if (command->argument != NULL) {
        snprintf(out + n, n_room - n, command->n_least > 0 ? " %s%s" : " [%s%s]",
                 command->argument, command->n_most > 1 ? "..." : "");
    }
}

static void print_usage(const struct cli_command *command, FILE *to)
{
    char usage[256], line[320];
    cli_format_usage(command, usage, sizeof usage);
    snprintf(line, sizeof line, "saescope %s %s", command->name, usage);
    fputs("Usage: ", to);
    print_folded(to, line, strlen("Usage: "));
}

/* ---- options in groups ---- */

enum { MOST_IN_GROUP = 24, FEW_OPTIONS = 12, LEAST_IN_GROUPS = 6 };

/* The order in which help shows options. What stands nowhere comes last, as "Other". */
static const struct group {
    const char *title;
    cli_option_id of; /* only in commands that take it, and there before others */
    cli_option_id ids[MOST_IN_GROUP]; /* ends at OPT_NONE */
} groups[] = {
    {"What to do", OPT_ROWS, {OPT_CHECK, OPT_ROWS, OPT_AS}},
    {"Input and output",
     OPT_NONE,
     {OPT_MODEL, OPT_EMBEDDINGS, OPT_EMBEDDING_COLUMN, OPT_SAE, OPT_DATASET, OPT_THRESHOLDS,
      OPT_TO, OPT_OUT, OPT_SAVE_EMBEDDINGS, OPT_FORCE}},
    {"Dataset",
     OPT_NONE,
     {OPT_TEXT_COLUMN, OPT_KEEP, OPT_NUM_EXAMPLES, OPT_WHERE, OPT_SAMPLE, OPT_SPLIT, OPT_CONFIG,
      OPT_FORMAT, OPT_TEXT_UNIT, OPT_CSV, OPT_ENCODING, OPT_FIELD, OPT_ON_BAD_ROW, OPT_NULL,
      OPT_SKIP_EMPTY, OPT_WITH_TEXT, OPT_CACHE_DATASET, OPT_SEED}},
    {"Encoder",
     OPT_NONE,
     {OPT_PRECISION, OPT_PROMPT, OPT_PROMPT_NAME, OPT_MAX_TOKENS, OPT_TRUNCATE_DIM}},
    {"SAE",
     OPT_NONE,
     {OPT_BATCHTOPK, OPT_BATCHTOPK_THRESHOLD, OPT_CALIBRATION_ROWS, OPT_BATCH_ROWS,
      OPT_SAE_FORMAT, OPT_SAE_TOP_K, OPT_ALLOW_ROUNDING, OPT_COMPARE}},
    {"Training",
     OPT_RECIPE,
     {OPT_RECIPE, OPT_KIND, OPT_DICT_SIZE, OPT_TOP_K, OPT_PREFIXES, OPT_TARGET_L0, OPT_SWEEP,
      OPT_DTYPE, OPT_MAX_STEPS, OPT_BATCH_SIZE, OPT_LR, OPT_L1_COEFF, OPT_BANDWIDTH, OPT_SEED,
      OPT_CHECKPOINT_STEPS}},
    {"Labels and scores",
     OPT_NONE,
     {OPT_METHOD, OPT_SEED_VARIANT, OPT_KEYWORD_MODEL, OPT_STOP_WORDS, OPT_NO_SCORE,
      OPT_NO_SENTENCE_TEST, OPT_SIMILARITY}},
    {"Language model",
     OPT_LLM,
     {OPT_LLM, OPT_LLM_MODEL, OPT_LLM_API, OPT_LLM_SCORE, OPT_LLM_CANDIDATES, OPT_LLM_HINTS,
      OPT_LLM_EFFORT, OPT_LLM_JOBS, OPT_LLM_TIMEOUT, OPT_LLM_PRICE, OPT_MAX_COST, OPT_MAX_CALLS,
      OPT_MAX_LLM_TOKENS, OPT_LLM_CACHE, OPT_LLM_AGAIN, OPT_LLM_LOG_PROMPTS, OPT_DRY_RUN}},
    {"Export", OPT_EXPORT, {OPT_EXPORT, OPT_MODEL_ID, OPT_SOURCE_ID, OPT_AUTHOR_ID, OPT_FORCE}},
    {"Results",
     OPT_NONE,
     {OPT_TOP_K, OPT_KEEP_DUPLICATES, OPT_EVIDENCE, OPT_EVIDENCE_BYTES, OPT_SAMPLE_ROWS,
      OPT_SAMPLE_SEED, OPT_PAIRS_BYTES, OPT_NO_PAIRS, OPT_STEPS, OPT_TITLE, OPT_WIDTH,
      OPT_HEIGHT, OPT_DPI, OPT_BINS, OPT_FIXED_RANGE, OPT_ZOOM}},
};
enum { N_GROUPS = sizeof groups / sizeof groups[0] };

static bool is_in(const struct group *group, cli_option_id id)
{
    for (size_t i = 0; i < MOST_IN_GROUP && group->ids[i] != OPT_NONE; i++) {
        if (group->ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* The group of an option; N_GROUPS where it stands nowhere. */
static size_t group_of(const struct cli_command *command, cli_option_id id)
{
    size_t found = N_GROUPS;
    for (size_t g = 0; g < N_GROUPS; g++) {
        const cli_option_id of = groups[g].of;
        const bool counts = of == OPT_NONE || cli_command_use(command, of) != NULL;
        if (counts && is_in(&groups[g], id) && (found == N_GROUPS || of != OPT_NONE)) {
            found = g;
        }
    }
    return found;
}

static void print_group(const struct cli_command *command, size_t group, FILE *to)
{
    bool is_first = true;
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        if (group_of(command, command->uses[i].id) == group) {
            if (is_first) {
                fprintf(to, "\n%s:\n", group < N_GROUPS ? groups[group].title : "Other");
            }
            is_first = false;
            print_option(&command->uses[i], to);
        }
    }
}

/* Whether groups say something: a long list of which some options stand in them. */
static bool has_groups(const struct cli_command *command)
{
    size_t n = 0;
    for (size_t i = 0; i < cli_n_uses(command); i++) {
        n += group_of(command, command->uses[i].id) < N_GROUPS;
    }
    return cli_n_uses(command) > FEW_OPTIONS && n >= LEAST_IN_GROUPS;
}

static void print_options(const struct cli_command *command, FILE *to)
{
    if (!has_groups(command)) {
        fputs("\nOptions:\n", to);
        for (size_t i = 0; i < cli_n_uses(command); i++) {
            print_option(&command->uses[i], to);
        }
        return;
    }
    for (size_t g = 0; g <= N_GROUPS; g++) {
        print_group(command, g, to);
    }
}

void cli_help_command(const struct cli_command *command, bool is_short, FILE *to)
{
    fprintf(to, "saescope %s: %s\n\nExamples:\n", command->name, command->summary);
    for (size_t i = 0; i < CLI_MAX_EXAMPLES && command->examples[i].command != NULL; i++) {
        fprintf(to, "  %s\n      %s\n", command->examples[i].command,
                command->examples[i].meaning);
    }
    fputc('\n', to);
    print_usage(command, to);
    if (!is_short) {
        fputc('\n', to);
        print_folded(to, command->about, 0);
    }
    print_options(command, to);
    fputc('\n', to);
    if (is_short) {
        fprintf(to, "saescope %s --help says more.\n", command->name);
        return;
    }
    print_folded(to, cli_on_values, 0);
    fputc('\n', to);
    print_folded(to, cli_on_exit, 0);
}

void cli_help_overview(FILE *to)
{
    fputs("saescope: what the features of a sparse autoencoder mean in a text dataset\n"
          "\n"
          "Examples:\n"
          "  saescope analyze --model MODEL --sae SAE --dataset texts.jsonl --out run\n"
          "      embed every text, encode it, and write fire rates, histogram and top texts\n"
          "  saescope inspect texts.jsonl\n"
          "      say what a file or folder is\n"
          "\n"
          "Usage: saescope COMMAND [options]\n"
          "\n"
          "Commands:\n",
          to);
    for (size_t i = 0; i < cli_n_commands; i++) {
        if (!cli_commands[i]->hidden) {
            fprintf(to, "  %-12s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
        }
    }
    fputs("\n"
          "  saescope COMMAND --help   options and examples of a command\n"
          "  saescope --version        the version\n"
          "\n"
          "MODEL, SAE and dataset are files or folders, or names on the hub, which are\n"
          "downloaded when they are needed: ORG/NAME for a model, hf:ORG/NAME for others.\n",
          to);
}
