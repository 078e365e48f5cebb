/* An artifact's manifest, and where the content of its files can be read. Signed URLs are
 * good for about an hour and carry their own proof: no key is ever sent to them. */
#include <string.h>

#include "base/mem.h"
#include "base/number.h"
#include "net/artifact_store.h"

enum { FILES_PER_PAGE = 5000 };

static bool is_secure(const char *url)
{
    return ss__begin_alike_ignoring_case(url, "https:", 6);
}

/* ---- the manifest ---- */

static const char manifest_query[] =
    "query Manifest($id: ID!) { artifact(id: $id) { currentManifest { file { directUrl } } } }";

/* The store may give a location relative to its own URL. From https none leads to http. */
static ss_status join(const struct ss_net_artifact *artifact, const char *location, char **url,
                      ss_err *err)
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    *url = NULL;
    if (location != NULL) {
        SS_RETURN_IF_ERROR(ss_net_url_join(artifact->store->url, location, url, err));
    }
    if (*url == NULL || !ss_net_url_origin(*url, origin)) {
        ss__free(*url);
        *url = NULL;
        return ss__fail(err, SS_E_DATA,
                        "the artifact store gives no URL for a file of '%.300s'",
                        artifact->label);
    }
    if (is_secure(artifact->store->url) && !is_secure(*url)) {
        ss__free(*url);
        *url = NULL;
        return ss__fail(
            err, SS_E_NETWORK,
            "the artifact store redirects from https to http for a file of '%.300s', "
            "which is not followed",
            artifact->label);
    }
    return SS_OK;
}

/* Asked anew for each try, since the URL is good for a while only. */
static ss_status locate_manifest(void *user, char **url, char **authorization, ss_err *err)
{
    struct ss_net_artifact *artifact = user;
    ss_status status = SS_OK;
    struct ss_net_artifact_response response = {0};
    const struct ss_net_artifact_variable variables[] = {{"id", artifact->facts.id, 0}, {0}};
    *url = *authorization = NULL;
    SS_TRY(ss_net_artifact_query(artifact->store, manifest_query, variables, &response, err));
    SS_TRY(join(artifact,
                ss__json_string(ss_net_artifact_json_at(
                    response.data, "artifact.currentManifest.file.directUrl")),
                url, err));
out:
    ss_net_artifact_response_release(&response);
    return status;
}

static ss_status take(void *user, const void *data, size_t n_bytes, bool *enough, ss_err *err)
{
    struct ss__buf *buf = user;
    (void)enough;
    if (n_bytes > SS_NET_ARTIFACT_MANIFEST_BYTES - buf->n_bytes) {
        return ss__fail(err, SS_E_LIMIT, "the manifest of an artifact is larger than %d MiB",
                        SS_NET_ARTIFACT_MANIFEST_BYTES >> 20);
    }
    ss__buf_add(buf, data, n_bytes);
    return ss__buf_check(buf, err);
}

static ss_status read_manifest(struct ss_net_artifact *artifact, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf what = {0}, text = {0};
    struct ss_net_remote *remote = NULL;
    ss__buf_printf(&what, "manifest of '%s'", artifact->label);
    const char *name = ss__buf_text(&what);
    if (name == NULL) {
        SS_TRY(ss__fail_nomem(err, "a name"));
    }
    const struct ss_net_remote_options options = {
        .name = name, .locate = locate_manifest, .user = artifact, .n_bytes = SS_NOWHERE};
    SS_TRY(ss_net_remote_new(artifact->store->net, &options, &remote, err));
    SS_TRY(ss_net_remote_read(remote, 0, SS_NOWHERE, take, &text, err));
    SS_TRY(ss_net_artifact_manifest_parse(name, text.data, text.n_bytes, artifact->facts.digest,
                                          &artifact->manifest, err));
out:
    ss_net_remote_free(remote);
    ss__buf_release(&what);
    ss__buf_release(&text);
    return status;
}

