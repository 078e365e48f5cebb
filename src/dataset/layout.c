/* From the names of a folder's files to those that hold rows. What is left out for its name
 * alone is usual and not said; what somebody may miss is said, once per sort, with an
 * example. */
#include "dataset/layout.h"

#include "base/json.h"
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "dataset/dataset_files.h"
#include "repo/repo.h"
#include "source/source.h"

/* ---- what was left out ---- */

/* Files of one sort that are not read: how many, and the first. */
struct left_out {
    size_t n;
    const char *first;
};

static void count(struct left_out *left, const char *path)
{
    left->first = left->n++ == 0 ? path : left->first;
}

static void say_left_out(const struct ss_dataset_layout *layout, ss_level level,
                         const struct left_out *left, const char *why)
{
    if (left->n > 0) {
        ss__log(layout->log, level, "%s: left out: %zu %s, such as %s", layout->name, left->n,
                why, left->first);
    }
}

/* ---- names ---- */

struct sorted_out {
    struct left_out hidden, about, other, archives;
};

static bool is_archive(const struct ss_dataset_layout *layout, size_t i)
{
    return !ss_format_path_is_hidden(layout->paths[i]) &&
           ss_source_is_archive_name(layout->paths[i]);
}

/* Whether a file's name is that of data; else note what it may be missed for. */
static bool sort_name(const char *path, struct sorted_out *out)
{
    const bool is_named = ss_dataset_format_knows_name(path);
    if (ss_format_path_is_hidden(path)) {
        const bool is_usual = path[0] == '.' || strncmp(path, "__", 2) == 0 ||
                              strstr(path, "/.") != NULL || strstr(path, "/__") != NULL;
        if (is_named && !is_usual) {
            count(&out->hidden, path);
        }
        return false;
    }
    if (ss_format_name_is_about_data(ss__path_name(path))) {
        if (ss_dataset_format_by_name(path) == &ss_format_reader_txt) {
            count(&out->about, path);
        }
        return false;
    }
    if (ss_source_is_archive_name(path)) {
        count(&out->archives, path);
        return false;
    }
    if (ss_format_is_other_table(path)) {
        count(&out->other, path);
    }
    return is_named;
}

static void say_sorted_out(const struct ss_dataset_layout *layout, const struct sorted_out *out)
{
    say_left_out(layout, SS_LEVEL_NOTICE, &out->hidden,
                 "file(s) with names of bookkeeping, which begin with '_'");
    say_left_out(layout, SS_LEVEL_NOTICE, &out->about, "text(s) about a project");
    say_left_out(layout, SS_LEVEL_WARNING, &out->other, "file(s) of a kind that is not read");
    say_left_out(layout, SS_LEVEL_WARNING, &out->archives,
                 "archive(s) that lie beside other files; give them by name");
}

/* ---- kinds ---- */

static const char *const kind_names[] = {"parquet", "arrow", "json", "csv", "text"};
enum { N_KIND_NAMES = sizeof kind_names / sizeof kind_names[0] };

static size_t kind_of(const char *path)
{
    const char *kind = ss_dataset_format_kind(path);
    size_t i = 0;
    while (i < N_KIND_NAMES && (kind == NULL || strcmp(kind, kind_names[i]) != 0)) {
        i++;
    }
    return i;
}

static void say_mixed(const struct ss_dataset_layout *layout, const size_t *n_of,
                      const char *chosen)
{
    struct ss__buf list = {0};
    for (size_t i = 0; i < N_KIND_NAMES; i++) {
        if (n_of[i] > 0) {
            ss__buf_printf(&list, "%s%zu of %s", list.n_bytes == 0 ? "" : ", ", n_of[i],
                           kind_names[i]);
        }
    }
    const char *text = ss__buf_text(&list);
    ss__log(layout->log, SS_LEVEL_WARNING,
            "%s: files of several kinds are mixed (%s); only those of %s are read. Name the "
            "files, or a pattern, to read others",
            layout->name, text == NULL ? "" : text, chosen);
    ss__buf_release(&list);
}

/* Of the kinds of some files the one that the reference library reads; where it does not know
 * all of their extensions, the one of most files. */
static size_t choose_kind(const char *const *paths, size_t n, const size_t *n_of)
{
    size_t most = 0;
    const char *format = NULL;
    const struct ss_repo_kind *kind = ss_repo_kind_of(paths, n, &format);
    for (size_t i = 0; i < n; i++) {
        kind = ss_repo_has_known_extension(paths[i]) ? kind : NULL;
    }
    for (size_t i = 0; i < N_KIND_NAMES; i++) {
        if (kind != NULL && strcmp(kind->name, kind_names[i]) == 0 && n_of[i] > 0) {
            return i;
        }
        most = n_of[i] > n_of[most] ? i : most;
    }
    return most;
}

/* Of several kinds, keep one: a table and its documentation as text would else be read as
 * both. */
static ss_status apply_kinds(const struct ss_dataset_layout *layout, bool *is_data, ss_err *err)
{
    ss_status status = SS_OK;
    size_t n_of[N_KIND_NAMES + 1] = {0}, n = 0, n_kinds = 0;
    const char **paths = NULL;
    SS_ALLOC(paths, layout->n);
    for (size_t i = 0; i < layout->n; i++) {
        if (is_data[i]) {
            n_of[kind_of(layout->paths[i])]++;
            paths[n++] = layout->paths[i];
        }
    }
    for (size_t i = 0; i < N_KIND_NAMES; i++) {
        n_kinds += n_of[i] > 0;
    }
    if (n_kinds > 1) {
        const size_t chosen = choose_kind(paths, n, n_of);
        for (size_t i = 0; i < layout->n; i++) {
            is_data[i] &= kind_of(layout->paths[i]) == chosen;
        }
        say_mixed(layout, n_of, kind_names[chosen]);
    }
out:
    ss__free(paths);
    return status;
}

/* ---- all of it ---- */

ss_status ss_dataset_layout_drop_dead(const struct ss_dataset_layout *layout, bool *is_data,
                                      ss_err *err)
{
    const ss_status status = ss_dataset_layout_apply_saved(layout, is_data, err);
    return status != SS_OK ? status : ss_dataset_layout_apply_tables(layout, is_data, err);
}

ss_status ss_dataset_layout_choose(const struct ss_dataset_layout *layout, bool *is_data,
                                   ss_err *err)
{
    struct sorted_out out = {.hidden = {0}};
    size_t n = 0;
    for (size_t i = 0; i < layout->n; i++) {
        is_data[i] = sort_name(layout->paths[i], &out);
        n += is_data[i];
    }
    if (n == 0 && layout->enters_archives) { /* a folder of shards */
        out.archives = (struct left_out){0};
        for (size_t i = 0; i < layout->n; i++) {
            is_data[i] = is_archive(layout, i);
        }
    }
    say_sorted_out(layout, &out);
    SS_RETURN_IF_ERROR(ss_dataset_layout_drop_dead(layout, is_data, err));
    return apply_kinds(layout, is_data, err);
}
