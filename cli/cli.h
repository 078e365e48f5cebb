/* The program's own parts: options, commands, terminal, output. */
#ifndef SS_CLI_H
#define SS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "saescope_tools.h"

enum { CLI_OK = 0, CLI_USAGE = 64, CLI_IO = 74 };

/* ---- options: one table for the whole program ---- */

typedef enum cli_option_id {
    OPT_NONE, /* ends a list */
    OPT_MODEL,
    OPT_EMBEDDINGS,
    OPT_EMBEDDING_COLUMN,
    OPT_SAE,
    OPT_DATASET,
    OPT_SPLIT,
    OPT_CONFIG,
    OPT_CACHE_DATASET,
    OPT_OUT,
    OPT_SAVE_EMBEDDINGS,
    OPT_TEXT_COLUMN,
    OPT_KEEP,
    OPT_FORMAT,
    OPT_TEXT_UNIT,
    OPT_CSV,
    OPT_ENCODING,
    OPT_FIELD,
    OPT_ON_BAD_ROW,
    OPT_WHERE,
    OPT_SAMPLE,
    OPT_NUM_EXAMPLES,
    OPT_SKIP_EMPTY,
    OPT_NULL,
    OPT_WITH_TEXT,
    OPT_TOP_K,
    OPT_KEEP_DUPLICATES,
    OPT_EVIDENCE,
    OPT_EVIDENCE_BYTES,
    OPT_SAMPLE_ROWS,
    OPT_SAMPLE_SEED,
    OPT_STEPS,
    OPT_PAIRS_BYTES,
    OPT_NO_PAIRS,
    OPT_PART,
    OPT_APPEND,
    OPT_PLAN,
    OPT_PARTS,
    OPT_CHECKPOINT_SECONDS,
    OPT_ALLOW_MISSING,
    OPT_FAMILY_RULE,
    OPT_FAMILY_SCORE,
    OPT_MAX_PARENT_RATE,
    OPT_TAU,
    OPT_PAIRS_PHI,
    OPT_MATRIX,
    OPT_FAMILY,
    OPT_PROMPT,
    OPT_PROMPT_NAME,
    OPT_MAX_TOKENS,
    OPT_TRUNCATE_DIM,
    OPT_PRECISION,
    OPT_SAE_FORMAT,
    OPT_SAE_TOP_K,
    OPT_TO,
    OPT_ALLOW_ROUNDING,
    OPT_BATCHTOPK,
    OPT_BATCHTOPK_THRESHOLD,
    OPT_CALIBRATION_ROWS,
    OPT_BATCH_ROWS,
    OPT_CHECK,
    OPT_ROWS,
    OPT_SEARCH,
    OPT_RATE,
    OPT_DEAD,
    OPT_SORT,
    OPT_LIMIT,
    OPT_AS,
    OPT_METHOD,
    OPT_SEED_VARIANT,
    OPT_KEYWORD_MODEL,
    OPT_NO_SCORE,
    OPT_NO_SENTENCE_TEST,
    OPT_EXPORT,
    OPT_MODEL_ID,
    OPT_SOURCE_ID,
    OPT_AUTHOR_ID,
    OPT_STOP_WORDS,
    OPT_SIMILARITY,
    OPT_LLM,
    OPT_LLM_MODEL,
    OPT_LLM_API,
    OPT_LLM_SCORE,
    OPT_LLM_CANDIDATES,
    OPT_LLM_HINTS,
    OPT_LLM_EFFORT,
    OPT_LLM_JOBS,
    OPT_LLM_TIMEOUT,
    OPT_LLM_PRICE,
    OPT_MAX_COST,
    OPT_MAX_CALLS,
    OPT_MAX_LLM_TOKENS,
    OPT_LLM_CACHE,
    OPT_LLM_AGAIN,
    OPT_LLM_LOG_PROMPTS,
    OPT_CLUSTER_METHOD,
    OPT_CLUSTERS,
    OPT_MIN_CLUSTER_SIZE,
    OPT_MIN_SAMPLES,
    OPT_LEAVES,
    OPT_ON,
    OPT_NO_LABELS,
    OPT_PLACE,
    OPT_SEED,
    OPT_FEATURE,
    OPT_LABEL,
    OPT_LABELS,
    OPT_THRESHOLDS,
    OPT_RECIPE,
    OPT_KIND,
    OPT_DICT_SIZE,
    OPT_BATCH_SIZE,
    OPT_MAX_STEPS,
    OPT_LR,
    OPT_L1_COEFF,
    OPT_BANDWIDTH,
    OPT_PREFIXES,
    OPT_DTYPE,
    OPT_TARGET_L0,
    OPT_SWEEP,
    OPT_CHECKPOINT_STEPS,
    OPT_COMPARE,
    OPT_TITLE,
    OPT_WIDTH,
    OPT_HEIGHT,
    OPT_DPI,
    OPT_BINS,
    OPT_FIXED_RANGE,
    OPT_ZOOM,
    OPT_BUDGET,
    OPT_NO_TEXTS,
    OPT_EXTRACT,
    OPT_PORT,
    OPT_WITH,
    OPT_VIEW,
    OPT_MEANING,
    OPT_FEATURES,
    OPT_BY,
    OPT_MOST_Q,
    OPT_PRINT_CSV,
    OPT_THREADS,
    OPT_BATCH_TOKENS,
    OPT_FORCE,
    OPT_OFFLINE,
    OPT_DRY_RUN,
    OPT_FETCH_AS,
    OPT_JSON,
    OPT_QUIET,
    OPT_NO_COLOR,
    OPT_HELP,
    N_OPTIONS
} cli_option_id;

