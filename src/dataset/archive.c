/* Members of archives as files of a dataset. */
#include "dataset/archive.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "dataset/ahead.h"
#include "dataset/layout.h"
#include "dataset/samples.h"
#include "dataset/tar.h"
#include "weights/weights.h"

struct ss_source_archive {
    char *path;
    struct ss__map map;
    struct ss__file_facts facts; /* of the archive, which may be packed */
    bool is_regular;
    struct ss_source_zip *zip; /* NULL: it is a tar */
    struct ss_source_tar tar;
};

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
    size_t n, room;
};

/* ---- names ---- */

static bool ends_in(const char *path, const char *const *endings, size_t n)
{
    const size_t n_path = strlen(path);
    for (size_t i = 0; i < n; i++) {
        const size_t n_ending = strlen(endings[i]);
        if (n_path > n_ending &&
            ss__equal_ignoring_case(path + n_path - n_ending, endings[i])) {
            return true;
        }
    }
    return false;
}

static bool is_zip(const char *path)
{
    static const char *const endings[] = {".zip"};
    return ends_in(path, endings, 1);
}

bool ss_source_dataset_has_archive_name(const char *path)
{
    static const char *const endings[] = {".tar",    ".tar.gz",  ".tgz",      ".tar.zst",
                                          ".tzst",   ".tar.bz2", ".tbz2",     ".tbz",
                                          ".tar.xz", ".txz",     ".tar.zstd", ".tar.lz4"};
    return is_zip(path) || ends_in(path, endings, sizeof endings / sizeof *endings);
}

bool ss_dataset_is_archive(const char *path)
{
    if (!ss_source_dataset_has_archive_name(path) || ss_source_is_remote(path)) {
        return false;
    }
    const ss__path_kind kind = ss__path_look(path);
    return kind == SS__PATH_FILE || kind == SS__PATH_OTHER;
}

/* "archive!/name" with '?' for what would disturb a terminal. */
static char *member_path(const struct ss_source_archive *archive, const char *name, size_t n)
{
    struct ss__buf path = {0};
    ss__buf_printf(&path, "%s!/", archive->path);
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

static void close_member(struct ss_source_archives *archives)
{
    ss_format_samples_close(archives->samples);
    archives->samples = NULL;
    ss_weights_zip_reader_close(archives->packed);
    archives->packed = NULL;
    archives->plain = NULL;
    archives->n_plain = 0;
}

static ss_status read_member(void *user, void *out, size_t n, size_t *n_read, ss_err *err)
{
    struct ss_source_archives *archives = user;
    if (archives->packed != NULL) {
        return ss_weights_zip_reader_read(archives->packed, out, n, n_read, err);
    }
    *n_read = ss__min_size(n, archives->n_plain);
    if (*n_read > 0) {
        memcpy(out, archives->plain, *n_read);
        ss__map_forget(archives->plain_map, archives->plain, *n_read); /* it is read once */
        archives->plain += *n_read;
        archives->n_plain -= *n_read;
    }
    return SS_OK;
}

/* Open a member as a stream; what is left of it is kept in *open. */
static ss_status open_place(struct ss_source_archive_place place, const char *name,
                            struct ss_source_archives *open, struct ss_source_stream *out,
                            ss_err *err)
{
    struct ss_source_stream_source source = {.read = read_member, .user = open};
    close_member(open);
    if (place.index == SAMPLES) {
        SS_RETURN_IF_ERROR(
            ss_format_samples_open(name, &place.archive->tar, &open->samples, err));
        source = (struct ss_source_stream_source){.read = ss_format_samples_read,
                                                  .user = open->samples};
    } else if (place.archive->zip != NULL) {
        SS_RETURN_IF_ERROR(ss_weights_zip_reader_open(place.archive->zip, place.index, name,
                                                      &open->packed, err));
    } else {
        open->plain = place.archive->tar.members[place.index].data;
        open->plain_map = &place.archive->map;
        open->n_plain = place.archive->tar.members[place.index].n_bytes;
    }
    return ss_source_stream_open_source(name, &source, out, err);
}

/* ---- members ---- */

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
    SS_GROW(members->items, members->room, members->n + 1);
    members->items[members->n++] = (struct member){path, index, kind, name};
    path = NULL;
out:
    ss__free(path);
    return status;
}

