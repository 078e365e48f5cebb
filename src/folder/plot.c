/* The two histograms, with the words of the Python workflow that went before. */
#include "folder/plot.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "base/sort.h"
#include "folder/results.h"
#include "view/view.h"

enum { DEFAULT_BINS = 50 };

/* log10(rate/100 + 1e-10) lies between a dead feature and one that always fires. */
static const float density_range[2] = {-10.0F, 0.0F};

static const char *const extensions[] = {".gz",   ".zst", ".bz2", ".xz",  ".jsonl",   ".ndjson",
                                         ".json", ".csv", ".tsv", ".txt", ".parquet", ".arrow"};

static const char *without_extensions(struct ss__arena *arena, const char *path)
{
    const char *name = ss__path_name(path);
    size_t n = strcspn(name, "/");
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0];
         i++) { /* codecs come first */
        const size_t n_extension = strlen(extensions[i]);
        if (n > n_extension &&
            memcmp(name + n - n_extension, extensions[i], n_extension) == 0) {
            n -= n_extension;
        }
    }
    return ss__arena_strndup(arena, name, n);
}

/* Bytes of the folder part that all files share, with its slash. */
static size_t shared_folder(const struct ss_dataset_info *info)
{
    const char *first = info->files[0];
    size_t n = (size_t)(ss__path_name(first) - first);
    for (size_t i = 1; i < info->n_files; i++) {
        while (n > 0 && strncmp(first, info->files[i], n) != 0) {
            n--;
            while (n > 0 && first[n - 1] != '/') {
                n--;
            }
        }
    }
    return n;
}

const char *ss_folder_dataset_name(const struct ss_dataset_info *info, struct ss__arena *arena)
{
    if (info->n_files == 0) {
        return ss__arena_strndup(arena, "no files", 8);
    }
    if (info->repository[0] != '\0') {
        const bool is_of_hub = strncmp(info->repository, "hf:", 3) == 0;
        return ss__arena_printf(
            arena, "%s", is_of_hub ? info->repository + 3 : ss__path_name(info->repository));
    }
    if (info->n_files == 1) {
        const bool is_stdin = strcmp(info->files[0], "-") == 0;
        return is_stdin ? ss__arena_strndup(arena, "stdin", 5)
                        : without_extensions(arena, info->files[0]);
    }
    const size_t n = shared_folder(info);
    if (n > 1) {
        const bool is_archive = info->n_archives > 0 && info->files[0][n - 2] == '!';
        char *folder = ss__arena_strndup(arena, info->files[0], n - (is_archive ? 2 : 1));
        return folder == NULL ? NULL : ss__path_name(folder);
    }
    return ss__arena_printf(arena, "%zu files", info->n_files);
}

const char *ss_folder_density_title(struct ss__arena *arena, const char *dataset_name)
{
    return ss__arena_printf(arena, "Log Feature Fire Rate Distribution (%s)", dataset_name);
}

/* " Labels: 3 sharp, 40 topical." or "". */
static const char *labels_caption(struct ss__arena *arena, const struct ss_run *run)
{
    const char *text = "";
    for (int i = 0; run->has_labels && text != NULL && i < SS_N_LABEL_STATUSES; i++) {
        char number[SS__COUNT_TEXT_BYTES];
        if (run->n_labels[i] > 0) {
            text =
                ss__arena_printf(arena, "%s%s %s %s", text, text[0] == '\0' ? " Labels:" : ",",
                                 ss__format_count(run->n_labels[i], number),
                                 ss_label_status_name((ss_label_status)i));
        }
    }
    return text == NULL || text[0] == '\0' ? text : ss__arena_printf(arena, "%s.", text);
}

/* What a reader of the histogram needs besides it; NULL when memory ran out. */
static const char *density_caption(struct ss__arena *arena, const struct ss_run *run, bool zoom)
{
    const struct ss_run_info *info = &run->info;
    const char *labels = labels_caption(arena, run);
    if (labels == NULL) {
        return NULL;
    }
    char number[SS__COUNT_TEXT_BYTES], median[SS__DOUBLE_TEXT_BYTES];
    char features[SS__COUNTED_TEXT_BYTES], rows[SS__COUNTED_TEXT_BYTES];
    const char *dead = info->n_dead == 0 ? "" : zoom ? ", left out" : " (at −10)";
    const bool is_marked = !zoom || info->median_rate_pct > 0;
    ss__snprintf(median, sizeof median, "%.3g", info->median_rate_pct);
    return ss__arena_printf(arena,
                            "%s in %s; %s dead%s. Median rate %s %%%s; −2 is a rate of 1 %%.%s",
                            ss__format_counted(info->n_features, "feature", features),
                            ss__format_counted(info->n_rows_used, "row", rows),
                            ss__format_count(info->n_dead, number), dead, median,
                            is_marked ? " (dashed)" : "", labels);
}

