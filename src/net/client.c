/* The client: its options, redirects, and retries; the policy that net.h states.
 *
 * A request is tries, a try is exchanges: each exchange talks to one server (transfer.c), a
 * redirect makes another exchange of the same try, and a failure that may pass makes another
 * try after a pause. Secrets are decided per exchange, by the origin of the request's own
 * URL. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/mem.h"
#include "base/number.h"
#include "net/net_priv.h"

#define MAX_PAUSE_SECONDS 8.0
#define MAX_WAIT_SECONDS 300.0 /* the window of the hub's limits */
#define QUIET_WAIT_SECONDS 3.0 /* longer waits are told */
#define SLICE_SECONDS 0.1
enum { CONNECT_TRIES = 3 };

/* ---- options ---- */

bool ss_net_env_is_true(const char *name)
{
    static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
    const char *value = getenv(name);
    for (size_t i = 0; value != NULL && i < sizeof yes / sizeof yes[0]; i++) {
        if (ss__equal_ignoring_case(value, yes[i])) {
            return true;
        }
    }
    return false;
}

/* A number of seconds or tries above 0 from the environment; 0 where there is none. */
static double number_of(const char *name)
{
    const char *text = getenv(name);
    double value = 0;
    return text != NULL && ss__parse_double(text, strlen(text), &value) && value > 0 &&
                   value < 1e6
               ? value
               : 0;
}

/* The variable that turns offline mode on, or NULL. */
static const char *offline_variable(void)
{
    static const char *const names[] = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
                                        "SAESCOPE_OFFLINE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (ss_net_env_is_true(names[i])) {
            return names[i];
        }
    }
    return NULL;
}

struct ss_net_options ss_net_options_from_environment(void)
{
    const double timeout = number_of("HF_HUB_DOWNLOAD_TIMEOUT");
    const double stall = number_of("SAESCOPE_NET_STALL_SECONDS");
    return (struct ss_net_options){
        .offline = offline_variable() != NULL,
        .n_tries = (size_t)number_of("SAESCOPE_NET_TRIES"),
        .retry_seconds = number_of("SAESCOPE_NET_RETRY_SECONDS"),
        .connect_seconds = stall > 0 && stall < 10 ? stall : 0,
        .response_seconds = stall > 0 ? stall : timeout,
        .stall_seconds = stall > 0 ? stall : timeout,
    };
}

/* 0 stands for what was not said. */
static double or_else(double value, double otherwise)
{
    return value > 0 ? value : otherwise;
}

static void fill_defaults(struct ss_net_options *options)
{
    options->n_tries = options->n_tries == 0 ? 6 : options->n_tries;
    options->retry_seconds = or_else(options->retry_seconds, 1);
    options->connect_seconds = or_else(options->connect_seconds, 10);
    options->response_seconds = or_else(options->response_seconds, 30);
    options->stall_seconds = or_else(options->stall_seconds, 30);
}

/* ---- client ---- */

static CURLcode global_result;

