/* The viewer: what it answers, by a table of routes; links with codes that are used once.
 *
 * Pages and modules hold no data and need no token. All data is below /api/ and needs it. A link
 * has a code in its fragment, which no server and no log sees; the page trades it for the token,
 * once. No path of a file is ever made of a request. */
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "base/stop.h"
#include "web/assets.h"
#include "web/server.h"
#include "web/viewer_live.h"

enum {
    N_SAMPLES = 20,
    N_MAP_TEXTS = 20000,
    TOKEN_BYTES = 32,
    ETAG_BYTES = 20,
    URL_BYTES = 128
};
static const double code_seconds = 300;

struct viewer {
    struct ss_view_options options;
    struct ss_web_live live;
    struct ss__asking asking;
    struct ss_web_server server;
    char token[SS_WEB_TOKEN_HEX], code[SS_WEB_TOKEN_HEX];
    bool has_code;
    double code_until;
    char assets_etag[SS_WEB_ETAG_BYTES];
};

/* ---- links ---- */

static ss_status make_secret(char secret[SS_WEB_TOKEN_HEX], ss_err *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[TOKEN_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return ss__fail(err, SS_E_INTERNAL, "the system gives no random numbers");
    }
    for (size_t i = 0; i < TOKEN_BYTES; i++) {
        secret[2 * i] = digits[bytes[i] >> 4];
        secret[2 * i + 1] = digits[bytes[i] & 15];
    }
    secret[SS_WEB_TOKEN_HEX - 1] = '\0';
    return SS_OK;
}

static ss_status give_link(struct viewer *viewer, ss_err *err)
{
    char url[URL_BYTES];
    SS_RETURN_IF_ERROR(make_secret(viewer->code, err));
    viewer->has_code = true;
    viewer->code_until = ss__seconds_now() + code_seconds;
    ss__snprintf(url, sizeof url, "http://127.0.0.1:%u/#t=%s", viewer->server.rules.port,
                 viewer->code);
    if (viewer->options.ready != NULL) {
        viewer->options.ready(viewer->options.user, url);
    }
    return SS_OK;
}

/* POST {"code": "…"} → {"token": "…"}: once, and not after five minutes. */
static void answer_session(struct viewer *viewer, struct ss_text body,
                           struct ss_web_response *response)
{
    struct ss__json *given = NULL;
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    const char *code = NULL;
    if (ss__json_parse("request", body.data, body.n_bytes, &given, NULL) == SS_OK) {
        code = ss__json_string(ss__json_get(given, "code"));
    }
    const bool fits =
        code != NULL &&
        ss__json_string_bytes(ss__json_get(given, "code")) == SS_WEB_TOKEN_HEX - 1 &&
        viewer->has_code && ss__seconds_now() < viewer->code_until &&
        ss_web_equal_secret(code, viewer->code, SS_WEB_TOKEN_HEX - 1);
    ss__json_free(given);
    if (!fits) {
        ss_web_problem(response, 401,
                       "This link was used, or is older than five minutes; the program gives "
                       "another one.");
        return;
    }
    viewer->has_code = false;
    ss__put_open(&writer, NULL, '{');
    ss__put_text(&writer, "token", viewer->token);
    ss__put_close(&writer, '}');
    response->body = writer.buf;
    response->type = "application/json";
}

/* ---- routes ---- */

static bool is_path(const struct ss_web_request *request, const char *path)
{
    return request->path.n_bytes == strlen(path) &&
           memcmp(request->path.data, path, request->path.n_bytes) == 0;
}

static bool answer_asset(const struct viewer *viewer, const struct ss_web_request *request,
                         struct ss_web_response *response)
{
    char name[32];
    const bool is_root = request->path.n_bytes == 1;
    if (request->path.n_bytes > sizeof name) {
        return false;
    }
    ss__snprintf(name, sizeof name, "%.*s", (int)request->path.n_bytes - 1,
                 request->path.data + 1);
    const struct ss_web_asset *asset = ss_web_asset_find(is_root ? "page.html" : name);
    if (asset == NULL) {
        return false;
    }
    response->shared = (struct ss_text){asset->data, (size_t)(asset->end - asset->data)};
    response->type = asset->type;
    response->etag = viewer->assets_etag;
    return true;
}

static void answer_pages(const struct viewer *viewer, struct ss_web_response *response)
{
    const struct ss_web_live *live = &viewer->live;
    if (!live->has_run) {
        ss_web_live_refuse(response);
        return;
    }
    /* A copy: newer numbers may come while these are sent. */
    ss__buf_add(&response->body, live->pages.bytes.data, live->pages.bytes.n_bytes);
    response->type = "application/octet-stream";
    response->etag = live->etag;
}