static int compare_floats(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static struct ss_view_histogram_picture picture_of(const struct ss_plot_options *given,
                                                   const char *title)
{
    return (struct ss_view_histogram_picture){
        .n_bins = given->n_bins > 0 ? given->n_bins : DEFAULT_BINS,
        .fixed_range = given->fixed_range ? density_range : NULL,
        .title = given->title != NULL ? given->title : title,
        .y_label = "Number of features",
        .width_in = given->width_in,
        .height_in = given->height_in,
        .dpi = given->dpi,
        .force = given->force,
    };
}

ss_status ss_plot_density(const ss_run *run, const char *path,
                          const struct ss_plot_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    float *values = NULL;
    struct ss__arena arena = {0};
    struct ss_plot_options read = {.struct_size = sizeof read};
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_plot_options, err));
    const bool zoom = read.zoom;
    const float median = ss_stats_log_density((float)run->info.median_rate_pct);
    struct ss_view_histogram_picture picture = picture_of(&read, run->info.title);
    SS_ALLOC(values, run->info.n_features);
    for (size_t f = 0; f < run->info.n_features; f++) {
        if (!zoom || !run->features[f].dead) {
            values[picture.n_values++] = ss_stats_log_density(run->features[f].rate_pct);
        }
    }
    picture.values = values;
    picture.x_limits = zoom ? NULL : density_range;
    picture.x_label = "Log10 Feature density";
    picture.marker = &median;
    picture.caption = density_caption(&arena, run, zoom);
    if (picture.caption == NULL) {
        SS_TRY(ss__fail_nomem(err, "a caption"));
    }
    SS_TRY(ss_view_draw_histogram(path, &picture, err));
out:
    ss__arena_release(&arena);
    ss__free(values);
    return status;
}

ss_status ss_plot_thresholds(const ss_sae *sae, const char *path,
                             const struct ss_plot_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_plot_options read = {.struct_size = sizeof read};
    struct ss_sae_info info = {.struct_size = sizeof info};
    struct ss__arena arena = {0};
    float *sorted = NULL;
    char number[SS__DOUBLE_TEXT_BYTES], features[SS__COUNTED_TEXT_BYTES];
    SS_TRY(SS_READ_OPTIONS(&read, options, ss_plot_options, err));
    struct ss_view_histogram_picture picture =
        picture_of(&read, "Histogram of Thresholds in JumpReLU features");
    const float *thresholds = ss_sae_thresholds(sae);
    ss_sae_describe(sae, &info);
    if (thresholds == NULL) {
        SS_FAIL_FILE(info.path, SS_E_UNSUPPORTED,
                     "a %s SAE has no thresholds; only jumprelu SAEs have", info.kind);
    }
    SS_ALLOC(sorted, info.n_features);
    memcpy(sorted, thresholds, info.n_features * sizeof *sorted);
    ss__sort(sorted, info.n_features, sizeof *sorted, compare_floats);
    ss__snprintf(number, sizeof number, "%.4g", (double)sorted[info.n_features / 2]);
    picture.caption =
        ss__arena_printf(&arena, "%s. Median threshold %s (dashed).",
                         ss__format_counted(info.n_features, "feature", features), number);
    if (picture.caption == NULL) {
        SS_TRY(ss__fail_nomem(err, "a caption"));
    }
    picture.fixed_range = NULL; /* the fixed range is that of densities */
    picture.values = thresholds;
    picture.n_values = info.n_features;
    picture.marker = &sorted[info.n_features / 2];
    picture.x_label = "Threshold (exp(log_threshold))";
    picture.grid = true;
    SS_TRY(ss_view_draw_histogram(path, &picture, err));
out:
    ss__free(sorted);
    ss__arena_release(&arena);
    return status;
}
