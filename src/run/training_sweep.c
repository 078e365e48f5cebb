/* A sweep: an SAE for every combination of values of a few options, on rows that are read once,
 * and at the end the table of all of them and a picture of explained variance over L0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/sized.h"
#include "base/sort.h"
#include "folder/folder.h"
#include "run/training.h"
#include "saescope_tools.h"
#include "view/view.h"

enum { MOST_AXES = 4, MOST_VALUES = 16, MOST_SAES = 64, NAME_BYTES = 200 };

/* Calibrated for the same L0, SAEs differ in its last digits. */
static const double SAME_L0 = 1.01;

/* ---- what is swept ---- */

static const struct quantity {
    const char *name;
    size_t offset;
    enum { COUNT, REAL, TEXT, EXTRA } type; /* EXTRA: a REAL of struct ss_train_extras */
} quantities[] = {
    {"kind", offsetof(struct ss_train_options, kind), TEXT},
    {"dict_size", offsetof(struct ss_train_options, dict_size), COUNT},
    {"top_k", offsetof(struct ss_train_options, top_k), COUNT},
    {"target_l0", offsetof(struct ss_train_extras, target_l0), EXTRA},
    {"batch_size", offsetof(struct ss_train_options, batch_size), COUNT},
    {"max_steps", offsetof(struct ss_train_options, max_steps), COUNT},
    {"lr", offsetof(struct ss_train_options, lr), REAL},
    {"l1_coeff", offsetof(struct ss_train_options, l1_coeff), REAL},
    {"seed", offsetof(struct ss_train_options, seed), COUNT},
};
enum { N_QUANTITIES = sizeof quantities / sizeof quantities[0] };

struct axis {
    const struct quantity *quantity;
    char *values; /* owned, cut at its commas */
    const char *value[MOST_VALUES];
    size_t n;
};

/* A trained SAE of a sweep. */
struct point {
    char name[NAME_BYTES]; /* of its folder, and in the table */
    double l0, explained_variance, dead_frac, knn_overlap, ndcg;
    uint64_t n_features, n_steps;
    bool is_best; /* no other one has both fewer active features and more variance explained */
};

struct sweep {
    const struct ss_run_training_call *call;
    const struct ss_train_extras *extras;
    const char *out;
    struct axis axes[MOST_AXES];
    size_t n_axes;
    struct point *points;
    size_t n_points;
};

/* Flags have hyphens where ids have underscores; both are understood. */
static bool is_name(const char *given, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if ((given[i] == '-' ? '_' : given[i]) != name[i]) {
            return false;
        }
    }
    return name[n] == '\0';
}

static ss_status refuse_axis(const char *text, ss_err *err)
{
    char names[200] = "";
    for (size_t i = 0; i < N_QUANTITIES; i++) {
        const size_t n = strlen(names);
        ss__snprintf(names + n, sizeof names - n, "%s%s", i == 0 ? "" : ", ",
                     quantities[i].name);
    }
    return ss__fail(err, SS_E_USAGE,
                    "'%.80s' is nothing to sweep; give at most %d times NAME=VALUE,VALUE with "
                    "at most %d values of %s",
                    text, MOST_AXES, MOST_VALUES, names);
}

static ss_status read_axis(const char *text, struct axis *axis, ss_err *err)
{
    const char *equals = strchr(text, '=');
    for (size_t i = 0; equals != NULL && i < N_QUANTITIES; i++) {
        if (is_name(text, (size_t)(equals - text), quantities[i].name)) {
            axis->quantity = &quantities[i];
        }
    }
    if (axis->quantity == NULL || equals[1] == '\0') {
        return refuse_axis(text, err);
    }
    axis->values = ss__strdup(equals + 1);
    if (axis->values == NULL) {
        return ss__fail_nomem(err, "a sweep");
    }
    for (char *at = axis->values; at != NULL;) {
        char *comma = strchr(at, ',');
        if (comma != NULL) {
            *comma = '\0';
        }
        if (*at == '\0' || axis->n == MOST_VALUES) {
            return refuse_axis(text, err);
        }
        axis->value[axis->n++] = at;
        at = comma == NULL ? NULL : comma + 1;
    }
    return SS_OK;
}

static ss_status read_axes(struct sweep *self, ss_err *err)
{
    self->n_points = 1;
    for (size_t i = 0; i < self->extras->n_axes; i++) {
        if (i == MOST_AXES) {
            return refuse_axis(self->extras->axes[i], err);
        }
        self->n_axes = i + 1;
        SS_RETURN_IF_ERROR(read_axis(self->extras->axes[i], &self->axes[i], err));
        self->n_points *= self->axes[i].n;
        if (self->n_points > MOST_SAES) {
            return ss__fail(err, SS_E_USAGE, "a sweep of more than %d SAEs; give fewer values",
                            MOST_SAES);
        }
    }
    return SS_OK;
}

