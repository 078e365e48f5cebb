/* What the files that fetch artifacts share. */
#ifndef SS_NET_ARTIFACT_PRIV_H
#define SS_NET_ARTIFACT_PRIV_H

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"
#include "net/artifact.h"

/* ---- names ---- */

struct ss_net_artifact_name {
    char *entity, *project, *collection, *alias;
};

/* Split a name; alias "latest" where none is given. Errors: SS_E_USAGE, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_net_artifact_name_parse(const char *text,
                                                 struct ss_net_artifact_name *out, ss_err *err);
void ss_net_artifact_name_release(struct ss_net_artifact_name *name);

/* ---- manifests ---- */

enum { SS_NET_HASH128_HEX_BYTES = 33, SS_NET_ARTIFACT_MAX_FILES = 1 << 17 };

/* One file of an artifact. Strings belong to the manifest's tree. */
struct ss_net_artifact_entry {
    const char *path;                   /* relative, checked to stay inside its folder */
    const char *digest;                 /* as it enters the artifact's digest */
    const char *ref;                    /* URL of a reference, else NULL */
    const char *birth_id;               /* artifact that brought the content, or NULL */
    const char *etag;                   /* extra.etag of a reference, or NULL */
    uint64_t n_bytes;                   /* SS_NOWHERE where the manifest does not tell */
    ss__hash_kind kind;                 /* MD5 or XXH128 */
    char hex[SS_NET_HASH128_HEX_BYTES]; /* hash of the content; "" of a reference by another tag
                                         */
};

struct ss_net_artifact_manifest {
    struct ss__json *document, *tree;      /* the latter is a value of the former */
    const char *region;                    /* of its storage, "default" */
    struct ss_net_artifact_entry *entries; /* by path, in order of bytes */
    size_t n;
};

/* Read a manifest and check it: version 1, the known storage policy, every path and digest.
 *
 * what       names it in messages
 * digest     hex MD5 or XXH128 that the entries must have together, or NULL
 * Errors     SS_E_DATA, SS_E_UNSUPPORTED (another version or policy), SS_E_LIMIT, SS_E_NOMEM */
SS_MUST_USE ss_status ss_net_artifact_manifest_parse(const char *what, const char *text,
                                                     size_t n_bytes, const char *digest,
                                                     struct ss_net_artifact_manifest *out,
                                                     ss_err *err);
/* The same of a document that was parsed: takes `document`, in which the manifest is `tree`
 * (nullable). */
SS_MUST_USE ss_status ss_net_artifact_manifest_from_json(
    const char *what, struct ss__json *document, struct ss__json *tree, const char *digest,
    struct ss_net_artifact_manifest *out, ss_err *err);
void ss_net_artifact_manifest_release(struct ss_net_artifact_manifest *manifest);

/* The entry of a path, or NULL. */
const struct ss_net_artifact_entry *
ss_net_artifact_manifest_find(const struct ss_net_artifact_manifest *manifest,
                              const char *path);

#endif
