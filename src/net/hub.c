/* Metadata of files on the hub, and its API.
 *
 * HEAD ENDPOINT/[datasets/|spaces/]ID/resolve/REV/PATH is followed only to origins of the hub;
 * any other target is a signed URL of the content. The response tells
 *
 *   X-Repo-Commit    the commit
 *   X-Linked-Etag    or else ETag: the hash of the content
 *   X-Linked-Size    or else Content-Length, but not of a redirect: its size
 *   Location         where the content is */
#include "net/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/number.h"
#include "net/hub_priv.h"
#include "net/net_priv.h"

#define DEFAULT_ENDPOINT "https://huggingface.co"
enum { MAX_API_BYTES = 64 << 20, MAX_TIMEOUT_SECONDS = 3600 };

/* ---- the client ---- */

/* A mirror may be named; what it is sent, the token included, is the user's decision. */
static ss_status find_endpoint(char **out, ss_err *err)
{
    const char *given = getenv("HF_ENDPOINT");
    char origin[SS_NET_URL_ORIGIN_BYTES];
    const char *text = given == NULL || given[0] == '\0' ? DEFAULT_ENDPOINT : given;
    size_t n = strlen(text);
    for (; n > 0 && text[n - 1] == '/'; n--) {
    }
    *out = ss__strndup(text, n);
    if (*out == NULL) {
        return ss__fail_nomem(err, "a URL");
    }
    return ss_net_url_origin(*out, origin)
               ? SS_OK
               : ss__fail(err, SS_E_USAGE, "HF_ENDPOINT is '%.300s', which is not a URL", text);
}

/* As long as the Python client waits for metadata. */
static double etag_seconds(void)
{
    const char *text = getenv("HF_HUB_ETAG_TIMEOUT");
    double seconds = 0;
    const bool is_good = text != NULL && ss__parse_double(text, strlen(text), &seconds) &&
                         seconds > 0 && seconds < MAX_TIMEOUT_SECONDS;
    return is_good ? seconds : 10;
}

/* Once for a client: the environment is not read again. */
static ss_status find_authorization(char **out, ss_err *err)
{
    ss_status status = SS_OK;
    char *token = NULL;
    struct ss__buf text = {0};
    SS_TRY(ss_net_hub_token_from_environment(&token, err));
    if (token != NULL) {
        ss__buf_printf(&text, "Bearer %s", token);
        SS_TRY(ss__buf_check(&text, err));
        *out = ss__strndup(text.data, text.n_bytes);
        status = *out == NULL ? ss__fail_nomem(err, "a token") : SS_OK;
    }
out:
    ss__buf_release(&text);
    ss__free(token);
    return status;
}

ss_status ss_net_hub_new(const struct ss_net_hub_options *options, struct ss_net_hub **out,
                         ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_hub *hub = NULL;
    struct ss_net_options net = options->net;
    *out = NULL;
    SS_ALLOC(hub, 1);
    hub->uses_links = !ss_net_env_is_true("HF_HUB_DISABLE_SYMLINKS");
    hub->etag_seconds = net.response_seconds > 0 && net.response_seconds < etag_seconds()
                            ? net.response_seconds
                            : etag_seconds();
    SS_TRY(find_endpoint(&hub->endpoint, err));
    SS_TRY(find_authorization(&hub->authorization, err));
    if (options->cache_dir == NULL) {
        SS_TRY(ss_net_hub_cache_from_environment(&hub->cache, err));
        SS_TRY(ss_net_hub_models_from_environment(&hub->models, err));
    } else if ((hub->cache = ss__strdup(options->cache_dir)) == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss_net_new(&net, &hub->net, err));
    *out = hub;
    hub = NULL;
out:
    ss_net_hub_free(hub);
    return status;
}

void ss_net_hub_free(struct ss_net_hub *hub)
{
    if (hub != NULL) {
        ss_net_free(hub->net);
        ss__free(hub->endpoint);
        ss__free(hub->authorization);
        ss__free(hub->cache);
        ss__free(hub->models);
        ss__free(hub);
    }
}

struct ss_net *ss_net_hub_net(struct ss_net_hub *hub)
{
    return hub->net;
}

