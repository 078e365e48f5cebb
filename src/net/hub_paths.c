/* Paths in the cache, as docs/formats.md draws them: names, refs, known absences, locks, and
 * links. Nothing is ever written through a link. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "net/download.h"
#include "net/hub_priv.h"

#define LOCK_POLL_SECONDS 0.1
#define LOCK_NOTICE_SECONDS 3.0
enum { COPY_BYTES = 1 << 18 };

static const char cache_tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                                "# This file marks a cache that can be made again.\n"
                                "# See https://bford.info/cachedir/\n";

/* ---- names ---- */

/* The text of a buffer, which is released; NULL when memory ran out. */
static char *detach_text(struct ss__buf *buf)
{
    char *text =
        buf->failed ? NULL : ss__strndup(buf->data == NULL ? "" : buf->data, buf->n_bytes);
    ss__buf_release(buf);
    return text;
}

/* REPO/FIRST/SECOND[/PATH] */
static char *path_in_repo(const char *repo, const char *first, const char *second,
                          const char *path)
{
    struct ss__buf buf = {0};
    ss__buf_printf(&buf, "%s/%s/%s", repo, first, second);
    if (path[0] != '\0') {
        ss__buf_printf(&buf, "/%s", path);
    }
    return detach_text(&buf);
}

static char *repo_path(const struct ss_net_hub *hub, const struct ss_net_hub_name *name)
{
    struct ss__buf buf = {0};
    ss__buf_printf(&buf, "%s/", hub->cache);
    ss_net_hub_add_folder_name(&buf, name);
    return detach_text(&buf);
}

/* Whether a cache holds anything of a repository. */
static ss_status has_repo(const char *cache, const struct ss_net_hub_name *name, bool *is_there,
                          ss_err *err)
{
    const struct ss_net_hub hub = {.cache = (char *)(uintptr_t)cache};
    char *path = repo_path(&hub, name);
    if (path == NULL) {
        return ss__fail_nomem(err, "a path");
    }
    *is_there = ss__path_stat(path) == SS__PATH_FOLDER;
    ss__free(path);
    return SS_OK;
}

/* A model is looked for where it is already, else where sentence-transformers would put it. */
ss_status ss_net_hub_model_cache(const struct ss_net_hub *hub,
                                 const struct ss_net_hub_name *name, char **cache, ss_err *err)
{
    bool in_models = false, in_other = true;
    *cache = hub->cache;
    if (hub->models != NULL) {
        SS_RETURN_IF_ERROR(has_repo(hub->models, name, &in_models, err));
        SS_RETURN_IF_ERROR(has_repo(hub->cache, name, &in_other, err));
        *cache = in_models || !in_other ? hub->models : hub->cache;
    }
    return SS_OK;
}

ss_status ss_net_hub_paths_find(const struct ss_net_hub *hub,
                                const struct ss_net_hub_name *name, const char *commit,
                                const char *etag, struct ss_net_hub_paths *out, ss_err *err)
{
    struct ss__buf lock = {0};
    *out = (struct ss_net_hub_paths){.repo = repo_path(hub, name)};
    bool is_good = out->repo != NULL;
    if (is_good && etag != NULL) {
        ss__buf_printf(&lock, "%s/" SS_NET_HUB_LOCKS "/", hub->cache);
        ss_net_hub_add_folder_name(&lock, name);
        ss__buf_printf(&lock, "/%s.lock", etag);
        out->lock = detach_text(&lock);
        out->blob = path_in_repo(out->repo, "blobs", etag, "");
        is_good = out->lock != NULL && out->blob != NULL;
    }
    if (is_good) {
        out->pointer = path_in_repo(out->repo, "snapshots", commit, name->path);
        is_good = out->pointer != NULL;
    }
    if (!is_good) {
        ss_net_hub_paths_release(out);
        return ss__fail_nomem(err, "a path");
    }
    return SS_OK;
}

void ss_net_hub_paths_release(struct ss_net_hub_paths *paths)
{
    ss__free(paths->repo);
    ss__free(paths->blob);
    ss__free(paths->pointer);
    ss__free(paths->lock);
    *paths = (struct ss_net_hub_paths){0};
}

/* Files are made in CACHE/.locks: whoever reads the cache takes every file in refs/ and
 * snapshots/ for a whole one. */
