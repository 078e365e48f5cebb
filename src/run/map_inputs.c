/* What the map is made from: vectors of features (centroids of a run, or the words that describe
 * them) and the embeddings of its texts, as rows of length 1 in float64. */
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "encoder/encoder.h"
#include "folder/manifest_read.h"
#include "run/directions.h"
#include "run/map_step.h"

/* Texts that are placed together, of each half at most; the first of a pool are a fair sample of
 * its texts, since they are ordered by their keys. */
enum { LANDMARKS_OF_HALF = 10000, KEYWORDS = 3 };

/* ---- features ---- */

static bool is_frequent(const struct ss_run_map *map, size_t feature)
{
    return map->run->features[feature].n_fires >= SS_RUN_MAP_LEAST;
}

bool ss_run_map_has_features(const ss_run *run)
{
    for (size_t f = 0; f < run->info.n_features; f++) {
        if (run->features[f].n_fires >= SS_RUN_MAP_LEAST) {
            return true;
        }
    }
    return false;
}

static bool is_zero(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (x[i] != 0) {
            return false;
        }
    }
    return true;
}

static ss_status start_features(struct ss_run_map *map, ss_err *err)
{
    const size_t n = map->run->info.n_features;
    SS_ALLOC_OR_RETURN(map->ids, n);
    SS_ALLOC_OR_RETURN(map->features.x, n * map->width);
    return SS_OK;
}

/* Keep the row that was written behind the others, if it says anything. */
static void keep_feature(struct ss_run_map *map, size_t feature)
{
    const double *x = map->features.x + map->features.n * map->width;
    if (!is_zero(x, map->width)) {
        map->ids[map->features.n++] = (uint32_t)feature;
    }
}

static ss_status take_centroids(struct ss_run_map *map, ss_err *err)
{
    SS_RETURN_IF_ERROR(start_features(map, err));
    for (size_t f = 0; f < map->run->info.n_features; f++) {
        double *x = map->features.x + map->features.n * map->width;
        for (size_t j = 0; j < map->width; j++) {
            x[j] = (double)map->centroids.centroids[f * map->width + j];
        }
        if (is_frequent(map, f)) {
            keep_feature(map, f);
        }
    }
    return SS_OK;
}

static ss_status take_decoder(struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_directions directions = {.x = NULL};
    SS_TRY(ss_run_directions_read(map->dir, map->run->info.n_features, &directions, err));
    map->width = directions.width;
    SS_TRY(start_features(map, err));
    for (size_t i = 0; i < directions.n; i++) {
        if (is_frequent(map, directions.features[i])) {
            memcpy(map->features.x + map->features.n * map->width,
                   directions.x + i * map->width, map->width * sizeof *directions.x);
            keep_feature(map, directions.features[i]);
        }
    }
out:
    ss_run_directions_release(&directions);
    return status;
}

/* The weighted mean of the embeddings of a feature's best keywords, as the seed project has it.
 */
static void mean_of_keywords(const struct ss_description *description, const float *embeddings,
                             size_t n, size_t width, double *out)
{
    double sum = 0;
    memset(out, 0, width * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        sum += description->keywords[i].weight;
    }
    for (size_t i = 0; i < n && sum > 0; i++) {
        for (size_t j = 0; j < width; j++) {
            out[j] += description->keywords[i].weight / sum * (double)embeddings[i * width + j];
        }
    }
}

static ss_status take_keywords(struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    float *embeddings = NULL;
    if (map->descriptions == NULL) {
        return ss__fail_file(err, map->dir, SS_E_NOINPUT,
                             "no keywords: make them first with saescope describe");
    }
    SS_ALLOC(embeddings, KEYWORDS * map->width);
    SS_TRY(start_features(map, err));
    for (size_t f = 0; f < map->run->info.n_features; f++) {
        struct ss_description description = {.struct_size = sizeof description};
        struct ss_text texts[KEYWORDS];
        SS_TRY(ss_descriptions_get(map->descriptions, f, &description));
        const size_t n = ss__min_size(description.n_keywords, KEYWORDS);
        for (size_t i = 0; i < n; i++) {
            texts[i] = (struct ss_text){description.keywords[i].text,
                                        strlen(description.keywords[i].text)};
        }
        SS_TRY(ss_encoder_embed(map->encoder, map->work, texts, n, embeddings, NULL, err));
        mean_of_keywords(&description, embeddings, n, map->width,
                         map->features.x + map->features.n * map->width);
        keep_feature(map, f);
    }
out:
    ss__free(embeddings);
    return status;
}

/* ---- texts ---- */

/* Landmarks first: the first of either pool; then the rest of the pools. */
static void order_texts(struct ss_run_map *map)
{
    const struct ss_folder_evidence *evidence = &map->evidence;
    size_t n = 0;
    for (int is_rest = 0; is_rest < 2; is_rest++) {
        for (int half = 0; half < 2; half++) {
            const size_t n_first = ss__min_size(evidence->n_pool[half], LANDMARKS_OF_HALF);
            const size_t begin = evidence->first[half] + (is_rest ? n_first : 0);
            const size_t end =
                evidence->first[half] + (is_rest ? evidence->n_pool[half] : n_first);
            for (size_t row = begin; row < end; row++) {
                map->text_rows[n++] = (uint32_t)row;
            }
        }
        map->n_landmarks = is_rest ? map->n_landmarks : n;
    }
    map->texts.n = n;
}

