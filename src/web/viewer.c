/* The viewer: what it answers, by a table of routes; links with codes that are used once.
 *
 * Pages and modules hold no data and need no token. All data is below /api/ and needs it. A link
 * has a code in its fragment, which no server and no log sees; the page trades it for the token,
 * once. No path of a file is ever made of a request. */
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sized.h"
#include "web/assets.h"
#include "web/pages.h"
#include "web/server.h"
#include "web/viewer_api.h"

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
    struct ss_web_api api;
    struct ss_web_zip pages;
    struct ss_web_server server;
    char token[SS_WEB_TOKEN_HEX], code[SS_WEB_TOKEN_HEX];
    bool has_code;
    double code_until;
    char pages_etag[ETAG_BYTES], assets_etag[ETAG_BYTES];
};

/* ---- links ---- */

static double seconds_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

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
    viewer->code_until = seconds_now() + code_seconds;
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
        viewer->has_code && seconds_now() < viewer->code_until &&
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

static void answer_api(struct viewer *viewer, const struct ss_web_request *request,
                       struct ss_text body, struct ss_web_response *response)
{
    const bool is_post = request->method == SS_WEB_POST;
    if (is_path(request, "/api/v1/session")) {
        if (is_post) {
            answer_session(viewer, body, response);
        } else {
            ss_web_problem(response, 405, "This is asked by POST.");
        }
    } else if (is_path(request, "/api/v1/pages.npz") && !is_post) {
        response->shared =
            (struct ss_text){viewer->pages.bytes.data, viewer->pages.bytes.n_bytes};
        response->type = "application/octet-stream";
        response->etag = viewer->pages_etag;
    } else {
        ss_web_api_answer(&viewer->api, request, body, response);
        if (response->status == 0 && !is_post) {
            response->etag = viewer->pages_etag;
        }
    }
}

static void answer(void *user, const struct ss_web_request *request, struct ss_text body,
                   struct ss_web_response *response)
{
    struct viewer *viewer = user;
    if (request->is_api) {
        answer_api(viewer, request, body, response);
    } else if (is_path(request, "/healthz")) {
        response->shared = (struct ss_text){"{\"status\":\"ok\"}\n", 16};
        response->type = "application/json";
    } else if (request->query.n_bytes > 0 || !answer_asset(viewer, request, response)) {
        ss_web_problem(response, 404, "There is no such page.");
    }
}

/* ---- the call ---- */

static void make_etag(char etag[ETAG_BYTES], struct ss_text first, struct ss_text then)
{
    uint8_t digest[SS__SHA256_BYTES];
    ss__sha256_of(first, then, digest);
    ss__snprintf(etag, ETAG_BYTES, "\"%02x%02x%02x%02x%02x%02x%02x%02x\"", digest[0], digest[1],
                 digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]);
}

static ss_status make_pages(struct viewer *viewer, ss_err *err)
{
    const struct ss_web_level whole = {.n_tops = viewer->api.source.run->info.top_k,
                                       .n_samples = N_SAMPLES,
                                       .n_map_texts = N_MAP_TEXTS,
                                       .has_histograms = true};
    struct ss_web_counts counts = {0};
    struct ss__buf script = {0};
    SS_RETURN_IF_ERROR(
        ss_web_pages_build(&viewer->api.source, &whole, 0, &viewer->pages, &counts, err));
    make_etag(viewer->pages_etag,
              (struct ss_text){viewer->pages.bytes.data, viewer->pages.bytes.n_bytes},
              (struct ss_text){"", 0});
    ss_web_add_script(&script);
    const ss_status status = ss__buf_check(&script, err);
    const struct ss_web_asset *style = ss_web_asset_find("style.css");
    make_etag(viewer->assets_etag, (struct ss_text){script.data, script.n_bytes},
              (struct ss_text){style->data, (size_t)(style->end - style->data)});
    ss__buf_release(&script);
    return status;
}

static bool tick(void *user)
{
    struct viewer *viewer = user;
    if (viewer->options.wants_link != NULL &&
        viewer->options.wants_link(viewer->options.user)) {
        (void)give_link(viewer, NULL);
    }
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
    struct ss__asking asking = {.stop = viewer.options.progress};
    SS_TRY(ss_web_api_open(&viewer.api, run_dir, &asking, &viewer.options, err));
    SS_TRY(make_pages(&viewer, err));
    SS_TRY(make_secret(viewer.token, err));
    viewer.server.rules.token = viewer.token;
    viewer.server.handler.answer = answer;
    viewer.server.handler.user = &viewer;
    SS_TRY(ss_web_server_open(&viewer.server, (unsigned)viewer.options.port, err));
    SS_TRY(give_link(&viewer, err));
    SS_TRY(ss_web_server_run(&viewer.server, tick, &viewer, err));
out:
    ss_web_server_close(&viewer.server);
    ss_web_zip_release(&viewer.pages);
    ss_web_api_close(&viewer.api);
    return status;
}
