/* saescope describe: labels for the features of a run, and how well they tell texts apart. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { N_SHOWN = 5, LABEL_COLUMNS = 44 };

/* ---- what score has, too ---- */

ss_status cli_open_run_encoder(const struct cli_values *values, ss_encoder **out, ss_err *err)
{
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .prompt = values->text[OPT_PROMPT],
                                               .progress = cli_stop(),
                                               .log = cli_log(values)};
    *out = NULL;
    return cli_given(values, OPT_MODEL) ? cli_open_encoder(values, options, out, err) : SS_OK;
}

void cli_print_description(const struct ss_description *description, size_t feature,
                           size_t columns)
{
    char number[16] = "     –";
    if (description->random.value == description->random.value) {
        snprintf(number, sizeof number, "%6.3f", description->random.value);
    }
    printf("%7zu  %s  %-8s  ", feature, number, description->status);
    cli_print_safely(stdout,
                     description->label[0] == '\0' ? cli_text_of("–")
                                                   : cli_text_of(description->label),
                     columns);
    putchar('\n');
}

static void print_json_auc(const char *name, const struct ss_label_auc *auc)
{
    if (auc->value == auc->value) {
        printf(", \"%s\": {\"auc\": %.6g, \"low\": %.6g, \"high\": %.6g, \"positives\": %zu, "
               "\"negatives\": %zu}",
               name, auc->value, auc->low, auc->high, auc->n_positives, auc->n_negatives);
    } else {
        printf(", \"%s\": null", name);
    }
}

static void print_json_share(const char *name, const struct ss_label_share *share)
{
    if (share->n > 0) {
        printf(", \"%s\": {\"share\": %.6g, \"low\": %.6g, \"high\": %.6g, \"n\": %zu}", name,
               share->value, share->low, share->high, share->n);
    } else {
        printf(", \"%s\": null", name);
    }
}

static void print_json_number(const char *name, double number)
{
    char text[CLI_NUMBER_BYTES];
    printf(", \"%s\": %s", name, number == number ? cli_number(number, text) : "null");
}

void cli_print_json_description(const struct ss_description *description)
{
    printf("\"label\": ");
    if (description->label[0] == '\0') {
        printf("null");
    } else {
        cli_print_json(stdout, cli_text_of(description->label));
    }
    printf(", \"method\": \"%s\", \"status\": \"%s\"", description->method,
           description->status);
    if (description->description[0] != '\0') {
        printf(", \"description\": ");
        cli_print_json(stdout, cli_text_of(description->description));
    }
    print_json_auc("random", &description->random);
    print_json_auc("near", &description->near);
    print_json_auc("miss", &description->miss);
    print_json_share("tpr", &description->tpr);
    print_json_share("fpr", &description->fpr);
    print_json_number("balanced_accuracy", description->balanced_accuracy);
    print_json_number("f1", description->f1);
    print_json_number("precision", description->precision);
    print_json_number("coverage", description->coverage);
    print_json_number("lift", description->lift);
    print_json_number("strength", description->strength);
    print_json_share("sentence", &description->sentences);
    print_json_number("ceiling_mean", description->ceiling_mean);
    print_json_number("ceiling_probe", description->ceiling_probe);
    if (description->random.value == description->random.value) {
        printf(", \"similarity\": \"%s\", \"pool\": %zu", description->similarity,
               description->n_pool);
    }
}

/* ---- the command ---- */

static ss_label_method method_of(const struct cli_values *values)
{
    const char *name = values->text[OPT_METHOD];
    return strcmp(name, "seed") == 0   ? SS_METHOD_SEED
           : strcmp(name, "none") == 0 ? SS_METHOD_NONE
                                       : SS_METHOD_CONTRAST;
}

void cli_print_sharpest(const ss_descriptions *descriptions)
{
    size_t best[N_SHOWN];
    size_t n = 0;
    if (ss_descriptions_sharpest(descriptions, N_SHOWN, best, &n, NULL) != SS_OK || n == 0) {
        return;
    }
    puts("\nSharpest features\nfeature     AUC  verdict   label");
    for (size_t i = 0; i < n; i++) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(descriptions, best[i], &description);
        cli_print_description(&description, best[i], LABEL_COLUMNS);
    }
}

