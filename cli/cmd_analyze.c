/* saescope analyze: a dataset in, fire rates, histogram and top texts out. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

enum { N_SHOWN_FEATURES = 5, BEFORE_TEXT = 20 };

/* ---- the summary ---- */

static ss_evidence evidence_of(const char *name)
{
    return strcmp(name, "none") == 0    ? SS_EVIDENCE_NONE
           : strcmp(name, "light") == 0 ? SS_EVIDENCE_LIGHT
                                        : SS_EVIDENCE_FULL;
}

/* The most frequent features that fire at all. */
static size_t most_frequent(const ss_run *run, size_t best[N_SHOWN_FEATURES])
{
    size_t n = ss_run_most_frequent(run, N_SHOWN_FEATURES, best);
    struct ss_feature facts = {.struct_size = sizeof facts, .dead = true};
    for (; n > 0; n--) {
        ss_run_feature(run, best[n - 1], &facts);
        if (!facts.dead) {
            break;
        }
    }
    return n;
}

static void print_skipped(const struct ss_run_info *info)
{
    static const char *const reasons[SS_N_ROW_KINDS] = {[SS_ROW_NULL] = "null",
                                                        [SS_ROW_EMPTY] = "empty",
                                                        [SS_ROW_BLANK] = "blank",
                                                        [SS_ROW_BAD] =
                                                            "that could not be read"};
    char number[32];
    const char *before = " (";
    uint64_t n = 0;
    if (info->n_rows_passed > 0) {
        printf("%s passed over, ", cli_thousands(info->n_rows_passed, number));
    }
    for (size_t kind = 0; kind < SS_N_ROW_KINDS; kind++) {
        n += info->n_rows_skipped[kind];
    }
    printf("%s skipped", cli_thousands(n, number));
    for (size_t kind = 0; kind < SS_N_ROW_KINDS; kind++) {
        if (info->n_rows_skipped[kind] > 0) {
            printf("%s%s %s", before, cli_thousands(info->n_rows_skipped[kind], number),
                   reasons[kind]);
            before = ", ";
        }
    }
    printf("%s", n > 0 ? ")" : "");
}

static void print_features(const ss_run *run, bool colours)
{
    size_t best[N_SHOWN_FEATURES];
    const size_t n = most_frequent(run, best);
    const size_t columns = cli_output_columns() - BEFORE_TEXT;
    if (n > 0) {
        puts("\nMost frequent features");
    }
    for (size_t i = 0; i < n; i++) {
        struct ss_feature facts = {.struct_size = sizeof facts};
        struct ss_top_text top = {.struct_size = sizeof top};
        ss_run_feature(run, best[i], &facts);
        ss_run_top(run, best[i], 0, &top);
        printf("  %s%6zu%s  %6.2f %%  ", colours ? "\033[1m" : "", best[i],
               colours ? "\033[0m" : "", (double)facts.rate_pct);
        cli_print_safely(stdout, top.text, columns);
        putchar('\n');
    }
}

/* Which files there are. */
static void print_files(const char *folder)
{
    static const char *const names[] = {"fire_rate.npy",
                                        "top_activations.json",
                                        "density.svg",
                                        "density.png",
                                        "features.csv",
                                        "top_texts.jsonl",
                                        "skipped_rows.csv",
                                        "histograms.npz",
                                        "centroids.npz",
                                        "coactivation.npz",
                                        "evidence/",
                                        "analysis.state",
                                        "feature_keywords.json",
                                        "descriptions.json",
                                        "descriptions.csv",
                                        "descriptions.run.json",
                                        "families.json",
                                        "feature_families.json",
                                        "pairs.arrow",
                                        "families.svg",
                                        "families.png",
                                        "family_maps.svg",
                                        "family_maps.png",
                                        "coactivation.svg",
                                        "coactivation.png",
                                        "coactivation_ward.svg",
                                        "coactivation_ward.png",
                                        "clusters.csv",
                                        "clusters.json",
                                        "neighbours.arrow",
                                        "map.csv",
                                        "map.svg",
                                        "map.png",
                                        "run.json"};
    char list[1024] = "";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        const size_t n = strlen(list);
        const int n_path = snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (n_path > 0 && (size_t)n_path < sizeof path && access(path, F_OK) == 0) {
            snprintf(list + n, sizeof list - n, "%s%s", n == 0 ? "" : ", ", names[i]);
        }
    }
    cli_print_written(folder, list);
}

