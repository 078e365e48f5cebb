/* neighbours.arrow: for every feature the nearest decoder directions and the most opposite ones,
 * and how much they fire together. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "arrow/arrow.h"
#include "base/mem.h"
#include "base/number.h"
#include "folder/families_file.h"
#include "folder/results.h"
#include "graph/nearest.h"
#include "run/directions.h"

#define DUPLICATE_COSINE 0.9
#define DUPLICATE_PHI 0.9
#define SPLIT_PHI 0.3
#define CHANCE 0.05
enum { N_NEIGHBOURS = 10, N_OPPOSITES = 3, MOST_FEATURES = 16384, BISECTIONS = 60 };

double ss_run_neighbours_chance(size_t n, size_t width)
{
    const double each = -expm1(log1p(-CHANCE) / (double)(n > 1 ? n : 1));
    double low = 0, high = 1;
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = (low + high) / 2;
        if (erfc(middle * sqrt((double)width / 2)) / 2 > each) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

/* ---- the file ---- */

struct writing {
    const struct ss_graph_table *table;
    const struct ss_run_directions *directions;
    struct ss_graph_neighbours nearest;
    struct ss_graph_neighbours opposite; /* those nearest to a direction's negative */
    struct ss_arrow_output *output;
    double chance;
};

static const char *kind_of(const struct writing *writing, double cosine, double phi)
{
    return cosine >= DUPLICATE_COSINE && phi >= DUPLICATE_PHI ? "duplicate"
           : cosine > writing->chance && phi >= SPLIT_PHI     ? "split"
                                                              : "";
}

/* The rank-th of what was found for direction i. */
static ss_status write_row(struct writing *writing, const struct ss_graph_neighbours *found,
                           size_t i, uint32_t rank, ss_err *err)
{
    const struct ss_graph_table *table = writing->table;
    const bool is_opposite = found == &writing->opposite;
    const size_t at = i * found->k + rank;
    const uint32_t feature = writing->directions->features[i];
    const uint32_t neighbour = writing->directions->features[found->ids[at]];
    const uint64_t pair = ss_graph_find(table, feature, neighbour);
    const struct ss_graph_counts counts = {ss_graph_n_rows(table, SS_GRAPH_ALL),
                                           ss_graph_fires(table, SS_GRAPH_ALL, feature),
                                           ss_graph_fires(table, SS_GRAPH_ALL, neighbour),
                                           pair == UINT64_MAX ? 0 : table->counts[pair]};
    const uint32_t rows = (uint32_t)counts.n_both;
    const double cosine = (is_opposite ? -1 : 1) * (1 - found->distances2[at] / 2);
    const double phi = ss_graph_phi(counts), lift = ss_graph_lift(counts);
    const char *kind = is_opposite ? "opposite" : kind_of(writing, cosine, phi);
    const void *values[SS_FOLDER_N_NEIGHBOUR_COLUMNS] = {&feature, &neighbour, &rank, &cosine,
                                                         &rows,    &phi,       &lift, kind};
    for (size_t column = 0; column < SS_FOLDER_N_NEIGHBOUR_COLUMNS; column++) {
        SS_RETURN_IF_ERROR(
            ss_arrow_output_add(writing->output, column, values[column],
                                column == SS_FOLDER_NEIGHBOUR_KIND ? strlen(kind) : 1, err));
    }
    return ss_arrow_output_end_row(writing->output, err);
}

/* What points the other way has a cosine below 0. */
static ss_status write_found(struct writing *writing, const struct ss_graph_neighbours *found,
                             size_t i, ss_err *err)
{
    const double most = found == &writing->opposite ? 2 : INFINITY;
    for (uint32_t rank = 0; rank < found->k; rank++) {
        const size_t at = i * found->k + rank;
        if (found->ids[at] != SS_GRAPH_NONE && found->distances2[at] < most) {
            SS_RETURN_IF_ERROR(write_row(writing, found, i, rank, err));
        }
    }
    return SS_OK;
}

static ss_status write_rows(struct writing *writing, ss_err *err)
{
    for (size_t i = 0; i < writing->directions->n; i++) {
        SS_RETURN_IF_ERROR(write_found(writing, &writing->nearest, i, err));
        SS_RETURN_IF_ERROR(write_found(writing, &writing->opposite, i, err));
    }
    return ss_arrow_output_finish(writing->output, err);
}

static void make_negative(const void *context, size_t row, double *out)
{
    const struct ss_run_directions *directions = context;
    for (size_t i = 0; i < directions->width; i++) {
        out[i] = -directions->x[row * directions->width + i];
    }
}

static ss_status find(struct writing *writing, ss_work *work, ss_err *err)
{
    const struct ss_run_directions *directions = writing->directions;
    const struct ss_graph_points points = {
        .n = directions->n, .width = directions->width, .x = directions->x};
    const struct ss_graph_points negatives = {.n = directions->n,
                                              .width = directions->width,
                                              .make = make_negative,
                                              .context = directions};
    SS_RETURN_IF_ERROR(ss_graph_nearest(work, &points, N_NEIGHBOURS, &writing->nearest, err));
    return ss_graph_nearest_of(work, &points, &negatives, N_OPPOSITES, &writing->opposite, err);
}

static ss_status write_file(const struct ss_folder_families *families,
                            const struct ss_run_directions *directions, const char *path,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct writing writing = {.table = families->table, .directions = directions};
    struct ss__out out = SS__OUT_CLOSED;
    char chance[SS__DOUBLE_TEXT_BYTES] = "";
    writing.chance =
        ss_run_neighbours_chance(directions->n - (directions->n > 0), directions->width);
    chance[ss__format_double(writing.chance, chance)] = '\0';
    const struct ss_arrow_note notes[] = {{"chance_cosine", chance}};
    const struct ss_arrow_output_options options = {.columns = ss_folder_neighbour_columns,
                                                    .n_columns = SS_FOLDER_N_NEIGHBOUR_COLUMNS,
                                                    .notes = notes,
                                                    .n_notes = 1};
    SS_TRY(find(&writing, families->work, err));
    SS_TRY(ss__out_open(path, &out, err));
    SS_TRY(ss_arrow_output_new(&out, &options, &writing.output, err));
    SS_TRY(write_rows(&writing, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss_graph_neighbours_release(&writing.nearest);
    ss_graph_neighbours_release(&writing.opposite);
    ss_arrow_output_free(writing.output);
    ss__out_abort(&out);
    return status;
}

ss_status ss_run_neighbours_write(const struct ss_folder_families *families, const char *path,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_directions directions = {.x = NULL};
    ss_err why;
    const size_t n = families->table->n_features;
    if (n > MOST_FEATURES) {
        ss__log(families->log, SS_LEVEL_NOTICE,
                "no neighbours.arrow: every direction would be compared with every other one, "
                "which is done for up to %d features",
                MOST_FEATURES);
        return SS_OK;
    }
    /* A run stands without its SAE; so does what else is made of it here. */
    const ss_status found = ss_run_directions_read(families->dir, n, &directions, &why);
    if (found == SS_E_NOMEM || found == SS_E_STOPPED || found == SS_E_IO) {
        SS_TRY(ss__fail_as(err, &why));
    }
    if (found != SS_OK) {
        ss__log(families->log, SS_LEVEL_NOTICE, "no neighbours.arrow: %s", why.message);
    } else {
        SS_TRY(write_file(families, &directions, path, err));
    }
out:
    ss_run_directions_release(&directions);
    return status;
}
