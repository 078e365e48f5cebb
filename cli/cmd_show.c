/* saescope show: features of a run, one with its texts or many as a table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

enum { TABLE_TEXT = 47, MAX_FEATURES = 4096 };

/* ---- many features ---- */

static void print_line(const struct showing *showing, const struct ss_feature_match *match,
                       bool has_words)
{
    struct ss_feature facts = {.struct_size = sizeof facts};
    struct ss_top_text top = {.struct_size = sizeof top};
    char fires[32];
    size_t used = TABLE_TEXT;
    ss_run_feature(showing->run, match->feature, &facts);
    ss_run_top(showing->run, match->feature, 0, &top);
    printf("%7zu %9.4f %11s %8.4g %8.4g", match->feature, (double)facts.rate_pct,
           cli_thousands(facts.n_fires, fires), (double)facts.max_activation,
           facts.mean_activation);
    if (has_words) {
        printf(" %5zu", match->n_texts);
        used += 6;
    }
    fputs("  ", stdout);
    if (facts.n_top > 0) {
        cli_print_safely(stdout, top.text,
                         showing->columns > used + 10 ? showing->columns - used - 2 : 10);
    }
    putchar('\n');
}

static void print_table(const struct showing *showing, const struct ss_feature_match *matches,
                        size_t n_shown, size_t n_found)
{
    const bool has_words = cli_given(showing->values, OPT_SEARCH);
    char number[32], other[64];
    printf("%7s %9s %11s %8s %8s%s  %s\n", "feature", "rate %", "fires", "max", "mean",
           has_words ? " texts" : "", "strongest text");
    for (size_t i = 0; i < n_shown; i++) {
        print_line(showing, &matches[i], has_words);
    }
    if (n_shown < n_found) {
        printf("%s of %s; --limit N shows more\n", cli_thousands(n_shown, number),
               cli_plural(n_found, "feature", other));
    } else if (n_found == 0) {
        puts("no feature is like that");
    }
}

static void print_json_table(const struct showing *showing,
                             const struct ss_feature_match *matches, size_t n_shown,
                             size_t n_found)
{
    printf("\"n_found\": %zu, \"features\": [", n_found);
    for (size_t i = 0; i < n_shown; i++) {
        struct ss_feature facts = {.struct_size = sizeof facts};
        struct ss_top_text top = {.struct_size = sizeof top};
        ss_run_feature(showing->run, matches[i].feature, &facts);
        ss_run_top(showing->run, matches[i].feature, 0, &top);
        printf("%s{", i == 0 ? "" : ", ");
        cli_show_json_facts(showing, matches[i].feature);
        if (cli_given(showing->values, OPT_SEARCH)) {
            printf(", \"n_texts\": %zu", matches[i].n_texts);
        }
        printf(", \"text\": ");
        if (facts.n_top == 0) {
            printf("null");
        } else {
            cli_print_json(stdout, top.text);
        }
        putchar('}');
    }
    putchar(']');
}

static void open_json(const struct showing *showing)
{
    printf("{\"schema\": 1, \"run\": ");
    cli_print_json(stdout, cli_text_of(showing->path));
    printf(", \"rows_used\": %llu, ", (unsigned long long)showing->info.n_rows_used);
}

/* ---- what is asked for ---- */

static bool read_percent(const char *text, size_t n, double otherwise, double *value)
{
    char copy[40], *end = NULL;
    *value = otherwise;
    if (n == 0) {
        return true;
    }
    if (n >= sizeof copy || strspn(text, "0123456789.eE+-") < n) {
        return false;
    }
    memcpy(copy, text, n);
    copy[n] = '\0';
    errno = 0;
    *value = strtod(copy, &end);
    return *end == '\0' && errno == 0 && *value >= 0 && *value <= 100;
}

