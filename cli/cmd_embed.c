/* saescope embed: a dataset in, a matrix of embeddings out. */
#include "commands.h"

static void report(const struct cli_values *values, const struct ss_embed_result *done)
{
    const double seconds = done->seconds > 0 ? done->seconds : 1e-9;
    const double rate = (double)done->n_tokens / seconds;
    char rows[64], tokens[32], missing[64], time[32];
    if (cli_given(values, OPT_JSON)) {
        printf("{\"schema\": 1, \"out\": ");
        cli_print_json(stdout, cli_text_of(values->text[OPT_OUT]));
        printf(", \"rows\": %llu, \"rows_without_text\": %llu, \"tokens\": %llu, "
               "\"seconds\": %.3f}\n",
               (unsigned long long)done->n_rows, (unsigned long long)done->n_rows_missing,
               (unsigned long long)done->n_tokens, done->seconds);
    } else if (!cli_given(values, OPT_QUIET)) {
        cli_say(stderr, "%s written in %s, %s tokens/s: %s",
                cli_plural(done->n_rows, "row", rows), cli_seconds(done->seconds, time),
                cli_thousands((uint64_t)rate, tokens), values->text[OPT_OUT]);
        if (done->n_rows_missing > 0) {
            fprintf(stderr, "%s without a text (null): --null %s\n",
                    cli_plural(done->n_rows_missing, "row", missing),
                    cli_given(values, OPT_SKIP_EMPTY) ? "skip" : values->text[OPT_NULL]);
        }
    }
}

static int embed(const struct cli_command *command, const struct cli_values *values)
{
    const char *out = cli_out_file(command, values);
    if (out == NULL) {
        return CLI_USAGE;
    }
    ss_encoder *encoder = NULL;
    ss_dataset *dataset = NULL;
    struct ss_embed_result done = {.struct_size = sizeof done};
    struct cli_progress progress;
    ss_null_rule null_rule = SS_NULL_DEFAULT;
    ss_err err;
    if (cli_null_rule(command, values, &null_rule) != CLI_OK) {
        return CLI_USAGE;
    }
    cli_progress_start(&progress, values, "embed");
    const struct ss_encoder_options encoder_options = cli_encoder_options(values);
    const struct ss_embed_options options = {
        .struct_size = sizeof options,
        .num_examples = values->count[OPT_NUM_EXAMPLES],
        .null_rule = null_rule,
        .force = cli_given(values, OPT_FORCE),
        .n_threads = values->count[OPT_THREADS],
        .batch_tokens = values->count[OPT_BATCH_TOKENS],
        .log = cli_log(values),
        .progress = cli_show_progress(&progress),
    };
    ss_status status = cli_open_dataset(values, &dataset, &err);
    if (status == SS_OK) {
        status = cli_open_encoder(values, encoder_options, &encoder, &err);
    }
    const bool is_open = status == SS_OK;
    if (is_open) {
        status = ss_embed_file(encoder, dataset, out, &options, &done, &err);
        cli_progress_end(&progress);
    }
    if (status == SS_E_IO && out != values->text[OPT_OUT]) {
        cli_end_if_unread();
    }
    const int code = status == SS_OK ? CLI_OK
                     : is_open       ? cli_fail(&err)
                                     : cli_fail_before(&err, values->text[OPT_OUT]);
    if (status == SS_OK) {
        report(values, &done);
    }
    ss_dataset_close(dataset);
    ss_encoder_free(encoder);
    return code;
}

const struct cli_command cli_embed = {
    .name = "embed",
    .summary = "embeddings of every row, as a .npy file",
    .about =
        "Writes one float32 row per row of the dataset, in its order. An empty text is "
        "embedded like any other; a row without a text (null) is an error, unless --null says "
        "otherwise: zero writes a row of zeros and nan a row of NaN, so that rows still "
        "match the dataset (analyze --embeddings leaves rows of NaN out, and rows of "
        "zeros beside a null text); skip leaves the "
        "row out, and later rows move up.\n\n" CLI_ABOUT_PRECISION
        " Without AMX, high is highest.",
    .examples = {{"saescope embed --model MODEL --dataset texts.jsonl --out x.npy",
                  "all rows of a file; numpy.load reads the result"},
                 {"saescope embed -m MODEL -d notes.txt --text-unit paragraph -o notes.npy",
                  "paragraphs of a plain text"}},
    .uses = {{OPT_MODEL, true, NULL, NULL},
             {OPT_DATASET, true, NULL, NULL},
             {OPT_OUT, true, NULL, "the .npy file to write; - for standard output"},
             CLI_USES_DATASET,
             CLI_USES_ROWS,
             CLI_USES_SELECTION_SEED,
             {OPT_NUM_EXAMPLES, false, NULL, "stop after N rows; else all"},
             {OPT_NULL, false, "stop", NULL},
             {OPT_SKIP_EMPTY, false, NULL, "the same as --null skip"},
             CLI_USES_ENCODER,
             CLI_USES_WORK,
             {OPT_FORCE, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = embed,
};