void cli_print_verdicts(const ss_descriptions *descriptions)
{
    char number[32];
    const char *before = "";
    for (int i = 0; i < SS_N_LABEL_STATUSES; i++) {
        const size_t n = ss_descriptions_count(descriptions, (ss_label_status)i);
        if (n > 0) {
            printf("%s%s %s", before, cli_thousands(n, number),
                   ss_label_status_name((ss_label_status)i));
            before = ", ";
        }
    }
    putchar('\n');
}

void cli_print_json_labels(const ss_descriptions *descriptions)
{
    size_t best[N_SHOWN];
    size_t n = 0;
    printf("\"labels\": {");
    for (int i = 0; i < SS_N_LABEL_STATUSES; i++) {
        printf("%s\"%s\": %zu", i == 0 ? "" : ", ", ss_label_status_name((ss_label_status)i),
               ss_descriptions_count(descriptions, (ss_label_status)i));
    }
    printf("}, \"sharpest\": [");
    if (ss_descriptions_sharpest(descriptions, N_SHOWN, best, &n, NULL) != SS_OK) {
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct ss_description description = {.struct_size = sizeof description};
        (void)ss_descriptions_get(descriptions, best[i], &description);
        printf("%s{\"feature\": %zu, ", i == 0 ? "" : ", ", best[i]);
        cli_print_json_description(&description);
        putchar('}');
    }
    putchar(']');
}

static void print_summary(const ss_descriptions *descriptions, const char *path)
{
    printf("Labels         ");
    cli_print_verdicts(descriptions);
    cli_print_llm(descriptions);
    cli_print_sharpest(descriptions);
    cli_print_written(path,
                      "feature_keywords.json, descriptions.json, descriptions.csv, "
                      "descriptions.run.json; features.csv and density.svg, density.png say "
                      "what labels are like");
}

static void print_json_summary(const ss_descriptions *descriptions, const char *path)
{
    printf("{\"schema\": 1, \"run\": ");
    cli_print_json(stdout, cli_text_of(path));
    printf(", \"features\": %zu, ", ss_descriptions_n_features(descriptions));
    cli_print_json_labels(descriptions);
    cli_print_json_llm(descriptions);
    puts("}");
}

static ss_export export_kind(const char *form)
{
    static const char *const forms[] = {
        [SS_EXPORT_NEURONPEDIA_UPLOAD] = "neuronpedia-upload",
        [SS_EXPORT_NEURONPEDIA_IMPORT] = "neuronpedia-import",
        [SS_EXPORT_NEURONPEDIA_BULK] = "neuronpedia-bulk",
        [SS_EXPORT_SAEDASHBOARD] = "saedashboard",
    };
    int kind = SS_EXPORT_NEURONPEDIA_UPLOAD;
    while (kind < SS_EXPORT_SAEDASHBOARD && strcmp(form, forms[kind]) != 0) {
        kind++;
    }
    return (ss_export)kind;
}

/* RUN/FORM. */
static int export(const struct cli_values *values)
{
    const char *form = values->text[OPT_EXPORT];
    const char *run = values->arguments[0];
    const size_t n_dir = strlen(run) + strlen(form) + 2;
    char *dir = malloc(n_dir);
    size_t n_files = 0;
    ss_err err;
    const struct ss_export_options options = {.struct_size = sizeof options,
                                              .kind = export_kind(form),
                                              .model_id = values->text[OPT_MODEL_ID],
                                              .source_id = values->text[OPT_SOURCE_ID],
                                              .author_id = values->text[OPT_AUTHOR_ID],
                                              .force = cli_given(values, OPT_FORCE)};
    if (dir == NULL) {
        return cli_no_memory();
    }
    snprintf(dir, n_dir, "%s/%s", run, form);
    const ss_status status = ss_descriptions_export(run, dir, &options, &n_files, &err);
    const int code = status == SS_OK ? CLI_OK : cli_fail(&err);
    if (code == CLI_OK && cli_given(values, OPT_JSON)) {
        printf("{\"schema\": 1, \"out\": ");
        cli_print_json(stdout, cli_text_of(dir));
        printf(", \"files\": %zu}\n", n_files);
    } else if (code == CLI_OK && !cli_given(values, OPT_QUIET)) {
        char files[64];
        cli_say(stdout, "Written to %s: %s", dir, cli_plural(n_files, "file", files));
    }
    free(dir);
    return code;
}