/* "0.1..5", "1..", "..0.5": percent. */
static int read_rate(const struct showing *showing, struct ss_feature_query *query)
{
    const char *text = showing->values->text[OPT_RATE];
    const char *dots = text == NULL ? NULL : strstr(text, "..");
    if (text == NULL) {
        return CLI_OK;
    }
    query->has_rate = true;
    if (dots == NULL || !read_percent(text, (size_t)(dots - text), 0, &query->rate_least_pct) ||
        !read_percent(dots + 2, strlen(dots + 2), 100, &query->rate_most_pct) ||
        query->rate_least_pct > query->rate_most_pct) {
        return cli_usage_error(showing->command,
                               "--rate: '%s' is not a range of percent such as 0.1..5, 1.. or "
                               "..0.5",
                               text);
    }
    return CLI_OK;
}

static int read_query(const struct showing *showing, struct ss_feature_query *query)
{
    *query = (struct ss_feature_query){.struct_size = sizeof(struct ss_feature_query),
                                       .words = showing->values->text[OPT_SEARCH],
                                       .is_dead = cli_given(showing->values, OPT_DEAD),
                                       .order = SS_ORDER_RATE};
    query->order = query->words != NULL ? SS_ORDER_TEXTS : query->order;
    (void)ss_feature_order_parse(showing->values->text[OPT_SORT], &query->order);
    return read_rate(showing, query);
}

static int read_feature(const struct showing *showing, const char *text, size_t *feature)
{
    char *end = NULL, number[32];
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (strspn(text, "0123456789") != strlen(text) || text[0] == '\0' || errno != 0) {
        return cli_usage_error(showing->command,
                               "'%s' is not the number of a feature; --search '%s' looks for "
                               "words in their texts",
                               text, text);
    }
    if (value >= showing->info.n_features) {
        return cli_usage_error(showing->command,
                               "there is no feature %llu: the run has features 0 to %s", value,
                               cli_thousands(showing->info.n_features - 1, number));
    }
    *feature = (size_t)value;
    return CLI_OK;
}

/* ---- the command ---- */

static int show_given(const struct showing *showing)
{
    const struct cli_values *values = showing->values;
    const size_t n = values->n_arguments - 1;
    const bool as_json = cli_given(values, OPT_JSON);
    size_t feature = 0;
    for (size_t i = 0; i < n; i++) { /* all are checked before one is shown */
        if (read_feature(showing, values->arguments[1 + i], &feature) != CLI_OK) {
            return CLI_USAGE;
        }
    }
    if (as_json) {
        open_json(showing);
        printf("\"features\": [");
    }
    for (size_t i = 0; i < n; i++) {
        (void)read_feature(showing, values->arguments[1 + i], &feature);
        if (as_json) {
            printf("%s", i == 0 ? "" : ", ");
            cli_show_json_feature(showing, feature);
        } else {
            printf("%s", i == 0 ? "" : "\n");
            cli_show_feature(showing, feature);
        }
    }
    if (as_json) {
        puts("]}");
    }
    return CLI_OK;
}

static int show_found(const struct showing *showing)
{
    struct ss_feature_query query = {.struct_size = sizeof query};
    struct ss_feature_match *matches = calloc(showing->info.n_features + 1, sizeof *matches);
    size_t n_found = 0;
    ss_err err;
    int code = matches == NULL ? cli_no_memory() : read_query(showing, &query);
    if (code == CLI_OK &&
        ss_run_select(showing->run, &query, matches, &n_found, &err) != SS_OK) {
        code = cli_fail(&err);
    }
    if (code == CLI_OK) {
        const uint64_t limit = showing->values->count[OPT_LIMIT];
        const size_t n_shown = n_found < limit ? n_found : (size_t)limit;
        if (cli_given(showing->values, OPT_JSON)) {
            open_json(showing);
            print_json_table(showing, matches, n_shown, n_found);
            puts("}");
        } else {
            print_table(showing, matches, n_shown, n_found);
        }
    }
    free(matches);
    return code;
}