static void print_summary(const ss_run *run, const ss_descriptions *descriptions,
                          const struct cli_values *values)
{
    struct ss_run_info info = {.struct_size = sizeof info};
    char number[32], other[32];
    ss_run_describe(run, &info);
    printf("Rows           %s used, ", cli_thousands(info.n_rows_used, number));
    print_skipped(&info);
    if (info.n_rows_repaired > 0) {
        printf(", %s with invalid UTF-8 replaced", cli_thousands(info.n_rows_repaired, number));
    }
    if (info.n_rows_reembedded > 0) {
        printf(", %s re-embedded at full precision",
               cli_thousands(info.n_rows_reembedded, number));
    }
    const double seconds = info.seconds > 0 ? info.seconds : 1e-9;
    const bool has_tokens = info.n_tokens > 0; /* embeddings have none */
    const uint64_t n_done = has_tokens ? info.n_tokens : info.n_rows_used;
    printf("\nTime           %s, %s %s/s\n", cli_seconds(info.seconds, other),
           cli_thousands((uint64_t)((double)n_done / seconds), number),
           has_tokens ? "tokens" : "rows");
    printf("Dead features  %s of %s\n", cli_thousands(info.n_dead, number),
           cli_thousands(info.n_features, other));
    printf("Median rate    %.3g %%\n", info.median_rate_pct);
    if (descriptions != NULL) {
        printf("Labels         ");
        cli_print_verdicts(descriptions);
        cli_print_sharpest(descriptions);
    } else {
        print_features(run, cli_colours(values, stdout));
    }
    cli_print_warnings();
    print_files(values->text[OPT_OUT]);
    cli_say(stdout, "saescope show %s FEATURE prints the texts of a feature",
            values->text[OPT_OUT]);
}

static void print_json_features(const ss_run *run)
{
    size_t best[N_SHOWN_FEATURES];
    char number[CLI_NUMBER_BYTES];
    const size_t n = most_frequent(run, best);
    printf("\"most_frequent\": [");
    for (size_t i = 0; i < n; i++) {
        struct ss_feature facts = {.struct_size = sizeof facts};
        struct ss_top_text top = {.struct_size = sizeof top};
        ss_run_feature(run, best[i], &facts);
        ss_run_top(run, best[i], 0, &top);
        printf("%s{\"feature\": %zu, \"rate_pct\": %s, \"text\": ", i == 0 ? "" : ", ", best[i],
               cli_number_f32(facts.rate_pct, number));
        cli_print_json(stdout, top.text);
        putchar('}');
    }
    putchar(']');
}

static void print_json_summary(const ss_run *run, const ss_descriptions *descriptions,
                               const char *out_dir)
{
    struct ss_run_info info = {.struct_size = sizeof info};
    char bad[40] = "", passed[48] = "", median[CLI_NUMBER_BYTES];
    ss_run_describe(run, &info);
    if (info.n_rows_skipped[SS_ROW_BAD] > 0) {
        snprintf(bad, sizeof bad, ", \"bad\": %llu",
                 (unsigned long long)info.n_rows_skipped[SS_ROW_BAD]);
    }
    if (info.n_rows_passed > 0) {
        snprintf(passed, sizeof passed, ", \"rows_passed_over\": %llu",
                 (unsigned long long)info.n_rows_passed);
    }
    printf("{\"schema\": 1, \"out\": ");
    cli_print_json(stdout, cli_text_of(out_dir));
    printf(", \"rows_read\": %llu, \"rows_used\": %llu, \"rows_skipped\": {\"null\": %llu, "
           "\"empty\": %llu, \"blank\": %llu%s}%s, \"rows_repaired\": %llu, "
           "\"rows_reembedded\": "
           "%llu, "
           "\"tokens\": %llu, "
           "\"seconds\": %.3f, \"features\": %zu, \"dead_features\": %zu, "
           "\"median_rate_pct\": %s, ",
           (unsigned long long)info.n_rows_read, (unsigned long long)info.n_rows_used,
           (unsigned long long)info.n_rows_skipped[SS_ROW_NULL],
           (unsigned long long)info.n_rows_skipped[SS_ROW_EMPTY],
           (unsigned long long)info.n_rows_skipped[SS_ROW_BLANK], bad, passed,
           (unsigned long long)info.n_rows_repaired, (unsigned long long)info.n_rows_reembedded,
           (unsigned long long)info.n_tokens, info.seconds, info.n_features, info.n_dead,
           cli_number(info.median_rate_pct, median));
    print_json_features(run);
    if (descriptions != NULL) {
        printf(", ");
        cli_print_json_labels(descriptions);
    }
    printf(", \"warnings\": ");
    cli_print_json_warnings();
    puts("}");
}

