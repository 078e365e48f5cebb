/* The files of the map, and its record in run.json (docs/formats.md). */
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/utf8.h"
#include "run/map_step.h"
#include "run/steps.h"
#include "view/view.h"

enum { SNIPPET_BYTES = 160 };

static const char *const vectors_names[] = {[SS_MAP_CENTROIDS] = "centroids",
                                            [SS_MAP_KEYWORDS] = "keywords",
                                            [SS_MAP_DECODER] = "decoder"};
static const char *const method_names[] = {
    [SS_CLUSTERS_WARD] = "ward", [SS_CLUSTERS_HDBSCAN] = "hdbscan"};

/* ---- tables ---- */

/* A field between quotes, whatever is in it; line ends become spaces. */
static void add_quoted(struct ss__buf *buf, struct ss_text text)
{
    ss__buf_add_byte(buf, '"');
    for (size_t i = 0; i < text.n_bytes; i++) {
        const char c = text.data[i];
        if (c == '"') {
            ss__buf_add_byte(buf, c);
        }
        ss__buf_add_byte(buf, c == '\n' || c == '\r' || c == '\0' ? ' ' : c);
    }
    ss__buf_add_byte(buf, '"');
}

/* The beginning of a text, in whole characters. */
static struct ss_text snippet_of(struct ss_text text)
{
    size_t n = ss__min_size(text.n_bytes, SNIPPET_BYTES);
    while (n > 0 && n < text.n_bytes && ((unsigned char)text.data[n] & 0xC0) == 0x80) {
        n--;
    }
    return (struct ss_text){text.data, n};
}

static void add_number(struct ss__buf *buf, double value)
{
    char text[SS__DOUBLE_TEXT_BYTES];
    ss__snprintf(text, sizeof text, "%.7g", value);
    ss__buf_add_text(buf, text);
}

/* "x,y,cluster," */
static void add_place(struct ss__buf *buf, const struct ss_run_map_points *points, size_t i)
{
    add_number(buf, (double)points->y[2 * i]);
    ss__buf_add_byte(buf, ',');
    add_number(buf, (double)points->y[2 * i + 1]);
    if (points->of != NULL) {
        ss__buf_printf(buf, ",%d,", (int)points->of[i]);
    } else {
        ss__buf_add_text(buf, ",,");
    }
}

static ss_status write_and_release(const char *path, struct ss__buf *buf, ss_err *err)
{
    ss_status status = ss__buf_check(buf, err);
    if (status == SS_OK) {
        status = ss__file_write(path, buf->data, buf->n_bytes, err);
    }
    ss__buf_release(buf);
    return status;
}

static ss_status write_clusters_csv(const struct ss_run_map *map, const char *path, ss_err *err)
{
    struct ss__buf buf = {0};
    ss__buf_add_text(&buf, "feature,cluster,probability,cluster_label\n");
    for (size_t f = 0, i = 0; f < map->run->info.n_features; f++) {
        if (i == map->features.n || map->ids[i] != f) {
            ss__buf_printf(&buf, "%zu,,,\n", f);
            continue;
        }
        const int32_t c = map->features.of[i];
        ss__buf_printf(&buf, "%zu,%d,", f, (int)c);
        char text[SS__DOUBLE_TEXT_BYTES];
        ss__buf_add(&buf, text, ss__format_double(map->probabilities[i++], text));
        ss__buf_add_byte(&buf, ',');
        add_quoted(&buf, c < 0 ? (struct ss_text){"", 0} : map->clusters[c].label);
        ss__buf_add_byte(&buf, '\n');
    }
    return write_and_release(path, &buf, err);
}

static ss_status write_map_csv(const struct ss_run_map *map, const char *path, ss_err *err)
{
    struct ss__buf buf = {0};
    ss__buf_add_text(&buf, "kind,id,x,y,cluster,label\n");
    for (size_t i = 0; i < map->features.n; i++) {
        ss__buf_printf(&buf, "feature,%u,", (unsigned)map->ids[i]);
        add_place(&buf, &map->features, i);
        add_quoted(&buf, ss_run_map_feature_label(map, map->ids[i]));
        ss__buf_add_byte(&buf, '\n');
    }
    for (size_t i = 0; i < map->texts.n; i++) {
        ss__buf_printf(&buf, "text,%u,", (unsigned)map->text_rows[i]);
        add_place(&buf, &map->texts, i);
        add_quoted(&buf, snippet_of(map->evidence.texts[map->text_rows[i]]));
        ss__buf_add_byte(&buf, '\n');
    }
    return write_and_release(path, &buf, err);
}

static ss_status write_placed_csv(const struct ss_run_map *map, const char *path, ss_err *err)
{
    struct ss__buf buf = {0};
    ss__buf_add_text(&buf, "row,x,y,cluster,text\n");
    for (size_t i = 0; i < map->placed.n; i++) {
        ss__buf_printf(&buf, "%llu,", (unsigned long long)map->placed_texts[i].row);
        add_place(&buf, &map->placed, i);
        add_quoted(&buf, snippet_of(map->placed_texts[i].text));
        ss__buf_add_byte(&buf, '\n');
    }
    return write_and_release(path, &buf, err);
}

