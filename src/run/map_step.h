/* The step that clusters the features of a run and puts them, and its texts, on a map: what its
 * parts share. map_inputs.c reads, map_step.c computes, map_labels.c names clusters, map_files.c
 * writes. */
#ifndef SS_RUN_MAP_STEP_H
#define SS_RUN_MAP_STEP_H

#include "describe/describe.h"
#include "folder/centroids_file.h"
#include "graph/graph.h"
#include "run/describe_inputs.h"

#define SS_RUN_FILE_CLUSTERS "clusters.csv"
#define SS_RUN_FILE_CLUSTERS_JSON "clusters.json"
#define SS_RUN_FILE_MAP "map.csv"
#define SS_RUN_FILE_PLACED "placed.csv" /* only where texts were placed */
#define SS_RUN_FILE_MAP_SVG "map.svg"
#define SS_RUN_FILE_MAP_PNG "map.png"
#define SS_RUN_MAP_FILES                                                                       \
    SS_RUN_FILE_CLUSTERS, SS_RUN_FILE_CLUSTERS_JSON, SS_RUN_FILE_MAP, SS_RUN_FILE_MAP_SVG,     \
        SS_RUN_FILE_MAP_PNG

/* Points on the map, with what they were placed by. */
struct ss_run_map_points {
    size_t n;
    double *x;   /* [n, width] of length 1; NULL: none, or made when they are asked for */
    float *y;    /* [n, 2] */
    int32_t *of; /* [n] cluster; -1: none */
};

/* A text that was placed: the row it came from. */
struct ss_run_map_text {
    uint64_t row;
    struct ss_text text;
};

struct ss_run_map_cluster {
    size_t n_features, n_texts;
    float middle[2];      /* on the map: the median of its features */
    struct ss_text label; /* "": none */
    bool is_from_feature; /* the label is that of the feature nearest to its centre */
    struct ss_describe_score score;
};

struct ss_run_map {
    const char *dir;
    const struct ss_map_options *options;
    ss_run *run;
    ss_work *work;
    struct ss_folder_centroids centroids;
    bool has_evidence;
    struct ss_folder_evidence evidence;
    const ss_encoder *encoder;     /* NULL: there is none */
    ss_encoder *own_encoder;       /* opened from where the run had it; else NULL */
    ss_descriptions *descriptions; /* NULL: the run has none */
    size_t width;

    uint32_t *ids; /* [features.n] the feature of each */
    size_t n_rare; /* features left out: they fire in fewer than SS_RUN_MAP_LEAST rows */
    struct ss_run_map_points features, texts, placed;
    double *probabilities;                /* [features.n] */
    uint32_t *text_rows;                  /* [texts.n] rows of the evidence */
    size_t n_landmarks;                   /* texts that were placed together: the first ones */
    struct ss_run_map_text *placed_texts; /* [placed.n] */
    struct ss__arena arena;               /* of their texts, of labels */

    struct ss_run_map_cluster *clusters; /* [n_clusters] the largest first */
    size_t n_clusters, n_noise;
    double *centres; /* [n_clusters, width] of length 1 */
    struct ss_graph_map_quality quality, text_quality;
};

enum { SS_RUN_MAP_LEAST = 5 };

/* ---- map_inputs.c ---- */

/* Whether any feature fires often enough. */
bool ss_run_map_has_features(const ss_run *run);

/* Open the run and read the vectors of its features and texts. encoder NULL: the run's, if one is
 * needed and is where it was. */
SS_MUST_USE ss_status ss_run_map_open(struct ss_run_map *map, const ss_encoder *encoder,
                                      ss_err *err);
/* Read and embed the texts that are to be placed. */
SS_MUST_USE ss_status ss_run_map_read_placed(struct ss_run_map *map, ss_err *err);
void ss_run_map_close(struct ss_run_map *map);

/* ---- map_points.c ---- */

/* A text as features see it: its embedding less the mean of all, of length 1: out [width]. */
void ss_run_map_centre(const struct ss_run_map *map, const float *embedding, double *out);
/* The cluster whose centre is nearest to such a text, and its cosine; -1: there is none. */
int32_t ss_run_map_nearest_cluster(const struct ss_run_map *map, const double *x,
                                   double *cosine);

/* Texts from the `first` on as points whose rows are made from the evidence: in float64, all of
 * them would take twice the memory of their embeddings. */
struct ss_run_map_rows {
    const struct ss_run_map *map;
    size_t first;
    bool is_centred; /* as features see them; else the embeddings, of length 1 */
};
/* n of them; borrows `rows`. */
struct ss_graph_points ss_run_map_points_of(const struct ss_run_map_rows *rows, size_t n);

/* What one sees of a feature: its label, or "". */
struct ss_text ss_run_map_feature_label(const struct ss_run_map *map, size_t feature);

/* ---- map_labels.c ---- */

/* Name the clusters: by contrast of the texts nearest to them where there are texts and an
 * encoder, else by the description of the feature nearest to the centre. */
SS_MUST_USE ss_status ss_run_map_label(struct ss_run_map *map, ss_err *err);

/* ---- map_files.c ---- */

/* Write all files and the record in run.json. */
SS_MUST_USE ss_status ss_run_map_write(const struct ss_run_map *map, ss_err *err);

#endif