typedef enum cli_value_kind {
    CLI_FLAG,
    CLI_TEXT,
    CLI_LIST,  /* text that may be given several times */
    CLI_COUNT, /* a whole number, with the suffixes k, M, G for powers of 1000 */
    CLI_REAL,
    CLI_CHOICE
} cli_value_kind;

struct cli_option {
    const char *name;
    char letter; /* 0: none */
    cli_value_kind kind;
    const char *placeholder;    /* "DIR"; NULL for flags */
    const char *const *choices; /* NULL-terminated: of a CLI_CHOICE; words that a CLI_COUNT
                                   takes for UINT64_MAX */
    const char *help;           /* one sentence without a full stop */
    uint64_t least;             /* smallest CLI_COUNT */
};

extern const struct cli_option cli_options[N_OPTIONS];

enum { CLI_MAX_LIST = 4096, CLI_NUMBER_BYTES = 32 };

/* What a command was called with. Texts point into argv or the environment. */
struct cli_values {
    const char *text[N_OPTIONS]; /* as given; NULL if not; "" for a flag */
    const char *origin[N_OPTIONS];
    uint64_t count[N_OPTIONS];
    double real[N_OPTIONS];
    char number[N_OPTIONS][CLI_NUMBER_BYTES]; /* of a count or real, as JSON has it */
    const char **list;                        /* of the only list option, --dataset */
    size_t n_list;
    const char **arguments; /* positional */
    size_t n_arguments;
    size_t n_dropped; /* arguments that did not fit */
};

/* ---- commands ---- */

/* An option as one command takes it. */
struct cli_use {
    cli_option_id id;
    bool required;
    const char *fallback; /* the default, as text; NULL: none */
    const char *help;     /* instead of the table's */
};

struct cli_example {
    const char *command, *meaning;
};

enum { CLI_MAX_USES = 64, CLI_MAX_EXAMPLES = 6 };