/* Of a part there is a state. How many there are may stand in the plan alone. */
static void print_part(const struct cli_part *part, const struct cli_values *values)
{
    const unsigned long long k = part->part, n = part->n_parts;
    const char *out = values->text[OPT_OUT];
    if (cli_given(values, OPT_JSON)) {
        printf("{\"schema\": 1, \"out\": ");
        cli_print_json(stdout, cli_text_of(out));
        printf(", \"part\": %llu, ", k);
        if (n > 0) {
            printf("\"parts\": %llu, ", n);
        }
        printf("\"warnings\": ");
        cli_print_json_warnings();
        puts("}");
    } else if (!cli_given(values, OPT_QUIET) && n > 0) {
        cli_say(stdout,
                "part %llu of %llu is in %s/%05llu-of-%05llu.state; saescope merge makes "
                "a run of all parts",
                k, n, out, k, n);
    } else if (!cli_given(values, OPT_QUIET)) {
        cli_say(stdout, "part %llu of %s is in %s; saescope merge makes a run of all parts", k,
                values->text[OPT_PLAN], out);
    }
}

/* ---- the command ---- */

static int analyze(const struct cli_command *command, const struct cli_values *values)
{
    if (cli_check_inputs(command, values) != CLI_OK ||
        cli_check_out_folder(command, values) != CLI_OK) {
        return CLI_USAGE;
    }
    if (cli_given(values, OPT_APPEND) &&
        strcmp(values->text[OPT_APPEND], values->text[OPT_OUT]) != 0) {
        return cli_usage_error(command, "--append names the folder of the run already; --out "
                                        "would be another one");
    }
    struct cli_inputs in = {0};
    struct cli_part part = {0, 0};
    if (cli_read_part(command, values, &part) != CLI_OK) {
        return CLI_USAGE;
    }
    struct cli_progress progress;
    ss_run *run = NULL;
    ss_err err;
    size_t n_records = 0;
    struct ss_option_record *records = cli_records(command, values, &n_records);
    const int viewer =
        cli_given(values, OPT_VIEW) ? cli_viewer_start(values->text[OPT_OUT]) : 0;
    cli_progress_start(&progress, values, "analyze");
    struct ss_analyze_options options = {
        .struct_size = sizeof options,
        .out_dir = values->text[OPT_OUT],
        .force = cli_given(values, OPT_FORCE),
        .num_examples = values->count[OPT_NUM_EXAMPLES],
        .top_k = values->count[OPT_TOP_K],
        .keep_duplicates = cli_given(values, OPT_KEEP_DUPLICATES),
        .evidence = evidence_of(values->text[OPT_EVIDENCE]),
        .evidence_bytes = values->count[OPT_EVIDENCE_BYTES],
        .sample_rows = values->count[OPT_SAMPLE_ROWS],
        .sample_seed = values->count[OPT_SAMPLE_SEED],
        .pairs_bytes = values->count[OPT_PAIRS_BYTES],
        .no_pairs = cli_given(values, OPT_NO_PAIRS),
        .n_threads = values->count[OPT_THREADS],
        .batch_tokens = values->count[OPT_BATCH_TOKENS],
        .steps = values->text[OPT_STEPS],
        .part = part.part,
        .n_parts = part.n_parts,
        .append = cli_given(values, OPT_APPEND),
        .plan = values->text[OPT_PLAN],
        .checkpoint_seconds = values->real[OPT_CHECKPOINT_SECONDS],
        .title = values->text[OPT_TITLE],
        .save_embeddings = values->text[OPT_SAVE_EMBEDDINGS],
        .records = records,
        .n_records = n_records,
        .log = cli_log(values),
        .progress = cli_show_progress(&progress),
    };
    ss_status status = cli_open_inputs(values, &in, &err);
    const bool is_open = status == SS_OK;
    if (is_open) {
        options.embeddings = in.embeddings;
        status = ss_analyze(in.encoder, in.sae, in.dataset, &options, &run, &err);
        cli_progress_end(&progress);
    }
    const int code = status == SS_OK ? CLI_OK
                     : is_open       ? cli_fail(&err)
                                     : cli_fail_before(&err, options.out_dir);
    ss_descriptions *descriptions = NULL; /* none where labels were left out */
    if (status == SS_OK && run != NULL &&
        ss_descriptions_open(options.out_dir, &descriptions, NULL) != SS_OK) {
        descriptions = NULL;
    }
    if (status == SS_OK && run == NULL) {
        print_part(&part, values);
    } else if (status == SS_OK && cli_given(values, OPT_JSON)) {
        print_json_summary(run, descriptions, options.out_dir);
    } else if (status == SS_OK && !cli_given(values, OPT_QUIET)) {
        print_summary(run, descriptions, values);
    }
    ss_descriptions_free(descriptions);
    ss_run_free(run);
    cli_close_inputs(&in);
    free(records);
    (void)fflush(stdout);
    cli_viewer_end(viewer, code == CLI_OK);
    return code;
}

