/* saescope train: texts or embeddings in, an SAE out. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { MOST_SAES = 64, STEP_BYTES = 256 };

/* Ten lines of a training, or one that changes on a terminal. */
struct shown {
    struct cli_progress progress;
    uint64_t next;
    double drawn;
    char *names[MOST_SAES]; /* of a sweep */
    struct ss_evaluation evaluations[MOST_SAES];
    size_t n;
    struct ss_train_result done; /* the last one */
};

/* All there is to say, or as much of it as fits: a line that wraps could not be drawn over. */
static void format_step(const struct ss_train_metrics *now, size_t columns,
                        char out[STEP_BYTES])
{
    const double left = (double)(now->n_steps - now->step) / (now->steps_per_second + 1e-9);
    const unsigned long long step = now->step, n_steps = now->n_steps;
    const int n = snprintf(out, STEP_BYTES,
                           "train: step %llu of %llu, loss %.4f, L0 %.1f, explained variance "
                           "%.1f %%, dead %.1f %%, "
                           "%.1f steps/s, %.0f s left",
                           step, n_steps, now->loss, now->l0, 100 * now->explained_variance,
                           100 * (double)now->n_dead / (double)now->n_features,
                           now->steps_per_second, left);
    if (n > 0 && (size_t)n > columns) {
        snprintf(out, STEP_BYTES, "train: %llu/%llu, EV %.1f %%, L0 %.1f, %.0f s left", step,
                 n_steps, 100 * now->explained_variance, now->l0, left);
    }
    if (columns < STEP_BYTES) {
        out[columns] = '\0';
    }
}

static int show_step(void *user, const struct ss_train_metrics *now)
{
    struct shown *shown = user;
    const bool is_end = now->step == now->n_steps;
    char line[STEP_BYTES];
    if (shown->progress.quiet || (!shown->progress.is_terminal && now->step < shown->next) ||
        (shown->progress.is_terminal && now->step % 8 != 0 && !is_end)) {
        return 0;
    }
    shown->next += (now->n_steps + 9) / 10;
    format_step(now, shown->progress.is_terminal ? cli_error_columns() - 1 : sizeof line, line);
    fprintf(stderr, "%s%s%s", shown->progress.is_terminal ? "\r" : "", line,
            !shown->progress.is_terminal ? "\n"
            : is_end                     ? "\033[K\n"
                                         : "\033[K");
    return 0;
}

/* One SAE of a sweep is done: its figures are kept for the table. */
static int keep_trained(void *user, const char *folder, const struct ss_train_result *done)
{
    struct shown *shown = user;
    shown->next = 0;
    shown->done = *done;
    if (shown->n < MOST_SAES) {
        shown->names[shown->n] = strdup(folder);
        shown->evaluations[shown->n] = done->evaluation;
        shown->n += shown->names[shown->n] != NULL;
    }
    return 0;
}

static struct ss_train_options options_of(const struct cli_values *values, struct shown *shown)
{
    return (struct ss_train_options){
        .struct_size = sizeof(struct ss_train_options),
        .recipe = values->text[OPT_RECIPE],
        .kind = values->text[OPT_KIND],
        .dict_size = values->count[OPT_DICT_SIZE],
        .top_k = values->count[OPT_TOP_K],
        .batch_size = values->count[OPT_BATCH_SIZE],
        .max_steps = values->count[OPT_MAX_STEPS],
        .seed = values->count[OPT_SEED],
        .lr = values->real[OPT_LR],
        .l1_coeff = values->real[OPT_L1_COEFF],
        .bandwidth = values->real[OPT_BANDWIDTH],
        .prefixes = values->text[OPT_PREFIXES],
        .num_examples = values->count[OPT_NUM_EXAMPLES],
        .checkpoint_steps = values->count[OPT_CHECKPOINT_STEPS],
        .dataset_name = values->n_list > 0 ? values->list[0] : values->text[OPT_EMBEDDINGS],
        .force = cli_given(values, OPT_FORCE),
        .n_threads = values->count[OPT_THREADS],
        .batch_tokens = values->count[OPT_BATCH_TOKENS],
        .on_step = show_step,
        .user = shown,
        .log = cli_log(values),
        .progress = cli_show_progress(&shown->progress),
    };
}