const char *ss_net_hub_endpoint(const struct ss_net_hub *hub)
{
    return hub->endpoint;
}

const char *ss_net_hub_authorization(const struct ss_net_hub *hub)
{
    return hub->authorization;
}

const char *ss_net_hub_cache_dir(const struct ss_net_hub *hub)
{
    return hub->cache;
}

/* ---- error responses ---- */

typedef enum about { ABOUT_REPO, ABOUT_REVISION, ABOUT_ENTRY } about;

struct error_response {
    long code;          /* 0: any */
    const char *error;  /* X-Error-Code; NULL: any */
    const char *header; /* X-Error-Message; NULL: any */
    about about;
    const char *message; /* behind the name of what was asked for */
};

/* The first row that fits. */
static const struct error_response error_responses[] = {
    {401, NULL, "Invalid credentials in Authorization header", ABOUT_REPO,
     "the token is not accepted; set HF_TOKEN to a valid one, or unset it for public things"},
    {0, NULL, "Access to this resource is disabled.", ABOUT_REPO,
     "the repository has been disabled"},
    {0, "RepoNotFound", NULL, ABOUT_REPO,
     "there is no such repository, or it is private; check the name, and set HF_TOKEN if it is "
     "private"},
    {0, "RevisionNotFound", NULL, ABOUT_REVISION,
     "there is no such revision; check the branch, tag or commit"},
    {0, "EntryNotFound", NULL, ABOUT_ENTRY, "there is no such file at this revision"},
    {401, "GatedRepo", NULL, ABOUT_REPO,
     "access is gated: accept its terms on its page, then set HF_TOKEN to a token of yours"},
    {403, "GatedRepo", NULL, ABOUT_REPO,
     "access is gated and not granted to the owner of this token: ask for it on its page"},
    {401, NULL, NULL, ABOUT_REPO,
     "there is no such repository, or it is private; check the name, and set HF_TOKEN if it is "
     "private"},
    {403, NULL, NULL, ABOUT_REPO, "access is not allowed with this token"},
};

/* For headers that are absent. */
static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static const struct error_response *find_error_response(const struct ss_net_response *response)
{
    const char *error = or_empty(ss_net_header(response, "X-Error-Code"));
    const char *message = or_empty(ss_net_header(response, "X-Error-Message"));
    for (size_t i = 0; i < sizeof error_responses / sizeof error_responses[0]; i++) {
        const struct error_response *r = &error_responses[i];
        if ((r->code == 0 || r->code == response->code) &&
            (r->error == NULL || strcmp(r->error, error) == 0) &&
            (r->header == NULL || strcmp(r->header, message) == 0)) {
            return r;
        }
    }
    return NULL;
}

/* An error response of the hub as a message that says what to do. *no_entry (nullable): the
 * file is not in the revision. */
static ss_status fail_refused(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                              const struct ss_net_response *response, bool *no_entry,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf title = {0};
    const struct error_response *error_response = find_error_response(response);
    const char *id = ss_net_header(response, "X-Request-Id");
    ss_net_hub_add_title(&title, name);
    if (name->path[0] != '\0' &&
        (error_response == NULL || error_response->about == ABOUT_ENTRY)) {
        ss__buf_printf(&title, "/%s", name->path);
    }
    const char *what = or_empty(ss__buf_text(&title));
    if (no_entry != NULL) {
        *no_entry = error_response != NULL && error_response->about == ABOUT_ENTRY;
    }
    if (error_response == NULL) {
        status = ss_net_check(response, what, err);
    } else {
        status = ss__fail(err, SS_E_NOINPUT, "%.400s: %s (%.200s answered %ld%s%.100s)", what,
                          error_response->message, hub->endpoint, response->code,
                          id == NULL ? "" : ", request ", or_empty(id));
    }
    ss__buf_release(&title);
    return status;
}

/* ---- one file ---- */