/* ---- clusters.json ---- */

/* null where there is none. */
static void add_member(struct ss__buf *buf, const char *name, double value)
{
    ss__buf_printf(buf, ", \"%s\": ", name);
    if (value != value) {
        ss__buf_add_text(buf, "null");
    } else {
        char text[SS__DOUBLE_TEXT_BYTES];
        ss__buf_add(buf, text, ss__format_double(value, text));
    }
}

static void add_cluster(struct ss__buf *buf, const struct ss_run_map *map, size_t c)
{
    const struct ss_run_map_cluster *cluster = &map->clusters[c];
    const struct ss_describe_auc *auc = &cluster->score.auc[SS_DESCRIBE_RANDOM];
    const char *before = "";
    ss__buf_printf(buf, "    {\"cluster\": %zu, \"label\": ", c);
    ss__json_add_string(buf, cluster->label.data == NULL ? "" : cluster->label.data,
                        cluster->label.n_bytes, false);
    ss__buf_printf(buf, ", \"label_from\": %s, \"status\": \"%s\"",
                   cluster->label.n_bytes == 0 ? "null"
                   : cluster->is_from_feature  ? "\"feature\""
                                               : "\"contrast\"",
                   ss_describe_verdict_name(cluster->score.verdict));
    add_member(buf, "auc", auc->value);
    add_member(buf, "auc_low", auc->interval.low);
    add_member(buf, "auc_high", auc->interval.high);
    ss__buf_printf(buf, ", \"n_features\": %zu, \"n_texts\": %zu", cluster->n_features,
                   cluster->n_texts);
    add_member(buf, "x", (double)cluster->middle[0]);
    add_member(buf, "y", (double)cluster->middle[1]);
    ss__buf_add_text(buf, ", \"features\": [");
    for (size_t i = 0; i < map->features.n; i++) {
        if (map->features.of[i] == (int32_t)c) {
            ss__buf_printf(buf, "%s%u", before, (unsigned)map->ids[i]);
            before = ", ";
        }
    }
    ss__buf_add_text(buf, "]}");
}

/* What was done and how good it is: members of an object, `indent` before each. */
static void add_facts(struct ss__buf *buf, const struct ss_run_map *map, const char *indent)
{
    const struct ss_map_options *options = map->options;
    ss__buf_printf(buf, "%s\"vectors\": \"%s\",%s\"method\": \"%s\"", indent,
                   vectors_names[options->vectors], indent, method_names[options->method]);
    if (options->method == SS_CLUSTERS_WARD) {
        ss__buf_printf(buf, ",%s\"clusters_asked\": %zu", indent, options->n_clusters);
    } else {
        ss__buf_printf(buf,
                       ",%s\"min_cluster_size\": %zu,%s\"min_samples\": %zu,%s"
                       "\"selection\": \"%s\"",
                       indent, options->min_cluster_size == 0 ? 5 : options->min_cluster_size,
                       indent, options->min_samples, indent, options->leaves ? "leaf" : "eom");
    }
    ss__buf_printf(buf,
                   ",%s\"seed\": %llu,%s\"n_features\": %zu,%s\"n_rare\": %zu,%s"
                   "\"n_clusters\": %zu,%s\"n_noise\": %zu,%s\"n_texts\": %zu,%s"
                   "\"n_landmarks\": %zu,%s\"n_placed\": %zu",
                   indent, (unsigned long long)options->seed, indent, map->features.n, indent,
                   map->n_rare, indent, map->n_clusters, indent, map->n_noise, indent,
                   map->texts.n, indent, map->n_landmarks, indent, map->placed.n);
    const struct ss_graph_map_quality *all[2] = {&map->quality, &map->text_quality};
    for (int i = 0; i < 2; i++) {
        char text[SS__DOUBLE_TEXT_BYTES], kept[SS__DOUBLE_TEXT_BYTES];
        ss__snprintf(text, sizeof text, "%.6f", all[i]->trustworthiness);
        ss__snprintf(kept, sizeof kept, "%.6f", all[i]->kept);
        ss__buf_printf(buf,
                       ",%s\"%s\": {\"neighbours\": %zu, \"rows\": %zu, "
                       "\"trustworthiness\": %s, \"kept\": %s}",
                       indent, i == 0 ? "feature_map" : "text_map", all[i]->n_neighbours,
                       all[i]->n_rows, text, kept);
    }
}

static ss_status write_clusters_json(const struct ss_run_map *map, const char *path,
                                     ss_err *err)
{
    struct ss__buf buf = {0};
    ss__buf_add_text(&buf, "{");
    add_facts(&buf, map, "\n  ");
    ss__buf_add_text(&buf, ",\n  \"clusters\": [");
    for (size_t c = 0; c < map->n_clusters; c++) {
        ss__buf_add_text(&buf, c == 0 ? "\n" : ",\n");
        add_cluster(&buf, map, c);
    }
    ss__buf_add_text(&buf, map->n_clusters == 0 ? "]\n}\n" : "\n  ]\n}\n");
    return write_and_release(path, &buf, err);
}