static ss_status open_inputs(const struct cli_values *values, struct cli_inputs *in,
                             ss_err *err)
{
    if (cli_given(values, OPT_EMBEDDINGS)) {
        const struct ss_embeddings_options options = cli_embeddings_options(values);
        return ss_embeddings_open(values->text[OPT_EMBEDDINGS], &options, &in->embeddings, err);
    }
    const ss_status status = cli_open_dataset(values, &in->dataset, err);
    return status == SS_OK
               ? cli_open_encoder(values, cli_encoder_options(values), &in->encoder, err)
               : status;
}

static void report(const struct cli_values *values, const struct ss_train_result *done)
{
    char rows[64], held_out[64], time[32], number[32];
    if (cli_given(values, OPT_JSON)) {
        char *json = NULL;
        if (ss_evaluation_json(&done->evaluation, &json, NULL) == SS_OK) {
            fputs(json, stdout);
        }
        ss_evaluation_json_free(json);
        return;
    }
    if (cli_given(values, OPT_QUIET)) {
        return;
    }
    cli_say(stderr, "%s SAE of %s features trained on %s in %s, %s steps: %s", done->kind,
            cli_thousands(done->n_features, number),
            cli_plural(done->n_rows - done->n_rows_held_out, "row", rows),
            cli_seconds(done->seconds, time), cli_thousands(done->n_steps, held_out),
            values->text[OPT_OUT]);
    if (done->n_rows_left_out > 0) {
        cli_say(stderr, "%s without an embedding left out",
                cli_plural(done->n_rows_left_out, "row", rows));
    }
    cli_print_evaluations(&values->text[OPT_OUT], &done->evaluation, 1);
    cli_print_judgement(&done->evaluation, done->top_k);
}

static void report_sweep(const struct cli_values *values, const struct shown *shown)
{
    if (cli_given(values, OPT_JSON)) {
        (void)cli_print_evaluations_json(shown->evaluations, shown->n, NULL);
        return;
    }
    cli_print_evaluations((const char *const *)shown->names, shown->evaluations, shown->n);
    if (!cli_given(values, OPT_QUIET)) {
        cli_say(stderr, "%zu SAEs, sweep.csv, sweep.svg and sweep.png: %s", shown->n,
                values->text[OPT_OUT]);
    }
}

static ss_status run_training(const struct cli_values *values, const struct cli_inputs *in,
                              const struct ss_train_options *options, ss_err *err)
{
    const struct ss_train_extras extras = {.struct_size = sizeof extras,
                                           .dtype = values->text[OPT_DTYPE],
                                           .target_l0 = values->real[OPT_TARGET_L0],
                                           .axes = values->arguments,
                                           .n_axes = values->n_arguments,
                                           .on_trained = keep_trained,
                                           .user = options->user};
    return ss_train_more(in->encoder, in->dataset, values->text[OPT_OUT], options, &extras,
                         err);
}

static int train(const struct cli_command *command, const struct cli_values *values)
{
    struct cli_inputs in = {0};
    static struct shown shown;
    ss_err err;
    if (cli_check_inputs(command, values) != CLI_OK ||
        cli_check_out_folder(command, values) != CLI_OK) {
        return CLI_USAGE;
    }
    if (cli_given(values, OPT_SWEEP) != (values->n_arguments > 0)) {
        return cli_usage_error(command,
                               values->n_arguments > 0
                                   ? "unexpected argument '%s'; it is for --sweep"
                                   : "--sweep needs NAME=VALUE,VALUE, such as "
                                     "top-k=16,32,64%s",
                               values->n_arguments > 0 ? values->arguments[0] : "");
    }
    cli_progress_start(&shown.progress, values, "embed");
    struct ss_train_options options = options_of(values, &shown);
    ss_status status = open_inputs(values, &in, &err);
    const bool is_open = status == SS_OK;
    if (is_open) {
        options.embeddings = in.embeddings;
        status = run_training(values, &in, &options, &err);
    }
    const int code = status == SS_OK ? CLI_OK
                     : is_open       ? cli_fail(&err)
                                     : cli_fail_before(&err, values->text[OPT_OUT]);
    if (status == SS_OK) {
        if (cli_given(values, OPT_SWEEP)) {
            report_sweep(values, &shown);
        } else {
            report(values, &shown.done);
        }
    }
    for (size_t i = 0; i < shown.n; i++) {
        free(shown.names[i]);
    }
    cli_close_inputs(&in);
    return code;
}