struct cli_command {
    const char *name;
    const char *summary;                 /* one line for the list of commands */
    const char *argument;                /* "PATH"; NULL: takes none */
    size_t n_least, n_most;              /* of positional arguments */
    const char *const *argument_choices; /* NULL-terminated; NULL: whatever is given */
    const char *usage; /* where options exclude each other; NULL: as the tables say */
    const char *about; /* paragraphs for the help and the man page */
    struct cli_example examples[CLI_MAX_EXAMPLES];
    struct cli_use uses[CLI_MAX_USES]; /* ends at OPT_NONE */
    int (*run)(const struct cli_command *command, const struct cli_values *values);
    bool hidden;
};

extern const struct cli_command *const cli_commands[];
extern const size_t cli_n_commands;
const struct cli_command *cli_command_find(const char *name);
size_t cli_n_uses(const struct cli_command *command);
const struct cli_use *cli_command_use(const struct cli_command *command, cli_option_id id);

/* The name of `names` that a mistyped word most likely means, or NULL. */
const char *cli_suggest(const char *word, const char *(*name_at)(const void *, size_t),
                        const void *names, size_t n);

/* Read argv[0 … n) and the environment into values (release with cli_values_release). Returns
 * CLI_OK, or CLI_USAGE after two lines on stderr. With --help nothing else is checked. */
int cli_parse(const struct cli_command *command, int n, char *const *words,
              struct cli_values *values);
void cli_values_release(struct cli_values *values);

/* The environment variable of an option, such as SAESCOPE_TOP_K; returns `out`. */
const char *cli_environment_of(cli_option_id id, char out[96]);

/* Say which options, and which variables that begin with SAESCOPE_, have no effect. */
void cli_check_effects(const struct cli_command *command, const struct cli_values *values);
/* The same of options that have one on some kinds of files alone. */
void cli_check_dataset_effects(const struct cli_values *values, const ss_dataset *dataset);

/* The index-th of an array of names, for cli_suggest. */
const char *cli_choice_at(const void *names, size_t index);

/* From now on errors are a line of JSON on stderr: {"schema": 1, "error": {…}}. */
void cli_errors_as_json(void);
/* The same if --json is among the words, wherever it stands and the command (NULL: one that there
 * is not) knows it: a mistake in front of it is told as JSON, too. */
void cli_expect_json(const struct cli_command *command, int n, char *const *words);

static inline bool cli_given(const struct cli_values *values, cli_option_id id)
{
    return values->text[id] != NULL;
}

/* Whether an option stands on the command line itself, rather than in the environment or among
 * the defaults. */
bool cli_was_typed(const struct cli_values *values, cli_option_id id);

/* Option values as the manifest records them: [*n] of the options that have a value. */
struct ss_option_record *cli_records(const struct cli_command *command,
                                     const struct cli_values *values, size_t *n);

/* Options of the library from options of the command line. */
struct ss_encoder_options cli_encoder_options(const struct cli_values *values);
struct ss_sae_options cli_sae_options(const struct cli_values *values);
struct ss_dataset_options cli_dataset_options(const struct cli_values *values);
struct ss_embeddings_options cli_embeddings_options(const struct cli_values *values);
struct ss_run_options cli_run_options(const struct cli_values *values);

/* What --null and --skip-empty say of rows without a text. Returns CLI_OK, or CLI_USAGE after
 * two lines on stderr if they disagree. */
int cli_null_rule(const struct cli_command *command, const struct cli_values *values,
                  ss_null_rule *rule);

/* ---- places ---- */

/* ss_fetch with a bar on stderr. */
ss_status cli_fetch(const struct cli_values *values, ss_fetch_kind kind, const char *reference,
                    struct ss_fetch_result *out, ss_err *err);

/* Open an SAE, fetched first if it is a name of the hub or of an artifact store. */
ss_status cli_open_sae(const struct cli_values *values, const char *reference,
                       struct ss_sae_options options, ss_sae **out, ss_err *err);

/* Open what --dataset names, and say which options have no effect on it. */
ss_status cli_open_dataset(const struct cli_values *values, ss_dataset **out, ss_err *err);

