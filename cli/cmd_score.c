/* saescope score: how well labels from elsewhere tell a feature's texts from others. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { LABEL_COLUMNS = 44 };

static void print_interval(const char *name, const struct ss_label_auc *auc)
{
    if (auc->value == auc->value) {
        printf("  %-7s AUC %.3f (%.3f to %.3f), %zu texts against %zu\n", name, auc->value,
               auc->low, auc->high, auc->n_positives, auc->n_negatives);
    } else {
        printf("  %-7s too few texts: %zu against %zu\n", name, auc->n_positives,
               auc->n_negatives);
    }
}

static void print_scores(const ss_descriptions *descriptions, bool as_json, bool in_full)
{
    const char *before = "";
    for (size_t f = 0; f < ss_descriptions_n_features(descriptions); f++) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(descriptions, f, &description);
        if (description.label[0] == '\0') {
            continue;
        }
        if (as_json) {
            printf("%s{\"feature\": %zu, ", before, f);
            cli_print_json_description(&description);
            putchar('}');
            before = ", ";
        } else {
            cli_print_description(&description, f, LABEL_COLUMNS);
        }
        if (in_full && !as_json) {
            print_interval("random", &description.random);
            print_interval("near", &description.near);
            print_interval("miss", &description.miss);
        }
    }
}

static int score(const struct cli_command *command, const struct cli_values *values)
{
    const bool has_label = cli_given(values, OPT_LABEL);
    const bool has_file = cli_given(values, OPT_LABELS);
    if (has_label != cli_given(values, OPT_FEATURE) || has_label == has_file) {
        return cli_usage_error(command, "give --feature N --label TEXT, or --labels FILE");
    }
    ss_encoder *encoder = NULL;
    ss_descriptions *descriptions = NULL;
    ss_err err;
    const char *path = values->arguments[0];
    const struct ss_label label = {values->count[OPT_FEATURE], values->text[OPT_LABEL]};
    const struct ss_labels labels = {
        .struct_size = sizeof labels,
        .labels = &label,
        .n_labels = has_file ? 0 : 1,
        .path = has_file ? values->text[OPT_LABELS] : NULL,
    };
    const struct ss_describe_options options = {
        .struct_size = sizeof options,
        .plain_similarity = strcmp(values->text[OPT_SIMILARITY], "plain") == 0,
        .no_sentence_test = cli_given(values, OPT_NO_SENTENCE_TEST),
        .n_threads = values->count[OPT_THREADS],
        .progress = cli_stop(),
        .log = cli_log(values),
    };
    ss_status status = cli_open_run_encoder(values, &encoder, &err);
    if (status == SS_OK) {
        status = ss_score_labels(path, encoder, &labels, &options, &descriptions, &err);
    }
    const int code = status == SS_OK ? CLI_OK : cli_fail(&err);
    if (code == CLI_OK && cli_given(values, OPT_JSON)) {
        printf("{\"schema\": 1, \"run\": ");
        cli_print_json(stdout, cli_text_of(path));
        printf(", \"labels\": [");
        print_scores(descriptions, true, false);
        puts("]}");
    } else if (code == CLI_OK) {
        puts("feature     AUC  verdict   label");
        print_scores(descriptions, false, has_label);
    }
    ss_descriptions_free(descriptions);
    ss_encoder_free(encoder);
    return code;
}

const struct cli_command cli_score = {
    .name = "score",
    .summary = "scores of labels from elsewhere, as describe makes them",
    .argument = "RUN",
    .n_least = 1,
    .n_most = 1,
    .usage = "RUN {--feature N --label TEXT | --labels FILE} [options]",
    .about = "Scores labels of your own, or of another program, as describe scores the ones it "
             "makes: on the half of a run's texts that makes no labels. Phrases may stand in a "
             "label with commas between. Nothing is written.",
    .examples = {{"saescope score run --feature 7 --label 'spiral galaxies'", "one label"},
                 {"saescope score run --labels labels.csv --json",
                  "those of a file with the columns feature and label"}},
    .uses = {{OPT_FEATURE, false, NULL, NULL},
             {OPT_LABEL, false, NULL, NULL},
             {OPT_LABELS, false, NULL, NULL},
             {OPT_NO_SENTENCE_TEST, false, NULL, NULL},
             {OPT_SIMILARITY, false, "centred", NULL},
             {OPT_MODEL, false, NULL,
              "the run's sentence encoder, if it is no longer where it was"},
             {OPT_PROMPT, false, NULL,
              "with --model: text that was put before every row; else the model's default"},
             {OPT_THREADS, false, NULL, NULL},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = score,
};
