/* saescope search: texts of a run by words or meaning, features by their labels. */
#include <string.h>

#include "commands.h"

enum { N_FEATURES_SHOWN = 5, TEXT_INDENT = 14, MAX_TEXT_LINES = 4, LABEL_COLUMNS = 50 };

struct shown {
    const ss_search *search;
    const struct cli_values *values;
    ss_search_by by;
};

/* ---- features of a text, the strongest first ---- */

static size_t next_strongest(const struct ss_search_hit *hit, const size_t *taken,
                             size_t n_taken)
{
    size_t best = hit->n_features;
    for (size_t i = 0; i < hit->n_features; i++) {
        bool is_taken = false;
        for (size_t k = 0; k < n_taken; k++) {
            is_taken = is_taken || taken[k] == i;
        }
        if (!is_taken &&
            (best == hit->n_features || hit->activations[i] > hit->activations[best])) {
            best = i;
        }
    }
    return best;
}

static size_t strongest(const struct ss_search_hit *hit, size_t places[N_FEATURES_SHOWN])
{
    size_t n = 0;
    for (; n < N_FEATURES_SHOWN && n < hit->n_features; n++) {
        places[n] = next_strongest(hit, places, n);
    }
    return n;
}

/* ---- printing ---- */

static void print_hit(const struct shown *shown, const struct ss_search_hit *hit)
{
    char number[32];
    size_t places[N_FEATURES_SHOWN];
    if (hit->feature != SS_NO_FEATURE) {
        printf("%7zu %8.4g %%  ", hit->feature, hit->score);
        cli_print_safely(stdout, hit->text, LABEL_COLUMNS);
        putchar('\n');
        return;
    }
    printf("%9.4g", hit->score);
    cli_print_wrapped(stdout, hit->text, TEXT_INDENT, cli_output_columns(), MAX_TEXT_LINES);
    printf("%*srow %s, features", TEXT_INDENT, "", cli_thousands(hit->row, number));
    const size_t n = strongest(hit, places);
    for (size_t i = 0; i < n; i++) {
        printf(" %u", hit->features[places[i]]);
    }
    puts(n == 0 ? " none" : "");
    (void)shown;
}

static void print_json_hit(const struct ss_search_hit *hit)
{
    char number[CLI_NUMBER_BYTES];
    size_t places[N_FEATURES_SHOWN];
    printf("{\"score\": %s, ", cli_number(hit->score, number));
    if (hit->feature != SS_NO_FEATURE) {
        printf("\"feature\": %zu, \"label\": ", hit->feature);
        cli_print_json(stdout, hit->text);
        putchar('}');
        return;
    }
    printf("\"row\": %llu, \"file\": ", (unsigned long long)hit->row);
    cli_print_json(stdout, hit->file);
    fputs(", \"text\": ", stdout);
    cli_print_json(stdout, hit->text);
    fputs(", \"features\": [", stdout);
    const size_t n = strongest(hit, places);
    for (size_t i = 0; i < n; i++) {
        printf("%s{\"feature\": %u, \"activation\": %s}", i == 0 ? "" : ", ",
               hit->features[places[i]], cli_number_f32(hit->activations[places[i]], number));
    }
    fputs("]}", stdout);
}

static void print_json(const struct shown *shown, size_t n_searched, size_t n_found,
                       size_t n_listed)
{
    fputs("{\"schema\": 1, \"query\": ", stdout);
    cli_print_json(stdout, cli_text_of(shown->values->arguments[1]));
    printf(", \"n_searched\": %zu, \"n_found\": %zu, \"found\": [", n_searched, n_found);
    for (size_t i = 0; i < n_listed; i++) {
        struct ss_search_hit hit = {.struct_size = sizeof hit};
        (void)ss_search_get(shown->search, i, &hit);
        fputs(i == 0 ? "" : ", ", stdout);
        print_json_hit(&hit);
    }
    puts("]}");
}

