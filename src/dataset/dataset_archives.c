/* Members of archives as files of a dataset. Names of members are never paths of this machine:
 * they are only shown and compared, so that "../x" in an archive leads nowhere. */
#include "dataset/dataset_archives.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"
#include "dataset/layout.h"
#include "format/format.h"

/* In place of a member: the samples of an archive. */
#define SAMPLES SIZE_MAX

/* A member that may be read. */
struct member {
    char *path;
    size_t index;
    ss_source_tar_kind kind;
    const char *name; /* as the archive has it, "./" in front left out */
};

struct members {
    struct ss_source_archive *archive;
    struct member *items;
    size_t n, capacity;
};

/* "archive!/name" with '?' for what would disturb a terminal. */
static char *member_path(const struct ss_source_archive *archive, const char *name, size_t n)
{
    struct ss__buf path = {0};
    ss__buf_printf(&path, "%s!/", ss_source_archive_path(archive));
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)name[i];
        ss__buf_add_byte(&path, c < 0x20 || c == 0x7f ? '?' : name[i]);
    }
    const char *text = ss__buf_text(&path);
    char *copy = text == NULL ? NULL : ss__strdup(text);
    ss__buf_release(&path);
    return copy;
}

/* ---- reading ---- */

static ss_status open_place(struct ss_dataset_archive_place place, const char *name,
                            struct ss_source_input *out, ss_err *err)
{
    return place.index == SAMPLES
               ? ss_format_samples_open(name, ss_source_archive_tar(place.archive), out, err)
               : ss_source_archive_open_member(place.archive, place.index, name, out, err);
}

/* ---- members ---- */

/* Only members that would be read are refused for what they are. */
static ss_status refuse_kind(const char *path, ss_source_tar_kind kind, ss_err *err)
{
    static const char *const what[] = {
        [SS_SOURCE_TAR_LINK] = "is a link, which is not followed",
        [SS_SOURCE_TAR_SPARSE] = "is stored as a sparse file, which is not read",
        [SS_SOURCE_TAR_UNKNOWN] = "is of a type that is not known",
    };
    return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                         "this member %s; unpack the archive first", what[kind]);
}

/* Folders are no members. */
static ss_status add_member(struct members *members, const char *name, size_t n_name,
                            ss_source_tar_kind kind, size_t index, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    const char *end = name + n_name;
    while (end - name > 2 && name[0] == '.' && name[1] == '/') {
        name += 2;
    }
    if (kind == SS_SOURCE_TAR_OTHER || name == end || end[-1] == '/') {
        return SS_OK;
    }
    path = member_path(members->archive, name, (size_t)(end - name));
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a member's name"));
    }
    SS_GROW(members->items, members->capacity, members->n + 1);
    members->items[members->n++] = (struct member){path, index, kind, name};
    path = NULL;
out:
    ss__free(path);
    return status;
}

static ss_status list_members(struct members *members, ss_err *err)
{
    const size_t n = ss_source_archive_n(members->archive);
    for (size_t i = 0; i < n; i++) {
        const struct ss_source_member member = ss_source_archive_at(members->archive, i);
        SS_RETURN_IF_ERROR(
            add_member(members, member.name, member.n_name, member.kind, i, err));
    }
    return SS_OK;
}

