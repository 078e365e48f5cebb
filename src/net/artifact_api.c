/* What the artifact store answers to GraphQL queries: POST URL/graphql with
 * {"query": …, "variables": …} gives {"data": …, "errors": [{"message": …}]}.
 *
 * A null where an artifact should be means that it is not there or not to be seen, so requests
 * are sent without a key first and then again with it. Servers before the membership of
 * collections know an artifact by its project only; one that does not know a field says so in
 * `errors`. */
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "net/artifact_store.h"
#include "net/netrc.h"

static const char default_url[] = "https://api.wandb.ai";

ss_status ss_net_artifact_store_open(struct ss_net *net, struct ss_net_artifact_store *out,
                                     ss_err *err)
{
    const char *url = getenv("WANDB_BASE_URL");
    char origin[SS_NET_URL_ORIGIN_BYTES];
    struct ss_net_artifact_store store = {.net = net};
    *out = (struct ss_net_artifact_store){0};
    url = url != NULL && *url != '\0' ? url : default_url;
    if (!ss_net_url_origin(url, origin)) {
        return ss__fail(err, SS_E_USAGE,
                        "WANDB_BASE_URL is '%.300s', which is not an http or https URL", url);
    }
    size_t n_bytes = strlen(url);
    while (url[n_bytes - 1] == '/') {
        n_bytes--;
    }
    store.url = ss__strndup(url, n_bytes);
    if (store.url == NULL) {
        return ss__fail_nomem(err, "a URL");
    }
    *out = store;
    return SS_OK;
}

void ss_net_artifact_store_release(struct ss_net_artifact_store *store)
{
    ss__free(store->url);
    ss__free(store->authorization);
    *store = (struct ss_net_artifact_store){0};
}

/* ---- the key ---- */

/* The host of the store's URL, as netrc names machines: without scheme and port. */
static char *host_of(const char *url)
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    if (!ss_net_url_origin(url, origin)) {
        return NULL;
    }
    const char *host = strstr(origin, "://") + 3;
    const char *port = strrchr(host, ':');
    return ss__strndup(host, port == NULL ? strlen(host) : (size_t)(port - host));
}

/* A key of the environment counts over one of the file. */
static ss_status read_key(const char *url, struct ss__buf *key, bool *found, ss_err *err)
{
    ss_status status = SS_OK;
    const char *named = getenv("WANDB_API_KEY");
    char *host = NULL;
    *found = named != NULL && *named != '\0';
    if (*found) {
        ss__buf_add_text(key, named);
    } else {
        host = host_of(url);
        if (host == NULL) {
            SS_TRY(ss__fail_nomem(err, "a host"));
        }
        SS_TRY(ss_net_netrc_password(host, key, found, err));
    }
    while (key->n_bytes > 0 && strchr(" \t\r\n", key->data[key->n_bytes - 1]) != NULL) {
        key->n_bytes--;
    }
    *found = key->n_bytes > 0;
out:
    ss__free(host);
    return status;
}

/* From now on ask with the key, if there is one that was not tried yet. */
static ss_status turn_to_key(struct ss_net_artifact_store *store, bool *turned, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf key = {0}, pair = {0}, value = {0};
    *turned = false;
    if (store->has_asked_for_key) {
        return SS_OK;
    }
    store->has_asked_for_key = true;
    SS_TRY(read_key(store->url, &key, turned, err));
    if (!*turned) {
        goto out;
    }
    ss__buf_add_text(&pair, "api:");
    ss__buf_add(&pair, key.data, key.n_bytes);
    ss__buf_add_text(&value, "Basic ");
    ss__base64_add(&value, pair.data, pair.n_bytes);
    SS_TRY(ss__buf_check(&key, err));
    SS_TRY(ss__buf_check(&pair, err));
    const char *text = ss__buf_text(&value);
    store->authorization = text == NULL ? NULL : ss__strdup(text);
    if (store->authorization == NULL) {
        SS_TRY(ss__fail_nomem(err, "a key"));
    }
out:
    ss__buf_release(&key);
    ss__buf_release(&pair);
    ss__buf_release(&value);
    return status;
}