const struct cli_command cli_train = {
    .name = "train",
    .summary = "a sparse autoencoder from texts or embeddings",
    .about =
        "Embeds every text, or reads embeddings that were made before, and trains a sparse "
        "autoencoder (SAE) on them. A tenth of the rows is held out: thresholds and the "
        "figures "
        "at the end are of those. The folder has the SAE as SAEs-for-Sentence-BERT writes it "
        "(sae.pt, config.json), which every command takes as --sae, metrics.csv, the curves, "
        "and evaluation.json.\n\n"
        "The recipe saescope, the default, trains a batch-top-k SAE and saves it as jumprelu, "
        "whose rows do not depend on one another. The recipe seed trains as "
        "SAEs-for-Sentence-BERT does.\n\n"
        "With --sweep an SAE is trained for every combination of the values of up to four "
        "options, such as top-k=16,32,64 dict-size=768,1536, on the same rows: each in a "
        "folder "
        "of its own in --out, with sweep.csv and a picture of explained variance over active "
        "features, in which a line joins those that no other one beats.\n\n"
        "Stopped or killed, the same command goes on where the last state was saved (in "
        "OUT.training, which goes at the end), and ends in the same bytes. These do not depend "
        "on the number of threads.",
    .usage = "{--model MODEL --dataset PATH | --embeddings PATH} --out DIR [options] "
             "[--sweep NAME=VALUE,VALUE…]",
    .argument = "NAME=VALUE,VALUE",
    .n_most = 4,
    .examples =
        {{"saescope train --model MODEL --dataset texts.jsonl --out sae",
          "the default recipe on your own texts"},
         {"saescope train --embeddings x.npy --top-k 64 --dict-size 2304 --out sae",
          "more features, and more of them active"},
         {"saescope train --embeddings x.npy --sweep top-k=8,16,32 dict-size=384,768 -o s",
          "six SAEs on the same rows, a table and a picture"},
         {"saescope train --embeddings x.npy --recipe seed --kind topk --out sae",
          "as SAEs-for-Sentence-BERT trains"}},
    .uses = {{OPT_MODEL, false, NULL, NULL},
             {OPT_EMBEDDINGS, false, NULL, NULL},
             {OPT_EMBEDDING_COLUMN, false, NULL, NULL},
             {OPT_DATASET, false, NULL, NULL},
             {OPT_OUT, true, NULL, "folder for the SAE"},
             {OPT_RECIPE, false, "saescope", NULL},
             {OPT_KIND, false, NULL, NULL},
             {OPT_DICT_SIZE, false, NULL, NULL},
             {OPT_TOP_K, false, NULL,
              "active features of a row; of jumprelu, the mean that is aimed at"},
             {OPT_PREFIXES, false, NULL, NULL},
             {OPT_TARGET_L0, false, NULL, NULL},
             {OPT_SWEEP, false, NULL, NULL},
             {OPT_DTYPE, false, NULL, NULL},
             {OPT_MAX_STEPS, false, NULL, NULL},
             {OPT_BATCH_SIZE, false, NULL, NULL},
             {OPT_LR, false, NULL, NULL},
             {OPT_L1_COEFF, false, NULL, NULL},
             {OPT_BANDWIDTH, false, NULL, NULL},
             {OPT_SEED, false, "49",
              "number that the first weights, the order of rows and --sample begin from"},
             {OPT_CHECKPOINT_STEPS, false, "500", NULL},
             CLI_USES_DATASET,
             CLI_USES_ROWS,
             CLI_USES_SELECTION,
             {OPT_NUM_EXAMPLES, false, NULL, "train on the first N rows; else all"},
             CLI_USES_ENCODER,
             CLI_USES_WORK,
             {OPT_FORCE, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = train,
};
