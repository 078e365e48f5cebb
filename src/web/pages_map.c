/* Where features lie on the map, from map.csv and clusters.json, where `map` made them:
 *
 *   map_x, map_y (f4): NaN where a feature has no place
 *   map_clusters (i4): -1 for noise, and for no place
 *   cluster_labels: UTF-8, a line a cluster
 *
 * A record of map.csv is `kind,id,x,y,cluster,"label"`; a label may hold line ends and doubled
 * quotes. Those of features come first. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "web/pages_priv.h"

#define FILE_MAP "map.csv"
#define FILE_CLUSTERS "clusters.json"

enum { MOST_MAP_BYTES = 1 << 30, FIELD_BYTES = 64, NO_CLUSTER = -1 };

enum { KIND, ID, X, Y, CLUSTER, N_FIELDS };
static const char header[] = "kind,id,x,y,cluster,label\n";

struct map {
    size_t n_features;
    float *x, *y;      /* [n_features] */
    int32_t *clusters; /* [n_features] */
};

/* The fields before the label, none of which is quoted; false at a record that is none. */
static bool take_fields(const char **at, const char *end, char fields[N_FIELDS][FIELD_BYTES])
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        const char *comma = *at < end ? memchr(*at, ',', (size_t)(end - *at)) : NULL;
        const size_t n = comma == NULL ? FIELD_BYTES : (size_t)(comma - *at);
        if (n >= FIELD_BYTES) {
            return false;
        }
        memcpy(fields[i], *at, n);
        fields[i][n] = '\0';
        *at = comma + 1;
    }
    return true;
}

/* To behind the end of the record: a line end that is in no quotes. */
static void skip_label(const char **at, const char *end)
{
    bool is_quoted = false;
    while (*at < end && (is_quoted || **at != '\n')) {
        is_quoted = is_quoted != (**at == '"');
        ++*at;
    }
    *at += *at < end;
}

static bool read_number(const char *text, double least, double most, double *value)
{
    char *end = NULL;
    *value = strtod(text, &end);
    return text[0] != '\0' && *end == '\0' && *value >= least && *value <= most;
}

static bool take_feature(struct map *map, char fields[N_FIELDS][FIELD_BYTES])
{
    double id = 0, x = 0, y = 0, cluster = NO_CLUSTER;
    const bool has_cluster = fields[CLUSTER][0] != '\0';
    if (!read_number(fields[ID], 0, (double)map->n_features - 1, &id) ||
        !read_number(fields[X], -1e30, 1e30, &x) || !read_number(fields[Y], -1e30, 1e30, &y) ||
        (has_cluster &&
         !read_number(fields[CLUSTER], NO_CLUSTER, (double)map->n_features, &cluster))) {
        return false;
    }
    map->x[(size_t)id] = (float)x;
    map->y[(size_t)id] = (float)y;
    map->clusters[(size_t)id] = (int32_t)cluster;
    return true;
}

static ss_status read_map(struct map *map, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf file = {0};
    char fields[N_FIELDS][FIELD_BYTES];
    SS_TRY(ss__file_read(path, MOST_MAP_BYTES, &file, err));
    SS_ALLOC(map->x, map->n_features);
    SS_ALLOC(map->y, map->n_features);
    SS_ALLOC(map->clusters, map->n_features);
    for (size_t f = 0; f < map->n_features; f++) {
        map->x[f] = map->y[f] = NAN;
        map->clusters[f] = NO_CLUSTER;
    }
    const size_t n_header = sizeof header - 1;
    if (file.n_bytes < n_header || memcmp(file.data, header, n_header) != 0) {
        SS_FAIL_FILE(path, SS_E_DATA, "its first line is not the header of a map");
    }
    const char *at = file.data + n_header, *end = file.data + file.n_bytes;
    while (at < end) {
        const size_t offset = (size_t)(at - file.data);
        if (!take_fields(&at, end, fields) ||
            (strcmp(fields[KIND], "feature") == 0 && !take_feature(map, fields))) {
            SS_FAIL_FILE(path, SS_E_DATA, "byte %zu: this is no point of the run's map",
                         offset);
        }
        skip_label(&at, end);
    }
out:
    ss__buf_release(&file);
    return status;
}

static ss_status put_labels(const char *path, struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *root = NULL;
    struct ss__buf lines = {0};
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_TRY(ss__json_load(path, &root, err));
    SS_JSON_EACH (ss__json_get(root, "clusters"), i, item) {
        const char *label = ss__json_string(ss__json_get(item, "label"));
        for (; label != NULL && *label != '\0'; label++) {
            ss__buf_add_byte(&lines, *label == '\n' ? ' ' : *label);
        }
        ss__buf_add_byte(&lines, '\n');
    }
    SS_TRY(ss__buf_check(&lines, err));
    SS_TRY(ss_web_zip_add_array(zip, "cluster_labels", "|u1", lines.data, lines.n_bytes, err));
out:
    ss__buf_release(&lines);
    ss__json_free(root);
    return status;
}

static ss_status put_map(const char *path, size_t n_features, struct ss_web_zip *zip,
                         ss_err *err)
{
    ss_status status = SS_OK;
    struct map map = {.n_features = n_features};
    SS_TRY(read_map(&map, path, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_x", "<f4", map.x, n_features, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_y", "<f4", map.y, n_features, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_clusters", "<i4", map.clusters, n_features, err));
out:
    ss__free(map.x);
    ss__free(map.y);
    ss__free(map.clusters);
    return status;
}

ss_status ss_web_map_put(const struct ss_web_source *source, struct ss_web_zip *zip,
                         ss_err *err)
{
    ss_status status = SS_OK;
    char *map = NULL, *clusters = NULL;
    if (ss__path_look_in(source->folder, FILE_MAP) == SS__PATH_NONE) {
        return SS_OK;
    }
    map = ss__path_join(source->folder, FILE_MAP);
    clusters = ss__path_join(source->folder, FILE_CLUSTERS);
    if (map == NULL || clusters == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(put_map(map, source->run->info.n_features, zip, err));
    if (ss__path_look_in(source->folder, FILE_CLUSTERS) != SS__PATH_NONE) {
        SS_TRY(put_labels(clusters, zip, err));
    }
out:
    ss__free(map);
    ss__free(clusters);
    return status;
}