ss_status ss_net_artifact_open(struct ss_net_artifact_store *store, const char *label,
                               struct ss_net_artifact_info *facts, struct ss_net_artifact *out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    *out =
        (struct ss_net_artifact){.store = store, .facts = *facts, .label = ss__strdup(label)};
    *facts = (struct ss_net_artifact_info){0};
    if (out->label == NULL) {
        SS_TRY(ss__fail_nomem(err, "a name"));
    }
    SS_TRY(read_manifest(out, err));
out:
    if (status != SS_OK) {
        ss_net_artifact_release(out);
    }
    return status;
}

static void free_signed_urls(struct ss_net_artifact *artifact)
{
    for (size_t i = 0; artifact->signed_urls != NULL && i < artifact->manifest.n; i++) {
        ss__free(artifact->signed_urls[i]);
    }
    ss__free(artifact->signed_urls);
    artifact->signed_urls = NULL;
}

void ss_net_artifact_release(struct ss_net_artifact *artifact)
{
    free_signed_urls(artifact);
    ss__free(artifact->label);
    ss_net_artifact_info_release(&artifact->facts);
    ss_net_artifact_manifest_release(&artifact->manifest);
    *artifact = (struct ss_net_artifact){0};
}

/* ---- signed URLs ---- */

#define PAGE_FIELDS "pageInfo { endCursor hasNextPage } edges { node { name directUrl } }"

/* By the artifact's id, or where a server wants it so, by its place in a collection. */
static const struct {
    const char *query, *files;
} listings[] = {
    {"query Files($id: ID!, $after: String, $first: Int) "
     "{ artifact(id: $id) { files(after: $after, first: $first) { " PAGE_FIELDS " } } }",
     "artifact.files"},
    {"query MemberFiles($entityName: String!, $projectName: String!, $collectionName: String!, "
     "$aliasName: String!, $after: String, $first: Int) "
     "{ project(name: $projectName, entityName: $entityName) "
     "{ artifactCollection(name: $collectionName) { artifactMembership(aliasName: $aliasName) "
     "{ files(after: $after, first: $first) { " PAGE_FIELDS " } } } } }",
     "project.artifactCollection.artifactMembership.files"},
};
enum { N_LISTINGS = sizeof listings / sizeof listings[0] };

/* Ask for a page of files, by one listing. */
static ss_status ask_page(struct ss_net_artifact *artifact, size_t listing, const char *cursor,
                          struct ss_net_artifact_response *response, ss_err *err)
{
    const struct ss_net_artifact_name *name = artifact->name;
    const struct ss_net_artifact_variable variables[] = {
        {"id", artifact->facts.id, 0},
        {"after", cursor, 0},
        {"first", NULL, FILES_PER_PAGE},
        {name == NULL ? NULL : "entityName", name == NULL ? NULL : name->entity, 0},
        {"projectName", name == NULL ? NULL : name->project, 0},
        {"collectionName", name == NULL ? NULL : name->collection, 0},
        {"aliasName", name == NULL ? NULL : name->alias, 0},
        {0}};
    return ss_net_artifact_query(artifact->store, listings[listing].query, variables, response,
                                 err);
}

/* Note the signed URLs of a page; *n_new counts files that had none before. */
static ss_status take_page(struct ss_net_artifact *artifact, const struct ss__json *files,
                           size_t *n_new, ss_err *err)
{
    size_t i = 0;
    struct ss__json *edge = NULL;
    *n_new = 0;
    SS_JSON_EACH (ss__json_get(files, "edges"), i, edge) {
        const char *name = ss__json_string(ss_net_artifact_json_at(edge, "node.name"));
        const char *url = ss__json_string(ss_net_artifact_json_at(edge, "node.directUrl"));
        const struct ss_net_artifact_entry *entry =
            name == NULL ? NULL : ss_net_artifact_manifest_find(&artifact->manifest, name);
        if (entry == NULL || url == NULL) {
            continue; /* the store's own URL stands in */
        }
        char **to = &artifact->signed_urls[entry - artifact->manifest.entries];
        *n_new += *to == NULL;
        ss__free(*to);
        *to = ss__strdup(url);
        if (*to == NULL) {
            return ss__fail_nomem(err, "URLs");
        }
    }
    return SS_OK;
}