/* Open the encoder that --model names, fetched first if it is a name of the hub. */
ss_status cli_open_encoder(const struct cli_values *values, struct ss_encoder_options options,
                           ss_encoder **out, ss_err *err);
ss_status cli_open_encoder_named(const struct cli_values *values, const char *reference,
                                 struct ss_encoder_options options, ss_encoder **out,
                                 ss_err *err);

/* Which part of a job --part says this process is; of 0 parts where it is not given. Returns
 * CLI_OK, or CLI_USAGE after two lines on stderr. */
struct cli_part {
    uint64_t part, n_parts;
};
int cli_read_part(const struct cli_command *command, const struct cli_values *values,
                  struct cli_part *part);

/* The --out of a command that writes a folder: "-" is refused. CLI_OK or CLI_USAGE. */
int cli_check_out_folder(const struct cli_command *command, const struct cli_values *values);

/* The --out of a command that writes a file: "-" is standard output, which --json wants too.
 * NULL after a usage error. */
const char *cli_out_file(const struct cli_command *command, const struct cli_values *values);

/* What analyze and encode read: texts by a model, or embeddings, and an SAE. */
struct cli_inputs {
    ss_encoder *encoder;
    ss_sae *sae;
    ss_dataset *dataset;
    ss_embeddings *embeddings;
};
/* Texts come from a model and a dataset, or embeddings from a file. Returns CLI_OK, or
 * CLI_USAGE after two lines on stderr. */
int cli_check_inputs(const struct cli_command *command, const struct cli_values *values);
/* Release after success and failure. */
ss_status cli_open_inputs(const struct cli_values *values, struct cli_inputs *in, ss_err *err);
void cli_close_inputs(struct cli_inputs *in);

/* ---- help, man pages, completions ---- */

void cli_help_overview(FILE *to);
/* The help of a command; the short one leaves out the prose. */
void cli_help_command(const struct cli_command *command, bool is_short, FILE *to);
void cli_man_command(const struct cli_command *command, FILE *to);
void cli_man_overview(FILE *to);
void cli_complete_bash(FILE *to);
void cli_complete_zsh(FILE *to);
void cli_complete_fish(FILE *to);

/* ---- terminal and output ---- */

