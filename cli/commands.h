/* The commands of the program, one per file, and the groups of options that several of them
 * take. */
#ifndef SS_CLI_COMMANDS_H
#define SS_CLI_COMMANDS_H

#include "cli.h"

extern const struct cli_command cli_analyze, cli_plan, cli_merge, cli_describe, cli_score,
    cli_families, cli_map, cli_show, cli_search, cli_diff, cli_report, cli_view, cli_train,
    cli_evaluate, cli_encode, cli_embed, cli_fill_mask, cli_tokenize, cli_inspect, cli_convert,
    cli_plot, cli_fetch_command, cli_cache, cli_completion, cli_manual;

/* Of describe and score: the encoder of --model, NULL without; a line for a label; its members
 * in JSON. */
ss_status cli_open_run_encoder(const struct cli_values *values, ss_encoder **out, ss_err *err);
void cli_print_description(const struct ss_description *description, size_t feature,
                           size_t columns);
void cli_print_json_description(const struct ss_description *description);
/* The features whose labels are surest, and how many labels are how sure. */
void cli_print_sharpest(const ss_descriptions *descriptions);
void cli_print_verdicts(const ss_descriptions *descriptions);
/* Both as members of a JSON object. */
void cli_print_json_labels(const ss_descriptions *descriptions);

/* Of train and evaluate: figures of n SAEs as a table, and what of one is out of the usual
 * range (top_k 0: not known). */
/* One as an object, several as a list. */
ss_status cli_print_evaluations_json(const struct ss_evaluation *evaluations, size_t n,
                                     ss_err *err);
void cli_print_evaluations(const char *const *names, const struct ss_evaluation *evaluations,
                           size_t n);
void cli_print_judgement(const struct ss_evaluation *evaluation, uint64_t top_k);
/* Of describe: how a language model is asked, *out NULL where it is not (CLI_OK, or CLI_USAGE
 * after two lines on stderr); and what came of it. */
int cli_llm_options(const struct cli_command *command, const struct cli_values *values,
                    struct ss_llm_options *llm, const struct ss_llm_options **out);
void cli_print_llm(const ss_descriptions *descriptions);
void cli_print_json_llm(const ss_descriptions *descriptions);
/* Of a dry run: what would be asked. */
void cli_print_llm_plan(const ss_descriptions *descriptions, bool as_json);

/* What embed and analyze say of --precision; docs/numerics.md has the errors. */
#define CLI_ABOUT_PRECISION                                                                    \
    "--precision trades exactness for speed. Against arithmetic in float64, an embedding is "  \
    "off by at most 1e-6 of its length at highest, 2e-5 at high and 8e-3 at medium; at low, "  \
    "its cosine is 0.997 or more."

/* Options that several commands take, as a part of their `uses`. */
/* clang-format off */
#define CLI_USES_INPUTS \
    {OPT_MODEL, false, NULL, NULL}, {OPT_EMBEDDINGS, false, NULL, NULL}, \
    {OPT_EMBEDDING_COLUMN, false, NULL, NULL}, {OPT_SAE, false, NULL, NULL}, \
    {OPT_DATASET, false, NULL, NULL}
#define CLI_USES_DATASET \
    {OPT_SPLIT, false, NULL, NULL}, {OPT_CONFIG, false, NULL, NULL}, \
    {OPT_CACHE_DATASET, false, NULL, NULL}, {OPT_TEXT_COLUMN, false, NULL, NULL}
#define CLI_USES_ROWS \
    {OPT_FORMAT, false, NULL, NULL}, {OPT_TEXT_UNIT, false, "line", NULL}, \
    {OPT_CSV, false, NULL, NULL}, {OPT_ENCODING, false, NULL, NULL}, \
    {OPT_FIELD, false, NULL, NULL}, {OPT_ON_BAD_ROW, false, "stop", NULL}
#define CLI_USES_SELECTION \
    {OPT_WHERE, false, NULL, NULL}, {OPT_SAMPLE, false, NULL, NULL}
#define CLI_USES_SELECTION_SEED \
    CLI_USES_SELECTION, {OPT_SEED, false, "0", "another number gives another --sample"}
#define CLI_USES_PROMPT \
    {OPT_PROMPT, false, NULL, NULL}, {OPT_PROMPT_NAME, false, NULL, NULL}, \
    {OPT_MAX_TOKENS, false, NULL, NULL}
#define CLI_USES_ENCODER \
    CLI_USES_PROMPT, {OPT_TRUNCATE_DIM, false, NULL, NULL}, \
    {OPT_PRECISION, false, "high", NULL}
#define CLI_USES_SAE \
    {OPT_SAE_FORMAT, false, NULL, NULL}, {OPT_SAE_TOP_K, false, NULL, NULL}, \
    {OPT_BATCHTOPK, false, "refuse", NULL}, {OPT_BATCHTOPK_THRESHOLD, false, NULL, NULL}, \
    {OPT_CALIBRATION_ROWS, false, "10000", NULL}, {OPT_BATCH_ROWS, false, "64", NULL}
#define CLI_USES_WORK \
    {OPT_THREADS, false, NULL, NULL}, {OPT_BATCH_TOKENS, false, NULL, NULL}
/* clang-format on */

#endif