/* By bytes, as layouts want paths; of equal names the last one of the archive comes last. */
static int compare_members(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    const int order = strcmp(a->path, b->path);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Members in the order in which they are read. */
static int compare_naturally(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    return ss_dataset_compare_natural(a->path, b->path);
}

static ss_status add_place(struct ss_dataset_archives *archives,
                           struct ss_dataset_file_list *paths, const char *path,
                           struct ss_dataset_archive_place place, ss_err *err)
{
    SS_GROW_OR_RETURN(paths->items, paths->capacity, paths->n + 1);
    SS_GROW_OR_RETURN(archives->places, archives->n_places_capacity, paths->n + 1);
    paths->items[paths->n] = ss__strdup(path);
    if (paths->items[paths->n] == NULL) {
        return ss__fail_nomem(err, "a file name");
    }
    archives->places[paths->n++] = place;
    archives->n_places = paths->n;
    return SS_OK;
}

/* What expanding needs. */
struct reading {
    struct ss_dataset_archives *archives;
    const struct ss_log *log;
};

/* A whole member that is no data itself, such as a list of files. */
static ss_status read_small(void *user, size_t index, size_t max_bytes, struct ss__buf *out,
                            ss_err *err)
{
    ss_status status = SS_OK;
    const struct members *members = user;
    const struct member *member = &members->items[index];
    struct ss_source_stream stream = {0};
    struct ss_source_input input = {.name = NULL};
    SS_TRY(open_place((struct ss_dataset_archive_place){members->archive, member->index},
                      member->path, &input, err));
    SS_TRY(ss_source_stream_open_input(&input, &stream, err));
    do {
        SS_TRY(ss_source_stream_more(&stream, err));
        if (stream.n_bytes > max_bytes) {
            SS_FAIL_FILE(member->path, SS_E_LIMIT, "larger than the %zu bytes that are read",
                         max_bytes);
        }
    } while (!stream.at_end);
    ss__buf_add(out, stream.data, stream.n_bytes);
    SS_TRY(ss__buf_check(out, err));
out:
    ss_source_stream_close(&stream);
    return status;
}

/* Sort members, and of those of one name keep the last. */
static void sort_members(struct members *members)
{
    size_t n_kept = 0;
    if (members->n > 0) {
        ss__sort(members->items, members->n, sizeof *members->items, compare_members);
    }
    for (size_t i = 0; i < members->n; i++) {
        if (i + 1 < members->n &&
            strcmp(members->items[i].name, members->items[i + 1].name) == 0) {
            ss__free(members->items[i].path);
        } else {
            members->items[n_kept++] = members->items[i];
        }
    }
    members->n = n_kept;
}

/* Of what is in an archive, choose as of a folder. */
static ss_status choose_members(const struct reading *reading, const struct members *members,
                                bool *is_data, ss_err *err)
{
    ss_status status = SS_OK;
    const char **paths = NULL;
    SS_ALLOC(paths, members->n);
    for (size_t i = 0; i < members->n; i++) {
        paths[i] =
            members->items[i].path + strlen(ss_source_archive_path(members->archive)) + 2;
    }
    struct ss__buf name = {0};
    ss__buf_printf(&name, "%s!", ss_source_archive_path(members->archive));
    const char *text = ss__buf_text(&name);
    const struct ss_dataset_layout layout = {
        .name = text == NULL ? ss_source_archive_path(members->archive) : text,
        .paths = paths,
        .n = members->n,
        .read = read_small,
        .user = (void *)(uintptr_t)members,
        .log = reading->log};
    status = ss_dataset_layout_choose(&layout, is_data, err);
    ss__buf_release(&name);
out:
    ss__free(paths);
    return status;
}

/* Only members with rows, in reading order. */
static void keep_data(struct members *members, const bool *is_data)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < members->n; i++) {
        if (is_data[i]) {
            members->items[n_kept++] = members->items[i];
        } else {
            ss__free(members->items[i].path);
        }
    }
    members->n = n_kept;
    if (n_kept > 0) {
        ss__sort(members->items, n_kept, sizeof *members->items, compare_naturally);
    }
}

static ss_status add_members(const struct reading *reading, struct ss_source_archive *archive,
                             struct ss_dataset_file_list *paths, ss_err *err)
{
    ss_status status = SS_OK;
    struct members members = {.archive = archive};
    bool *is_data = NULL, are_samples = false;
    const size_t n_before = paths->n;
    const struct ss_source_tar *tar = ss_source_archive_tar(archive);
    SS_TRY(tar == NULL ? SS_OK : ss_format_samples_are_in(tar, &are_samples, err));
    if (are_samples) {
        return add_place(reading->archives, paths, ss_source_archive_path(archive),
                         (struct ss_dataset_archive_place){archive, SAMPLES}, err);
    }
    SS_TRY(list_members(&members, err));
    sort_members(&members);
    SS_ALLOC(is_data, members.n);
    SS_TRY(choose_members(reading, &members, is_data, err));
    keep_data(&members, is_data);
    for (size_t i = 0; i < members.n; i++) {
        const struct member *member = &members.items[i];
        if (member->kind != SS_SOURCE_TAR_FILE) {
            SS_TRY(refuse_kind(member->path, member->kind, err));
        }
        SS_TRY(add_place(reading->archives, paths, member->path,
                         (struct ss_dataset_archive_place){archive, member->index}, err));
    }
    if (paths->n == n_before) {
        SS_FAIL_FILE(ss_source_archive_path(archive), SS_E_NOINPUT,
                     "no dataset in this archive: expected members that end in .jsonl, .json, "
                     ".csv, .tsv, .txt, .parquet or .arrow, compressed or not");
    }
out:
    for (size_t i = 0; i < members.n; i++) {
        ss__free(members.items[i].path);
    }
    ss__free(members.items);
    ss__free(is_data);
    return status;
}