static void add_resolve_url(struct ss__buf *out, const struct ss_net_hub *hub,
                            const struct ss_net_hub_name *name)
{
    ss__buf_printf(out, "%s/", hub->endpoint);
    if (name->kind != SS_NET_HUB_MODEL) {
        ss__buf_printf(out, "%s/", ss_net_hub_kind_name(name->kind));
    }
    ss__buf_printf(out, "%s/resolve/", name->id);
    ss_net_url_quote(out, name->revision, "");
    ss__buf_add_byte(out, '/');
    ss_net_url_quote(out, name->path, "/");
}

/* W/"abc" → abc. What becomes a file name holds nothing but letters, digits, "-", "_" and
 * inner dots. */
static bool read_etag(const char *text, char out[SS_NET_HUB_ETAG_BYTES])
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    text += strncmp(text, "W/", 2) == 0 ? 2 : 0;
    text += text[0] == '"';
    const size_t n = strcspn(text, "\"");
    if (n == 0 || n >= SS_NET_HUB_ETAG_BYTES || text[0] == '.' || strspn(text, letters) < n) {
        return false;
    }
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

/* The length of a redirect is that of its own body. */
static uint64_t read_size(const struct ss_net_response *response)
{
    const char *linked = ss_net_header(response, "X-Linked-Size");
    uint64_t n = 0;
    if (linked != NULL) {
        return ss__parse_u64(linked, strlen(linked), &n) ? n : SS_NOWHERE;
    }
    return response->code < 300 ? ss_net_content_length(response) : SS_NOWHERE;
}

/* False where one is no URL. */
static bool same_origin(const char *a, const char *b)
{
    char origin_a[SS_NET_URL_ORIGIN_BYTES], origin_b[SS_NET_URL_ORIGIN_BYTES];
    return ss_net_url_origin(a, origin_a) && ss_net_url_origin(b, origin_b) &&
           strcmp(origin_a, origin_b) == 0;
}

/* A signed URL carries its own permission and must not see the token. */
static ss_status read_place(const struct ss_net_hub *hub,
                            const struct ss_net_response *response, struct ss_net_hub_file *out,
                            ss_err *err)
{
    const char *url = response->location == NULL ? response->url : response->location;
    out->url = ss__strdup(url);
    if (hub->authorization != NULL && same_origin(url, hub->endpoint)) {
        out->authorization = ss__strdup(hub->authorization);
    }
    const bool lacks_token = hub->authorization != NULL && same_origin(url, hub->endpoint) &&
                             out->authorization == NULL;
    return out->url == NULL || lacks_token ? ss__fail_nomem(err, "a URL") : SS_OK;
}

/* Also of a response that refuses: what a commit does not have is worth knowing, too. */
static void read_commit(const struct ss_net_response *response, struct ss_net_hub_file *out)
{
    const char *commit = ss_net_header(response, "X-Repo-Commit");
    if (commit != NULL && ss_net_hub_is_commit(commit)) {
        memcpy(out->commit, commit, SS_NET_HUB_COMMIT_BYTES);
    }
}

/* A server without the header of commits is a proxy's or a portal's page, and not a hub. */
static ss_status read_head(const struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                           const struct ss_net_response *response, struct ss_net_hub_file *out,
                           ss_err *err)
{
    const char *etag = ss_net_header(response, "X-Linked-Etag");
    etag = etag == NULL ? ss_net_header(response, "ETag") : etag;
    read_commit(response, out);
    if (out->commit[0] == '\0') {
        return ss__fail(err, SS_E_NETWORK,
                        "%.300s: the response of %.200s names no commit, so that is not a hub; "
                        "check HF_ENDPOINT and the proxy settings",
                        name->id, hub->endpoint);
    }
    if (etag == NULL || !read_etag(etag, out->etag)) {
        return ss__fail(
            err, SS_E_DATA,
            "%.300s/%.300s: the hub names no usable hash (ETag) of it, so it cannot "
            "be checked",
            name->id, name->path);
    }
    out->n_bytes = read_size(response);
    return read_place(hub, response, out, err);
}