static void answer_openapi(const struct viewer *viewer, struct ss_web_response *response)
{
    const struct ss_web_asset *asset = ss_web_asset_find("openapi.json");
    response->shared = (struct ss_text){asset->data, (size_t)(asset->end - asset->data)};
    response->type = asset->type;
    response->etag = viewer->assets_etag;
}

/* What is not asked of the run. */
static bool answer_own(struct viewer *viewer, const struct ss_web_request *request,
                       struct ss_text body, struct ss_web_response *response)
{
    const bool is_post = request->method == SS_WEB_POST;
    const bool is_session = is_path(request, "/api/v1/session");
    if (!is_session && !is_path(request, "/api/v1/pages.npz") &&
        !is_path(request, "/api/v1/live") && !is_path(request, "/api/v1/openapi.json")) {
        return false;
    }
    if (is_session != is_post) {
        ss_web_problem(response, 405,
                       is_post ? "This is asked by GET." : "This is asked by POST.");
    } else if (request->query.n_bytes > 0) {
        ss_web_problem(response, 400, "This takes no parameters.");
    } else if (is_session) {
        answer_session(viewer, body, response);
    } else if (is_path(request, "/api/v1/live")) {
        ss_web_live_answer(&viewer->live, response);
    } else if (is_path(request, "/api/v1/openapi.json")) {
        answer_openapi(viewer, response);
    } else {
        answer_pages(viewer, response);
    }
    return true;
}

static void answer_api(struct viewer *viewer, const struct ss_web_request *request,
                       struct ss_text body, struct ss_web_response *response)
{
    if (answer_own(viewer, request, body, response)) {
        return;
    }
    if (!viewer->live.has_run) {
        ss_web_live_refuse(response);
        return;
    }
    ss_web_api_answer(&viewer->live.api, request, body, response);
    if (response->status == 0 && request->method != SS_WEB_POST) {
        response->etag = viewer->live.etag;
    }
}

static void answer(void *user, const struct ss_web_request *request, struct ss_text body,
                   struct ss_web_response *response)
{
    struct viewer *viewer = user;
    if (request->is_api) {
        answer_api(viewer, request, body, response);
    } else if (request->query.n_bytes == 0 && is_path(request, "/healthz")) {
        response->shared = (struct ss_text){"{\"status\":\"ok\"}\n", 16};
        response->type = "application/json";
    } else if (request->query.n_bytes > 0 || !answer_asset(viewer, request, response)) {
        ss_web_problem(response, 404, "There is no such page.");
    }
}

/* ---- the call ---- */

/* Of all assets, as they change together. */
static ss_status make_assets_etag(struct viewer *viewer, ss_err *err)
{
    struct ss__buf all = {0};
    for (size_t i = 0; i < ss_web_n_assets; i++) {
        const struct ss_web_asset *asset = &ss_web_assets[i];
        ss__buf_add(&all, asset->data, (size_t)(asset->end - asset->data));
    }
    const ss_status status = ss__buf_check(&all, err);
    ss_web_make_etag(viewer->assets_etag, (struct ss_text){all.data, all.n_bytes});
    ss__buf_release(&all);
    return status;
}

static bool tick(void *user)
{
    struct viewer *viewer = user;
    if (viewer->options.wants_link != NULL &&
        viewer->options.wants_link(viewer->options.user)) {
        (void)give_link(viewer, NULL);
    }
    ss_web_live_look(&viewer->live);
    return !ss__stop_requested(&viewer->options.progress);
}

ss_status ss_view(const char *run_dir, const struct ss_view_options *options, ss_err *err)
{
    ss_status status = SS_OK;
    struct viewer viewer = {.options = {.struct_size = sizeof viewer.options}};
    SS_TRY(SS_READ_OPTIONS(&viewer.options, options, ss_view_options, err));
    if (viewer.options.port > UINT16_MAX) {
        SS_FAIL(SS_E_USAGE, "`port` is above 65535");
    }
    viewer.asking.stop = viewer.options.progress;
    SS_TRY(ss_web_live_open(&viewer.live, run_dir, &viewer.asking, &viewer.options, err));
    SS_TRY(make_assets_etag(&viewer, err));
    SS_TRY(make_secret(viewer.token, err));
    viewer.server.rules.token = viewer.token;
    viewer.server.handler.answer = answer;
    viewer.server.handler.user = &viewer;
    SS_TRY(ss_web_server_open(&viewer.server, (unsigned)viewer.options.port, err));
    SS_TRY(give_link(&viewer, err));
    SS_TRY(ss_web_server_run(&viewer.server, tick, &viewer, err));
out:
    ss_web_server_close(&viewer.server);
    ss_web_live_close(&viewer.live);
    return status;
}