/* Two lines on stderr: what is wrong, and where help is. Returns CLI_USAGE. */
int cli_usage_error(const struct cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A message of the library as users of the program know it: `text_column` is --text-column.
 * Returns `message` where it names no option or is longer than `out`, which else has it. */
enum { CLI_MESSAGE_BYTES = 2048 };
const char *cli_name_flags(const char *message, char out[CLI_MESSAGE_BYTES]);

/* Print an error of the library on stderr and return its exit code. The second says in addition
 * that nothing was written to `out`, if the command was stopped. */
int cli_fail(const ss_err *err);
/* The same where the program itself has no memory. */
int cli_no_memory(void);
int cli_fail_before(const ss_err *err, const char *out);

/* Notices and warnings on stderr; nothing but warnings with --quiet. */
struct ss_log cli_log(const struct cli_values *values);

/* Say the warnings of that log (the first 16) again on standard output: in a summary, which
 * they may have scrolled away from, or as a JSON array. */
void cli_print_warnings(void);
void cli_print_json_warnings(void);

/* Whether to colour what goes to a stream. */
bool cli_colours(const struct cli_values *values, FILE *to);

/* Write text from outside so that no control or bidirectional character reaches the terminal;
 * at most `n_columns` characters (0: all), white space folded, with an ellipsis where it is
 * cut. */
void cli_print_safely(FILE *to, struct ss_text text, size_t n_columns);

/* Write a line of text that may hold names from outside, as cli_print_safely does, and end it.
 */
void cli_say(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Write such text folded to lines of `n_columns` that begin at column `indent`, at most
 * `n_lines` of them, with an ellipsis where it is cut; the first one is padded to `indent` from
 * where a caller has written no more than that. Ends with a newline. */
void cli_print_wrapped(FILE *to, struct ss_text text, size_t indent, size_t n_columns,
                       size_t n_lines);

/* An empty line, "Written to FOLDER:" and what was, folded. */
void cli_print_written(const char *folder, const char *what);

/* Columns of standard output, and of standard error: of the terminal, else 80. */
size_t cli_output_columns(void);
size_t cli_error_columns(void);

/* Write a JSON string; bytes that are not UTF-8 become U+FFFD, characters that a terminal might
 * act on are escaped. */
void cli_print_json(FILE *to, struct ss_text text);
static inline struct ss_text cli_text_of(const char *text)
{
    size_t n = 0;
    while (text != NULL && text[n] != '\0') {
        n++;
    }
    return (struct ss_text){text, n};
}

/* The shortest text that reads back as the same number, of 64 or of 32 bits: "0.1", "1e-07";
 * "null" where it is not finite, as JSON has it. Returns `out`. */
const char *cli_number(double value, char out[CLI_NUMBER_BYTES]);
const char *cli_number_f32(float value, char out[CLI_NUMBER_BYTES]);

/* JSON that the library gave, with such characters escaped. */
void cli_print_raw_json(FILE *to, struct ss_text json);

/* A whole number with separators, as people read it: 1,234,567. */
const char *cli_thousands(uint64_t n, char out[32]);

/* A duration: "57.7 s", "1.25 s", "0.012 s". */
const char *cli_seconds(double seconds, char out[32]);

/* The same with a noun: "1 row", "1,234 rows". */
const char *cli_plural(uint64_t n, const char *noun, char out[64]);

/* Let writing fail with an error instead of a signal: where nobody reads any more (SIGPIPE) and
 * beyond the limit on the size of files (SIGXFSZ). */
void cli_catch_write_signals(void);

/* Where nobody reads standard output any more, the program ends as SIGPIPE ends others: without
 * a word. Returns where somebody does, or where the caller has that signal ignored. */
void cli_end_if_unread(void);

/* Flush and close stdout; a failure that was missed so far is said here. Returns `code`, or
 * CLI_IO when the output did not arrive. */
int cli_close_output(int code);

/* ---- progress ---- */

/* A progress bar on stderr, or a line now and then when that is no terminal. It also watches
 * for Ctrl-C: then the work ends with SS_E_STOPPED. */
struct cli_progress {
    const char *label;
    const char *unit; /* what is counted; NULL: rows */
    bool quiet, is_terminal, was_drawn;
    double last_seconds, next_line_seconds;
    double started, drawn;         /* of cli_progress_rows */
    double rate_rows, rate_tokens; /* moving averages */
    uint64_t last_rows, last_tokens;
    char step[32];                      /* that is told of; "": none */
    const char *rows_label, *rows_unit; /* while a step has its own */
};
void cli_progress_start(struct cli_progress *progress, const struct cli_values *values,
                        const char *label);
struct ss_progress_callback cli_show_progress(struct cli_progress *progress);
void cli_progress_end(struct cli_progress *progress);
/* End the line of a bar that is being drawn, so that something else can be said. */
void cli_progress_end_line(void);
/* For loops of the program itself, a row after the other: draws now and then. n_total 0: not
 * known. */
void cli_progress_rows(struct cli_progress *progress, uint64_t n_rows, uint64_t n_total,
                       uint64_t n_tokens);

/* Note signals that ask for an end; a second one ends the program at once. */
void cli_catch_signals(void);
bool cli_is_stopped(void);
struct ss_progress_callback cli_stop(void); /* shows nothing, and asks whether to stop */

/* Start `view` on a run that is going to be made, as a process; before there are threads. 0: it could not
 * be started, which was said. */
int cli_viewer_start(const char *run_dir);
/* Let it go on until somebody stops it, or end it now. */
void cli_viewer_end(int viewer, bool stays);

#endif