ss_status ss_net_hub_file_metadata(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                                   struct ss_net_hub_file *out, bool *exists, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf url = {0};
    struct ss_net_response response = {0};
    bool no_entry = false;
    const char *const origins[] = {DEFAULT_ENDPOINT, hub->endpoint, "https://hf.co", NULL};
    *out = (struct ss_net_hub_file){.n_bytes = SS_NOWHERE};
    add_resolve_url(&url, hub, name);
    SS_TRY(ss__buf_check(&url, err));
    const struct ss_net_request request = {
        .method = "HEAD",
        .url = ss__buf_text(&url),
        .authorization = hub->authorization,
        .follow = SS_NET_FOLLOW_ORIGIN,
        .origins = origins,
        .response_seconds = hub->etag_seconds,
        .n_tries = hub->n_tries,
    };
    SS_TRY(ss_net_send(hub->net, &request, &response, err));
    const bool is_good = response.code >= 200 && response.code < 300;
    if (is_good || response.location != NULL) {
        SS_TRY(read_head(hub, name, &response, out, err));
    } else {
        status = fail_refused(hub, name, &response, &no_entry, err);
        read_commit(&response, out);
    }
    if (exists != NULL) {
        *exists = !no_entry;
        status = no_entry ? SS_OK : status;
    }
out:
    if (status != SS_OK) {
        ss_net_hub_file_release(out);
    }
    ss_net_response_release(&response);
    ss__buf_release(&url);
    return status;
}

void ss_net_hub_file_release(struct ss_net_hub_file *file)
{
    ss__free(file->url);
    ss__free(file->authorization);
    *file = (struct ss_net_hub_file){0};
}

/* ---- the API ---- */

/* Pages are linked by the server, which could lead elsewhere. */
static ss_status add_api_url(struct ss__buf *url, const struct ss_net_hub *hub,
                             const char *path, ss_err *err)
{
    if (path[0] == '/') {
        ss__buf_printf(url, "%s%s", hub->endpoint, path);
    } else if (same_origin(path, hub->endpoint)) {
        ss__buf_add_text(url, path);
    } else {
        return ss__fail(err, SS_E_NETWORK,
                        "the hub's list continues at another URL, '%.300s', which is not "
                        "followed",
                        path);
    }
    return ss__buf_check(url, err);
}

/* Link: <URL>; rel="next" */
static ss_status read_next(const struct ss_net_response *response, char **next, ss_err *err)
{
    const char *at = ss_net_header(response, "Link");
    while (at != NULL && (at = strchr(at, '<')) != NULL) {
        const char *end = strchr(at, '>');
        const char *after = end == NULL ? NULL : strchr(end, '<');
        const char *rel = end == NULL ? NULL : strstr(end, "rel=\"next\"");
        if (rel != NULL && (after == NULL || rel < after)) {
            char *target = ss__strndup(at + 1, (size_t)(end - at - 1));
            const ss_status status = target == NULL
                                         ? ss__fail_nomem(err, "a URL")
                                         : ss_net_url_join(response->url, target, next, err);
            ss__free(target);
            return status != SS_OK || *next != NULL
                       ? status
                       : ss__fail(err, SS_E_NETWORK,
                                  "the hub's list continues at no usable URL");
        }
        at = end;
    }
    return SS_OK;
}

ss_status ss_net_hub_api(struct ss_net_hub *hub, const struct ss_net_hub_name *name,
                         const char *path, struct ss__json **out, char **next, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf url = {0};
    struct ss_net_response response = {0};
    *out = NULL;
    if (next != NULL) {
        *next = NULL;
    }
    SS_TRY(add_api_url(&url, hub, path, err));
    const struct ss_net_request request = {
        .url = ss__buf_text(&url),
        .authorization = hub->authorization,
        .follow = SS_NET_FOLLOW_ORIGIN,
        .max_bytes = MAX_API_BYTES,
    };
    SS_TRY(ss_net_send(hub->net, &request, &response, err));
    if (response.code < 200 || response.code >= 300) {
        SS_TRY(fail_refused(hub, name, &response, NULL, err));
    }
    SS_TRY(ss__json_parse(request.url, response.body.data == NULL ? "" : response.body.data,
                          response.body.n_bytes, out, err));
    if (next != NULL) {
        SS_TRY(read_next(&response, next, err));
    }
out:
    if (status != SS_OK) {
        ss__json_free(*out);
        *out = NULL;
    }
    ss_net_response_release(&response);
    ss__buf_release(&url);
    return status;
}