static void print_outcome(const struct cli_values *values, const ss_descriptions *descriptions,
                          const char *path)
{
    if (cli_given(values, OPT_DRY_RUN)) {
        cli_print_llm_plan(descriptions, cli_given(values, OPT_JSON));
    } else if (cli_given(values, OPT_JSON)) {
        print_json_summary(descriptions, path);
    } else if (!cli_given(values, OPT_QUIET)) {
        print_summary(descriptions, path);
    }
}

static int describe(const struct cli_command *command, const struct cli_values *values)
{
    ss_encoder *encoder = NULL;
    ss_encoder *keyword_model = NULL;
    ss_descriptions *descriptions = NULL;
    struct ss_llm_options llm;
    struct cli_progress progress;
    ss_err err;
    const char *path = values->arguments[0];
    cli_progress_start(&progress, values, "asking");
    progress.unit = "question";
    struct ss_describe_options options = {
        .struct_size = sizeof options,
        .method = method_of(values),
        .seed_variant = strcmp(values->text[OPT_SEED_VARIANT], "tutorial") == 0
                            ? SS_SEED_TUTORIAL
                            : SS_SEED_EXPLAINER,
        .no_score = cli_given(values, OPT_NO_SCORE),
        .plain_similarity = strcmp(values->text[OPT_SIMILARITY], "plain") == 0,
        .stop_words = values->text[OPT_STOP_WORDS],
        .no_sentence_test = cli_given(values, OPT_NO_SENTENCE_TEST),
        .n_threads = values->count[OPT_THREADS],
        .progress = cli_show_progress(&progress),
        .log = cli_log(values),
    };
    const int usage = cli_llm_options(command, values, &llm, &options.llm);
    if (usage != CLI_OK) {
        return usage;
    }
    if (cli_given(values, OPT_KEYWORD_MODEL) && options.method != SS_METHOD_SEED) {
        return cli_usage_error(command, "--keyword-model is for --method seed");
    }
    if (cli_given(values, OPT_EXPORT)) {
        return export(values);
    }
    ss_status status = cli_open_run_encoder(values, &encoder, &err);
    if (status == SS_OK && cli_given(values, OPT_KEYWORD_MODEL)) {
        status = cli_open_encoder_named(
            values, values->text[OPT_KEYWORD_MODEL],
            (struct ss_encoder_options){.struct_size = sizeof(struct ss_encoder_options),
                                        .progress = cli_stop()},
            &keyword_model, &err);
        options.keyword_model = keyword_model;
    }
    if (status == SS_OK) {
        status = ss_describe_run(path, encoder, &options, &descriptions, &err);
    }
    cli_progress_end(&progress);
    if (descriptions != NULL) {
        print_outcome(values, descriptions, path);
    }
    const int code = status == SS_OK ? CLI_OK : cli_fail(&err);
    ss_descriptions_free(descriptions);
    ss_encoder_free(keyword_model);
    ss_encoder_free(encoder);
    return code;
}

