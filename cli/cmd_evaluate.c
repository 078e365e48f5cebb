/* saescope evaluate: how well SAEs reconstruct rows. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { MOST_SAES = 32 };

/* ---- what train prints, too ---- */

static const struct {
    const char *name;
    size_t offset;
    double factor;
    int decimals;
} columns[] = {{"EV %", offsetof(struct ss_evaluation, explained_variance), 100, 1},
               {"L0", offsetof(struct ss_evaluation, l0_mean), 1, 1},
               {"dead %", offsetof(struct ss_evaluation, dead_frac), 100, 1},
               {"dense %", offsetof(struct ss_evaluation, dense_frac), 100, 1},
               {"cosine", offsetof(struct ss_evaluation, cosine), 1, 3},
               {"kNN", offsetof(struct ss_evaluation, knn_overlap), 1, 3},
               {"nDCG", offsetof(struct ss_evaluation, ndcg), 1, 3}};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

void cli_print_evaluations(const char *const *names, const struct ss_evaluation *evaluations,
                           size_t n)
{
    for (size_t i = 0; i < N_COLUMNS; i++) {
        fprintf(stdout, "%9s", columns[i].name);
    }
    fprintf(stdout, "  %s", "SAE");
    for (size_t r = 0; r < n; r++) {
        fputc('\n', stdout);
        for (size_t i = 0; i < N_COLUMNS; i++) {
            double value = 0;
            memcpy(&value, (const char *)&evaluations[r] + columns[i].offset, sizeof value);
            fprintf(stdout, "%9.*f", columns[i].decimals, columns[i].factor * value);
        }
        fputs("  ", stdout);
        cli_print_safely(stdout, cli_text_of(names[r]), 0);
    }
    char rows[64];
    fprintf(stdout, "\n(%s)\n", cli_plural(evaluations[0].n_rows, "row", rows));
}

/* What is out of the usual range, and what to change. */
void cli_print_judgement(const struct ss_evaluation *evaluation, uint64_t top_k)
{
    const double off = top_k == 0 ? 1 : evaluation->l0_mean / (double)top_k;
    const struct {
        bool is_so;
        const char *advice;
    } judgements[] = {
        {evaluation->explained_variance < 0.5, "less than half of the variance is explained: "
                                               "train longer (--max-steps), or with more "
                                               "active features (--top-k)"},
        {evaluation->dead_frac > 0.1 && evaluation->n_rows >= 1000,
         "more than a tenth of the features are silent: fewer features (--dict-size), more "
         "rows, "
         "or a smaller --lr"},
        {evaluation->dense_frac > 0.05, "more than 5 % of the features fire on over a tenth of "
                                        "the rows: fewer active features "
                                        "(--top-k), or more features (--dict-size)"},
        {evaluation->reconstruction_bias < 0.9,
         "reconstructions are shrunk: a smaller --l1-coeff, or --kind batchtopk"},
        {off < 0.5 || off > 2,
         "rows fire another number of features than was aimed at: train longer (--max-steps)"},
    };
    for (size_t i = 0; i < sizeof judgements / sizeof judgements[0]; i++) {
        if (judgements[i].is_so) {
            cli_say(stderr, "note: %s", judgements[i].advice);
        }
    }
}

/* ---- the command ---- */

struct saes {
    const char *names[MOST_SAES];
    struct ss_evaluation evaluations[MOST_SAES];
    size_t n;
    char *others; /* of --compare, cut at its commas */
};

static void list_saes(const struct cli_values *values, struct saes *saes)
{
    saes->names[saes->n++] = values->text[OPT_SAE];
    saes->others = cli_given(values, OPT_COMPARE) ? strdup(values->text[OPT_COMPARE]) : NULL;
    if (saes->others == NULL) {
        return;
    }
    for (char *at = strtok(saes->others, ","); at != NULL && saes->n < MOST_SAES;
         at = strtok(NULL, ",")) {
        saes->names[saes->n++] = at;
    }
}

/* The rows: embeddings that are there, or those of a dataset, which are made once into a file
 * without a name and read from it for each SAE. */
struct rows {
    FILE *made;
    char path[64];
};

static ss_status embed_rows(const struct cli_values *values, struct rows *rows, ss_err *err)
{
    struct cli_inputs in = {0};
    struct cli_progress progress;
    ss_status status = cli_open_dataset(values, &in.dataset, err);
    if (status == SS_OK) {
        status = cli_open_encoder(values, cli_encoder_options(values), &in.encoder, err);
    }
    if (status == SS_OK) {
        cli_progress_start(&progress, values, "embed");
        const struct ss_embed_options options = {
            .struct_size = sizeof options,
            .num_examples = values->count[OPT_NUM_EXAMPLES],
            .null_rule = SS_NULL_SKIP,
            .force = true,
            .n_threads = values->count[OPT_THREADS],
            .batch_tokens = values->count[OPT_BATCH_TOKENS],
            .log = cli_log(values),
            .progress = cli_show_progress(&progress)};
        status = ss_embed_file(in.encoder, in.dataset, rows->path, &options, NULL, err);
        cli_progress_end(&progress);
    }
    char *place = status == SS_E_STOPPED ? strstr(err->message, "; nothing was written") : NULL;
    if (place != NULL) { /* to a file that nobody named */
        *place = '\0';
    }
    cli_close_inputs(&in);
    return status;
}

