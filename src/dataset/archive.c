/* Members of archives as files of a dataset. */
#include "dataset/archive.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "dataset/ahead.h"
#include "dataset/tar.h"
#include "weights/weights.h"

struct ss__archive {
    char *path;
    struct ss__map map;
    struct ss__zip *zip; /* NULL: it is a tar */
    struct ss__tar tar;
};

/* A member that may be read. */
struct member {
    char *path;
    size_t index;
    const char *name; /* as the archive has it, "./" in front left out */
};

struct members {
    const struct ss__archive *archive;
    struct member *items;
    size_t n, room;
};

/* ---- names ---- */

static bool ends_in(const char *path, const char *const *endings, size_t n)
{
    const size_t n_path = strlen(path);
    for (size_t i = 0; i < n; i++) {
        const size_t n_ending = strlen(endings[i]);
        if (n_path > n_ending && strcasecmp(path + n_path - n_ending, endings[i]) == 0) {
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

bool ss__dataset_is_archive(const char *path)
{
    static const char *const endings[] = {".tar",    ".tar.gz",  ".tgz",     ".tar.zst",
                                          ".tzst",   ".tar.bz2", ".tbz2",    ".tbz",
                                          ".tar.xz", ".txz",     ".tar.zstd"};
    const bool is_named =
        is_zip(path) || ends_in(path, endings, sizeof endings / sizeof *endings);
    if (!is_named || ss__is_remote(path)) {
        return false;
    }
    const ss__path_kind kind = ss__path_look(path);
    return kind == SS__PATH_FILE || kind == SS__PATH_OTHER;
}

/* As in folders: a component that begins with a dot or two underscores hides what is below. */
static bool is_hidden(const char *name)
{
    for (const char *at = name; *at != '\0';) {
        const size_t n = strcspn(at, "/");
        const bool is_step = (n == 1 && at[0] == '.') || (n == 2 && memcmp(at, "..", 2) == 0);
        if ((at[0] == '.' && !is_step) || strncmp(at, "__", 2) == 0) {
            return true;
        }
        at += n + (at[n] == '/');
    }
    return false;
}

/* "archive!/name" with '?' for what would disturb a terminal. */
static char *member_path(const struct ss__archive *archive, const char *name, size_t n)
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

/* ---- members ---- */

static ss_status refuse_kind(const char *path, ss__tar_kind kind, ss_err *err)
{
    static const char *const what[] = {
        [SS__TAR_LINK] = "is a link, which is not followed",
        [SS__TAR_SPARSE] = "is stored as a sparse file, which is not read",
        [SS__TAR_UNKNOWN] = "is of a type that is not known",
    };
    return ss__fail_file(err, path, SS_E_UNSUPPORTED,
                         "this member %s; unpack the archive first", what[kind]);
}

/* Take a member if its name is one of a dataset's files. */
static ss_status add_member(struct members *members, const char *name, size_t n_name,
                            ss__tar_kind kind, size_t index, ss_err *err)
{
    ss_status status = SS_OK;
    char *path = NULL;
    const char *end = name + n_name;
    while (end - name > 2 && name[0] == '.' && name[1] == '/') {
        name += 2;
    }
    if (kind == SS__TAR_OTHER || name == end || end[-1] == '/') {
        return SS_OK;
    }
    path = member_path(members->archive, name, (size_t)(end - name));
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a member's name"));
    }
    if (is_hidden(path + strlen(members->archive->path) + 2) || !ss__path_is_data(path)) {
        goto out;
    }
    if (kind != SS__TAR_FILE) {
        SS_TRY(refuse_kind(path, kind, err));
    }
    SS_GROW(members->items, members->room, members->n + 1);
    members->items[members->n++] = (struct member){path, index, name};
    path = NULL;
out:
    ss__free(path);
    return status;
}

static ss_status list_members(struct members *members, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__archive *archive = members->archive;
    const size_t n = archive->zip != NULL ? ss__zip_n(archive->zip) : archive->tar.n;
    for (size_t i = 0; i < n && archive->zip != NULL; i++) {
        const struct ss__zip_facts facts = ss__zip_at(archive->zip, i);
        const ss__tar_kind kind = facts.is_link ? SS__TAR_LINK : SS__TAR_FILE;
        SS_TRY(add_member(members, facts.name, facts.n_name, kind, i, err));
    }
    for (size_t i = 0; i < n && archive->zip == NULL; i++) {
        const struct ss__tar_member *member = &archive->tar.members[i];
        SS_TRY(add_member(members, member->name, strlen(member->name), member->kind, i, err));
    }
out:
    return status;
}

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    const int order = strcmp(a->path, b->path);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static ss_status add_place(struct ss__archives *archives, struct ss__paths *paths,
                           const char *path, struct ss__archive_place place, ss_err *err)
{
    ss_status status = SS_OK;
    SS_GROW(paths->items, paths->room, paths->n + 1);
    SS_GROW(archives->places, archives->n_places_room, paths->n + 1);
    paths->items[paths->n] = ss__strdup(path);
    if (paths->items[paths->n] == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    archives->places[paths->n++] = place;
    archives->n_places = paths->n;
out:
    return status;
}

static ss_status add_members(struct ss__archives *archives, struct ss__archive *archive,
                             struct ss__paths *paths, ss_err *err)
{
    ss_status status = SS_OK;
    struct members members = {.archive = archive};
    SS_TRY(list_members(&members, err));
    if (members.n == 0) {
        SS_FAIL_FILE(archive->path, SS_E_NOINPUT,
                     "no dataset in this archive: expected members that end in .jsonl, .json, "
                     ".csv, .tsv, .txt, .parquet or .arrow, compressed or not");
    }
    qsort(members.items, members.n, sizeof *members.items, compare_members);
    for (size_t i = 0; i < members.n; i++) {
        const struct member *member = &members.items[i];
        const bool is_replaced = i + 1 < members.n && strcmp(member->name, member[1].name) == 0;
        if (!is_replaced) {
            SS_TRY(add_place(archives, paths, member->path,
                             (struct ss__archive_place){archive, member->index}, err));
        }
    }
out:
    for (size_t i = 0; i < members.n; i++) {
        ss__free(members.items[i].path);
    }
    ss__free(members.items);
    return status;
}

/* ---- archives ---- */

static void close_archive(struct ss__archive *archive)
{
    if (archive != NULL) {
        ss__zip_close(archive->zip);
        ss__tar_release(&archive->tar);
        ss__map_release(&archive->map);
        ss__free(archive->path);
        ss__free(archive);
    }
}

static ss_status open_archive(struct ss__archives *archives, const char *path,
                              struct ss__archive **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__stream stream = {0};
    struct ss__archive *archive = NULL;
    SS_ALLOC(archive, 1);
    archive->path = ss__strdup(path);
    if (archive->path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss__stream_open(path, &stream, err));
    SS_TRY(ss__stream_map(&stream, &archive->map, err));
    const uint8_t *data = archive->map.data;
    const size_t n_bytes = archive->map.n_bytes;
    SS_TRY(is_zip(path) ? ss__zip_open(archive->path, data, n_bytes, &archive->zip, err)
                        : ss__tar_read(archive->path, data, n_bytes, &archive->tar, err));
    SS_GROW(archives->items, archives->room, archives->n + 1);
    SS_GROW(archives->paths, archives->paths_room, archives->n + 1);
    archives->paths[archives->n] = archive->path;
    *out = archives->items[archives->n++] = archive;
    archive = NULL;
out:
    ss__stream_close(&stream);
    close_archive(archive);
    return status;
}

ss_status ss__archives_expand(struct ss__archives *archives, struct ss__paths *paths,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__paths expanded = {0};
    bool any = false;
    for (size_t i = 0; i < paths->n && !any; i++) {
        any = ss__dataset_is_archive(paths->items[i]);
    }
    for (size_t i = 0; i < paths->n && any; i++) {
        const char *path = paths->items[i];
        struct ss__archive *archive = NULL;
        if (ss__dataset_is_archive(path)) {
            SS_TRY(open_archive(archives, path, &archive, err));
            SS_TRY(add_members(archives, archive, &expanded, err));
        } else {
            SS_TRY(
                add_place(archives, &expanded, path, (struct ss__archive_place){NULL, 0}, err));
        }
    }
    if (any) {
        const struct ss__paths given = *paths;
        *paths = expanded;
        expanded = given;
    }
out:
    ss__paths_release(&expanded);
    return status;
}

bool ss__archives_have(const struct ss__archives *archives, size_t index)
{
    return index < archives->n_places && archives->places[index].archive != NULL;
}

/* ---- reading ---- */

static void close_member(struct ss__archives *archives)
{
    ss__zip_reader_close(archives->packed);
    archives->packed = NULL;
    archives->plain = NULL;
    archives->n_plain = 0;
}

static ss_status read_member(void *user, void *out, size_t n, size_t *n_read, ss_err *err)
{
    struct ss__archives *archives = user;
    if (archives->packed != NULL) {
        return ss__zip_reader_read(archives->packed, out, n, n_read, err);
    }
    *n_read = ss__min_size(n, archives->n_plain);
    if (*n_read > 0) {
        memcpy(out, archives->plain, *n_read);
        ss__map_forget(archives->plain, *n_read); /* it is read once */
        archives->plain += *n_read;
        archives->n_plain -= *n_read;
    }
    return SS_OK;
}

ss_status ss__archives_open(struct ss__archives *archives, size_t index, const char *name,
                            struct ss__stream *out, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss__archive_place place = archives->places[index];
    const struct ss__stream_source source = {read_member, archives};
    close_member(archives);
    if (place.archive->zip != NULL) {
        SS_TRY(
            ss__zip_reader_open(place.archive->zip, place.index, name, &archives->packed, err));
    } else {
        archives->plain = place.archive->tar.members[place.index].data;
        archives->n_plain = place.archive->tar.members[place.index].n_bytes;
    }
    SS_TRY(ss__stream_open_source(name, &source, out, err));
out:
    return status;
}

void ss__archives_release(struct ss__archives *archives)
{
    close_member(archives);
    for (size_t i = 0; i < archives->n; i++) {
        close_archive(archives->items[i]);
    }
    ss__free(archives->items);
    ss__free(archives->paths);
    ss__free(archives->places);
    *archives = (struct ss__archives){0};
}