static void print_table(const struct shown *shown, size_t n_searched, size_t n_found,
                        size_t n_listed)
{
    char found[32], searched[64];
    const bool is_of_features = shown->by == SS_SEARCH_FEATURES;
    if (n_found == 0) {
        printf("none of %s %s\n",
               cli_plural(n_searched, is_of_features ? "feature" : "text", searched),
               is_of_features ? "has a label with all these words" : "holds all these words");
        return;
    }
    puts(is_of_features                   ? "feature     rate  label"
         : shown->by == SS_SEARCH_MEANING ? "   cosine     text"
                                          : "     hits     text");
    for (size_t i = 0; i < n_listed; i++) {
        struct ss_search_hit hit = {.struct_size = sizeof hit};
        (void)ss_search_get(shown->search, i, &hit);
        print_hit(shown, &hit);
    }
    if (n_listed < n_found && shown->by != SS_SEARCH_MEANING) {
        printf("%s of %s; --limit N shows more\n", cli_thousands(n_listed, found),
               cli_plural(n_found, is_of_features ? "feature" : "text", searched));
    }
}

static int search(const struct cli_command *command, const struct cli_values *values)
{
    ss_search *found = NULL;
    size_t n_searched = 0, n_found = 0, n_listed = 0;
    ss_err err;
    if (cli_given(values, OPT_MEANING) && cli_given(values, OPT_FEATURES)) {
        return cli_usage_error(command, "give --meaning or --features, not both");
    }
    const ss_search_by by = cli_given(values, OPT_MEANING)    ? SS_SEARCH_MEANING
                            : cli_given(values, OPT_FEATURES) ? SS_SEARCH_FEATURES
                                                              : SS_SEARCH_WORDS;
    const struct ss_search_options options = {
        .struct_size = sizeof options,
        .by = by,
        .limit = values->count[OPT_LIMIT],
        .n_threads = values->count[OPT_THREADS],
        .progress = cli_stop(),
    };
    if (ss_search_run(values->arguments[0], values->arguments[1], &options, &found, &err) !=
        SS_OK) {
        return cli_fail(&err);
    }
    const struct shown shown = {found, values, by};
    ss_search_sizes(found, &n_searched, &n_found, &n_listed);
    if (cli_given(values, OPT_JSON)) {
        print_json(&shown, n_searched, n_found, n_listed);
    } else {
        print_table(&shown, n_searched, n_found, n_listed);
    }
    ss_search_free(found);
    return CLI_OK;
}

const struct cli_command cli_search = {
    .name = "search",
    .summary = "texts of a run by words or by meaning, features by their labels",
    .argument = "RUN QUERY",
    .n_least = 2,
    .n_most = 2,
    .usage = "RUN QUERY [options]",
    .about =
        "Searches the texts that a run kept (its sample, and the texts of its features) for "
        "those that hold all words of the query, as parts of words too, whatever their case. "
        "With --meaning the query is embedded by the run's encoder, and texts come by the "
        "cosine of their embeddings with it. With --features labels and keywords are "
        "searched.\n\nEach text is shown with its row in the dataset and the features that "
        "fire most strongly in it.",
    .examples = {{"saescope search run 'dark matter'", "texts that hold both words"},
                 {"saescope search run 'how stars are born' --meaning",
                  "texts that mean something like it"},
                 {"saescope search run galaxy --features --json",
                  "features by label, as JSON"}},
    .uses = {{OPT_MEANING, false, NULL, NULL},
             {OPT_FEATURES, false, NULL, NULL},
             {OPT_LIMIT, false, "10", "show at most N of what is found"},
             {OPT_THREADS, false, NULL, NULL},
             {OPT_JSON, false, NULL, NULL},
             {OPT_QUIET, false, NULL, NULL},
             {OPT_NO_COLOR, false, NULL, NULL},
             {OPT_HELP, false, NULL, NULL}},
    .run = search,
};
