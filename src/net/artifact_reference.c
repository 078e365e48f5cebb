/* Entries of an artifact whose content lies elsewhere: in another artifact of the store
 * (wandb-artifact://), or at a URL of the web, where an ETag is all that can be checked.
 */
#include <string.h>

#include "base/mem.h"
#include "base/output.h"
#include "net/artifact_store.h"
#include "net/download.h"

enum { MAX_REFERENCES_DEEP = 8 };

static const char reference_scheme[] = "wandb-artifact://";

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* Small letters, as the Python client writes them; -1 for what is none. */
static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* wandb-artifact://HEX/PATH: the hex digits are the bytes of the id, which is their base64. */
static ss_status split_reference(const char *ref, struct ss__buf *id, const char **path,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf bytes = {0};
    const char *at = ref + sizeof reference_scheme - 1;
    for (; hex_value(at[0]) >= 0 && hex_value(at[1]) >= 0; at += 2) {
        ss__buf_add_byte(&bytes, (char)(16 * hex_value(at[0]) + hex_value(at[1])));
    }
    if (*at != '/' || at[1] == '\0' || bytes.n_bytes == 0) {
        SS_FAIL(SS_E_DATA, "the reference '%.300s' does not name an artifact's file", ref);
    }
    ss__base64_add(id, bytes.data, bytes.n_bytes);
    *path = at + 1;
    SS_TRY(ss__buf_check(id, err));
out:
    ss__buf_release(&bytes);
    return status;
}

/* The other artifact may have been replaced since: its file must have the digest that this
 * manifest has. Depth is bounded, for references may lead in a circle. */
static ss_status follow_to_artifact(struct ss_net_artifact_job *fetch,
                                    const struct ss_net_artifact_entry *entry, const char *to,
                                    size_t depth, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf id = {0};
    struct ss_net_artifact_info facts = {0};
    struct ss_net_artifact other = {0};
    const char *path = NULL;
    if (depth >= MAX_REFERENCES_DEEP) {
        SS_FAIL(SS_E_DATA,
                "'%.300s' refers to artifacts that refer on and on (more than %d "
                "times)",
                entry->path, MAX_REFERENCES_DEEP);
    }
    SS_TRY(split_reference(entry->ref, &id, &path, err));
    if (ss__buf_text(&id) == NULL) {
        SS_TRY(ss__fail_nomem(err, "an id"));
    }
    SS_TRY(ss_net_artifact_resolve_id(&fetch->store, id.data, &facts, err));
    SS_TRY(ss_net_artifact_open(&fetch->store, id.data, &facts, &other, err));
    const struct ss_net_artifact_entry *target =
        ss_net_artifact_manifest_find(&other.manifest, path);
    if (target == NULL) {
        SS_FAIL(SS_E_DATA,
                "'%.200s' refers to '%.200s' of another artifact, which has no such "
                "file",
                entry->path, path);
    }
    if (entry->hex[0] != '\0' && strcmp(entry->digest, target->digest) != 0) {
        SS_FAIL(SS_E_DATA,
                "'%.200s' refers to a file whose digest is now %.40s, expected %.40s",
                entry->path, target->digest, entry->digest);
    }
    SS_TRY(ss_net_artifact_fetch_entry(fetch, &other, target, to, depth + 1, err));
out:
    ss__buf_release(&id);
    ss_net_artifact_info_release(&facts);
    ss_net_artifact_release(&other);
    return status;
}

/* What a page's ETag must be. It is the only proof of a plain file's content that there is. */
struct page {
    const struct ss_net_artifact_entry *entry;
    struct ss__out out;
    uint64_t n_bytes;
};

static ss_status take_page(void *user, const void *data, size_t n_bytes, bool *enough,
                           ss_err *err)
{
    struct page *page = user;
    (void)enough;
    page->n_bytes += n_bytes;
    if (page->n_bytes > page->entry->n_bytes) {
        return ss__fail(err, SS_E_DATA, "%.300s has more than the %llu bytes that are expected",
                        page->entry->ref, (unsigned long long)page->entry->n_bytes);
    }
    return ss__out_write(&page->out, data, n_bytes, err);
}

static ss_status check_etag(struct ss_net *net, const struct ss_net_artifact_entry *entry,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_response response = {0};
    const struct ss_net_request request = {.method = "HEAD", .url = entry->ref};
    if (entry->etag == NULL) {
        return SS_OK;
    }
    SS_TRY(ss_net_send(net, &request, &response, err));
    SS_TRY(ss_net_check(&response, entry->ref, err));
    const char *etag = ss_net_header(&response, "ETag");
    if (etag == NULL || strcmp(etag, entry->etag) != 0) {
        SS_FAIL(SS_E_DATA,
                "%.300s has the tag %.80s, the artifact was made with %.80s; it has changed "
                "since",
                entry->ref, etag == NULL ? "(none)" : etag, entry->etag);
    }
out:
    ss_net_response_release(&response);
    return status;
}

/* The tag is asked for before the content, which is large. No key goes along: the URL is
 * anybody's. */
static ss_status follow_to_page(struct ss_net_artifact_job *fetch,
                                const struct ss_net_artifact_entry *entry, const char *to,
                                ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_remote *remote = NULL;
    struct page page = {.entry = entry, .out = SS__OUT_CLOSED};
    const struct ss_net_remote_options options = {
        .name = entry->ref, .url = entry->ref, .n_bytes = entry->n_bytes};
    SS_TRY(check_etag(fetch->store.net, entry, err));
    SS_TRY(ss_net_make_parents(to, err));
    SS_TRY(ss_net_remote_new(fetch->store.net, &options, &remote, err));
    SS_TRY(ss__out_open_made_in(to, fetch->folder, &page.out, err));
    SS_TRY(ss_net_remote_read(remote, 0, SS_NOWHERE, take_page, &page, err));
    SS_TRY(ss__out_commit(&page.out, err));
out:
    ss__out_abort(&page.out);
    ss_net_remote_free(remote);
    return status;
}

static bool is_page(const char *ref)
{
    return begins_with(ref, "http://") || begins_with(ref, "https://");
}

/* Before anything is fetched: references that nobody will follow. */
ss_status ss_net_artifact_check_references(const struct ss_net_artifact *artifact, ss_err *err)
{
    for (size_t i = 0; i < artifact->manifest.n; i++) {
        const struct ss_net_artifact_entry *entry = &artifact->manifest.entries[i];
        if (entry->ref != NULL && !is_page(entry->ref) &&
            !begins_with(entry->ref, reference_scheme)) {
            return ss__fail(err, SS_E_UNSUPPORTED,
                            "'%.200s' of artifact '%.200s' lies at %.300s, which is not read; "
                            "only files in the store, wandb-artifact:// and http(s):// are: "
                            "fetch it with its own tool and name the folder",
                            entry->path, artifact->label, entry->ref);
        }
    }
    return SS_OK;
}

ss_status ss_net_artifact_fetch_reference(struct ss_net_artifact_job *fetch,
                                          const struct ss_net_artifact_entry *entry,
                                          const char *to, size_t depth, ss_err *err)
{
    return is_page(entry->ref) ? follow_to_page(fetch, entry, to, err)
                               : follow_to_artifact(fetch, entry, to, depth, err);
}
