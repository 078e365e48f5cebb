/* saescope diff: what two runs, or groups of one, differ in. */
#include <math.h>
#include <string.h>

#include "commands.h"

enum { GROUP_COLUMNS = 16, DEFAULT_LIMIT = 20 };

struct differences {
    const ss_diff *diff;
    struct ss_diff_info info;
    const ss_descriptions *descriptions; /* NULL: the first run has none */
    bool has_groups;
    double most_q;
    size_t limit;
};

static const char *label_of(const struct differences *all, size_t feature)
{
    struct ss_description description = {.struct_size = sizeof description};
    if (all->descriptions == NULL ||
        ss_descriptions_get(all->descriptions, feature, &description) != SS_OK) {
        return "";
    }
    return description.label;
}

/* ---- csv: all of them ---- */

static void print_cell(const char *text)
{
    if (strpbrk(text, "\",\r\n") == NULL) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text != '\0'; text++) {
        fputs(*text == '"' ? "\"\"" : (char[2]){*text, '\0'}, stdout);
    }
    putchar('"');
}

static void print_number(double value)
{
    char number[CLI_NUMBER_BYTES];
    if (isfinite(value)) {
        printf(",%s", cli_number(value, number));
    } else {
        fputs(isinf(value) ? ",inf" : ",", stdout);
    }
}

static void print_csv(const struct differences *all)
{
    puts("feature_a,feature_b,similarity,group,n_fires_a,n_rows_a,n_fires_b,n_rows_b,"
         "difference_pct,low_pct,high_pct,effect,odds_ratio,z,p,q,label");
    for (size_t i = 0; i < all->info.n; i++) {
        struct ss_difference item = {.struct_size = sizeof item};
        (void)ss_diff_get(all->diff, i, &item);
        printf("%zu,%zu", item.feature_a, item.feature_b);
        print_number(item.similarity);
        putchar(',');
        print_cell(item.group);
        printf(",%llu,%llu,%llu,%llu", (unsigned long long)item.n_fires_a,
               (unsigned long long)item.n_rows_a, (unsigned long long)item.n_fires_b,
               (unsigned long long)item.n_rows_b);
        const double numbers[] = {item.difference_pct, item.low_pct, item.high_pct, item.effect,
                                  item.odds_ratio,     item.z,       item.p,        item.q};
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
            print_number(numbers[k]);
        }
        putchar(',');
        print_cell(label_of(all, item.feature_a));
        putchar('\n');
    }
}

/* ---- json ---- */

static void print_json_item(const struct differences *all, const struct ss_difference *item)
{
    static const char *const names[] = {"difference_pct", "low_pct", "high_pct", "effect",
                                        "odds_ratio",     "z",       "p",        "q"};
    const double numbers[] = {item->difference_pct, item->low_pct, item->high_pct, item->effect,
                              item->odds_ratio,     item->z,       item->p,        item->q};
    char number[CLI_NUMBER_BYTES];
    printf("{\"feature_a\": %zu, \"feature_b\": %zu, \"similarity\": %s, \"group\": ",
           item->feature_a, item->feature_b, cli_number(item->similarity, number));
    cli_print_json(stdout, cli_text_of(item->group));
    printf(", \"n_fires_a\": %llu, \"n_rows_a\": %llu, \"n_fires_b\": %llu, \"n_rows_b\": %llu",
           (unsigned long long)item->n_fires_a, (unsigned long long)item->n_rows_a,
           (unsigned long long)item->n_fires_b, (unsigned long long)item->n_rows_b);
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        printf(", \"%s\": %s", names[k], cli_number(numbers[k], number));
    }
    fputs(", \"label\": ", stdout);
    cli_print_json(stdout, cli_text_of(label_of(all, item->feature_a)));
    putchar('}');
}

static void print_json(const struct differences *all)
{
    printf("{\"schema\": 1, \"same_sae\": %s, \"n_compared\": %zu, \"n_unmatched_a\": %zu, "
           "\"n_unmatched_b\": %zu, \"differences\": [",
           all->info.is_same_sae ? "true" : "false", all->info.n, all->info.n_unmatched_a,
           all->info.n_unmatched_b);
    for (size_t i = 0; i < all->info.n && i < all->limit; i++) {
        struct ss_difference item = {.struct_size = sizeof item};
        (void)ss_diff_get(all->diff, i, &item);
        if (item.q > all->most_q) {
            break; /* the surest come first */
        }
        fputs(i == 0 ? "" : ", ", stdout);
        print_json_item(all, &item);
    }
    puts("]}");
}

/* ---- a table ---- */

