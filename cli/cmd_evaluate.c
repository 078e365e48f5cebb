/* saescope evaluate: how well SAEs reconstruct rows. */
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
    fprintf(stdout, "\n(%llu rows)\n", (unsigned long long)evaluations[0].n_rows);
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

static ss_status evaluate_one(const struct cli_values *values, const char *name,
                              struct ss_evaluation *out, ss_err *err)
{
    const struct ss_embeddings_options embeddings_options = cli_embeddings_options(values);
    const struct ss_sae_options sae = cli_sae_options(values);
    struct ss_fetch_result place = {.struct_size = sizeof place};
    ss_embeddings *embeddings = NULL;
    const struct ss_evaluate_options options = {.struct_size = sizeof options,
                                                .sae = &sae,
                                                .num_examples = values->count[OPT_NUM_EXAMPLES],
                                                .n_threads = values->count[OPT_THREADS]};
    out->struct_size = sizeof *out;
    ss_status status = cli_fetch(values, SS_FETCH_SAE, name, &place, err);
    if (status == SS_OK) {
        status = ss_embeddings_open(values->text[OPT_EMBEDDINGS], &embeddings_options,
                                    &embeddings, err);
    }
    if (status == SS_OK) {
        status = ss_evaluate(place.path, embeddings, &options, out, err);
    }
    ss_embeddings_free(embeddings);
    ss_fetch_result_release(&place);
    return status;
}

static ss_status print_json(const struct saes *saes, ss_err *err)
{
    for (size_t i = 0; i < saes->n; i++) {
        char *json = NULL;
        const ss_status status = ss_evaluation_json(&saes->evaluations[i], &json, err);
        if (status != SS_OK) {
            return status;
        }
        if (saes->n > 1) {
            fputs(i == 0 ? "[" : ",\n", stdout);
        }
        fputs(json, stdout);
        ss_evaluation_json_free(json);
    }
    fputs(saes->n > 1 ? "]\n" : "", stdout);
    return SS_OK;
}

static int evaluate(const struct cli_command *command, const struct cli_values *values)
{
    struct saes saes = {.n = 0};
    ss_err err;
    ss_status status = SS_OK;
    (void)command;
    list_saes(values, &saes);
    for (size_t i = 0; i < saes.n && status == SS_OK; i++) {
        status = evaluate_one(values, saes.names[i], &saes.evaluations[i], &err);
    }
    if (status == SS_OK && cli_given(values, OPT_JSON)) {
        status = print_json(&saes, &err);
    } else if (status == SS_OK) {
        cli_print_evaluations(saes.names, saes.evaluations, saes.n);
        if (saes.n == 1) {
            cli_print_judgement(&saes.evaluations[0], 0);
        }
    }
    free(saes.others);
    return status == SS_OK ? CLI_OK : cli_fail(&err);
}

const struct cli_command cli_evaluate = {
    .name = "evaluate",
    .summary = "how well SAEs reconstruct embeddings",
    .about =
        "Encodes embeddings with an SAE of any format, reconstructs them, and measures what "
        "was lost: the explained variance (of 1), active features of a row (L0), features "
        "that never fire (dead) or on more than a tenth of the rows (dense), the cosine of "
        "a row with its reconstruction, and whether the ten nearest rows stay the same (kNN "
        "overlap, nDCG). Figures of rows that the SAE was trained on flatter it: give rows "
        "that were held out.\n\n"
        "With --compare several SAEs stand in one table. --json has every figure.",
    .examples = {{"saescope evaluate --sae sae --embeddings held-out.npy",
                  "one SAE on rows it has not seen"},
                 {"saescope evaluate -s a --embeddings x.npy --compare b,c",
                  "three in a table"}},
    .uses = {{OPT_SAE, true, NULL, NULL},
             {OPT_EMBEDDINGS, true, NULL, "the rows"},
             {OPT_EMBEDDING_COLUMN, false, NULL, NULL},
             {OPT_COMPARE, false, NULL, NULL},
             {OPT_NUM_EXAMPLES, false, "8192", "the first N rows"},
             CLI_USES_SAE,
             {OPT_THREADS, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = evaluate,
};
