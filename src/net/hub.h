/* The model hub: names, metadata of files, and the on-disk cache that is shared
 * with the hub's Python client (docs/formats.md, "The cache of the hub").
 *
 *   ss_net_hub_name     "org/name@revision/path", parsed and checked
 *   ss_net_hub_file_metadata     what the hub says about a file: commit, etag, size, URL
 *   ss_net_hub_list     the files of a repository
 *   ss_net_hub_get      a file in the cache, downloaded if it is not there
 *   ss_net_hub_remote   a file read in place by range, nothing kept
 *
 * Order of looking: a revision that is a commit and lies in the cache needs no network. Else
 * the hub is asked; where it cannot be reached or does not let us in, refs/REVISION of the
 * cache tells the commit. */
#ifndef SS_NET_HUB_H
#define SS_NET_HUB_H

#include "base/json.h"

#include "net/net.h"

/* ---- names ---- */

typedef enum ss_net_hub_kind {
    SS_NET_HUB_MODEL,
    SS_NET_HUB_DATASET,
    SS_NET_HUB_SPACE,
    SS_NET_HUB_N_KINDS
} ss_net_hub_kind;

enum {
    SS_NET_HUB_ID_BYTES = 200,
    SS_NET_HUB_REVISION_BYTES = 256,
    SS_NET_HUB_PATH_BYTES = 1024,
    SS_NET_HUB_COMMIT_BYTES = 41,
    SS_NET_HUB_ETAG_BYTES = 129
};

/* A repository at a revision and perhaps a path in it; all parts were checked. */
struct ss_net_hub_name {
    ss_net_hub_kind kind;
    char id[SS_NET_HUB_ID_BYTES];             /* "org/name" or "name" */
    char revision[SS_NET_HUB_REVISION_BYTES]; /* "main" where none was given */
    char path[SS_NET_HUB_PATH_BYTES];         /* "" where none was given */
};

/* Whether a text says that it is of the hub: "hf:…" or "hf://…". */
bool ss_net_hub_is_reference(const char *text);

/* Whether a text could be a repository's id, "org/name" or "name", with "@revision" or not. */
bool ss_net_hub_is_id(const char *text);

/* Parse "ID[@REV]", "hf:[KIND/]ID[@REV][/PATH]" or "hf://[KIND/]ID[@REV][/PATH]" with KIND one
 * of models, datasets, spaces; `otherwise` where there is none. A revision may hold slashes as
 * refs/pr/1 and refs/convert/parquet do, or quoted (%2F).
 * Errors: SS_E_USAGE with a message that says the form. Threads: any. */
SS_MUST_USE ss_status ss_net_hub_parse(const char *text, ss_net_hub_kind otherwise,
                                       struct ss_net_hub_name *out, ss_err *err);

/* Whether a path within a repository may become a file name: relative, inside, plain. */
bool ss_net_hub_path_is_good(const char *path);

/* Whether a text is a commit: 40 hexadecimal digits in lower case. */
bool ss_net_hub_is_commit(const char *text);

/* ---- the hub ---- */

struct ss_net_hub;

struct ss_net_hub_options {
    const char *cache_dir;     /* NULL: as the environment says */
    struct ss_net_options net; /* with the log and the callbacks used throughout */
};

/* Make a client of the hub from the environment (endpoint, token, cache, see docs/formats.md).
 * Gives *out. Errors: SS_E_USAGE (an endpoint that is no URL, no home for the cache),
 * SS_E_NOMEM. Threads: one thread at a time, as ss_net. */
SS_MUST_USE ss_status ss_net_hub_new(const struct ss_net_hub_options *options,
                                     struct ss_net_hub **out, ss_err *err);
void ss_net_hub_free(struct ss_net_hub *hub);

struct ss_net *ss_net_hub_net(struct ss_net_hub *hub);

/* Facts that live as long as the hub. The authorization is NULL without a token; it is for the
 * endpoint's origin only. */
const char *ss_net_hub_endpoint(const struct ss_net_hub *hub);
const char *ss_net_hub_authorization(const struct ss_net_hub *hub);
const char *ss_net_hub_cache_dir(const struct ss_net_hub *hub);

/* ---- a file on the hub ---- */

/* A zeroed struct is valid to release. */
struct ss_net_hub_file {
    char commit[SS_NET_HUB_COMMIT_BYTES];
    char etag[SS_NET_HUB_ETAG_BYTES]; /* fit for a file name */
    uint64_t n_bytes;                 /* SS_NOWHERE: not told */
    char *url;                        /* of the content; a signed one expires */
    char *authorization;              /* for that URL, NULL: none */
};

/* Ask the hub about name->path.
 *
 * exists   nullable. Where it is given, a file that is not in the revision is no error: it
 *          becomes false, and out->commit is still told
 * Errors   SS_E_NOINPUT (no repository, revision or file; no access), SS_E_NETWORK, SS_E_DATA
 *          (headers that make no sense), SS_E_STOPPED, SS_E_NOMEM: sentences that say what to
 *          do
 * Source   tests/net/test_hub.py */
