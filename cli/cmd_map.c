/* saescope map: clusters of a run's features, and a map of features and texts. */
#include <string.h>

#include "commands.h"

static void print_quality(const char *what, double trustworthiness, double kept)
{
    printf("%-15strustworthiness %.3f; %.0f %% of the nearest neighbours kept\n", what,
           trustworthiness, 100 * kept);
}

static void print_summary(const struct ss_map_result *result, const struct cli_values *values)
{
    char number[32];
    const char *path = values->arguments[0];
    printf("Clusters       %s of %s features", cli_thousands(result->n_clusters, number),
           cli_thousands(result->n_features, (char[32]){0}));
    if (result->n_noise > 0) {
        printf("; %s (%.0f %%) in none", cli_thousands(result->n_noise, number),
               100.0 * (double)result->n_noise / (double)result->n_features);
    }
    printf("\nLeft out       %s features that fire too rarely\n",
           cli_thousands(result->n_rare, number));
    print_quality("Map", result->trustworthiness, result->kept);
    if (result->n_texts > 0) {
        printf("Texts          %s on the map\n", cli_thousands(result->n_texts, number));
        print_quality("Map of texts", result->text_trustworthiness, result->text_kept);
    }
    if (cli_given(values, OPT_PLACE)) {
        printf("Placed         %s texts\n", cli_thousands(result->n_placed, number));
    }
    cli_print_written(path,
                      cli_given(values, OPT_PLACE)
                          ? "clusters.csv, clusters.json, map.csv, map.svg, map.png, placed.csv"
                          : "clusters.csv, clusters.json, map.csv, map.svg, map.png");
}

static void print_json_summary(const struct ss_map_result *result, const char *path)
{
    printf("{\"schema\": 1, \"run\": ");
    cli_print_json(stdout, cli_text_of(path));
    printf(", \"features\": %zu, \"rare\": %zu, \"clusters\": %zu, \"noise\": %zu, \"texts\": "
           "%zu, "
           "\"placed\": %zu, \"trustworthiness\": %.6f, \"kept\": %.6f, "
           "\"text_trustworthiness\": %.6f, \"text_kept\": %.6f}\n",
           result->n_features, result->n_rare, result->n_clusters, result->n_noise,
           result->n_texts, result->n_placed, result->trustworthiness, result->kept,
           result->text_trustworthiness, result->text_kept);
}

static int map(const struct cli_command *command, const struct cli_values *values)
{
    ss_encoder *encoder = NULL;
    struct cli_progress progress;
    ss_err err;
    struct ss_map_result result = {.struct_size = sizeof result};
    const bool is_hdbscan = strcmp(values->text[OPT_CLUSTER_METHOD], "hdbscan") == 0;
    cli_progress_start(&progress, values, "map");
    const struct ss_map_options options = {
        .struct_size = sizeof options,
        .vectors = strcmp(values->text[OPT_ON], "keywords") == 0  ? SS_MAP_KEYWORDS
                   : strcmp(values->text[OPT_ON], "decoder") == 0 ? SS_MAP_DECODER
                                                                  : SS_MAP_CENTROIDS,
        .method = is_hdbscan ? SS_CLUSTERS_HDBSCAN : SS_CLUSTERS_WARD,
        .n_clusters = values->count[OPT_CLUSTERS],
        .min_cluster_size = values->count[OPT_MIN_CLUSTER_SIZE],
        .min_samples = values->count[OPT_MIN_SAMPLES],
        .leaves = cli_given(values, OPT_LEAVES),
        .seed = values->count[OPT_SEED],
        .place = values->text[OPT_PLACE],
        .text_column = values->text[OPT_TEXT_COLUMN],
        .no_labels = cli_given(values, OPT_NO_LABELS),
        .n_threads = values->count[OPT_THREADS],
        .progress = cli_show_progress(&progress),
        .log = cli_log(values),
    };
    if (is_hdbscan && cli_given(values, OPT_CLUSTERS)) {
        return cli_usage_error(command, "--clusters is for --method ward");
    }
    ss_status status = cli_open_run_encoder(values, &encoder, &err);
    if (status == SS_OK) {
        status = ss_map_run(values->arguments[0], encoder, &options, &result, &err);
        cli_progress_end(&progress);
    }
    const int code = status == SS_OK ? CLI_OK : cli_fail(&err);
    if (code == CLI_OK && cli_given(values, OPT_JSON)) {
        print_json_summary(&result, values->arguments[0]);
    } else if (code == CLI_OK && !cli_given(values, OPT_QUIET)) {
        print_summary(&result, values);
    }
    ss_encoder_free(encoder);
    return code;
}

const struct cli_command cli_map = {
    .name = "map",
    .summary = "clusters of a run's features, and a map of features and texts",
    .argument = "RUN",
    .n_least = 1,
    .n_most = 1,
    .about =
        "Says which features of a run are about the same, and draws them on a map, from what "
        "analyze kept in the run's folder; the dataset is not needed.\n\nA feature is where "
        "its "
        "texts are: at the mean of their embeddings, by activation (its centroid). Clusters "
        "are a "
        "cut through the tree of Ward's method, in which every feature has a place, or those "
        "of "
        "HDBSCAN, which leaves features out as noise. A cluster's label is made by contrast of "
        "the "
        "texts nearest to it, and scored on others, as describe does for features.\n\nThe map "
        "is "
        "made by UMAP: what is near on it was near before; distances between groups mean "
        "little. "
        "Texts are placed on the same map, and texts from elsewhere with --place. The summary "
        "says "
        "how much of the neighbourhood the map keeps. Equal runs and options give equal bytes, "
        "for "
        "any number of threads.",
    .examples = {{"saescope map run", "clusters and a map"},
                 {"saescope map run --clusters 30", "30 clusters"},
                 {"saescope map run --place texts.jsonl", "where other texts lie"}},
    .uses = {{OPT_CLUSTER_METHOD, false, "ward", NULL},
             {OPT_CLUSTERS, false, NULL, NULL},
             {OPT_MIN_CLUSTER_SIZE, false, "5", NULL},
             {OPT_MIN_SAMPLES, false, NULL, NULL},
             {OPT_LEAVES, false, NULL, NULL},
             {OPT_ON, false, "centroids", NULL},
             {OPT_NO_LABELS, false, NULL, NULL},
             {OPT_PLACE, false, NULL, NULL},
             {OPT_TEXT_COLUMN, false, NULL, "column of the texts to place; else it is found"},
             {OPT_SEED, false, "0", "number that the map's draws begin from"},
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
    .run = map,
};