/* Which of the two it is decides what the user has to do. */
static ss_status refuse_without_key(const struct ss_net_artifact_store *store, ss_err *err)
{
    return store->authorization == NULL
               ? ss__fail(err, SS_E_NOINPUT,
                          "the artifact store at %.300s wants a key; set WANDB_API_KEY, or add "
                          "its machine to ~/.netrc",
                          store->url)
               : ss__fail(err, SS_E_NOINPUT,
                          "the artifact store at %.300s does not accept the key of "
                          "WANDB_API_KEY or netrc; check it",
                          store->url);
}

/* ---- request ---- */

/* With the key once the store has asked for one (turn_to_key), and to the store's own URL
 * alone. */
static ss_status send(struct ss_net_artifact_store *store, const char *body,
                      struct ss_net_response *response, ss_err *err)
{
    static const struct ss_net_header header = {"Content-Type", "application/json"};
    ss_status status = SS_OK;
    struct ss__buf url = {0};
    ss__buf_printf(&url, "%s/graphql", store->url);
    const char *text = ss__buf_text(&url);
    if (text == NULL) {
        SS_TRY(ss__fail_nomem(err, "a URL"));
    }
    const struct ss_net_request request = {
        .method = "POST",
        .url = text,
        .headers = &header,
        .n_headers = 1,
        .authorization = store->authorization,
        .body = body,
        .n_body_bytes = strlen(body),
        .max_bytes = SS_NET_ARTIFACT_RESPONSE_BYTES,
    };
    SS_TRY(ss_net_send(store->net, &request, response, err));
out:
    ss__buf_release(&url);
    return status;
}

/* Variables are sent beside the query, so that no name can become a part of it. */
static void put_variable(struct ss__json_writer *body,
                         const struct ss_net_artifact_variable *it)
{
    if (it->text != NULL) {
        ss__put_text(body, it->name, it->text);
    } else if (it->number > 0) {
        ss__put_count(body, it->name, it->number);
    } else {
        ss__put_null(body, it->name);
    }
}

/* The body of a query; its memory is in the writer's buffer. */
static struct ss__json_writer make_body(const char *query,
                                        const struct ss_net_artifact_variable *variables)
{
    struct ss__json_writer body = {.style = SS__JSON_COMPACT};
    ss__put_open(&body, NULL, '{');
    ss__put_text(&body, "query", query);
    ss__put_open(&body, "variables", '{');
    for (; variables->name != NULL; variables++) {
        put_variable(&body, variables);
    }
    ss__put_close(&body, '}');
    ss__put_close(&body, '}');
    return body;
}

static ss_status read_reply(const struct ss_net_artifact_store *store,
                            const struct ss_net_response *response,
                            struct ss_net_artifact_response *out, ss_err *err)
{
    const bool is_good = response->code >= 200 && response->code < 300;
    if (!is_good && response->code != 400) { /* which comes with errors in the body */
        SS_RETURN_IF_ERROR(ss_net_check(response, "the artifact store", err));
    }
    SS_RETURN_IF_ERROR(ss__json_parse(store->url, response->body.data, response->body.n_bytes,
                                      &out->tree, err));
    out->data = ss__json_get(out->tree, "data");
    const struct ss__json *first = ss__json_at(ss__json_get(out->tree, "errors"), 0);
    const char *message = ss__json_string(ss__json_get(first, "message"));
    out->error_message = message != NULL ? message
                         : !is_good      ? "it does not understand the query"
                                         : NULL;
    if (out->error_message == NULL && !ss__json_is_object(out->data)) {
        return ss__fail_file(err, store->url, SS_E_DATA,
                             "the artifact store's response has no object 'data'");
    }
    return SS_OK;
}

ss_status ss_net_artifact_query(struct ss_net_artifact_store *store, const char *query,
                                const struct ss_net_artifact_variable *variables,
                                struct ss_net_artifact_response *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_response response = {0};
    bool again = true;
    struct ss__json_writer body = make_body(query, variables);
    *out = (struct ss_net_artifact_response){0};
    if (ss__buf_text(&body.buf) == NULL) {
        SS_TRY(ss__fail_nomem(err, "a query"));
    }
    while (again) {
        ss_net_response_release(&response);
        SS_TRY(send(store, body.buf.data, &response, err));
        again = false;
        if (response.code == 401 || response.code == 403) {
            SS_TRY(turn_to_key(store, &again, err));
            if (!again) {
                SS_TRY(refuse_without_key(store, err));
            }
        }
    }
    SS_TRY(read_reply(store, &response, out, err));
out:
    ss__buf_release(&body.buf);
    ss_net_response_release(&response);
    if (status != SS_OK) {
        ss_net_artifact_response_release(out);
    }
    return status;
}

