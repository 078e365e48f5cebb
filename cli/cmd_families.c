/* saescope families: which features belong together, by how they fire. */
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { N_SHOWN = 8, LABEL_COLUMNS = 40 };

/* In the order of the enums. */
static const char *const rules[] = {"parents", "seed", "seed-keywords", "saerch"};
static const char *const scores[] = {"cosine", "phi", "npmi", "conditional"};

static size_t place_of(const char *name, const char *const *names, size_t n)
{
    size_t i = 0;
    while (i + 1 < n && strcmp(names[i], name) != 0) {
        i++;
    }
    return i;
}

static bool is_number(double value)
{
    return value == value;
}

/* ---- the summary ---- */

static void print_largest(const ss_families *families)
{
    const size_t n = ss_families_n(families);
    if (n == 0) {
        return;
    }
    printf("\nLargest families\nparent   size  held-out lift  label\n");
    for (size_t i = 0; i < n && i < N_SHOWN; i++) {
        struct ss_family family = {.struct_size = sizeof family};
        char lift[32] = "             –";
        (void)ss_families_get(families, i, &family);
        if (is_number(family.lift)) {
            snprintf(lift, sizeof lift, "%4.1f (%zu pairs)", family.lift, family.n_held_out);
        }
        printf("%6zu  %5zu  %13s  ", family.members[0], family.n_members, lift);
        const char *label = family.phrases[0] != '\0' ? family.phrases
                            : family.label[0] != '\0' ? family.label
                                                      : "–";
        cli_print_safely(stdout, cli_text_of(label), LABEL_COLUMNS);
        putchar('\n');
    }
}

static void print_summary(const struct ss_families_info *info, const struct cli_values *values)
{
    char number[32], other[32];
    const char *path = values->arguments[0];
    ss_families *families = NULL;
    const bool is_parents = strcmp(values->text[OPT_FAMILY_RULE], "parents") == 0;
    printf("Families       %s, the largest of %s features\n",
           cli_thousands(is_parents ? info->n_trees : info->n_families, number),
           cli_thousands(info->n_largest, other));
    if (is_parents) {
        printf("Parents        %s features have one", cli_thousands(info->n_parents, number));
        printf(", %s stand alone", cli_thousands(info->n_without, number));
        printf("; %s too rare", cli_thousands(info->n_rare, number));
        printf(", %s dead\n", cli_thousands(info->n_dead, number));
    }
    if (is_number(info->lift)) {
        printf("Held out       lift %.2f (%.2f to %.2f), median %.2f of %zu pairs\n",
               info->lift, info->lift_low, info->lift_high, info->median_lift,
               info->n_held_out);
    } else if (is_parents) {
        puts("Held out       too few rows to find pairs on one half of them");
    }
    if (is_number(info->meaning)) {
        printf("Shared words   %.3f (%.3f to %.3f), the mean cosine of parent and child over "
               "%zu pairs; by chance 0\n",
               info->meaning, info->meaning_low, info->meaning_high, info->n_meant);
    }
    if (ss_families_open(path, &families, NULL) == SS_OK) {
        print_largest(families);
    }
    ss_families_free(families);
    cli_print_written(path,
                      cli_given(values, OPT_MATRIX)
                          ? "families.json, feature_families.json, pairs.arrow, "
                            "coactivation_matrix.npy, and pictures: families, family_maps, "
                            "coactivation as svg and png"
                          : "families.json, feature_families.json, pairs.arrow, and "
                            "pictures: families, family_maps, coactivation as svg and png");
}

static void print_json_number(const char *name, double value)
{
    char number[CLI_NUMBER_BYTES];
    printf(", \"%s\": %s", name, is_number(value) ? cli_number(value, number) : "null");
}

static void print_json_summary(const struct ss_families_info *info,
                               const struct cli_values *values)
{
    printf("{\"schema\": 1, \"run\": ");
    cli_print_json(stdout, cli_text_of(values->arguments[0]));
    printf(", \"rule\": \"%s\", \"families\": %zu, \"trees\": %zu, \"largest\": %zu, "
           "\"parents\": %zu, \"skipped\": {\"dead\": %zu, \"too_rare\": %zu, "
           "\"none_significant\": %zu}, \"held_out\": {\"pairs\": %zu",
           values->text[OPT_FAMILY_RULE], info->n_families, info->n_trees, info->n_largest,
           info->n_parents, info->n_dead, info->n_rare, info->n_without, info->n_held_out);
    print_json_number("median_lift", info->median_lift);
    print_json_number("lift", info->lift);
    print_json_number("low", info->lift_low);
    print_json_number("high", info->lift_high);
    printf(", \"meaning_pairs\": %zu", info->n_meant);
    print_json_number("meaning", info->meaning);
    print_json_number("meaning_low", info->meaning_low);
    print_json_number("meaning_high", info->meaning_high);
    puts("}}");
}