static int show(const struct cli_command *command, const struct cli_values *values)
{
    struct showing showing = {.command = command,
                              .values = values,
                              .path = values->arguments[0],
                              .info = {.struct_size = sizeof showing.info},
                              .columns = cli_output_columns(),
                              .colours = cli_colours(values, stdout)};
    static const cli_option_id filters[] = {OPT_SEARCH, OPT_RATE, OPT_DEAD};
    static const cli_option_id of_tables[] = {OPT_SORT, OPT_LIMIT};
    ss_err err;
    for (size_t i = 0; i < sizeof of_tables / sizeof *of_tables; i++) {
        if (values->n_arguments > 1 && cli_was_typed(values, of_tables[i]) &&
            !cli_given(values, OPT_QUIET)) {
            cli_say(stderr, "note: --%s has no effect beside numbers of features",
                    cli_options[of_tables[i]].name);
        }
    }
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        if (values->n_arguments > 1 && cli_given(values, filters[i])) {
            return cli_usage_error(command, "give numbers of features or --%s, not both",
                                   cli_options[filters[i]].name);
        }
    }
    if (cli_given(values, OPT_FAMILY) && values->n_arguments == 1) {
        return cli_usage_error(command, "--family needs numbers of features");
    }
    const struct ss_run_options options = cli_run_options(values);
    if (ss_run_open(showing.path, &options, &showing.run, &err) != SS_OK) {
        return cli_fail(&err);
    }
    ss_run_describe(showing.run, &showing.info);
    const ss_status described = ss_descriptions_open(showing.path, &showing.descriptions, &err);
    if (described != SS_OK && described != SS_E_NOINPUT) {
        ss_run_free(showing.run);
        return cli_fail(&err);
    }
    if (showing.descriptions != NULL &&
        ss_descriptions_n_features(showing.descriptions) != showing.info.n_features) {
        ss_descriptions_free(showing.descriptions); /* of another run */
        showing.descriptions = NULL;
    }
    if (values->n_arguments > 1 &&
        ss_samples_open(showing.path, &showing.samples, &err) != SS_OK &&
        err.code != SS_E_NOINPUT) {
        ss_descriptions_free(showing.descriptions);
        ss_run_free(showing.run);
        return cli_fail(&err);
    }
    if (cli_given(values, OPT_FAMILY) &&
        ss_families_open(showing.path, &showing.families, &err) != SS_OK) {
        ss_samples_free(showing.samples);
        ss_descriptions_free(showing.descriptions);
        ss_run_free(showing.run);
        return cli_fail(&err);
    }
    const int code = values->n_arguments > 1 ? show_given(&showing) : show_found(&showing);
    ss_families_free(showing.families);
    ss_samples_free(showing.samples);
    ss_descriptions_free(showing.descriptions);
    ss_run_free(showing.run);
    return code;
}

const struct cli_command cli_show = {
    .name = "show",
    .summary = "features of a run: one with its texts, or a table of many",
    .argument = "RUN [FEATURE]…",
    .n_least = 1,
    .n_most = 1 + MAX_FEATURES,
    .usage = "RUN [FEATURE]… [options]",
    .about =
        "With numbers of features: the label of each and its scores (docs/descriptions.md), "
        "how "
        "often it fires, with the Wilson interval at 95 %, a histogram of its activations, its "
        "top texts, strongest first, with the columns that analyze --keep carried along, then "
        "some texts from a uniform sample of those in which it fires, and some in which it "
        "nearly fires. Long texts are cut; --json has them whole, and all of them. Only "
        "activations above 0 count, so that a feature which fires rarely has few texts.\n\n"
        "Without numbers: a table of features, the most frequent first, or those that "
        "--search, "
        "--rate and --dead choose. --search finds features with a top text that holds all of "
        "the words, whatever their case, also as parts of longer words; features with more "
        "such texts come first.",
    .examples = {{"saescope show run 450", "one feature and its texts"},
                 {"saescope show run 450 --family", "with what is above and below it"},
                 {"saescope show run --search 'black hole'",
                  "features whose texts speak of black holes"},
                 {"saescope show run --rate 0.1..5 --sort max --limit 50",
                  "neither rare nor everywhere, the strongest first"},
                 {"saescope show run --rate 1..10 --json | jq '.features[].feature'",
                  "their numbers"}},
    .uses = {{OPT_SEARCH, false, NULL, NULL},
             {OPT_RATE, false, NULL, NULL},
             {OPT_DEAD, false, NULL, NULL},
             {OPT_SORT, false, NULL, NULL},
             {OPT_LIMIT, false, "20", NULL},
             {OPT_FAMILY, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = show,
};