void ss_net_artifact_response_release(struct ss_net_artifact_response *response)
{
    ss__json_free(response->tree);
    *response = (struct ss_net_artifact_response){0};
}

struct ss__json *ss_net_artifact_json_at(struct ss__json *value, const char *path)
{
    char key[64];
    for (const char *at = path; value != NULL && *at != '\0';) {
        const size_t n_bytes = ss__min_size(strcspn(at, "."), sizeof key - 1);
        memcpy(key, at, n_bytes);
        key[n_bytes] = '\0';
        value = ss__json_get(value, key);
        at += n_bytes + (at[n_bytes] == '.');
    }
    return ss__json_is_null(value) ? NULL : value;
}

/* ---- what a name means ---- */

#define ARTIFACT_FIELDS                                                                        \
    "id digest versionIndex artifactType { name } "                                            \
    "artifactSequence { name project { name entity { name } } }"

/* From new to old servers: where the artifact and its version stand in the response. */
static const struct {
    const char *query, *artifact, *version;
} lookups[] = {
    {"query Membership($entityName: String!, $projectName: String!, $name: String!) "
     "{ project(name: $projectName, entityName: $entityName) "
     "{ artifactCollectionMembership(name: $name) { versionIndex artifact "
     "{ state " ARTIFACT_FIELDS " } } } }",
     "project.artifactCollectionMembership.artifact",
     "project.artifactCollectionMembership.versionIndex"},
    {"query Artifact($entityName: String!, $projectName: String!, $name: String!) "
     "{ project(name: $projectName, entityName: $entityName) "
     "{ artifact(name: $name) { state " ARTIFACT_FIELDS " } } }",
     "project.artifact", "project.artifact.versionIndex"},
    {"query OldArtifact($entityName: String!, $projectName: String!, $name: String!) "
     "{ project(name: $projectName, entityName: $entityName) "
     "{ artifact(name: $name) { id digest versionIndex artifactType { name } } } }",
     "project.artifact", "project.artifact.versionIndex"},
};

static ss_status copy_text(const struct ss_net_artifact_store *store, struct ss__json *value,
                           const char *path, char **out, ss_err *err)
{
    const char *text = ss__json_string(ss_net_artifact_json_at(value, path));
    if (text == NULL) {
        return ss__fail_file(err, store->url, SS_E_DATA,
                             "the artifact store's response has no text '%s'", path);
    }
    *out = ss__strdup(text);
    return *out == NULL ? ss__fail_nomem(err, "a response") : SS_OK;
}

/* Old servers do not give a state. */
static ss_status check_state(const char *label, struct ss__json *artifact, ss_err *err)
{
    const char *state = ss__json_string(ss_net_artifact_json_at(artifact, "state"));
    if (state != NULL && strcmp(state, "COMMITTED") != 0) {
        return ss__fail(
            err, SS_E_NOINPUT,
            "artifact '%.300s' is in the state '%.40s'; only a committed one can be "
            "fetched: try again later, or name another version",
            label, state);
    }
    return SS_OK;
}

static ss_status read_artifact(const struct ss_net_artifact_store *store, const char *label,
                               struct ss__json *artifact, struct ss_net_artifact_info *out,
                               ss_err *err)
{
    SS_RETURN_IF_ERROR(check_state(label, artifact, err));
    SS_RETURN_IF_ERROR(copy_text(store, artifact, "id", &out->id, err));
    SS_RETURN_IF_ERROR(copy_text(store, artifact, "digest", &out->digest, err));
    return copy_text(store, artifact, "artifactType.name", &out->type, err);
}

static ss_status read_version(const struct ss_net_artifact_store *store,
                              const struct ss__json *version, struct ss_net_artifact_info *out,
                              ss_err *err)
{
    if (!ss__json_is_integer(version) || ss__json_integer(version) < 0) {
        return ss__fail_file(err, store->url, SS_E_DATA,
                             "the artifact store's response has no number 'versionIndex'");
    }
    out->version = (uint64_t)ss__json_integer(version);
    return SS_OK;
}