static ss_status take_texts(struct ss_run_map *map, ss_err *err)
{
    const struct ss_folder_evidence *evidence = &map->evidence;
    const size_t n = evidence->n_pool[0] + evidence->n_pool[1];
    SS_ALLOC_OR_RETURN(map->text_rows, n);
    order_texts(map);
    return SS_OK;
}

/* ---- opening ---- */

/* What a run has besides: its absence is no error. */
static ss_status allow_missing(ss_status status)
{
    return status == SS_E_NOINPUT ? SS_OK : status;
}

/* Whether the map is made of what is embedded now: by an encoder that fits what the run keeps. */
static bool embeds(const struct ss_map_options *options)
{
    return options->place != NULL || options->vectors == SS_MAP_KEYWORDS;
}

static ss_status find_encoder(struct ss_run_map *map, const ss_encoder *given, ss_err *err)
{
    struct ss_run_own_encoder found = {.dir = map->dir,
                                       .run = map->run,
                                       .work = map->work,
                                       .width = map->evidence.width,
                                       .stop = map->options->progress,
                                       .log = map->options->log};
    const ss_status status = ss_run_own_encoder_find(&found, given, err);
    map->own_encoder = found.own;
    map->encoder = found.encoder;
    return status;
}

/* The encoder, where something is to be embedded. Whoever only lacks labels for that goes on. */
static ss_status open_encoder(struct ss_run_map *map, const ss_encoder *given, ss_err *err)
{
    const struct ss_map_options *options = map->options;
    const bool is_needed = embeds(options);
    ss_err why = {0};
    if (!is_needed && (options->no_labels || !map->evidence.has_texts ||
                       options->vectors != SS_MAP_CENTROIDS)) {
        return SS_OK;
    }
    const ss_status status = find_encoder(map, given, &why);
    if (status == SS_E_NOINPUT && !is_needed && given == NULL) {
        ss__log(&options->log, SS_LEVEL_NOTICE,
                "clusters are named by their features, not by contrast: %s", why.message);
        return SS_OK;
    }
    return status == SS_OK ? SS_OK : ss__fail_as(err, &why);
}

static ss_status open_width(struct ss_run_map *map, ss_err *err)
{
    if (map->options->vectors == SS_MAP_CENTROIDS) {
        SS_RETURN_IF_ERROR(ss_folder_centroids_open(map->dir, map->run->info.n_features,
                                                    &map->centroids, err));
        map->width = map->centroids.width;
    } else {
        map->width = map->evidence.width;
    }
    if (map->has_evidence && map->evidence.width != map->width) {
        return ss__fail_file(
            err, map->dir, SS_E_DATA,
            "its texts have embeddings of %zu numbers, its features vectors of "
            "%zu",
            map->evidence.width, map->width);
    }
    return SS_OK;
}

static ss_status open_evidence(struct ss_run_map *map, ss_err *err)
{
    ss_err why = {0};
    const ss_status status =
        ss_folder_evidence_open(map->dir, map->run->info.n_features, &map->evidence, &why);
    map->has_evidence = status == SS_OK;
    const bool is_fine = status == SS_OK || (status == SS_E_NOINPUT && !embeds(map->options));
    return is_fine ? SS_OK : ss__fail_as(err, &why);
}

/* Names of features are a help, and no more. */
static ss_status open_descriptions(struct ss_run_map *map, ss_err *err)
{
    ss_err why = {0};
    const ss_status status = ss_descriptions_open(map->dir, &map->descriptions, &why);
    return allow_missing(status) == SS_OK ? SS_OK : ss__fail_as(err, &why);
}

static ss_status take_features(struct ss_run_map *map, ss_err *err)
{
    static ss_status (*const take[])(struct ss_run_map * map, ss_err * err) = {
        [SS_MAP_CENTROIDS] = take_centroids,
        [SS_MAP_KEYWORDS] = take_keywords,
        [SS_MAP_DECODER] = take_decoder,
    };
    return (unsigned)map->options->vectors < sizeof take / sizeof *take
               ? take[map->options->vectors](map, err)
               : ss__fail(err, SS_E_USAGE, "there are no such vectors of features");
}

