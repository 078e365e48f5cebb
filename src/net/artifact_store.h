/* The artifact store and its GraphQL API: what the files that fetch artifacts share.
 */
#ifndef SS_NET_ARTIFACT_STORE_H
#define SS_NET_ARTIFACT_STORE_H

#include "net/artifact_priv.h"

enum { SS_NET_ARTIFACT_RESPONSE_BYTES = 16 << 20, SS_NET_ARTIFACT_MANIFEST_BYTES = 64 << 20 };

struct ss_net_artifact_store {
    struct ss_net *net;
    char *url;           /* without a slash at the end */
    char *authorization; /* once a request was refused and there is a key */
    bool has_asked_for_key;
};

/* The store that the environment names. Errors: SS_E_USAGE, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_net_artifact_store_open(struct ss_net *net,
                                                 struct ss_net_artifact_store *out,
                                                 ss_err *err);
void ss_net_artifact_store_release(struct ss_net_artifact_store *store);

struct ss_net_artifact_response {
    struct ss__json *tree, *data; /* `data` borrowed from the tree */
    const char *error_message;    /* what the store says is wrong with the request, or NULL */
};

/* A variable of a GraphQL query: a text, or where that is NULL a number, or null where that is
 * 0. */
struct ss_net_artifact_variable {
    const char *name, *text;
    uint64_t number;
};

/* Send a query in GraphQL with its variables, of which the last one has no name. Errors:
 * SS_E_NOINPUT (no key, or a wrong one), SS_E_DATA, those of ss_net_send. */
SS_MUST_USE ss_status ss_net_artifact_query(struct ss_net_artifact_store *store,
                                            const char *query,
                                            const struct ss_net_artifact_variable *variables,
                                            struct ss_net_artifact_response *out, ss_err *err);
void ss_net_artifact_response_release(struct ss_net_artifact_response *response);

/* The value at a path of keys, "project.artifact"; NULL if a part is missing or null. */
struct ss__json *ss_net_artifact_json_at(struct ss__json *value, const char *path);

struct ss_net_artifact_info {
    char *id, *digest, *type;
    uint64_t version; /* 0 of one found by id */
};

SS_MUST_USE ss_status ss_net_artifact_resolve(struct ss_net_artifact_store *store,
                                              const struct ss_net_artifact_name *name,
                                              struct ss_net_artifact_info *out, ss_err *err);
SS_MUST_USE ss_status ss_net_artifact_resolve_id(struct ss_net_artifact_store *store,
                                                 const char *id,
                                                 struct ss_net_artifact_info *out, ss_err *err);
void ss_net_artifact_info_release(struct ss_net_artifact_info *facts);

/* ---- an artifact that was found: its manifest and the URLs of its files ---- */

struct ss_net_artifact {
    struct ss_net_artifact_store *store; /* borrowed */
    char *label;                         /* for messages */
    struct ss_net_artifact_info facts;
    const struct ss_net_artifact_name *name; /* NULL of one found by id; borrowed */
    struct ss_net_artifact_manifest manifest;
    char **signed_urls; /* [manifest.n], NULL where the store gave none; NULL until asked */
};

/* Take `facts`, fetch the manifest and check it. On error nothing is left. */
SS_MUST_USE ss_status ss_net_artifact_open(struct ss_net_artifact_store *store,
                                           const char *label,
                                           struct ss_net_artifact_info *facts,
                                           struct ss_net_artifact *out, ss_err *err);
void ss_net_artifact_release(struct ss_net_artifact *artifact);

/* The URL of a file's content: signed by the store, or where it gives none, the store's own
 * URL, which wants the key. With `again`, ask anew, since the last ones have expired. */
SS_MUST_USE ss_status ss_net_artifact_file_url(struct ss_net_artifact *artifact,
                                               const struct ss_net_artifact_entry *entry,
                                               bool again, char **url, char **authorization,
                                               ss_err *err);

/* ---- a fetch under way ---- */

struct ss_net_artifact_job {
    struct ss_net_artifact_store store;
    char *cache;  /* …/artifacts */
    char *folder; /* …/NAME:vN */
};

/* Bring the content of an entry to the path `to`, unless it is there; `depth` counts references
 * that led here. */
SS_MUST_USE ss_status ss_net_artifact_fetch_entry(struct ss_net_artifact_job *fetch,
                                                  struct ss_net_artifact *artifact,
                                                  const struct ss_net_artifact_entry *entry,
                                                  const char *to, size_t depth, ss_err *err);

/* The same of an entry with a reference. */
SS_MUST_USE ss_status ss_net_artifact_fetch_reference(struct ss_net_artifact_job *fetch,
                                                      const struct ss_net_artifact_entry *entry,
                                                      const char *to, size_t depth,
                                                      ss_err *err);

/* Refuse references that nobody will follow. Errors: SS_E_UNSUPPORTED. */
SS_MUST_USE ss_status ss_net_artifact_check_references(const struct ss_net_artifact *artifact,
                                                       ss_err *err);

/* ---- what a name meant last time ---- */

/* Note it below CACHE (…/artifacts). */
SS_MUST_USE ss_status ss_net_artifact_record_write(const char *cache,
                                                   const struct ss_net_artifact_name *name,
                                                   const struct ss_net_artifact *artifact,
                                                   ss_err *err);

/* Read it: an artifact without URLs. Where there is none, *found is false and *out empty.
 * `name` and `store` are borrowed. Errors: SS_E_DATA, SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_net_artifact_record_read(
    const char *cache, const struct ss_net_artifact_name *name, const char *label,
    struct ss_net_artifact_store *store, struct ss_net_artifact *out, bool *found, ss_err *err);

#endif