/* ---- pictures ---- */

static const char *caption_of(const struct ss_run_map *map, struct ss__arena *arena)
{
    char features[SS__COUNTED_TEXT_BYTES], texts[SS__COUNTED_TEXT_BYTES];
    char clusters[SS__COUNTED_TEXT_BYTES], rare[SS__COUNTED_TEXT_BYTES], kept[32];
    const bool has_texts = map->texts.n > 0, has_rare = map->n_rare > 0;
    ss__snprintf(kept, sizeof kept, "%.0f %%", 100 * map->quality.kept);
    return ss__arena_printf(
        arena,
        "%s in %s%s%s.%s%s%s %s of the %zu nearest features stay among the nearest on the map.",
        ss__format_counted(map->features.n, "feature", features),
        ss__format_counted(map->n_clusters, "cluster", clusters), has_texts ? "; " : "",
        has_texts ? ss__format_counted(map->texts.n, "text", texts) : "",
        has_rare ? " Not shown: " : "",
        has_rare ? ss__format_counted(map->n_rare, "rarer feature", rare) : "",
        has_rare ? "." : "", kept, map->quality.n_neighbours);
}

static ss_status draw(const struct ss_run_map *map, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__arena arena = {0};
    struct ss_view_map_cluster *clusters = NULL;
    SS_ALLOC(clusters, map->n_clusters);
    for (size_t c = 0; c < map->n_clusters; c++) {
        const struct ss_run_map_cluster *cluster = &map->clusters[c];
        clusters[c] = (struct ss_view_map_cluster){
            .label = ss__arena_strndup(&arena,
                                       cluster->label.data == NULL ? "" : cluster->label.data,
                                       cluster->label.n_bytes),
            .x = cluster->middle[0],
            .y = cluster->middle[1],
            .n_points = cluster->n_features};
        if (clusters[c].label == NULL) {
            SS_TRY(ss__fail_nomem(err, "labels"));
        }
    }
    const struct ss_view_map_picture picture = {
        .points = map->features.y,
        .clusters_of = map->features.of,
        .n_points = map->features.n,
        .background = map->texts.y,
        .n_background = map->texts.n,
        .clusters = clusters,
        .n_clusters = map->n_clusters,
        .title = ss__arena_printf(&arena, "Map of features (%s)", map->run->info.dataset_name),
        .caption = caption_of(map, &arena),
        .force = true};
    if (picture.title == NULL || picture.caption == NULL) {
        SS_TRY(ss__fail_nomem(err, "a caption"));
    }
    SS_TRY(ss_view_draw_map(path, &picture, err));
out:
    ss__free(clusters);
    ss__arena_release(&arena);
    return status;
}

/* ---- all ---- */

static const struct {
    const char *name;
    ss_status (*write)(const struct ss_run_map *map, const char *path, ss_err *err);
    bool is_placed;
} outputs[] = {
    {SS_RUN_FILE_CLUSTERS, write_clusters_csv, false},
    {SS_RUN_FILE_CLUSTERS_JSON, write_clusters_json, false},
    {SS_RUN_FILE_MAP, write_map_csv, false},
    {SS_RUN_FILE_MAP_SVG, draw, false},
    {SS_RUN_FILE_MAP_PNG, draw, false},
    {SS_RUN_FILE_PLACED, write_placed_csv, true},
};

static ss_status write_output(const struct ss_run_map *map, size_t i, struct ss__buf *record,
                              ss_err *err)
{
    ss_status status = SS_OK;
    char hash[SS__SHA256_HEX_BYTES];
    char *path = ss__path_join(map->dir, outputs[i].name);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(outputs[i].write(map, path, err));
    SS_TRY(ss__sha256_file(path, NULL, hash, err));
    ss__buf_printf(record, "%s\n        \"%s\": \"%s\"", i == 0 ? "" : ",", outputs[i].name,
                   hash);
out:
    ss__free(path);
    return status;
}

ss_status ss_run_map_write(const struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf record = {0};
    ss__buf_add_text(&record, "{\n      \"saescope_version\": ");
    ss__json_add_string(&record, ss_version(), strlen(ss_version()), false);
    ss__buf_add_byte(&record, ',');
    add_facts(&record, map, "\n      ");
    ss__buf_add_text(&record, ",\n      \"outputs\": {");
    for (size_t i = 0; i < sizeof outputs / sizeof outputs[0]; i++) {
        if (!outputs[i].is_placed || map->options->place != NULL) {
            SS_TRY(write_output(map, i, &record, err));
        }
    }
    ss__buf_add_text(&record, "\n      }\n    }");
    if (ss__buf_text(&record) == NULL) {
        SS_TRY(ss__fail_nomem(err, "a record"));
    }
    SS_TRY(ss_run_steps_record(map->dir, "map", record.data, NULL, err));
out:
    ss__buf_release(&record);
    return status;
}