static ss_status open_aside(const struct ss_net_hub *hub, const char *path, struct ss__out *out,
                            ss_err *err)
{
    ss_status status = SS_OK;
    char *folder = ss__path_join(hub->cache, SS_NET_HUB_LOCKS);
    *out = SS__OUT_CLOSED;
    if (folder == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss__make_folder(folder, NULL, err));
    ss__out_remove_stale(folder);
    SS_TRY(ss__out_open_made_in(path, folder, out, err));
out:
    ss__free(folder);
    return status;
}

static ss_status write_aside(const struct ss_net_hub *hub, const char *path, const char *data,
                             size_t n_bytes, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    SS_TRY(open_aside(hub, path, &out, err));
    SS_TRY(ss__out_write(&out, data, n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    return status;
}

/* So that programs which make backups may pass the cache over. */
void ss_net_hub_tag_cache(const struct ss_net_hub *hub)
{
    char *path = ss__path_join(hub->cache, "CACHEDIR.TAG");
    if (path != NULL && ss__path_stat(path) == SS__PATH_NONE) {
        (void)!write_aside(hub, path, cache_tag, sizeof cache_tag - 1, NULL);
    }
    ss__free(path);
}

/* ---- what revisions mean ---- */

ss_status ss_net_hub_ref_load(const char *path, char commit[SS_NET_HUB_COMMIT_BYTES],
                              bool *is_good, ss_err *err)
{
    struct ss__buf text = {0};
    const ss_status status = ss__path_stat(path) == SS__PATH_FILE
                                 ? ss__file_read(path, 64, &text, err)
                                 : SS_E_NOINPUT;
    while (text.n_bytes > 0 && text.data[text.n_bytes - 1] == '\n') {
        text.n_bytes--;
    }
    *is_good = status == SS_OK && text.n_bytes == SS_NET_HUB_COMMIT_BYTES - 1;
    if (*is_good) {
        memcpy(commit, text.data, text.n_bytes);
        commit[text.n_bytes] = '\0';
        *is_good = ss_net_hub_is_commit(commit);
    }
    ss__buf_release(&text);
    return status == SS_E_NOMEM ? status : SS_OK;
}

static char *ref_path(const struct ss_net_hub *hub, const struct ss_net_hub_name *name)
{
    char *repo = repo_path(hub, name);
    char *path = repo == NULL ? NULL : path_in_repo(repo, "refs", name->revision, "");
    ss__free(repo);
    return path;
}

ss_status ss_net_hub_ref_read(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              char commit[SS_NET_HUB_COMMIT_BYTES], bool *is_known, ss_err *err)
{
    *is_known = ss_net_hub_is_commit(name->revision);
    if (*is_known) {
        memcpy(commit, name->revision, SS_NET_HUB_COMMIT_BYTES);
        return SS_OK;
    }
    char *path = ref_path(hub, name);
    const ss_status status = path == NULL ? ss__fail_nomem(err, "a path")
                                          : ss_net_hub_ref_load(path, commit, is_known, err);
    ss__free(path);
    return status;
}

/* Nothing is written where nothing changes: a cache may be read-only. */
ss_status ss_net_hub_ref_write(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                               const char *commit, ss_err *err)
{
    ss_status status = SS_OK;
    char known[SS_NET_HUB_COMMIT_BYTES] = "";
    char *path = NULL;
    bool is_known = false;
    SS_TRY(ss_net_hub_ref_read(hub, name, known, &is_known, err));
    if (ss_net_hub_is_commit(name->revision) || (is_known && strcmp(known, commit) == 0)) {
        return SS_OK;
    }
    path = ref_path(hub, name);
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss_net_make_parents(path, err));
    SS_TRY(write_aside(hub, path, commit, strlen(commit), err));
out:
    ss__free(path);
    return status;
}

/* ---- what a commit does not have ---- */

static char *no_exist_path(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                           const char *commit)
{
    char *repo = repo_path(hub, name);
    char *path = repo == NULL ? NULL : path_in_repo(repo, ".no_exist", commit, name->path);
    ss__free(repo);
    return path;
}

ss_status ss_net_hub_no_exist(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              const char *commit, bool *is_known, ss_err *err)
{
    char *path = no_exist_path(hub, name, commit);
    *is_known = path != NULL && ss__path_stat(path) == SS__PATH_FILE;
    const ss_status status = path == NULL ? ss__fail_nomem(err, "a path") : SS_OK;
    ss__free(path);
    return status;
}

char *ss_net_hub_listing_path(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              const char *commit)
{
    struct ss__buf buf = {0};
    char *repo = repo_path(hub, name);
    if (repo == NULL) {
        return NULL;
    }
    ss__buf_printf(&buf, "%s/trees/%s.json", repo, commit);
    ss__free(repo);
    return detach_text(&buf);
}

/* An empty file, as the Python client makes it: the next call without the hub knows. */
void ss_net_hub_note_no_exist(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              const char *commit)
{
    char *path = no_exist_path(hub, name, commit);
    if (path != NULL && ss_net_make_parents(path, NULL) == SS_OK) {
        const int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (descriptor >= 0) {
            close(descriptor);
        }
    }
    ss__free(path);
}

/* ---- locks ---- */

/* The same lock file as the Python client's, so that the two wait for each other. */
ss_status ss_net_hub_lock(struct ss_net_hub *hub, const char *path, int *descriptor,
                          ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_log *log = &ss_net_options_of(hub->net)->log;
    double waited = 0;
    bool was_told = false;
    *descriptor = -1;
    SS_TRY(ss_net_make_parents(path, err));
    const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    if (file < 0) {
        SS_TRY(ss__fail_errno(err, path, "create", errno));
    }
    *descriptor = file;
    while (flock(file, LOCK_EX | LOCK_NB) != 0 && (errno == EWOULDBLOCK || errno == EINTR)) {
        if (waited > LOCK_NOTICE_SECONDS && !was_told) {
            ss__log(log, SS_LEVEL_NOTICE,
                    "waiting for another program that downloads the same "
                    "file (%s)",
                    path);
            was_told = true;
        }
        SS_TRY(ss_net_sleep(hub->net, LOCK_POLL_SECONDS, err));
        waited += LOCK_POLL_SECONDS;
    }
out:
    if (status != SS_OK) {
        ss_net_hub_unlock(*descriptor);
        *descriptor = -1;
    }
    return status;
}

void ss_net_hub_unlock(int descriptor)
{
    if (descriptor >= 0) {
        close(descriptor); /* the lock goes with it; the file stays */
    }
}

/* ---- links ---- */

/* Appears whole under its name. */
static ss_status copy_file(const struct ss_net_hub *hub, const char *from, const char *to,
                           ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__map map = {0};
    struct ss__out out = SS__OUT_CLOSED;
    SS_TRY(ss__file_map(from, &map, err));
    SS_TRY(open_aside(hub, to, &out, err));
    for (size_t at = 0; at < map.n_bytes; at += COPY_BYTES) {
        SS_TRY(ss__out_write(&out, map.data + at, ss__min_size(COPY_BYTES, map.n_bytes - at),
                             err));
    }
    SS_TRY(ss__map_check(&map, from, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    ss__map_release(&map);
    return status;
}

/* ../../blobs/ETAG, with one more ../ for every folder of the path in the snapshot. */
static char *link_target(const struct ss_net_hub_paths *paths)
{
    struct ss__buf target = {0};
    const char *below = paths->pointer + strlen(paths->repo) + strlen("/snapshots/");
    for (const char *c = below; *c != '\0'; c++) {
        if (*c == '/') {
            ss__buf_add_text(&target, "../");
        }
    }
    ss__buf_printf(&target, "../blobs/%s", ss__path_name(paths->blob));
    return detach_text(&target);
}

/* A link has no content, so it is whole at once. What is there already can only be a link that
 * leads nowhere. */
static bool make_link(const char *target, const char *pointer)
{
    struct stat facts;
    return symlink(target, pointer) == 0 ||
           (errno == EEXIST && lstat(pointer, &facts) == 0 && S_ISLNK(facts.st_mode) &&
            unlink(pointer) == 0 && symlink(target, pointer) == 0);
}

/* Links where they work; else the file itself stands in the snapshot, moved if nobody else has
 * the blob. */
ss_status ss_net_hub_link(const struct ss_net_hub *hub, const struct ss_net_hub_paths *paths,
                          bool is_new, ss_err *err)
{
    ss_status status = SS_OK;
    struct stat blob;
    char *target = NULL;
    if (ss__path_stat(paths->pointer) == SS__PATH_FILE) {
        return SS_OK;
    }
    SS_TRY(ss_net_make_parents(paths->pointer, err));
    target = link_target(paths);
    if (target == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    if (hub->uses_links && make_link(target, paths->pointer)) {
        goto out;
    }
    const bool is_link = lstat(paths->blob, &blob) == 0 && S_ISLNK(blob.st_mode);
    status = is_new && !is_link ? ss__file_move(paths->blob, paths->pointer, err)
                                : copy_file(hub, paths->blob, paths->pointer, err);
out:
    ss__free(target);
    return status;
}