/* ---- archives ---- */

static ss_status open_archive(struct ss_dataset_archives *archives, const char *path,
                              struct ss_source_archive **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_archive *archive = NULL;
    SS_TRY(ss_source_archive_open(path, archives->halt, &archive, err));
    SS_GROW(archives->items, archives->capacity, archives->n + 1);
    SS_GROW(archives->paths, archives->paths_capacity, archives->n + 1);
    archives->paths[archives->n] = ss_source_archive_path(archive);
    *out = archives->items[archives->n++] = archive;
    archive = NULL;
out:
    ss_source_archive_close(archive);
    return status;
}

/* Where there is no archive, places stay NULL and the paths as they are. */
ss_status ss_dataset_archives_expand(struct ss_dataset_archives *archives,
                                     struct ss_dataset_file_list *paths,
                                     const struct ss_log *log, ss_err *err)
{
    ss_status status = SS_OK;
    const struct reading reading = {archives, log};
    struct ss_dataset_file_list expanded = {0};
    bool any = false;
    for (size_t i = 0; i < paths->n && !any; i++) {
        any = ss_source_is_archive(paths->items[i]);
    }
    for (size_t i = 0; i < paths->n && any; i++) {
        const char *path = paths->items[i];
        struct ss_source_archive *archive = NULL;
        if (ss_source_is_archive(path)) {
            SS_TRY(open_archive(archives, path, &archive, err));
            SS_TRY(add_members(&reading, archive, &expanded, err));
        } else {
            SS_TRY(add_place(archives, &expanded, path,
                             (struct ss_dataset_archive_place){NULL, 0}, err));
        }
    }
    if (any) {
        const struct ss_dataset_file_list given = *paths;
        *paths = expanded;
        expanded = given;
    }
out:
    ss_dataset_file_list_release(&expanded);
    return status;
}

const char *ss_dataset_archives_format(const struct ss_dataset_archives *archives, size_t index)
{
    return ss_dataset_archives_have(archives, index) && archives->places[index].index == SAMPLES
               ? "jsonl"
               : NULL;
}

bool ss_dataset_archives_have(const struct ss_dataset_archives *archives, size_t index)
{
    return index < archives->n_places && archives->places[index].archive != NULL;
}

const struct ss__file_facts *
ss_dataset_archives_facts(const struct ss_dataset_archives *archives, size_t index)
{
    return ss_source_archive_facts(archives->items[index]);
}

ss_status ss_dataset_archives_check(const struct ss_dataset_archives *archives, size_t index,
                                    ss_err *err)
{
    return ss_source_archive_check(archives->places[index].archive, err);
}

uint64_t ss_dataset_archives_bytes(const struct ss_dataset_archives *archives, size_t index)
{
    const struct ss_dataset_archive_place place = archives->places[index];
    return place.index == SAMPLES /* made into rows as they are read */
               ? 0
               : ss_source_archive_at(place.archive, place.index).n_bytes;
}

ss_status ss_dataset_archives_open(struct ss_dataset_archives *archives, size_t index,
                                   const char *name, struct ss_source_input *out, ss_err *err)
{
    return open_place(archives->places[index], name, out, err);
}

void ss_dataset_archives_release(struct ss_dataset_archives *archives)
{
    for (size_t i = 0; i < archives->n; i++) {
        ss_source_archive_close(archives->items[i]);
    }
    ss__free(archives->items);
    ss__free(archives->paths);
    ss__free(archives->places);
    *archives = (struct ss_dataset_archives){0};
}