SS_MUST_USE ss_status ss_net_hub_file_metadata(struct ss_net_hub *hub,
                                               const struct ss_net_hub_name *name,
                                               struct ss_net_hub_file *out, bool *exists,
                                               ss_err *err);
void ss_net_hub_file_release(struct ss_net_hub_file *file);

/* Make a remote file (net.h) of name->path that asks the hub again when its signed URL has
 * expired. `commit` [SS_NET_HUB_COMMIT_BYTES] receives the commit, nullable. The name's
 * revision should be a commit where the file is read over a long time. Errors: as
 * ss_net_hub_file_metadata. The hub is borrowed until the remote is freed. */
SS_MUST_USE ss_status ss_net_hub_remote(struct ss_net_hub *hub,
                                        const struct ss_net_hub_name *name, bool needs_ranges,
                                        struct ss_net_remote **out, char *commit, ss_err *err);

/* Ask the API for a JSON document: `path` below the endpoint, "/api/…". *next (nullable)
 * receives the URL of the next page, to be released with ss__free, or NULL; an absolute
 * URL of the endpoint's origin is taken for `path` too. Gives *out (ss__json_free).
 * Errors: as ss_net_hub_file_metadata. */
SS_MUST_USE ss_status ss_net_hub_api(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                                     const char *path, struct ss__json **out, char **next,
                                     ss_err *err);

/* ---- a repository ---- */

struct ss_net_hub_entry {
    char *path;
    uint64_t n_bytes;
};

/* The files of a repository, by path bytes. A zeroed struct is valid to release. */
struct ss_net_hub_tree {
    char commit[SS_NET_HUB_COMMIT_BYTES];
    struct ss_net_hub_entry *entries;
    size_t n, capacity;
};

/* List the files of name->revision below name->path ("" for all), with the commit that the
 * revision means. Where the hub cannot be reached, what the cache holds of it is listed.
 * Errors: as ss_net_hub_file_metadata; SS_E_LIMIT beyond 1,000,000 files. */
SS_MUST_USE ss_status ss_net_hub_list(struct ss_net_hub *hub,
                                      const struct ss_net_hub_name *name,
                                      struct ss_net_hub_tree *out, ss_err *err);
void ss_net_hub_tree_release(struct ss_net_hub_tree *tree);

/* ---- the cache ---- */

/* What is made of a file that cannot be had: "not there" and "not known" are two things. The
 * cache knows that a file is there by a listing of the revision or by a link whose content is
 * gone, and that it is not by such a listing or a mark (.no_exist); else it knows nothing. */
typedef enum ss_net_hub_need {
    SS_NET_HUB_REQUIRED,            /* the file must be had */
    SS_NET_HUB_OPTIONAL,            /* it may be absent, if that is known */
    SS_NET_HUB_OPTIONAL_OR_UNKNOWN, /* as SS_NET_HUB_OPTIONAL, but what nothing is known of
                                       counts as absent */
    SS_NET_HUB_IF_AVAILABLE, /* what the hub does not give and the cache does not hold is absent
                              */
} ss_net_hub_need;

/* The path of name->path in the cache, downloaded if needed.
 *
 * need     what a file that is not there means; *out is NULL where it is absent
 * out      gives (ss__free); a path below snapshots/COMMIT
 * commit   [SS_NET_HUB_COMMIT_BYTES], nullable
 * Errors   as ss_net_hub_file_metadata; SS_E_DATA (the content is not what its hash says),
 *          SS_E_IO (disk full, not writable); what came so far is kept for the next call unless
 *          it was wrong
 * Source   tests/net/test_hub.py, tests/net/test_hub_client.py */
SS_MUST_USE ss_status ss_net_hub_get(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                                     ss_net_hub_need need, char **out, char *commit,
                                     ss_err *err);

/* The files that an encoder needs (protocols: modules.json and all it names, the tokenizer, the
 * weights as safetensors or else as pytorch_model.bin; an adapter beside them). *folder gives
 * (ss__free). The cache is that of SENTENCE_TRANSFORMERS_HOME where that is set and no folder
 * was given for the hub's. Without the hub, a file whose absence would change embeddings has to
 * be known to be absent: SS_E_NETWORK names it. */
SS_MUST_USE ss_status ss_net_hub_get_model(struct ss_net_hub *hub,
                                           const struct ss_net_hub_name *name, char **folder,
                                           char *commit, ss_err *err);

/* All files below name->path, or the one file that it names. *folder gives its place in the
 * snapshot. With `is_sae`, a folder of many SAEs is refused with their names before anything
 * comes (SS_E_NOINPUT). */
SS_MUST_USE ss_status ss_net_hub_get_folder(struct ss_net_hub *hub,
                                            const struct ss_net_hub_name *name, bool is_sae,
                                            char **folder, char *commit, ss_err *err);

#endif
