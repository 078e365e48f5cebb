/* saescope tokenize: the token ids of every row, a JSON array a line. */
#include <unistd.h>

#include "commands.h"

static void print_ids(const int32_t *ids, size_t n_ids)
{
    putchar('[');
    for (size_t i = 0; i < n_ids; i++) {
        printf("%s%d", i == 0 ? "" : ", ", ids[i]);
    }
    puts("]");
}

static ss_status null_row(const struct ss_row *row, ss_err *err)
{
    *err = (ss_err){.code = SS_E_DATA, .row = row->id, .offset = SS_NOWHERE};
    snprintf(err->message, sizeof err->message,
             "%s: row %llu of the dataset, counted from 0, has no text (null)%s%s; "
             "--skip-empty leaves such rows out",
             row->file, (unsigned long long)row->id, row->problem[0] == '\0' ? "" : ": ",
             row->problem);
    return SS_E_DATA;
}

static ss_status tokenize_rows(const ss_encoder *encoder, ss_work *work, ss_dataset *dataset,
                               const struct cli_values *values, uint64_t *n, ss_err *err)
{
    const uint64_t n_wanted = values->count[OPT_NUM_EXAMPLES]; /* 0: all */
    const uint64_t limit = n_wanted > 0 ? n_wanted : UINT64_MAX;
    struct cli_progress progress;
    uint64_t n_tokens = 0;
    ss_status status = SS_OK;
    cli_progress_start(&progress, values, "tokenize");
    progress.quiet = progress.quiet || isatty(STDOUT_FILENO); /* where the ids can be seen */
    while (*n < limit && status == SS_OK && !ferror(stdout)) {
        struct ss_row row = {.struct_size = sizeof row};
        bool has_row = false;
        int32_t *ids = NULL;
        size_t n_ids = 0;
        status = ss_dataset_next(dataset, &row, &has_row, err);
        if (status != SS_OK || !has_row) {
            break;
        }
        if (row.kind == SS_ROW_BAD) {
            continue; /* the dataset says how many there were */
        }
        if (row.kind == SS_ROW_NULL) {
            status = cli_given(values, OPT_SKIP_EMPTY) ? SS_OK : null_row(&row, err);
            continue;
        }
        status = ss_encoder_tokenize(encoder, work, row.text, &ids, &n_ids, err);
        if (status == SS_OK) {
            print_ids(ids, n_ids);
            n_tokens += n_ids;
            cli_progress_rows(&progress, ++*n, n_wanted, n_tokens);
        }
        ss_ids_free(ids);
    }
    cli_progress_end(&progress);
    return status;
}

static int fail(ss_err *err, uint64_t n)
{
    if (err->code == SS_E_STOPPED) {
        char rows[64];
        snprintf(err->message, sizeof err->message,
                 "stopped on request after %s, whose ids were printed",
                 cli_plural(n, "row", rows));
    }
    return cli_fail(err);
}

static int tokenize(const struct cli_command *command, const struct cli_values *values)
{
    (void)command;
    ss_encoder *encoder = NULL;
    ss_dataset *dataset = NULL;
    ss_work *work = NULL;
    uint64_t n = 0;
    ss_err err;
    const struct ss_encoder_options encoder_options = cli_encoder_options(values);
    ss_status status = cli_open_dataset(values, &dataset, &err);
    if (status == SS_OK) {
        status = cli_open_encoder(values, encoder_options, &encoder, &err);
    }
    if (status == SS_OK) {
        status = ss_work_new(1, &work, &err);
    }
    if (status == SS_OK) {
        status = tokenize_rows(encoder, work, dataset, values, &n, &err);
    }
    const int code = status == SS_OK ? CLI_OK : fail(&err, n);
    ss_dataset_close(dataset);
    ss_work_free(work);
    ss_encoder_free(encoder);
    return code;
}

const struct cli_command cli_tokenize = {
    .name = "tokenize",
    .summary = "token ids of every row, a JSON array a line",
    .about =
        "Prints the ids that the encoder sees for every row: special tokens included, cut to "
        "the model's limit, with its prompt. One line per row; a row without a text is an "
        "error, unless --skip-empty leaves it out.",
    .examples = {{"saescope tokenize --model MODEL --dataset abstracts.jsonl",
                  "the ids of all rows"}},
    .uses = {{OPT_MODEL, true, NULL, NULL},
             {OPT_DATASET, true, NULL, NULL},
             CLI_USES_DATASET,
             CLI_USES_ROWS,
             CLI_USES_SELECTION_SEED,
             {OPT_NUM_EXAMPLES, false, NULL, "stop after N rows; else all"},
             {OPT_SKIP_EMPTY, false, NULL, NULL},
             CLI_USES_PROMPT,
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = tokenize,
};