/* ---- the command ---- */

static int families(const struct cli_command *command, const struct cli_values *values)
{
    static const cli_option_id of_parents[] = {OPT_FAMILY_SCORE, OPT_MAX_PARENT_RATE};
    struct cli_progress progress;
    cli_progress_start(&progress, values, "families");
    struct ss_families_options options = {
        .struct_size = sizeof options,
        .rule = (ss_family_rule)place_of(values->text[OPT_FAMILY_RULE], rules,
                                         sizeof rules / sizeof *rules),
        .score = (ss_family_score)place_of(values->text[OPT_FAMILY_SCORE], scores,
                                           sizeof scores / sizeof *scores),
        .most_parent_rate =
            cli_given(values, OPT_MAX_PARENT_RATE) ? values->real[OPT_MAX_PARENT_RATE] : 0,
        .tau = cli_given(values, OPT_TAU) ? values->real[OPT_TAU] : 0,
        .least_phi = cli_given(values, OPT_PAIRS_PHI) ? values->real[OPT_PAIRS_PHI] : 0,
        .matrix = cli_given(values, OPT_MATRIX),
        .no_labels = cli_given(values, OPT_NO_LABELS),
        .n_threads = values->count[OPT_THREADS],
        .progress = cli_show_progress(&progress),
        .log = cli_log(values),
    };
    struct ss_families_info info = {.struct_size = sizeof info};
    ss_encoder *encoder = NULL;
    ss_err err;
    for (size_t i = 0; i < sizeof of_parents / sizeof *of_parents; i++) {
        if (options.rule != SS_FAMILIES_PARENTS && cli_was_typed(values, of_parents[i])) {
            return cli_usage_error(command, "--%s is for --method parents",
                                   cli_options[of_parents[i]].name);
        }
    }
    if (cli_given(values, OPT_TAU) && options.rule == SS_FAMILIES_PARENTS) {
        return cli_usage_error(command, "--tau is for --method seed, seed-keywords and saerch");
    }
    ss_status status = cli_open_run_encoder(values, &encoder, &err);
    options.encoder = encoder;
    if (status == SS_OK) {
        status = ss_families_run(values->arguments[0], &options, &info, &err);
    }
    cli_progress_end(&progress);
    ss_encoder_free(encoder);
    if (status != SS_OK) {
        return cli_fail(&err);
    }
    if (cli_given(values, OPT_JSON)) {
        print_json_summary(&info, values);
    } else if (!cli_given(values, OPT_QUIET)) {
        print_summary(&info, values);
    }
    return CLI_OK;
}

const struct cli_command cli_families = {
    .name = "families",
    .summary = "which features of a run belong together, by how they fire",
    .argument = "RUN",
    .n_least = 1,
    .n_most = 1,
    .about =
        "Finds families among the features of a run from how often every two of them fire in "
        "the "
        "same row, which analyze counted; the dataset is not needed.\n\nBy "
        "parents, the default, each feature has at most one parent: of the features that fire "
        "more often, whose pair with it is no accident (q at most 0.01 by the one-sided test "
        "of "
        "Fisher over all pairs, 5 rows or more, twice as many as by chance), the one "
        "whose activations are most like its own, weighed by how much more often than by "
        "chance "
        "both fire (the cosine times the logarithm of the lift). Every subtree is a family. "
        "The rule is tried on one half of the "
        "texts, and the pairs that it finds there are counted on the other half: lift is how "
        "many times as often as by chance they fire together, shared words how alike the words "
        "of "
        "their strongest texts there are. The largest families get phrases from their texts "
        "by contrast with others, scored as describe scores labels, where the run's encoder "
        "is at hand.\n\n--method seed and "
        "seed-keywords make the families of the Python workflow's two builders, saerch those "
        "of "
        "arXiv 2408.00657, each as its code does.\n\nfamilies.json has all of it, "
        "feature_families.json the lists of numbers, pairs.arrow for every feature the 50 "
        "features that it fires with most, with measures and q.",
    .examples = {{"saescope families run", "families by parents"},
                 {"saescope show run 450 --family", "the family of a feature"},
                 {"saescope families run --method seed --matrix",
                  "as the Python workflow makes them, with its matrix"}},
    .uses = {{OPT_FAMILY_RULE, false, "parents", NULL},
             {OPT_FAMILY_SCORE, false, "cosine", NULL},
             {OPT_MAX_PARENT_RATE, false, NULL, NULL},
             {OPT_TAU, false, NULL, NULL},
             {OPT_PAIRS_PHI, false, NULL, NULL},
             {OPT_MATRIX, false, NULL, NULL},
             {OPT_NO_LABELS, false, NULL, "no phrases of families"},
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
    .run = families,
};