ss_status ss_run_map_open(struct ss_run_map *map, const ss_encoder *encoder, ss_err *err)
{
    const struct ss_map_options *options = map->options;
    SS_RETURN_IF_ERROR(ss_folder_run_open_features(map->dir, &map->run, err));
    SS_RETURN_IF_ERROR(ss_work_new(options->n_threads, &map->work, err));
    ss_work_set_progress(map->work, options->progress);
    SS_RETURN_IF_ERROR(open_evidence(map, err));
    SS_RETURN_IF_ERROR(open_encoder(map, encoder, err));
    SS_RETURN_IF_ERROR(open_width(map, err));
    SS_RETURN_IF_ERROR(open_descriptions(map, err));
    SS_RETURN_IF_ERROR(take_features(map, err));
    map->n_rare = map->run->info.n_features - map->features.n;
    if (map->features.n == 0) {
        return ss__fail_file(err, map->dir, SS_E_NOINPUT,
                             "there is nothing to put on a map: no feature fires in %d rows or "
                             "more",
                             SS_RUN_MAP_LEAST);
    }
    ss_graph_unit(map->features.x, map->features.n, map->width);
    SS_RETURN_IF_ERROR(ss_graph_points_check(&(struct ss_graph_points){.n = map->features.n,
                                                                       .width = map->width,
                                                                       .x = map->features.x},
                                             "the vector of feature", err));
    return options->vectors == SS_MAP_CENTROIDS && map->has_evidence ? take_texts(map, err)
                                                                     : SS_OK;
}

/* ---- texts from elsewhere ---- */

enum { EMBEDDED_AT_A_TIME = 256 };

static ss_status read_texts(struct ss_run_map *map, ss_dataset *dataset, ss_err *err)
{
    size_t room = 0;
    for (;;) {
        struct ss_row row = {.struct_size = sizeof row};
        bool has_row = true;
        SS_RETURN_IF_ERROR(ss_dataset_next(dataset, &row, &has_row, err));
        if (!has_row) {
            return SS_OK;
        }
        if (row.kind != SS_ROW_TEXT) {
            continue;
        }
        SS_GROW_OR_RETURN(map->placed_texts, room, map->placed.n + 1);
        const char *copy = ss__arena_strndup(&map->arena, row.text.data, row.text.n_bytes);
        if (copy == NULL) {
            return ss__fail_nomem(err, "texts");
        }
        map->placed_texts[map->placed.n++] =
            (struct ss_run_map_text){row.id, {copy, row.text.n_bytes}};
    }
}

static ss_status embed_texts(struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    float *embeddings = NULL;
    struct ss_text texts[EMBEDDED_AT_A_TIME];
    SS_ALLOC(embeddings, EMBEDDED_AT_A_TIME * map->width);
    SS_ALLOC(map->placed.x, map->placed.n * map->width);
    SS_ALLOC(map->placed.of, map->placed.n);
    for (size_t at = 0; at < map->placed.n; at += EMBEDDED_AT_A_TIME) {
        const size_t n = ss__min_size(EMBEDDED_AT_A_TIME, map->placed.n - at);
        for (size_t i = 0; i < n; i++) {
            texts[i] = map->placed_texts[at + i].text;
        }
        SS_TRY(ss_encoder_embed(map->encoder, map->work, texts, n, embeddings, NULL, err));
        for (size_t i = 0; i < n; i++) {
            double cosine = 0;
            double *x = map->placed.x + (at + i) * map->width;
            ss_run_map_centre(map, embeddings + i * map->width, x);
            map->placed.of[at + i] = ss_run_map_nearest_cluster(map, x, &cosine);
            for (size_t j = 0; j < map->width; j++) {
                x[j] = (double)embeddings[i * map->width + j];
            }
        }
    }
    ss_graph_unit(map->placed.x, map->placed.n, map->width);
out:
    ss__free(embeddings);
    return status;
}

ss_status ss_run_map_read_placed(struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    ss_dataset *dataset = NULL;
    const struct ss_map_options *options = map->options;
    const struct ss_dataset_options of_dataset = {.struct_size = sizeof of_dataset,
                                                  .text_column = options->text_column,
                                                  .progress = options->progress,
                                                  .log = options->log};
    if (map->texts.n == 0) {
        return ss__fail_file(
            err, map->dir, SS_E_NOINPUT,
            "texts are placed among those of the run, and it keeps none on the "
            "map: analyze with `evidence`, and map centroids");
    }
    SS_TRY(ss_dataset_open(&options->place, 1, &of_dataset, &dataset, err));
    SS_TRY(read_texts(map, dataset, err));
    SS_TRY(embed_texts(map, err));
out:
    ss_dataset_close(dataset);
    return status;
}

static void release_points(struct ss_run_map_points *points)
{
    ss__free(points->x);
    ss__free(points->y);
    ss__free(points->of);
}

void ss_run_map_close(struct ss_run_map *map)
{
    release_points(&map->features);
    release_points(&map->texts);
    release_points(&map->placed);
    ss__free(map->ids);
    ss__free(map->text_rows);
    ss__free(map->placed_texts);
    ss__free(map->probabilities);
    ss__free(map->clusters);
    ss__free(map->centres);
    ss__arena_release(&map->arena);
    ss_encoder_free(map->own_encoder);
    ss_folder_centroids_release(&map->centroids);
    ss_folder_evidence_release(&map->evidence);
    ss_descriptions_free(map->descriptions);
    ss_work_free(map->work);
    ss_run_free(map->run);
}
