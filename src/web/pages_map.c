/* Where features and texts lie on the map, from map.csv and clusters.json, where `map` made
 * them:
 *
 *   map_x, map_y (f4): NaN where a feature has no place
 *   map_clusters (i4): -1 for noise, and for no place
 *   cluster_labels: UTF-8, a line a cluster
 *   map_text_x, map_text_y (f4), map_text_clusters (i4) of the texts, in the order of map.csv
 *   map_text_rows (f8): the first row of the dataset that has it; -1: not known
 *   map_text_numbers (i4): which of the texts of the pages it is; -1: none, it is not shown
 *
 * A record of map.csv is `kind,id,x,y,cluster,"label"`; a label may hold line ends and doubled
 * quotes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "web/pages_priv.h"

#define FILE_MAP "map.csv"
#define FILE_CLUSTERS "clusters.json"

enum { MOST_MAP_BYTES = 1 << 30, FIELD_BYTES = 64, NO_CLUSTER = -1, NO_TEXT = -1 };

enum { KIND, ID, X, Y, CLUSTER, N_FIELDS };
static const char header[] = "kind,id,x,y,cluster,label\n";

/* Points: features by number, texts as they come. */
struct points {
    size_t n, capacity;
    struct point {
        float x, y;
        int32_t cluster, number; /* number: of texts */
        double row;
    } * items;
};

struct ss_web_map {
    struct points features, texts; /* no feature: there is no map */
    struct ss__buf labels;         /* of clusters */
    bool has_labels;
};

struct reading {
    const struct ss_web_source *source;
    struct ss_web_texts *known; /* the texts of the pages */
    size_t n_more;              /* that may be added to them */
    struct ss_web_map *map;
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
    return ss__parse_double(text, strlen(text), value) && *value >= least && *value <= most;
}

/* A record's point; false where it is none. */
static bool read_point(char fields[N_FIELDS][FIELD_BYTES], size_t n_ids, size_t n_clusters,
                       size_t *id, struct point *point)
{
    double number = 0, x = 0, y = 0, cluster = NO_CLUSTER;
    const bool has_cluster = fields[CLUSTER][0] != '\0';
    if (!read_number(fields[ID], 0, (double)n_ids - 1, &number) ||
        !read_number(fields[X], -1e30, 1e30, &x) || !read_number(fields[Y], -1e30, 1e30, &y) ||
        (has_cluster &&
         !read_number(fields[CLUSTER], NO_CLUSTER, (double)n_clusters, &cluster))) {
        return false;
    }
    *id = (size_t)number;
    *point = (struct point){.x = (float)x,
                            .y = (float)y,
                            .cluster = (int32_t)cluster,
                            .number = NO_TEXT,
                            .row = -1};
    return true;
}

static bool take_feature(struct ss_web_map *map, char fields[N_FIELDS][FIELD_BYTES])
{
    struct point point;
    size_t f = 0;
    if (!read_point(fields, map->features.n, map->features.n, &f, &point)) {
        return false;
    }
    map->features.items[f] = point;
    return true;
}

/* Which of the pages' texts a row of the evidence is; it is added where there may be more. */
static ss_status find_text(struct reading *reading, size_t row, struct point *point,
                           ss_err *err)
{
    const struct ss_web_text text = ss_web_text_of_evidence(&reading->source->evidence, row);
    uint32_t number = 0;
    point->row = (double)text.row;
    if (!reading->source->evidence.has_texts) {
        return SS_OK;
    }
    if (ss_web_texts_find(reading->known, text.text, &number)) {
        point->number = (int32_t)number;
    } else if (reading->n_more > 0) {
        SS_RETURN_IF_ERROR(ss_web_texts_add(reading->known, &text, &number, err));
        point->number = (int32_t)number;
        reading->n_more--;
    }
    return SS_OK;
}

static ss_status take_text(struct reading *reading, char fields[N_FIELDS][FIELD_BYTES],
                           bool *is_point, ss_err *err)
{
    struct points *texts = &reading->map->texts;
    const bool has_rows = reading->source->has_evidence;
    struct point point;
    size_t row = 0;
    *is_point = read_point(fields, has_rows ? reading->source->evidence.n_texts : SIZE_MAX / 2,
                           reading->map->features.n, &row, &point);
    if (!*is_point) {
        return SS_OK;
    }
    if (has_rows) {
        SS_RETURN_IF_ERROR(find_text(reading, row, &point, err));
    }
    SS_GROW_OR_RETURN(texts->items, texts->capacity, texts->n + 1);
    texts->items[texts->n++] = point;
    return SS_OK;
}

static ss_status take_record(struct reading *reading, char fields[N_FIELDS][FIELD_BYTES],
                             bool *is_point, ss_err *err)
{
    *is_point = true;
    if (strcmp(fields[KIND], "feature") == 0) {
        *is_point = take_feature(reading->map, fields);
    } else if (strcmp(fields[KIND], "text") == 0) {
        return take_text(reading, fields, is_point, err);
    }
    return SS_OK;
}

static ss_status new_features(struct points *features, size_t n, ss_err *err)
{
    SS_ALLOC_OR_RETURN(features->items, n);
    features->n = n;
    for (size_t f = 0; f < n; f++) {
        features->items[f] = (struct point){.x = NAN, .y = NAN, .cluster = NO_CLUSTER};
    }
    return SS_OK;
}