static ss_status list_members(struct members *members, ss_err *err)
{
    const struct ss_source_archive *archive = members->archive;
    const size_t n = archive->zip != NULL ? ss_weights_zip_n(archive->zip) : archive->tar.n;
    for (size_t i = 0; i < n && archive->zip != NULL; i++) {
        const struct ss_weights_zip_facts facts = ss_weights_zip_at(archive->zip, i);
        const ss_source_tar_kind kind = facts.is_link ? SS_SOURCE_TAR_LINK : SS_SOURCE_TAR_FILE;
        SS_RETURN_IF_ERROR(add_member(members, facts.name, facts.n_name, kind, i, err));
    }
    for (size_t i = 0; i < n && archive->zip == NULL; i++) {
        const struct ss_source_tar_member *member = &archive->tar.members[i];
        SS_RETURN_IF_ERROR(
            add_member(members, member->name, strlen(member->name), member->kind, i, err));
    }
    return SS_OK;
}

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

static ss_status add_place(struct ss_source_archives *archives, struct ss_dataset_paths *paths,
                           const char *path, struct ss_source_archive_place place, ss_err *err)
{
    SS_GROW_OR_RETURN(paths->items, paths->room, paths->n + 1);
    SS_GROW_OR_RETURN(archives->places, archives->n_places_room, paths->n + 1);
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
    struct ss_source_archives *archives;
    const struct ss_log *log;
};

/* A whole member that is no data itself, such as a list of files. */
static ss_status read_small(void *user, size_t index, size_t max_bytes, struct ss__buf *out,
                            ss_err *err)
{
    ss_status status = SS_OK;
    const struct members *members = user;
    const struct member *member = &members->items[index];
    struct ss_source_archives reading = {.items = NULL};
    struct ss_source_stream stream = {0};
    SS_TRY(open_place((struct ss_source_archive_place){members->archive, member->index},
                      member->path, &reading, &stream, err));
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
    close_member(&reading);
    return status;
}

/* Sort members, and of those of one name keep the last. */
static void sort_members(struct members *members)
{
    size_t n_kept = 0;
    if (members->n > 0) {
        qsort(members->items, members->n, sizeof *members->items, compare_members);
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
        paths[i] = members->items[i].path + strlen(members->archive->path) + 2;
    }
    struct ss__buf name = {0};
    ss__buf_printf(&name, "%s!", members->archive->path);
    const char *text = ss__buf_text(&name);
    const struct ss_dataset_layout layout = {.name =
                                                 text == NULL ? members->archive->path : text,
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
        qsort(members->items, n_kept, sizeof *members->items, compare_naturally);
    }
}