const struct cli_command cli_describe = {
    .name = "describe",
    .summary = "labels for the features of a run, and how good they are",
    .argument = "RUN",
    .n_least = 1,
    .n_most = 1,
    .about =
        "Says in words what the features of a run mean, from the texts that analyze kept in "
        "the run's folder; the dataset is not needed, and nothing leaves this machine unless "
        "--llm is given.\n\nOne "
        "half of the texts makes the labels, the other scores them. A label by contrast is "
        "made of phrases that a feature's texts hold more often than others, and whose "
        "embedding tells them apart. Its score is the area under the ROC curve (AUC) of the "
        "cosine between label and text: how often a text on which the feature fires is nearer "
        "to the label than one on which it does not, 0.5 by chance. Such texts are random "
        "ones, those nearest to the feature's texts (near), and those on which it almost "
        "fires (miss). Verdicts come from 95 % intervals: sharp, topical, weak, chance, too "
        "few texts.\n\n--method seed makes the keywords of the Python workflow instead, which "
        "later steps of it read from feature_keywords.json.\n\n--export makes no labels: it "
        "writes "
        "those that are there, with the top texts, into RUN/FORM: bodies for Neuronpedia's "
        "upload-batch, or files that an instance of one's own imports. Nothing is "
        "sent.\n\n--llm URL --llm-model NAME "
        "asks a language model for a label and a description of each feature, and which texts "
        "of the other half have it: chat completions of a service (OpenAI, OpenRouter) or of a "
        "server of your own (llama.cpp, Ollama, vLLM), or Anthropic's messages. It sends texts "
        "of the dataset there; the first line says how many, and where. Keys come from the "
        "environment alone: SAESCOPE_LLM_KEY, or OPENAI_API_KEY, OPENROUTER_API_KEY, "
        "ANTHROPIC_API_KEY for their own hosts. Every answer is kept as it comes, so that a "
        "run "
        "that was stopped goes on where it was and pays nothing twice; a feature without an "
        "answer keeps the label made without it. The exit code is 75 where a limit or Ctrl-C "
        "ended it, 69 where more than 1 % has no answer.",
    .examples = {{"saescope describe run", "labels by contrast and their scores"},
                 {"saescope describe run --method seed --seed-variant tutorial",
                  "keywords as the Python workflow makes them"},
                 {"saescope describe run --stop-words auto",
                  "for texts in another language than English"},
                 {"saescope describe run --llm http://localhost:8080/v1 --llm-model any",
                  "labels by a language model on this machine"},
                 {"saescope describe run --llm https://HOST/v1 --llm-model NAME --dry-run",
                  "what a service would be asked; what it costs, with --llm-price"}},
    .uses =
        {{OPT_METHOD, false, "contrast", NULL},
         {OPT_SEED_VARIANT, false, "explainer", NULL},
         {OPT_KEYWORD_MODEL, false, NULL, NULL},
         {OPT_STOP_WORDS, false, NULL, NULL},
         {OPT_NO_SCORE, false, NULL, NULL},
         {OPT_NO_SENTENCE_TEST, false, NULL, NULL},
         {OPT_SIMILARITY, false, "centred", NULL},
         {OPT_MODEL, false, NULL,
          "the run's sentence encoder, if it is no longer where it was"},
         {OPT_PROMPT, false, NULL,
          "with --model: text that was put before every row; else the model's default"},
         {OPT_LLM, false, NULL, NULL},
         {OPT_LLM_MODEL, false, NULL, NULL},
         {OPT_LLM_API, false, "auto", NULL},
         {OPT_LLM_SCORE, false, "detection", NULL},
         {OPT_LLM_CANDIDATES, false, "1", NULL},
         {OPT_LLM_HINTS, false, NULL, NULL},
         {OPT_LLM_EFFORT, false, NULL, NULL},
         {OPT_LLM_JOBS, false, "4", NULL},
         {OPT_LLM_TIMEOUT, false, "600", NULL},
         {OPT_LLM_PRICE, false, NULL, NULL},
         {OPT_MAX_COST, false, NULL, NULL},
         {OPT_MAX_CALLS, false, NULL, NULL},
         {OPT_MAX_LLM_TOKENS, false, NULL, NULL},
         {OPT_LLM_CACHE, false, NULL, NULL},
         {OPT_LLM_AGAIN, false, NULL, NULL},
         {OPT_LLM_LOG_PROMPTS, false, NULL, NULL},
         {OPT_DRY_RUN, false, NULL,
          "send and write nothing: print what would be asked of the language model, what it "
          "could cost, and one prompt in full"},
         {OPT_EXPORT, false, NULL, NULL},
         {OPT_MODEL_ID, false, NULL, NULL},
         {OPT_SOURCE_ID, false, NULL, NULL},
         {OPT_AUTHOR_ID, false, NULL, NULL},
         {OPT_FORCE, false, NULL, "with --export: replace files that exist"},
         {OPT_THREADS, false, NULL, NULL},
         {OPT_OFFLINE, false, NULL, NULL},
         {OPT_JSON, false, NULL, NULL},
         {OPT_QUIET, false, NULL, NULL},
         {OPT_NO_COLOR, false, NULL, NULL},
         {OPT_HELP, false, NULL, NULL}},
    .run = describe,
};