static ss_status open_rows(const struct cli_values *values, struct rows *rows, ss_err *err)
{
    if (cli_given(values, OPT_EMBEDDINGS)) {
        return SS_OK;
    }
    const char *folder = getenv("TMPDIR");
    const int made = open(folder == NULL || *folder == '\0' ? "/tmp" : folder,
                          O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    rows->made = made >= 0 ? fdopen(made, "w+b") : tmpfile(); /* where one has to have a name */
    if (rows->made == NULL) {
        *err = (ss_err){.code = SS_E_IO};
        (void)snprintf(err->message, sizeof err->message,
                       "no temporary file for the rows can be made: %s", strerror(errno));
        return SS_E_IO;
    }
    (void)snprintf(rows->path, sizeof rows->path, "/proc/self/fd/%d", fileno(rows->made));
    return embed_rows(values, rows, err);
}

static ss_status evaluate_one(const struct cli_values *values, const struct rows *rows,
                              const char *name, struct ss_evaluation *out, ss_err *err)
{
    const struct ss_embeddings_options embeddings_options = cli_embeddings_options(values);
    const struct ss_sae_options sae = cli_sae_options(values);
    struct ss_fetch_result place = {.struct_size = sizeof place};
    ss_embeddings *embeddings = NULL;
    const struct ss_evaluate_options options = {.struct_size = sizeof options,
                                                .sae = &sae,
                                                .num_examples = values->count[OPT_NUM_EXAMPLES],
                                                .n_threads = values->count[OPT_THREADS],
                                                .progress = cli_stop()};
    out->struct_size = sizeof *out;
    ss_status status = cli_fetch(values, SS_FETCH_SAE, name, &place, err);
    if (status == SS_OK) {
        status =
            ss_embeddings_open(rows->made != NULL ? rows->path : values->text[OPT_EMBEDDINGS],
                               &embeddings_options, &embeddings, err);
    }
    if (status == SS_OK) {
        status = ss_evaluate(place.path, embeddings, &options, out, err);
    }
    ss_embeddings_free(embeddings);
    ss_fetch_result_release(&place);
    return status;
}

ss_status cli_print_evaluations_json(const struct ss_evaluation *evaluations, size_t n,
                                     ss_err *err)
{
    for (size_t i = 0; i < n; i++) {
        char *json = NULL;
        const ss_status status = ss_evaluation_json(&evaluations[i], &json, err);
        if (status != SS_OK) {
            return status;
        }
        if (n > 1) {
            fputs(i == 0 ? "[" : ",\n", stdout);
        }
        fputs(json, stdout);
        ss_evaluation_json_free(json);
    }
    fputs(n > 1 ? "]\n" : "", stdout);
    return SS_OK;
}

static int evaluate(const struct cli_command *command, const struct cli_values *values)
{
    struct saes saes = {.n = 0};
    struct rows rows = {.made = NULL};
    ss_err err;
    if (cli_check_inputs(command, values) != CLI_OK) {
        return CLI_USAGE;
    }
    ss_status status = open_rows(values, &rows, &err);
    list_saes(values, &saes);
    for (size_t i = 0; i < saes.n && status == SS_OK; i++) {
        status = evaluate_one(values, &rows, saes.names[i], &saes.evaluations[i], &err);
    }
    if (status == SS_OK && cli_given(values, OPT_JSON)) {
        status = cli_print_evaluations_json(saes.evaluations, saes.n, &err);
    } else if (status == SS_OK) {
        cli_print_evaluations(saes.names, saes.evaluations, saes.n);
        if (saes.n == 1 && !cli_given(values, OPT_QUIET)) {
            cli_print_judgement(&saes.evaluations[0], 0);
        }
    }
    free(saes.others);
    if (rows.made != NULL) {
        fclose(rows.made);
    }
    return status == SS_OK ? CLI_OK : cli_fail(&err);
}

const struct cli_command cli_evaluate = {
    .name = "evaluate",
    .summary = "how well SAEs reconstruct embeddings",
    .about =
        "Encodes embeddings, given or made of a dataset's texts, with an SAE of any format, "
        "reconstructs them, and measures what "
        "was lost: the explained variance (of 1), active features of a row (L0), features "
        "that never fire (dead) or on more than a tenth of the rows (dense), the cosine of "
        "a row with its reconstruction, and whether the ten nearest rows stay the same (kNN "
        "overlap, nDCG). Figures of rows that the SAE was trained on flatter it: give rows "
        "that were held out.\n\n"
        "With --compare several SAEs stand in one table. --json has every figure.",
    .usage = "{--model MODEL --dataset PATH | --embeddings PATH} --sae SAE [options]",
    .examples = {{"saescope evaluate --sae sae --embeddings held-out.npy",
                  "one SAE on rows it has not seen"},
                 {"saescope evaluate --sae sae -m MODEL -d texts.jsonl -n 2000", "on texts"},
                 {"saescope evaluate -s a --embeddings x.npy --compare b,c",
                  "three in a table"}},
    .uses = {{OPT_SAE, true, NULL, NULL},
             {OPT_EMBEDDINGS, false, NULL, "the rows"},
             {OPT_EMBEDDING_COLUMN, false, NULL, NULL},
             {OPT_MODEL, false, NULL, NULL},
             {OPT_DATASET, false, NULL, "texts for the rows"},
             CLI_USES_DATASET,
             CLI_USES_ROWS,
             CLI_USES_ENCODER,
             {OPT_COMPARE, false, NULL, NULL},
             {OPT_NUM_EXAMPLES, false, "8192", "the first N rows"},
             CLI_USES_SAE,
             CLI_USES_WORK,
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = evaluate,
};