/* Ask in the ways of newer and older servers, until one understands. */
static ss_status look_up(struct ss_net_artifact_store *store, const char *label,
                         const struct ss_net_artifact_variable *variables,
                         struct ss_net_artifact_info *out, bool *found, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_artifact_response response = {0};
    const size_t n = sizeof lookups / sizeof lookups[0];
    size_t way = 0;
    for (;; way++) {
        SS_TRY(ss_net_artifact_query(store, lookups[way].query, variables, &response, err));
        if (response.error_message == NULL) {
            break;
        }
        if (way + 1 == n) {
            SS_FAIL(SS_E_NETWORK, "the artifact store at %.200s says: %.400s", store->url,
                    response.error_message);
        }
        ss_net_artifact_response_release(&response);
    }
    struct ss__json *artifact = ss_net_artifact_json_at(response.data, lookups[way].artifact);
    *found = artifact != NULL;
    if (*found) {
        SS_TRY(read_artifact(store, label, artifact, out, err));
        SS_TRY(read_version(store, ss_net_artifact_json_at(response.data, lookups[way].version),
                            out, err));
    }
out:
    ss_net_artifact_response_release(&response);
    return status;
}

/* An artifact that is not there without a key is asked for with it. */
ss_status ss_net_artifact_resolve(struct ss_net_artifact_store *store,
                                  const struct ss_net_artifact_name *name,
                                  struct ss_net_artifact_info *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf label = {0}, asked = {0};
    bool found = false, again = true;
    *out = (struct ss_net_artifact_info){0};
    ss__buf_printf(&asked, "%s:%s", name->collection, name->alias);
    ss__buf_printf(&label, "%s/%s/%s:%s", name->entity, name->project, name->collection,
                   name->alias);
    if (ss__buf_text(&asked) == NULL || ss__buf_text(&label) == NULL) {
        SS_TRY(ss__fail_nomem(err, "a name"));
    }
    const struct ss_net_artifact_variable variables[] = {{"entityName", name->entity, 0},
                                                         {"projectName", name->project, 0},
                                                         {"name", asked.data, 0},
                                                         {0}};
    while (again) {
        SS_TRY(look_up(store, label.data, variables, out, &found, err));
        again = false;
        if (!found) {
            SS_TRY(turn_to_key(store, &again, err));
        }
    }
    if (!found) {
        SS_FAIL(SS_E_NOINPUT,
                "artifact '%.300s' is not in the store at %.200s, or %s; check the name",
                label.data, store->url,
                store->authorization == NULL
                    ? "it is not public: set WANDB_API_KEY or add the store to ~/.netrc"
                    : "the key of WANDB_API_KEY or netrc may not see it");
    }
out:
    ss__buf_release(&label);
    ss__buf_release(&asked);
    if (status != SS_OK) {
        ss_net_artifact_info_release(out);
    }
    return status;
}

/* An artifact that a reference names by its id. */
ss_status ss_net_artifact_resolve_id(struct ss_net_artifact_store *store, const char *id,
                                     struct ss_net_artifact_info *out, ss_err *err)
{
    static const char query[] = "query ById($id: ID!) { artifact(id: $id) { state id digest "
                                "artifactType { name } } }";
    ss_status status = SS_OK;
    struct ss_net_artifact_response response = {0};
    const struct ss_net_artifact_variable variables[] = {{"id", id, 0}, {0}};
    *out = (struct ss_net_artifact_info){0};
    SS_TRY(ss_net_artifact_query(store, query, variables, &response, err));
    struct ss__json *artifact = ss_net_artifact_json_at(response.data, "artifact");
    if (artifact == NULL) {
        SS_FAIL(
            SS_E_NOINPUT,
            "an artifact that this one refers to (id %.100s) is not in the store, or not to "
            "be seen%s%.300s",
            id, response.error_message != NULL ? ": " : "",
            response.error_message != NULL ? response.error_message : "");
    }
    SS_TRY(read_artifact(store, id, artifact, out, err));
out:
    ss_net_artifact_response_release(&response);
    if (status != SS_OK) {
        ss_net_artifact_info_release(out);
    }
    return status;
}

void ss_net_artifact_info_release(struct ss_net_artifact_info *facts)
{
    ss__free(facts->id);
    ss__free(facts->digest);
    ss__free(facts->type);
    *facts = (struct ss_net_artifact_info){0};
}
