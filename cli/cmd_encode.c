/* saescope encode: a dataset in, the features of every row out. */
#include <string.h>

#include "commands.h"

static void report(const struct cli_values *values, const struct ss_encode_result *done)
{
    const char *out = values->text[OPT_OUT];
    char rows[64], number[64], time[32];
    if (cli_given(values, OPT_JSON)) {
        printf("{\"schema\": 1, \"out\": ");
        cli_print_json(stdout, cli_text_of(out));
        printf(", \"rows\": %llu, \"rows_without_text\": %llu, \"rows_reembedded\": %llu, "
               "\"activations\": %llu, \"tokens\": %llu, \"seconds\": %.3f}\n",
               (unsigned long long)done->n_rows, (unsigned long long)done->n_rows_empty,
               (unsigned long long)done->n_rows_reembedded,
               (unsigned long long)done->n_activations, (unsigned long long)done->n_tokens,
               done->seconds);
        return;
    }
    cli_say(stderr, "%s, %s in %s: %s", cli_plural(done->n_rows, "row", rows),
            cli_plural(done->n_activations, "activation", number),
            cli_seconds(done->seconds, time), out);
    if (done->n_rows_empty > 0) {
        const bool skips =
            cli_given(values, OPT_SKIP_EMPTY) || strcmp(values->text[OPT_NULL], "skip") == 0;
        fprintf(stderr, "%s without a text: %s\n", cli_plural(done->n_rows_empty, "row", rows),
                skips ? "left out" : "no features");
    }
}

static int encode(const struct cli_command *command, const struct cli_values *values)
{
    struct cli_inputs in = {0};
    struct cli_progress progress;
    struct ss_encode_result done = {.struct_size = sizeof done};
    ss_null_rule null_rule = SS_NULL_DEFAULT;
    ss_err err;
    if (cli_check_inputs(command, values) != CLI_OK ||
        cli_null_rule(command, values, &null_rule) != CLI_OK) {
        return CLI_USAGE;
    }
    cli_progress_start(&progress, values, "encode");
    struct ss_encode_options options = {
        .struct_size = sizeof options,
        .num_examples = values->count[OPT_NUM_EXAMPLES],
        .null_rule = null_rule,
        .with_text = cli_given(values, OPT_WITH_TEXT),
        .force = cli_given(values, OPT_FORCE),
        .save_embeddings = values->text[OPT_SAVE_EMBEDDINGS],
        .n_threads = values->count[OPT_THREADS],
        .batch_tokens = values->count[OPT_BATCH_TOKENS],
        .log = cli_log(values),
        .progress = cli_show_progress(&progress),
    };
    ss_status status = cli_open_inputs(values, &in, &err);
    const bool is_open = status == SS_OK;
    if (is_open) {
        options.embeddings = in.embeddings;
        status = ss_encode_file(in.encoder, in.sae, in.dataset, values->text[OPT_OUT], &options,
                                &done, &err);
        cli_progress_end(&progress);
    }
    const int code = status == SS_OK ? CLI_OK
                     : is_open       ? cli_fail(&err)
                                     : cli_fail_before(&err, values->text[OPT_OUT]);
    if (status == SS_OK && (cli_given(values, OPT_JSON) || !cli_given(values, OPT_QUIET))) {
        report(values, &done);
    }
    cli_close_inputs(&in);
    return code;
}

const struct cli_command cli_encode = {
    .name = "encode",
    .summary = "the features of every row, as a sparse matrix or table",
    .about =
        "Embeds every row, encodes the embedding with the SAE and writes the features that "
        "fire with their activations; they are those that analyze counts. The extension of the "
        "file says the format:\n\n"
        ".npz is a matrix of rows and features for scipy.sparse.load_npz. .arrow and .feather "
        "are tables for pyarrow, pandas, polars and duckdb with the columns row, features "
        "(lists of numbers), activations (lists of the same length), the text with "
        "--with-text, and a column for each that --keep names. .jsonl has an object per "
        "row.\n\n"
        "Row i of the file is row i of the dataset. Rows without a text (null, empty or blank, "
        "or with an embedding of NaN) have no features; --null skip leaves them out, and then "
        "the column row, in an .npz the array rows, says which row of the dataset each is; "
        "--null stop ends at one that is null.\n\n"
        "A batch-top-k SAE needs --batchtopk, as in analyze. With the rule batch, batches are "
        "made of the rows with a text.",
    .usage =
        "{--model MODEL --dataset PATH | --embeddings PATH} [--sae SAE] --out FILE [options]",
    .examples =
        {{"saescope encode --model MODEL --sae SAE -d texts.jsonl --out features.npz",
          "scipy.sparse.load_npz reads the result"},
         {"saescope encode -m MODEL -s SAE -d a.parquet --keep id,year -o features.arrow",
          "pandas.read_feather or pyarrow read it, with the columns id and year"},
         {"saescope encode --embeddings x.npy -s SAE -o features.npz",
          "from embeddings that were made before"}},
    .uses = {CLI_USES_INPUTS,
             {OPT_OUT, true, NULL, "the .npz, .arrow, .feather or .jsonl file to write"},
             {OPT_SAVE_EMBEDDINGS, false, NULL, NULL},
             CLI_USES_DATASET,
             {OPT_KEEP, false, NULL, "columns to write beside the features, as id,title"},
             {OPT_WITH_TEXT, false, NULL, NULL},
             CLI_USES_ROWS,
             CLI_USES_SELECTION_SEED,
             {OPT_NUM_EXAMPLES, false, NULL, "stop after N rows; else all"},
             {OPT_NULL, false, "zero", NULL},
             {OPT_SKIP_EMPTY, false, NULL, "the same as --null skip"},
             CLI_USES_ENCODER,
             CLI_USES_SAE,
             CLI_USES_WORK,
             {OPT_FORCE, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = encode,
};