/* Read the pages that a listing gives. Without an error *understood is false where the store
 * does not know this listing. */
static ss_status list_files(struct ss_net_artifact *artifact, size_t listing, bool *understood,
                            ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_artifact_response response = {0}, last = {0};
    const char *cursor = NULL; /* in `last` */
    size_t n_new = 1;
    *understood = true;
    for (bool more = true; more && n_new > 0;) { /* a page of known files: a circle */
        SS_TRY(ask_page(artifact, listing, cursor, &response, err));
        const struct ss__json *files =
            ss_net_artifact_json_at(response.data, listings[listing].files);
        if (response.error_message != NULL || files == NULL) {
            *understood = false;
            goto out;
        }
        SS_TRY(take_page(artifact, files, &n_new, err));
        const struct ss__json *page = ss__json_get(files, "pageInfo");
        more = ss__json_is_true(ss__json_get(page, "hasNextPage"));
        cursor = ss__json_string(ss__json_get(page, "endCursor"));
        ss_net_artifact_response_release(&last);
        last = response;
        response = (struct ss_net_artifact_response){0};
    }
out:
    ss_net_artifact_response_release(&last);
    ss_net_artifact_response_release(&response);
    return status;
}

/* Where the store understands no listing, every file has the store's own URL. */
static ss_status ask_signed_urls(struct ss_net_artifact *artifact, ss_err *err)
{
    bool understood = false;
    const size_t n_listings = artifact->name == NULL ? 1 : N_LISTINGS;
    free_signed_urls(artifact);
    SS_ALLOC_OR_RETURN(artifact->signed_urls, artifact->manifest.n);
    for (size_t listing = 0; listing < n_listings && !understood; listing++) {
        SS_RETURN_IF_ERROR(list_files(artifact, listing, &understood, err));
    }
    return SS_OK;
}

/* ---- the store's own URL of a file ---- */

static void add_part(struct ss__buf *url, const char *part)
{
    ss__buf_add_byte(url, '/');
    ss_net_url_quote(url, part, "");
}

/* {base}/artifactsV2/{region}/{entity}/{project}/{collection}/{id}/{birth id}/{hash}/{name} */
static ss_status store_url(const struct ss_net_artifact *artifact,
                           const struct ss_net_artifact_entry *entry, char **url,
                           char **authorization, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    const struct ss_net_artifact_name *name = artifact->name;
    if (name == NULL || entry->birth_id == NULL) {
        SS_FAIL(SS_E_DATA, "the artifact store gives no URL for '%.200s' of '%.200s'",
                entry->path, artifact->label);
    }
    const char *slash = strrchr(entry->path, '/');
    const char *parts[] = {artifact->manifest.region,
                           name->entity,
                           name->project,
                           name->collection,
                           artifact->facts.id,
                           entry->birth_id,
                           entry->hex,
                           slash == NULL ? entry->path : slash + 1};
    ss__buf_printf(&text, "%s/artifactsV2", artifact->store->url);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        add_part(&text, parts[i]);
    }
    const char *key = artifact->store->authorization;
    *url = ss__buf_text(&text) == NULL ? NULL : ss__strdup(text.data);
    *authorization = key == NULL ? NULL : ss__strdup(key);
    if (*url == NULL || (key != NULL && *authorization == NULL)) {
        SS_TRY(ss__fail_nomem(err, "a URL"));
    }
out:
    ss__buf_release(&text);
    return status;
}

/* `again`: the URL that was given before has expired. */
ss_status ss_net_artifact_file_url(struct ss_net_artifact *artifact,
                                   const struct ss_net_artifact_entry *entry, bool again,
                                   char **url, char **authorization, ss_err *err)
{
    *url = *authorization = NULL;
    if (artifact->signed_urls == NULL || again) {
        SS_RETURN_IF_ERROR(ask_signed_urls(artifact, err));
    }
    const char *signed_url = artifact->signed_urls[entry - artifact->manifest.entries];
    return signed_url != NULL ? join(artifact, signed_url, url, err)
                              : store_url(artifact, entry, url, authorization, err);
}
