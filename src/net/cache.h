/* Inside the room: a repository folder of the hub's cache as it lies on the disk. */
#ifndef SS_NET_CACHE_H
#define SS_NET_CACHE_H

#include "base/arena.h"
#include "net/hub.h"

typedef enum ss_net_cached_kind {
    SS_NET_CACHED_BLOB,    /* below blobs/ */
    SS_NET_CACHED_PARTIAL, /* below blobs/, not finished */
    SS_NET_CACHED_POINTER, /* below snapshots/ */
    SS_NET_CACHED_REF      /* below refs/ */
} ss_net_cached_kind;

/* A file or link. Folders are walked but not kept, and links to folders are not walked. */
struct ss_net_cached_file {
    ss_net_cached_kind kind;
    const char *path;
    const char *name; /* of a blob its etag; of a ref its revision; of a pointer what it leads
                         to in blobs/, "" for a plain file */
    bool is_link;
    bool is_dangling;   /* a link whose target is not there */
    uint64_t n_bytes;   /* of the file itself, 0 for a link */
    int64_t changed_at; /* seconds since 1970 */
};

struct ss_net_cached_repo {
    struct ss_net_hub_name name;
    const char *path, *folder; /* whole, and its name in the cache */
    struct ss_net_cached_file *files;
    size_t n, capacity, n_revisions;
    bool is_partially_scanned; /* a folder is a link or too deep, so a blob may have unseen
                                  names */
    struct ss__arena arena;
};

/* Call `each` with every repository of the cache, by folder name; *cache_path (nullable, gives)
 * receives the cache's place. */
SS_MUST_USE ss_status ss_net_cache_each(const char *cache_dir,
                                        ss_status (*each)(void *user,
                                                          struct ss_net_cached_repo *repo,
                                                          ss_err *err),
                                        void *user, char **cache_path, ss_err *err);

#endif