static ss_status add_members(const struct reading *reading, struct ss_source_archive *archive,
                             struct ss_dataset_paths *paths, ss_err *err)
{
    ss_status status = SS_OK;
    struct members members = {.archive = archive};
    bool *is_data = NULL, are_samples = false;
    const size_t n_before = paths->n;
    SS_TRY(archive->zip != NULL ? SS_OK
                                : ss_format_samples_are_in(&archive->tar, &are_samples, err));
    if (are_samples) {
        return add_place(reading->archives, paths, archive->path,
                         (struct ss_source_archive_place){archive, SAMPLES}, err);
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
                         (struct ss_source_archive_place){archive, member->index}, err));
    }
    if (paths->n == n_before) {
        SS_FAIL_FILE(archive->path, SS_E_NOINPUT,
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

static void close_archive(struct ss_source_archive *archive)
{
    if (archive != NULL) {
        ss_weights_zip_close(archive->zip);
        ss_source_tar_release(&archive->tar);
        ss__map_release(&archive->map);
        ss__free(archive->path);
        ss__free(archive);
    }
}

static ss_status open_archive(struct ss_source_archives *archives, const char *path,
                              struct ss_source_archive **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_source_stream stream = {0};
    struct ss_source_archive *archive = NULL;
    SS_ALLOC(archive, 1);
    archive->path = ss__strdup(path);
    if (archive->path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss_source_stream_open(path, archives->halt, &stream, err));
    SS_TRY(ss_source_stream_map(&stream, &archive->map, err));
    archive->is_regular = ss_source_stream_facts(&stream) != NULL;
    if (archive->is_regular) {
        archive->facts = *ss_source_stream_facts(&stream);
    }
    const uint8_t *data = archive->map.data;
    const size_t n_bytes = archive->map.n_bytes;
    SS_TRY(is_zip(path) ? ss_weights_zip_open(archive->path, data, n_bytes, &archive->zip, err)
                        : ss_source_tar_read(archive->path, data, n_bytes, &archive->tar, err));
    SS_GROW(archives->items, archives->room, archives->n + 1);
    SS_GROW(archives->paths, archives->paths_room, archives->n + 1);
    archives->paths[archives->n] = archive->path;
    *out = archives->items[archives->n++] = archive;
    archive = NULL;
out:
    ss_source_stream_close(&stream);
    close_archive(archive);
    return status;
}

ss_status ss_source_archives_expand(struct ss_source_archives *archives,
                                    struct ss_dataset_paths *paths, const struct ss_log *log,
                                    ss_err *err)
{
    ss_status status = SS_OK;
    const struct reading reading = {archives, log};
    struct ss_dataset_paths expanded = {0};
    bool any = false;
    for (size_t i = 0; i < paths->n && !any; i++) {
        any = ss_dataset_is_archive(paths->items[i]);
    }
    for (size_t i = 0; i < paths->n && any; i++) {
        const char *path = paths->items[i];
        struct ss_source_archive *archive = NULL;
        if (ss_dataset_is_archive(path)) {
            SS_TRY(open_archive(archives, path, &archive, err));
            SS_TRY(add_members(&reading, archive, &expanded, err));
        } else {
            SS_TRY(add_place(archives, &expanded, path,
                             (struct ss_source_archive_place){NULL, 0}, err));
        }
    }
    if (any) {
        const struct ss_dataset_paths given = *paths;
        *paths = expanded;
        expanded = given;
    }
out:
    ss_dataset_paths_release(&expanded);
    return status;
}

const char *ss_source_archives_format(const struct ss_source_archives *archives, size_t index)
{
    return ss_source_archives_have(archives, index) && archives->places[index].index == SAMPLES
               ? "jsonl"
               : NULL;
}

bool ss_source_archives_have(const struct ss_source_archives *archives, size_t index)
{
    return index < archives->n_places && archives->places[index].archive != NULL;
}

const struct ss__file_facts *ss_source_archive_facts(const struct ss_source_archives *archives,
                                                     size_t index)
{
    const struct ss_source_archive *archive = archives->items[index];
    return archive->is_regular ? &archive->facts : NULL;
}

ss_status ss_source_archives_check(const struct ss_source_archives *archives, size_t index,
                                   ss_err *err)
{
    const struct ss_source_archive *archive = archives->places[index].archive;
    return ss__map_check(&archive->map, archive->path, err);
}

uint64_t ss_source_archives_bytes(const struct ss_source_archives *archives, size_t index)
{
    const struct ss_source_archive_place place = archives->places[index];
    if (place.index == SAMPLES) { /* made into rows as they are read */
        return 0;
    }
    return place.archive->zip != NULL
               ? ss_weights_zip_at(place.archive->zip, place.index).n_bytes
               : place.archive->tar.members[place.index].n_bytes;
}

ss_status ss_source_archives_open(struct ss_source_archives *archives, size_t index,
                                  const char *name, struct ss_source_stream *out, ss_err *err)
{
    return open_place(archives->places[index], name, archives, out, err);
}

void ss_source_archives_release(struct ss_source_archives *archives)
{
    close_member(archives);
    for (size_t i = 0; i < archives->n; i++) {
        close_archive(archives->items[i]);
    }
    ss__free(archives->items);
    ss__free(archives->paths);
    ss__free(archives->places);
    *archives = (struct ss_source_archives){0};
}
