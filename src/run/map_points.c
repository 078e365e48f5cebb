/* What the parts of the map's step ask of it: a text as features see it, the cluster nearest to
 * it, the label of a feature. */
#include <string.h>

#include "run/map_step.h"

void ss_run_map_centre(const struct ss_run_map *map, const float *embedding, double *out)
{
    for (size_t j = 0; j < map->width; j++) {
        out[j] = (double)embedding[j] - (double)map->centroids.mean[j];
    }
    ss_graph_unit(out, 1, map->width);
}

static void make_row(const void *context, size_t row, double *out)
{
    const struct ss_run_map_rows *rows = context;
    const struct ss_run_map *map = rows->map;
    const float *embedding =
        map->evidence.embeddings + map->text_rows[rows->first + row] * map->width;
    if (rows->is_centred) {
        ss_run_map_centre(map, embedding, out);
        return;
    }
    for (size_t j = 0; j < map->width; j++) {
        out[j] = (double)embedding[j];
    }
    ss_graph_unit(out, 1, map->width);
}

struct ss_graph_points ss_run_map_points_of(const struct ss_run_map_rows *rows, size_t n)
{
    return (struct ss_graph_points){
        .n = n, .width = rows->map->width, .make = make_row, .context = rows};
}

int32_t ss_run_map_nearest_cluster(const struct ss_run_map *map, const double *x,
                                   double *cosine)
{
    int32_t best = -1;
    *cosine = -2;
    for (size_t c = 0; c < map->n_clusters; c++) {
        const double found = ss_graph_dot(x, map->centres + c * map->width, map->width);
        if (found > *cosine) {
            *cosine = found;
            best = (int32_t)c;
        }
    }
    return best;
}

struct ss_text ss_run_map_feature_label(const struct ss_run_map *map, size_t feature)
{
    struct ss_description description = {.struct_size = sizeof description};
    if (map->descriptions == NULL ||
        ss_descriptions_get(map->descriptions, feature, &description) != SS_OK) {
        return (struct ss_text){"", 0};
    }
    return (struct ss_text){description.label, strlen(description.label)};
}
