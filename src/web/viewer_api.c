/* The routes below /api/v1/: method, path, parameters, who answers. assets/openapi.json says the
 * same to programs, and a test holds the two side by side. */
#include "web/viewer_api.h"

#include <string.h>

#include "base/mem.h"
#include "web/pages_priv.h"
#include "web/viewer_priv.h"

enum { SCHEMA = 1 };

ss_status ss_web_api_open(struct ss_web_api *api, const struct ss_web_place *place,
                          struct ss__asking *asking, const struct ss_view_options *options,
                          ss_err *err)
{
    ss_status status = SS_OK;
    *api = (struct ss_web_api){.log = options->log};
    if (place->snapshot != NULL) {
        SS_TRY(ss_web_source_open_snapshot(place->snapshot, place->folder, asking, &api->source,
                                           err));
    } else {
        SS_TRY(ss_web_source_open(place->folder, asking, &api->source, err));
        api->with = options->with;
    }
    SS_TRY(ss_web_source_compare(&api->source, api->with, err));
out:
    if (status != SS_OK) {
        ss_web_api_close(api);
    }
    return status;
}

void ss_web_api_close(struct ss_web_api *api)
{
    ss_diff_free(api->groups);
    ss_run_cosines_release(&api->cosines);
    ss_sparse_release(&api->codes);
    ss_run_models_close(&api->models);
    ss_web_source_release(&api->source);
    *api = (struct ss_web_api){0};
}

/* ---- routes ---- */

static void answer_run(struct ss_web_call *call)
{
    ss_web_meta_put_members(&call->writer, &call->api->source);
}

static const char *const no_parameters[] = {NULL};

/* A path that ends with a slash is followed by a number. */
static const struct route {
    ss_web_method method;
    const char *path;
    const char *const *parameters;
    void (*answer)(struct ss_web_call *call);
} routes[] = {
    {SS_WEB_GET, "/api/v1/run", no_parameters, answer_run},
    {SS_WEB_GET, "/api/v1/features", ss_web_features_parameters, ss_web_answer_features},
    {SS_WEB_GET, "/api/v1/features/", no_parameters, ss_web_answer_feature},
    {SS_WEB_GET, "/api/v1/rows/", ss_web_row_parameters, ss_web_answer_row},
    {SS_WEB_GET, "/api/v1/search", ss_web_search_parameters, ss_web_answer_search},
    {SS_WEB_GET, "/api/v1/diff", ss_web_diff_parameters, ss_web_answer_diff},
    {SS_WEB_POST, "/api/v1/encode", no_parameters, ss_web_answer_encode},
    {SS_WEB_POST, "/api/v1/influence", no_parameters, ss_web_answer_influence},
    {SS_WEB_POST, "/api/v1/steer", no_parameters, ss_web_answer_steer},
};

/* Whether a path is that of a route, and its number. */
static bool fits(const struct route *route, struct ss_text path, uint64_t *id)
{
    char digits[SS_WEB_VALUE_BYTES];
    size_t number = 0;
    const size_t n = strlen(route->path);
    if (path.n_bytes < n || memcmp(path.data, route->path, n) != 0) {
        return false;
    }
    if (route->path[n - 1] != '/') {
        return path.n_bytes == n;
    }
    if (path.n_bytes == n || path.n_bytes - n >= sizeof digits) {
        return false;
    }
    memcpy(digits, path.data + n, path.n_bytes - n);
    digits[path.n_bytes - n] = '\0';
    const bool is_number = ss_web_read_count(digits, 0, UINT32_MAX, &number);
    *id = number;
    return is_number;
}

static const struct route *find_route(const struct ss_web_request *request,
                                      struct ss_web_call *call)
{
    const bool is_post = request->method == SS_WEB_POST;
    bool is_known = false;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!fits(&routes[i], request->path, &call->id)) {
            continue;
        }
        is_known = true;
        if ((routes[i].method == SS_WEB_POST) == is_post) {
            return &routes[i];
        }
    }
    if (is_known) {
        ss_web_refuse(call, 405, is_post ? "This is asked by GET." : "This is asked by POST.");
    } else {
        ss_web_refuse(call, 404, "There is no such answer.");
    }
    return NULL;
}

static void answer_route(const struct ss_web_request *request, struct ss_web_call *call)
{
    const char *why = NULL;
    size_t n_parameters = 0;
    const struct route *route = find_route(request, call);
    if (route == NULL) {
        return;
    }
    while (route->parameters[n_parameters] != NULL) {
        n_parameters++;
    }
    if (ss_web_query(request->query, route->parameters, n_parameters, call->values, &why) !=
        0) {
        ss_web_refuse(call, 400, n_parameters == 0 ? "This takes no parameters." : why);
    } else {
        route->answer(call);
    }
}

void ss_web_api_answer(struct ss_web_api *api, const struct ss_web_request *request,
                       struct ss_text body, struct ss_web_response *response)
{
    struct ss_web_call *call = ss__alloc(1, sizeof *call);
    if (call == NULL) {
        ss_web_problem(response, 503, "There is no memory for it.");
        return;
    }
    call->api = api;
    call->body = body;
    call->response = response;
    call->writer.style = SS__JSON_COMPACT;
    ss__put_open(&call->writer, NULL, '{');
    ss__put_count(&call->writer, "schema", SCHEMA);
    answer_route(request, call);
    ss__put_close(&call->writer, '}');
    ss__buf_add_byte(&call->writer.buf, '\n');
    if (response->status == 0) {
        response->body = call->writer.buf;
        response->type = "application/json";
    } else {
        ss__buf_release(&call->writer.buf);
    }
    ss__free(call);
}