static void print_line(const struct differences *all, const struct ss_difference *item)
{
    const size_t columns = cli_output_columns();
    const size_t used = 51 + (all->has_groups ? GROUP_COLUMNS + 2 : 0);
    const double rate_a = 100 * (double)item->n_fires_a / (double)item->n_rows_a;
    const double rate_b = 100 * (double)item->n_fires_b / (double)item->n_rows_b;
    printf("%7zu %7.3g %7.3g %+8.3g %8.2g %8.2g  ", item->feature_a, rate_a, rate_b,
           item->difference_pct, item->effect, item->q);
    if (all->has_groups) {
        cli_print_safely(stdout, cli_text_of(item->group), GROUP_COLUMNS);
        fputs("  ", stdout);
    } else if (!all->info.is_same_sae) {
        printf("%zu  ", item->feature_b);
    }
    cli_print_safely(stdout, cli_text_of(label_of(all, item->feature_a)),
                     columns > used + 10 ? columns - used : 10);
    putchar('\n');
}

static void print_table(const struct differences *all)
{
    char number[32], other[64];
    size_t n_sure = 0, n_shown = 0;
    printf("%7s %7s %7s %8s %8s %8s  %s\n", "feature", "A %", "B %", "B - A", "effect", "q",
           all->has_groups         ? "group (B), label"
           : all->info.is_same_sae ? "label"
                                   : "in B, label");
    for (size_t i = 0; i < all->info.n; i++) {
        struct ss_difference item = {.struct_size = sizeof item};
        (void)ss_diff_get(all->diff, i, &item);
        if (item.q > all->most_q) {
            continue;
        }
        n_sure++;
        if (n_shown < all->limit) {
            print_line(all, &item);
            n_shown++;
        }
    }
    printf("%s of %s %s with q of %.3g or less\n", cli_thousands(n_sure, number),
           cli_plural(all->info.n, "comparison", other), n_sure == 1 ? "differs" : "differ",
           all->most_q);
    if (!all->info.is_same_sae) {
        printf("not matched: %s of A", cli_plural(all->info.n_unmatched_a, "feature", other));
        printf(", %s of B\n", cli_plural(all->info.n_unmatched_b, "feature", other));
    }
}

static int diff(const struct cli_command *command, const struct cli_values *values)
{
    const bool has_groups = cli_given(values, OPT_BY);
    ss_diff *found = NULL;
    ss_descriptions *descriptions = NULL;
    ss_err err;
    if (has_groups == (values->n_arguments == 2)) {
        return cli_usage_error(command, has_groups ? "--by compares groups of one run"
                                                   : "two runs are needed, or one with --by");
    }
    const struct ss_diff_options options = {
        .struct_size = sizeof options, .by = values->text[OPT_BY], .progress = cli_stop()};
    if (ss_diff_run(values->arguments[0], has_groups ? NULL : values->arguments[1], &options,
                    &found, &err) != SS_OK) {
        return cli_fail(&err);
    }
    /* labels are shown where there are some */
    const ss_status described = ss_descriptions_open(values->arguments[0], &descriptions, &err);
    if (described != SS_OK && described != SS_E_NOINPUT) {
        ss_diff_free(found);
        return cli_fail(&err);
    }
    struct differences all = {
        .diff = found,
        .info = {.struct_size = sizeof all.info},
        .descriptions = descriptions,
        .has_groups = has_groups,
        .most_q = cli_given(values, OPT_MOST_Q) ? values->real[OPT_MOST_Q] : 0.05,
        .limit = values->count[OPT_LIMIT] > 0 ? values->count[OPT_LIMIT] : DEFAULT_LIMIT,
    };
    ss_diff_describe(found, &all.info);
    if (cli_given(values, OPT_JSON)) {
        all.most_q = cli_was_typed(values, OPT_MOST_Q) ? all.most_q : INFINITY;
        print_json(&all);
    } else if (cli_given(values, OPT_PRINT_CSV)) {
        print_csv(&all);
    } else {
        print_table(&all);
    }
    ss_descriptions_free(descriptions);
    ss_diff_free(found);
    return CLI_OK;
}

const struct cli_command cli_diff = {
    .name = "diff",
    .summary = "what two runs differ in, or groups of texts in one",
    .argument = "RUN",
    .n_least = 1,
    .n_most = 2,
    .usage = "{RUN_A RUN_B | RUN --by COLUMN} [options]",
    .about =
        "Compares how often features fire in two runs. Runs of the same SAE are compared "
        "feature by feature; features of different SAEs are matched where their decoder "
        "directions are each other's nearest. With --by, groups of texts of one run are "
        "compared, by the values of a column that analyze kept (--keep), each with all "
        "others, over the sample of distinct texts.\n\nDifferences are in points of percent; "
        "the effect is Cohen's h; q is Benjamini and Hochberg's, over all comparisons: among "
        "those of at most q, a share of about q is expected to be by chance. --print-csv and "
        "--json also have the 95 % interval (Newcombe), odds ratios, z and p.",
    .examples = {{"saescope diff run-2023 run-2024", "what changed"},
                 {"saescope diff run --by category", "what is special about each category"},
                 {"saescope diff run-a run-b --print-csv > diff.csv", "all numbers"}},
    .uses = {{OPT_BY, false, NULL, NULL},
             {OPT_MOST_Q, false, "0.05", NULL},
             {OPT_LIMIT, false, "20", "list at most N differences"},
             {OPT_PRINT_CSV, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = diff,
};
