/* Artifacts of a Weights & Biases store, fetched into a folder.
 *
 *   [wandb:]ENTITY/PROJECT/NAME[:ALIAS]     ALIAS is a version (v3) or a name; "latest" without
 *
 * The store says by GraphQL what the name means, and gives the manifest and signed URLs of the
 * files. Every file's hash, MD5 or XXH128, is checked while it arrives, and the manifest's
 * digest against what the store says. The key ($WANDB_API_KEY, else the netrc entry of the
 * store's host) is sent to $WANDB_BASE_URL alone, and only when a request without it was
 * refused.
 *
 *   ${WANDB_ARTIFACT_DIR:-./artifacts}/NAME:vN/…     the files
 *   ${WANDB_CACHE_DIR:-~/.cache/wandb}/artifacts
 *     /obj/md5/<2 hex>/<30 hex>                      the same by MD5 (or xxh128)
 *     /tmp/saescope-<hash>                           what is under way
 *     /saescope/ENTITY/PROJECT/NAME/ALIAS.json       what the name meant
 *
 * Where the store cannot be reached, and offline, a name means what it meant last time.
 *
 * Entries that refer to another artifact are fetched from there, http(s) ones by plain HTTP;
 * buckets (s3://, gs://) and local files are refused by name before anything is fetched. Source
 * of the protocol: docs/spec/protocols.md, §3. */
#ifndef SS_NET_ARTIFACT_H
#define SS_NET_ARTIFACT_H

#include "net/net.h"

struct ss_net_artifact_options {
    const char *type; /* the artifact must be of this type ("model"); NULL: any */
    const char *root; /* folder for NAME:vN; NULL: as the environment says */
};

/* Whether a text begins as an artifact's name does ("wandb:"). */
bool ss_net_artifact_is_name(const char *text);

/* Fetch an artifact and give the path of its folder. Files that are there with the right hash
 * stay as they are.
 *
 * name     as above
 * folder   gives (ss__free); NULL on error
 * Errors   SS_E_USAGE (not a name), SS_E_NOINPUT (not there or no permission), SS_E_DATA (the
 *          store's responses, a digest), SS_E_UNSUPPORTED (bucket references), SS_E_NETWORK,
 *          SS_E_IO, SS_E_STOPPED, SS_E_NOMEM; a partial file that the next call goes on with
 *          may stay in the cache
 * Threads  the client's */
SS_MUST_USE ss_status ss_net_artifact_fetch(struct ss_net *net, const char *name,
                                            const struct ss_net_artifact_options *options,
                                            char **folder, ss_err *err);

#endif