/* What one SAE of a sweep is trained with. */
struct chosen {
    struct ss_train_options options;
    struct ss_train_extras extras;
};

static ss_status set_value(const struct quantity *quantity, const char *text,
                           struct chosen *chosen, ss_err *err)
{
    char *whole = quantity->type == EXTRA ? (char *)&chosen->extras : (char *)&chosen->options;
    char *at = whole + quantity->offset, *end = NULL;
    const unsigned long long count = strtoull(text, &end, 10);
    double real = 0;
    if (quantity->type == TEXT) {
        memcpy(at, &text, sizeof text);
        return SS_OK;
    }
    if (quantity->type == COUNT && *text >= '0' && *text <= '9' && *end == '\0' && count > 0) {
        const uint64_t value = count;
        memcpy(at, &value, sizeof value);
        return SS_OK;
    }
    if ((quantity->type == REAL || quantity->type == EXTRA) &&
        ss__parse_double(text, strlen(text), &real) && real > 0) {
        memcpy(at, &real, sizeof real);
        return SS_OK;
    }
    return ss__fail(err, SS_E_USAGE, "'%.40s' is no value of %s for a sweep", text,
                    quantity->name);
}

/* Combination `index`: the last axis turns fastest. */
static ss_status choose(struct sweep *self, size_t index, struct chosen *chosen, ss_err *err)
{
    struct point *point = &self->points[index];
    *chosen = (struct chosen){*self->call->options, *self->extras};
    size_t below = self->n_points;
    for (size_t i = 0; i < self->n_axes; i++) {
        const struct axis *axis = &self->axes[i];
        below /= axis->n;
        const char *value = axis->value[index / below % axis->n];
        const size_t n = strlen(point->name);
        ss__snprintf(point->name + n, sizeof point->name - n, "%s%s-%s", i == 0 ? "" : "_",
                     axis->quantity->name, value);
        SS_RETURN_IF_ERROR(set_value(axis->quantity, value, chosen, err));
    }
    for (char *at = point->name; *at != '\0'; at++) {
        *at = *at == '/' ? '-' : *at;
    }
    return SS_OK;
}

/* ---- training ---- */

static void keep_point(struct point *point, const struct ss_train_result *done)
{
    point->l0 = done->evaluation.l0_mean;
    point->explained_variance = done->evaluation.explained_variance;
    point->dead_frac = done->evaluation.dead_frac;
    point->knn_overlap = done->evaluation.knn_overlap;
    point->ndcg = done->evaluation.ndcg;
    point->n_features = done->n_features;
    point->n_steps = done->n_steps;
}

static ss_status train_all(struct sweep *self, const struct ss_run_training_rows *rows,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_train_result done = {.struct_size = sizeof done};
    char *folder = NULL;
    for (size_t i = 0; i < self->n_points; i++) {
        struct chosen chosen;
        SS_TRY(choose(self, i, &chosen, err));
        struct ss_run_training_call call = *self->call;
        call.options = &chosen.options;
        call.extras = &chosen.extras;
        call.rows = rows;
        folder = ss__path_join(self->out, self->points[i].name);
        if (folder == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(ss_run_training_do(&call, folder, &done, err));
        keep_point(&self->points[i], &done);
        if (self->extras->on_trained != NULL &&
            self->extras->on_trained(self->extras->user, folder, &done) != 0) {
            SS_FAIL(SS_E_STOPPED, "stopped after %zu of %zu SAEs", i + 1, self->n_points);
        }
        ss__free(folder);
        folder = NULL;
    }
out:
    ss__free(folder);
    return status;
}

/* What was kept to go on with. */
static void forget_all(const struct sweep *self)
{
    for (size_t i = 0; i < self->n_points; i++) {
        char *folder = ss__path_join(self->out, self->points[i].name);
        if (folder != NULL) {
            ss_run_training_forget(folder);
        }
        ss__free(folder);
    }
    ss_run_training_forget(self->out);
}

/* ---- the table and the picture ---- */

static void find_best(struct sweep *self)
{
    for (size_t i = 0; i < self->n_points; i++) {
        struct point *point = &self->points[i];
        point->is_best = true;
        for (size_t j = 0; j < self->n_points; j++) {
            const struct point *other = &self->points[j];
            point->is_best = point->is_best &&
                             !(other->l0 <= point->l0 * SAME_L0 &&
                               other->explained_variance > point->explained_variance) &&
                             !(other->l0 * SAME_L0 < point->l0 &&
                               other->explained_variance >= point->explained_variance);
        }
    }
}

static ss_status write_table(const struct sweep *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf buf = {0};
    char *path = ss__path_join(self->out, "sweep.csv");
    ss__buf_add_text(&buf, "sae,features,steps,l0,explained_variance,dead_frac,knn_overlap,"
                           "ndcg,is_on_front\n");
    for (size_t i = 0; i < self->n_points; i++) {
        const struct point *p = &self->points[i];
        ss__buf_printf(&buf, "%s,%llu,%llu,%.6g,%.6g,%.6g,%.6g,%.6g,%d\n", p->name,
                       (unsigned long long)p->n_features, (unsigned long long)p->n_steps, p->l0,
                       p->explained_variance, p->dead_frac, p->knn_overlap, p->ndcg,
                       p->is_best ? 1 : 0);
    }
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__buf_check(&buf, err));
    SS_TRY(ss__file_write(path, buf.data, buf.n_bytes, err));
out:
    ss__buf_release(&buf);
    ss__free(path);
    return status;
}