const struct cli_command cli_analyze = {
    .name = "analyze",
    .summary = "fire rates, histogram and top texts of an SAE's features",
    .about =
        "Reads every row once: embeds its text, encodes the embedding with the SAE, and "
        "gathers how often each feature fires and which texts activate it most. Rows without "
        "a text are skipped and counted.\n\nThe output folder holds fire_rate.npy (percent of "
        "used rows), top_activations.json, features.csv, the density histogram as density.svg "
        "and density.png, and run.json, which is written last and records how the results "
        "were made. With --save-embeddings FILE the embeddings go to a .npy file as well, a "
        "row per row of the dataset, so that other SAEs can be tried with --embeddings FILE in "
        "no time. With --keep there is top_texts.jsonl too: the texts of "
        "top_activations.json with the columns kept, row and file.\n\n" CLI_ABOUT_PRECISION
        " At high the same features fire as at highest: where high is made "
        "of other numbers (on AMX), texts with a feature near its threshold are embedded "
        "again at highest, and their number is reported. Elsewhere high is highest.\n\nA "
        "batch-top-k SAE was trained to keep the k*N largest activations of N rows, and some "
        "formats store no threshold for single rows. --batchtopk says what to do then: "
        "threshold keeps what is above a threshold, given or found on the first rows; "
        "row-topk keeps the k largest of each row; batch takes batches of --batch-rows rows "
        "in their order, as in training; refuse, the default, stops.",
    .usage =
        "{--model MODEL --dataset PATH | --embeddings PATH} [--sae SAE] --out PATH [options]",
    .examples =
        {{"saescope analyze --model MODEL --sae SAE -d texts.jsonl -o run",
          "all rows of a file; without --sae, the SAE that is built in for MODEL"},
         {"saescope analyze -m MODEL -s SAE -d 'x*.jsonl' --text-column doc -n 9k -o run",
          "9,000 rows of several files, from a named column"},
         {"saescope analyze -m MODEL -s SAE -d texts.jsonl --part 3/8 -o parts",
          "the third of eight parts; saescope merge parts/*.state -o run"},
         {"saescope analyze -m MODEL -s SAE -d new.jsonl --append run",
          "the rows of a further file, added to a finished run"},
         {"zstdcat texts.jsonl.zst | saescope analyze -m MODEL -s SAE -d - -o run",
          "rows from standard input"},
         {"saescope analyze --embeddings x.npy -s SAE -d texts.jsonl --keep id -o run",
          "embeddings that were made before, with the texts that they are of"}},
    .uses = {CLI_USES_INPUTS,
             {OPT_OUT, true, NULL, "folder for the results"},
             {OPT_SAVE_EMBEDDINGS, false, NULL, NULL},
             CLI_USES_DATASET,
             {OPT_KEEP, false, NULL,
              "columns to carry along into top_texts.jsonl, as id,title"},
             CLI_USES_ROWS,
             CLI_USES_SELECTION_SEED,
             {OPT_NUM_EXAMPLES, false, NULL, "stop after N used rows; else all"},
             {OPT_TOP_K, false, "10", NULL},
             {OPT_KEEP_DUPLICATES, false, NULL, NULL},
             {OPT_EVIDENCE, false, "full", NULL},
             {OPT_EVIDENCE_BYTES, false, NULL, NULL},
             {OPT_SAMPLE_ROWS, false, "4096", NULL},
             {OPT_SAMPLE_SEED, false, "0", NULL},
             {OPT_STEPS, false, "all", NULL},
             {OPT_PAIRS_BYTES, false, "512M", NULL},
             {OPT_NO_PAIRS, false, NULL, NULL},
             {OPT_PART, false, NULL, NULL},
             {OPT_PLAN, false, NULL, NULL},
             {OPT_APPEND, false, NULL, NULL},
             {OPT_CHECKPOINT_SECONDS, false, NULL, NULL},
             CLI_USES_ENCODER,
             CLI_USES_SAE,
             {OPT_TITLE, false, NULL, "title of the histogram; else it names the dataset"},
             CLI_USES_WORK,
             {OPT_VIEW, false, NULL, NULL},
             {OPT_FORCE, false, NULL, "replace an output folder that exists"},
             {OPT_OFFLINE, false, NULL, NULL},
             {OPT_JSON, false, NULL, "print the summary as JSON"},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = analyze,
};
