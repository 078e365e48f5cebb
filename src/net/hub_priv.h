/* What the files of the hub share. */
#ifndef SS_NET_HUB_PRIV_H
#define SS_NET_HUB_PRIV_H

#include "base/hash.h"
#include "net/hub.h"

#define SS_NET_HUB_LOCKS ".locks" /* in the cache; files under way are there too */
#define SS_NET_HUB_PARTIAL_SUFFIX                                                              \
    ".saescope-part" /* behind a blob's name while it is downloaded */

struct ss_net_hub {
    struct ss_net *net;
    char *endpoint;      /* without a slash at its end */
    char *authorization; /* "Bearer …" or NULL */
    char *cache;
    char *models; /* another cache, for models only; or NULL */
    double etag_seconds;
    size_t n_tries;      /* of requests that the cache can serve as well: 1; 0: the client's */
    bool uses_links;     /* HF_HUB_DISABLE_SYMLINKS is not set */
    bool is_unreachable; /* the hub could not be reached; not tried again */
    ss_err unreachable;  /* why */
};

/* "models", "datasets", "spaces" */
const char *ss_net_hub_kind_name(ss_net_hub_kind kind);

/* "models--org--name", appended. */
void ss_net_hub_add_folder_name(struct ss__buf *out, const struct ss_net_hub_name *name);

/* The kind and id that such a folder name means; false if it is none. */
bool ss_net_hub_read_folder_name(const char *folder, struct ss_net_hub_name *out);

/* "org/name", or "org/name@revision" where it is not main: for messages. */
void ss_net_hub_add_title(struct ss__buf *out, const struct ss_net_hub_name *name);

/* The environment: cache folder, that of models (NULL: the same), token (NULL: none). To be
 * released with ss__free. */
SS_MUST_USE ss_status ss_net_hub_cache_from_environment(char **out, ss_err *err);
SS_MUST_USE ss_status ss_net_hub_models_from_environment(char **out, ss_err *err);
SS_MUST_USE ss_status ss_net_hub_token_from_environment(char **out, ss_err *err);

/* ---- etags ---- */

/* The hash that an etag is: SHA-256 of the content, or SHA-1 of it as a git blob; false for
 * another text. */
bool ss_net_hub_etag_kind(const char *etag, ss__hash_kind *kind);

/* Whether a file's content is what the etag says; etags of no kind are never wrong. */
SS_MUST_USE ss_status ss_net_hub_check_file(struct ss_net *net, const char *path,
                                            const char *etag, bool *is_good, ss_err *err);

/* ---- paths in the cache ---- */

/* Paths of one file in the cache. A zeroed struct is valid to release. */
struct ss_net_hub_paths {
    char *repo;    /* CACHE/models--org--name */
    char *blob;    /* REPO/blobs/ETAG; NULL while the etag is not known */
    char *pointer; /* REPO/snapshots/COMMIT/PATH */
    char *lock;    /* CACHE/.locks/models--org--name/ETAG.lock; as blob */
};

SS_MUST_USE ss_status ss_net_hub_paths_find(const struct ss_net_hub *hub,
                                            const struct ss_net_hub_name *name,
                                            const char *commit, const char *etag,
                                            struct ss_net_hub_paths *out, ss_err *err);
void ss_net_hub_paths_release(struct ss_net_hub_paths *paths);

/* The commit that a file of refs/ holds, if it holds one. Errors, here and in those below that
 * look: SS_E_NOMEM, so that what could not be looked for is never taken for absent. */
SS_MUST_USE ss_status ss_net_hub_ref_load(const char *path,
                                          char commit[SS_NET_HUB_COMMIT_BYTES], bool *is_good,
                                          ss_err *err);

/* The cache that a model is looked for and kept in: a view. It is that for models, unless only
 * the other has something of the model. */
SS_MUST_USE ss_status ss_net_hub_model_cache(const struct ss_net_hub *hub,
                                             const struct ss_net_hub_name *name, char **cache,
                                             ss_err *err);

/* The commit of a revision, if the cache knows it. */
SS_MUST_USE ss_status ss_net_hub_ref_read(const struct ss_net_hub *hub,
                                          const struct ss_net_hub_name *name,
                                          char commit[SS_NET_HUB_COMMIT_BYTES], bool *is_known,
                                          ss_err *err);

/* Note what a revision means now, if that is new. */
SS_MUST_USE ss_status ss_net_hub_ref_write(const struct ss_net_hub *hub,
                                           const struct ss_net_hub_name *name,
                                           const char *commit, ss_err *err);

/* Whether the cache knows that a commit has no such file, and noting it (best effort). */
SS_MUST_USE ss_status ss_net_hub_no_exist(const struct ss_net_hub *hub,
                                          const struct ss_net_hub_name *name,
                                          const char *commit, bool *is_known, ss_err *err);
void ss_net_hub_note_no_exist(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              const char *commit);

/* Where the Python client keeps a listing of a commit's files; NULL when memory ran out. */
char *ss_net_hub_listing_path(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              const char *commit);

/* Mark the cache for backup tools (CACHEDIR.TAG), best effort. */
void ss_net_hub_tag_cache(const struct ss_net_hub *hub);

/* Exclusive lock on a lock file, waiting for whoever has it; *descriptor is -1 where the file
 * system has no locks. Errors: SS_E_STOPPED, SS_E_IO. */
SS_MUST_USE ss_status ss_net_hub_lock(struct ss_net_hub *hub, const char *path, int *descriptor,
                                      ss_err *err);
void ss_net_hub_unlock(int descriptor);

/* Make the pointer: a relative link to the blob, or without links the file itself. `is_new`:
 * the blob was made just now, and may be moved. */
SS_MUST_USE ss_status ss_net_hub_link(const struct ss_net_hub *hub,
                                      const struct ss_net_hub_paths *paths, bool is_new,
                                      ss_err *err);

/* ---- downloading ---- */

/* Bring a blob into the cache; under its lock. */
SS_MUST_USE ss_status ss_net_hub_download(struct ss_net_hub *hub,
                                          const struct ss_net_hub_name *name,
                                          const struct ss_net_hub_file *file,
                                          const struct ss_net_hub_paths *paths, ss_err *err);

/* Refuse a tree that holds several SAEs in folders below name->path, and none in it
 * (hub_saes.c). Errors: SS_E_NOINPUT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_net_hub_check_saes(const struct ss_net_hub_name *name,
                                            const struct ss_net_hub_tree *tree, ss_err *err);

#endif