static int compare_l0(const void *a, const void *b)
{
    const struct point *x = a, *y = b;
    return x->l0 < y->l0 ? -1 : x->l0 > y->l0 ? 1 : strcmp(x->name, y->name);
}

static double axis_end(double value, double step)
{
    return fmin(1, ceil((value + step / 4) / step) * step);
}

/* Those that no other one beats as a line, and all of them as dots on it. */
static ss_status draw(struct sweep *self, ss_err *err)
{
    static const char *const names[] = {"sweep.svg", "sweep.png"};
    ss_status status = SS_OK;
    double x[2][MOST_SAES], y[2][MOST_SAES], least = 1, most = 0; /* of the line, of all */
    size_t n = 0;
    char caption[120], *path = NULL;
    for (size_t i = 0; i < self->n_points; i++) {
        const struct point *p = &self->points[i];
        x[1][i] = p->l0;
        y[1][i] = p->explained_variance;
        least = fmin(least, p->explained_variance);
        most = fmax(most, p->explained_variance);
        if (p->is_best) {
            x[0][n] = p->l0;
            y[0][n++] = p->explained_variance;
        }
    }
    const struct ss_view_line lines[] = {
        {.label = "not beaten by another one", .x = x[0], .y = y[0], .n = n},
        {.label = "an SAE", .x = x[1], .y = y[1], .n = self->n_points, .is_dots = true}};
    ss__snprintf(caption, sizeof caption, "%zu SAEs; figures of rows that were held out.",
                 self->n_points);
    for (size_t i = 0; i < 2; i++) {
        path = ss__path_join(self->out, names[i]);
        if (path == NULL) {
            SS_TRY(ss__fail_nomem(err, "a path"));
        }
        SS_TRY(
            ss_view_draw_lines(path,
                               &(struct ss_view_lines_picture){
                                   .lines = lines,
                                   .n_lines = 2,
                                   .y_limits = {fmax(0, floor((least - 0.0125) / 0.05) * 0.05),
                                                axis_end(most, 0.05)},
                                   .title = "Explained variance and sparsity",
                                   .x_label = "L0: active features of a row",
                                   .y_label = "Explained variance",
                                   .caption = caption,
                                   .force = true},
                               err));
        ss__free(path);
        path = NULL;
    }
out:
    ss__free(path);
    return status;
}

static ss_status run_sweep(struct sweep *self, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_run_training_rows rows = {0};
    size_t n_made = 0;
    SS_TRY(read_axes(self, err));
    SS_ALLOC(self->points, self->n_points);
    for (size_t i = 0; i < self->n_points; i++) { /* all are checked before the first */
        struct chosen chosen;
        SS_TRY(choose(self, i, &chosen, err));
        self->points[i].name[0] = '\0';
    }
    SS_TRY(ss__make_folder(self->out, &n_made, err));
    SS_TRY(ss_run_training_read_rows(self->call, self->out, &rows, err));
    SS_TRY(train_all(self, &rows, err));
    find_best(self);
    SS_TRY(write_table(self, err));
    ss__sort(self->points, self->n_points, sizeof *self->points, compare_l0);
    SS_TRY(draw(self, err));
    forget_all(self);
out:
    ss__unmake_folder(self->out, n_made); /* where nothing is in it */
    ss_run_training_rows_release(&rows);
    return status;
}

ss_status ss_train_more(const ss_encoder *encoder, ss_dataset *dataset, const char *out_dir,
                        const struct ss_train_options *options,
                        const struct ss_train_extras *extras, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_train_options read = {.struct_size = sizeof read};
    struct ss_train_extras more = {.struct_size = sizeof more};
    struct ss_train_result done = {.struct_size = sizeof done};
    const struct ss_run_training_call call = {encoder, dataset, &read, &more, NULL};
    struct sweep self = {.call = &call, .extras = &more, .out = out_dir};
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_train_options, err));
    SS_TRY(SS_READ_OPTIONS(&more, extras, ss_train_extras, err));
    if (more.n_axes > 0) {
        SS_TRY(run_sweep(&self, err));
        goto out;
    }
    SS_TRY(ss_run_training_do(&call, out_dir, &done, err));
    if (more.on_trained != NULL) {
        (void)more.on_trained(more.user, out_dir, &done);
    }
out:
    for (size_t i = 0; i < self.n_axes; i++) {
        ss__free(self.axes[i].values);
    }
    ss__free(self.points);
    return status;
}