static ss_status read_map(struct reading *reading, const char *path, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf file = {0};
    char fields[N_FIELDS][FIELD_BYTES];
    SS_TRY(ss__file_read(path, MOST_MAP_BYTES, &file, err));
    SS_TRY(new_features(&reading->map->features, reading->source->run->info.n_features, err));
    const size_t n_header = sizeof header - 1;
    if (file.n_bytes < n_header || memcmp(file.data, header, n_header) != 0) {
        SS_FAIL_FILE(path, SS_E_DATA, "its first line is not the header of a map");
    }
    const char *at = file.data + n_header, *end = file.data + file.n_bytes;
    while (at < end) {
        const size_t offset = (size_t)(at - file.data);
        bool is_point = take_fields(&at, end, fields);
        if (is_point) {
            SS_TRY(take_record(reading, fields, &is_point, err));
        }
        if (!is_point) {
            SS_FAIL_FILE(path, SS_E_DATA, "byte %zu: this is no point of the run's map",
                         offset);
        }
        skip_label(&at, end);
    }
out:
    ss__buf_release(&file);
    return status;
}

static ss_status read_labels(const char *path, struct ss_web_map *map, ss_err *err)
{
    struct ss__json *root = NULL;
    const struct ss__json *item = NULL;
    size_t i = 0;
    SS_RETURN_IF_ERROR(ss__json_load(path, &root, err));
    SS_JSON_EACH (ss__json_get(root, "clusters"), i, item) {
        const char *label = ss__json_string(ss__json_get(item, "label"));
        ss_web_add_line(&map->labels, label == NULL ? "" : label);
    }
    ss__json_free(root);
    map->has_labels = true;
    return ss__buf_check(&map->labels, err);
}

static ss_status read_files(struct reading *reading, ss_err *err)
{
    ss_status status = SS_OK;
    const char *folder = reading->source->folder;
    char *map = ss__path_join(folder, FILE_MAP);
    char *clusters = ss__path_join(folder, FILE_CLUSTERS);
    if (map == NULL || clusters == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(read_map(reading, map, err));
    if (ss__path_look_in(folder, FILE_CLUSTERS) != SS__PATH_NONE) {
        SS_TRY(read_labels(clusters, reading->map, err));
    }
out:
    ss__free(map);
    ss__free(clusters);
    return status;
}

ss_status ss_web_map_new(const struct ss_web_source *source, const struct ss_web_level *level,
                         struct ss_web_texts *texts, struct ss_web_map **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct reading reading = {.source = source, .known = texts, .n_more = level->n_map_texts};
    *out = NULL;
    SS_ALLOC(reading.map, 1);
    if (ss__path_look_in(source->folder, FILE_MAP) != SS__PATH_NONE) {
        SS_TRY(read_files(&reading, err));
    }
    *out = reading.map;
    reading.map = NULL;
out:
    ss_web_map_free(reading.map);
    return status;
}

void ss_web_map_free(struct ss_web_map *map)
{
    if (map != NULL) {
        ss__free(map->features.items);
        ss__free(map->texts.items);
        ss__buf_release(&map->labels);
    }
    ss__free(map);
}

/* ---- arrays ---- */

struct columns {
    float *x, *y;
    int32_t *clusters, *numbers;
    double *rows;
};

static ss_status take_columns(const struct points *points, struct columns *columns, ss_err *err)
{
    SS_ALLOC_OR_RETURN(columns->x, points->n);
    SS_ALLOC_OR_RETURN(columns->y, points->n);
    SS_ALLOC_OR_RETURN(columns->clusters, points->n);
    SS_ALLOC_OR_RETURN(columns->numbers, points->n);
    SS_ALLOC_OR_RETURN(columns->rows, points->n);
    for (size_t i = 0; i < points->n; i++) {
        columns->x[i] = points->items[i].x;
        columns->y[i] = points->items[i].y;
        columns->clusters[i] = points->items[i].cluster;
        columns->numbers[i] = points->items[i].number;
        columns->rows[i] = points->items[i].row;
    }
    return SS_OK;
}

static void columns_release(struct columns *columns)
{
    ss__free(columns->x);
    ss__free(columns->y);
    ss__free(columns->clusters);
    ss__free(columns->numbers);
    ss__free(columns->rows);
}

static ss_status put_features(const struct points *points, struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    struct columns columns = {0};
    SS_TRY(take_columns(points, &columns, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_x", "<f4", columns.x, points->n, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_y", "<f4", columns.y, points->n, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_clusters", "<i4", columns.clusters, points->n, err));
out:
    columns_release(&columns);
    return status;
}

static ss_status put_texts(const struct points *points, struct ss_web_zip *zip, ss_err *err)
{
    ss_status status = SS_OK;
    struct columns columns = {0};
    SS_TRY(take_columns(points, &columns, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_text_x", "<f4", columns.x, points->n, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_text_y", "<f4", columns.y, points->n, err));
    SS_TRY(ss_web_zip_add_array(zip, "map_text_clusters", "<i4", columns.clusters, points->n,
                                err));
    SS_TRY(ss_web_zip_add_array(zip, "map_text_rows", "<f8", columns.rows, points->n, err));
    SS_TRY(
        ss_web_zip_add_array(zip, "map_text_numbers", "<i4", columns.numbers, points->n, err));
out:
    columns_release(&columns);
    return status;
}

ss_status ss_web_map_put(const struct ss_web_map *map, struct ss_web_zip *zip, ss_err *err)
{
    if (map->features.n > 0) {
        SS_RETURN_IF_ERROR(put_features(&map->features, zip, err));
    }
    if (map->texts.n > 0) {
        SS_RETURN_IF_ERROR(put_texts(&map->texts, zip, err));
    }
    if (map->has_labels) {
        SS_RETURN_IF_ERROR(ss_web_zip_add_array(zip, "cluster_labels", "|u1", map->labels.data,
                                                map->labels.n_bytes, err));
    }
    return SS_OK;
}
