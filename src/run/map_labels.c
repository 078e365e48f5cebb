/* Names of clusters. A text belongs to the cluster whose centre is nearest to it, as features
 * see texts; of the cluster that is second nearest it is a near miss. */
#include <string.h>

#include "base/mem.h"
#include "folder/descriptions.h"
#include "run/group_labels.h"
#include "run/map_step.h"

/* ---- by the features ---- */

/* The label of the feature nearest to the centre among those that have one. */
static void label_by_features(struct ss_run_map *map)
{
    for (size_t c = 0; c < map->n_clusters; c++) {
        double best = -2;
        for (size_t i = 0; i < map->features.n; i++) {
            const struct ss_text label = ss_run_map_feature_label(map, map->ids[i]);
            const double cosine = map->features.of[i] != (int32_t)c || label.n_bytes == 0
                                      ? -2
                                      : ss_graph_dot(map->features.x + i * map->width,
                                                     map->centres + c * map->width, map->width);
            if (cosine > best) {
                best = cosine;
                map->clusters[c].label = label;
                map->clusters[c].is_from_feature = true;
            }
        }
    }
}

/* ---- by contrast ---- */

/* The nearest centre and the next; -1: none. The cosine with the nearest, from 0 … 2. */
static float find_nearest(const struct ss_run_map *map, const double *x, int32_t nearest[2])
{
    double first = -2, second = -2;
    nearest[0] = nearest[1] = -1;
    for (size_t c = 0; c < map->n_clusters; c++) {
        const double cosine = ss_graph_dot(x, map->centres + c * map->width, map->width);
        if (cosine > first) {
            second = first;
            nearest[1] = nearest[0];
            first = cosine;
            nearest[0] = (int32_t)c;
        } else if (cosine > second) {
            second = cosine;
            nearest[1] = (int32_t)c;
        }
    }
    return (float)(first + 1);
}

static ss_status gather_texts(const struct ss_run_map *map, struct ss_run_groups *groups,
                              ss_err *err)
{
    ss_status status = SS_OK;
    double *x = NULL;
    SS_ALLOC(x, map->width);
    SS_ALLOC(groups->texts, 2 * map->texts.n);
    for (size_t i = 0; i < map->texts.n; i++) {
        const uint32_t row = map->text_rows[i];
        int32_t nearest[2];
        ss_run_map_centre(map, map->evidence.embeddings + row * map->width, x);
        const float strength = find_nearest(map, x, nearest);
        for (int j = 0; j < 2; j++) {
            if (nearest[j] >= 0 && strength > 0) {
                groups->texts[groups->n_texts++] =
                    (struct ss_run_group_text){row, (uint32_t)nearest[j], strength, j == 1};
            }
        }
    }
out:
    ss__free(x);
    return status;
}

static ss_status label_by_contrast(struct ss_run_map *map, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_groups groups = {.evidence = &map->evidence,
                                   .encoder = map->encoder,
                                   .work = map->work,
                                   .stop = map->options->progress,
                                   .arena = &map->arena,
                                   .n = map->n_clusters,
                                   .unit = "cluster"};
    struct ss_text *labels = NULL;
    struct ss_describe_score *scores = NULL;
    SS_ALLOC(labels, map->n_clusters);
    SS_ALLOC(scores, map->n_clusters);
    SS_TRY(gather_texts(map, &groups, err));
    SS_TRY(ss_run_groups_label(&groups, labels, scores, err));
    for (size_t c = 0; c < map->n_clusters; c++) {
        map->clusters[c].label = labels[c];
        map->clusters[c].score = scores[c];
    }
out:
    ss__free(groups.texts);
    ss__free(labels);
    ss__free(scores);
    return status;
}

ss_status ss_run_map_label(struct ss_run_map *map, ss_err *err)
{
    for (size_t c = 0; c < map->n_clusters; c++) {
        ss_describe_score_clear(&map->clusters[c].score, SS_DESCRIBE_NO_LABEL);
    }
    if (map->n_clusters == 0) {
        return SS_OK;
    }
    if (map->encoder == NULL || map->texts.n == 0 || !map->evidence.has_texts ||
        map->options->no_labels) {
        label_by_features(map);
        return SS_OK;
    }
    return label_by_contrast(map, err);
}