/* Once per process: the call is not safe in threads. */
static void init_curl(void)
{
    global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

ss_status ss_net_new(const struct ss_net_options *options, struct ss_net **out, ss_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    ss_status status = SS_OK;
    struct ss_net *net = NULL;
    *out = NULL;
    pthread_once(&once, init_curl);
    SS_ALLOC(net, 1);
    net->options = *options;
    fill_defaults(&net->options);
    net->easy = global_result == CURLE_OK ? curl_easy_init() : NULL;
    net->multi = curl_multi_init();
    if (net->easy == NULL || net->multi == NULL) {
        SS_TRY(ss__fail_nomem(err, "a connection"));
    }
    *out = net;
    net = NULL;
out:
    ss_net_free(net);
    return status;
}

void ss_net_free(struct ss_net *net)
{
    if (net != NULL) {
        curl_easy_cleanup(net->easy);
        curl_multi_cleanup(net->multi);
        ss__free(net);
    }
}

const struct ss_net_options *ss_net_options_of(const struct ss_net *net)
{
    return &net->options;
}

/* ---- back-off and Retry-After ---- */

/* Between half and the whole of the doubled pause, so that clients do not come back together.
 */
double ss_net_backoff(const struct ss_net *net, size_t n)
{
    uint16_t bits = 0;
    const double most = net->options.retry_seconds * MAX_PAUSE_SECONDS;
    const double whole = net->options.retry_seconds * exp2((double)(n > 10 ? 10 : n) - 1);
    (void)!getrandom(&bits, sizeof bits, 0);
    return (whole > most ? most : whole) * (0.5 + 0.5 * (double)bits / 65535);
}

ss_status ss_net_sleep(struct ss_net *net, double seconds, ss_err *err)
{
    const struct ss_net_options *options = &net->options;
    const double end = ss__seconds_now() + seconds;
    if (!(seconds <= MAX_WAIT_SECONDS)) {
        return ss__fail(
            err, SS_E_NETWORK,
            "the server asks to wait %.0f s before the next request; try again then", seconds);
    }
    if (seconds > QUIET_WAIT_SECONDS) {
        ss__log(&options->log, SS_LEVEL_NOTICE, "the server is busy; waiting %.0f s", seconds);
    }
    for (double left = seconds; left > 0; left = end - ss__seconds_now()) {
        const double slice = left < SLICE_SECONDS ? left : SLICE_SECONDS;
        const struct timespec pause = {0, (long)(1e9 * slice)};
        if (options->stop.fn != NULL && options->stop.fn(options->stop.user) != 0) {
            return ss__fail(err, SS_E_STOPPED, "stopped while waiting for a server");
        }
        nanosleep(&pause, NULL);
    }
    return SS_OK;
}

/* ---- redirects ---- */

struct route {
    char origin[SS_NET_URL_ORIGIN_BYTES]; /* of the request's own URL */
    char *url;
    size_t n_redirects, n_foreign;
};

/* 300 offers a choice and 304 has no content; neither is followed. */
static bool is_redirect(long code)
{
    return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

/* Origins are compared, never URLs: a path says nothing on who answers. */
static bool is_listed(const char *const *urls, const char *origin)
{
    char listed[SS_NET_URL_ORIGIN_BYTES];
    for (size_t i = 0; urls != NULL && urls[i] != NULL; i++) {
        if (ss_net_url_origin(urls[i], listed) && strcmp(listed, origin) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the request wants to go where a redirect points; *foreign: to another origin. */
static bool wants_to_follow(const struct ss_net_request *request, const struct route *route,
                            const char *target, bool *foreign)
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    const bool is_post = request->method != NULL && strcmp(request->method, "POST") == 0;
    if (request->follow == SS_NET_FOLLOW_NONE || is_post ||
        !ss_net_url_origin(target, origin)) {
        return false;
    }
    *foreign = strcmp(origin, route->origin) != 0;
    return request->follow == SS_NET_FOLLOW_ALL || !*foreign ||
           is_listed(request->origins, origin);
}

/* No redirect leads from https to http, whoever goes there. */
static ss_status check_scheme(const struct route *route, const char *target, ss_err *err)
{
    char shown[SS_NET_URL_SHOWN_BYTES];
    return !ss__begin_alike_ignoring_case(route->url, "https:", 6) ||
                   ss__begin_alike_ignoring_case(target, "https:", 6)
               ? SS_OK
               : ss__fail(err, SS_E_NETWORK,
                          "%s: the server redirects from https to http, which is not followed",
                          ss_net_url_show(route->url, shown));
}

/* Both limits end loops; the smaller one bounds how far a server can send us elsewhere. */
static ss_status count_redirect(struct route *route, bool foreign, ss_err *err)
{
    char shown[SS_NET_URL_SHOWN_BYTES];
    if (++route->n_redirects > SS_NET_MAX_REDIRECTS ||
        (foreign && ++route->n_foreign > SS_NET_MAX_FOREIGN_REDIRECTS)) {
        return ss__fail(err, SS_E_NETWORK, "%s: too many redirects; gave up",
                        ss_net_url_show(route->url, shown));
    }
    return SS_OK;
}

/* After a response: follow its redirect (*again), or leave its target in response->location. */
static ss_status follow(const struct ss_net_request *request, struct route *route,
                        struct ss_net_response *response, bool *again, ss_err *err)
{
    const char *location = ss_net_header(response, "Location");
    bool foreign = false;
    *again = false;
    if (!is_redirect(response->code) || location == NULL) {
        return SS_OK;
    }
    char *target = NULL;
    SS_RETURN_IF_ERROR(ss_net_url_join(route->url, location, &target, err));
    if (target == NULL) {
        char shown[2][SS_NET_URL_SHOWN_BYTES];
        return ss__fail(
            err, SS_E_NETWORK, "%s: the server redirects to '%.200s', which is not followed",
            ss_net_url_show(route->url, shown[0]), ss_net_url_show(location, shown[1]));
    }
    ss_status status = check_scheme(route, target, err);
    if (status == SS_OK && !wants_to_follow(request, route, target, &foreign)) {
        response->location = target;
        return SS_OK;
    }
    status = status == SS_OK ? count_redirect(route, foreign, err) : status;
    if (status != SS_OK) {
        ss__free(target);
        return status;
    }
    ss__free(route->url);
    route->url = target;
    *again = true;
    return SS_OK;
}

/* A redirect back to the first origin gets the secret again. */
ss_status ss_net_try(struct ss_net *net, const struct ss_net_request *request,
                     struct ss_net_exchange *exchange, struct ss_net_response *response,
                     ss_err *err)
{
    ss_status status = SS_OK;
    struct route route = {.url = ss__strdup(request->url)};
    bool again = true;
    if (route.url == NULL) {
        SS_TRY(ss__fail_nomem(err, "a URL"));
    }
    exchange->fault = SS_NET_FAULT_PERMANENT;
    if (!ss_net_url_origin(request->url, route.origin)) {
        SS_FAIL(SS_E_USAGE, "'%.400s' is not an http or https URL", request->url);
    }
    while (again) {
        char origin[SS_NET_URL_ORIGIN_BYTES] = "";
        (void)ss_net_url_origin(route.url, origin);
        exchange->url = route.url;
        exchange->send_authorization = strcmp(origin, route.origin) == 0;
        SS_TRY(ss_net_transfer(net, request, exchange, response, err));
        exchange->fault = SS_NET_FAULT_PERMANENT;
        SS_TRY(follow(request, &route, response, &again, err));
        exchange->fault = SS_NET_FAULT_NONE;
    }
out:
    exchange->url = NULL;
    ss__free(route.url);
    return status;
}

/* ---- retries ---- */

bool ss_net_fault_is_retryable(ss_net_fault fault, size_t n_tries)
{
    return fault == SS_NET_FAULT_RETRYABLE ||
           (fault == SS_NET_FAULT_CONNECT && n_tries < CONNECT_TRIES);
}

/* A sink that has seen bytes cannot be told to forget them. */
static bool is_worth_another(size_t n_most, const struct ss_net_exchange *exchange,
                             ss_status status, long code, size_t n_tries)
{
    if (exchange->delivered || n_tries >= n_most) {
        return false;
    }
    return status == SS_OK ? ss_net_code_is_retryable(code)
                           : ss_net_fault_is_retryable(exchange->fault, n_tries);
}

ss_status ss_net_need_online(const struct ss_net *net, const char *what, ss_err *err)
{
    const char *variable = offline_variable();
    if (!net->options.offline) {
        return SS_OK;
    }
    return ss__fail(err, SS_E_NETWORK,
                    "%.400s: not asked for, because of %s; fetch it first, or leave that out",
                    what, variable == NULL ? "`offline`" : variable);
}

ss_status ss_net_send(struct ss_net *net, const struct ss_net_request *request,
                      struct ss_net_response *response, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_exchange exchange = {0};
    const size_t n_most = request->n_tries > 0 ? request->n_tries : net->options.n_tries;
    *response = (struct ss_net_response){0};
    if (!request->is_local || !ss_net_url_is_loopback(request->url)) {
        SS_TRY(ss_net_need_online(net, request->url, err));
    }
    for (size_t n = 1;; n++) {
        status = ss_net_try(net, request, &exchange, response, err);
        if (!is_worth_another(n_most, &exchange, status, response->code, n)) {
            break;
        }
        const double pause = ss_net_backoff(net, n);
        status = ss_net_sleep(
            net, status == SS_OK ? ss_net_retry_after(response, pause) : pause, err);
        if (status != SS_OK) {
            break;
        }
    }
out:
    if (status != SS_OK) {
        ss_net_response_release(response);
    }
    if (request->can_retry != NULL) {
        *request->can_retry = status != SS_OK && ss_net_fault_is_retryable(exchange.fault, 1);
    }
    return status;
}
