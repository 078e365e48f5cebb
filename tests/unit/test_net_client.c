/* The HTTP client against a scripted server: redirects and secrets, retries, patience, limits,
 * and files read by range over connections that break. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/net.h"
#include "unit/net_script.h"

struct fixture {
    struct net_script server, other; /* two origins */
    struct ss_net *net;
    char url[128];
};

static struct ss_net_options quick_options(void)
{
    return (struct ss_net_options){.n_tries = 4,
                                   .retry_seconds = 0.01,
                                   .connect_seconds = 0.3,
                                   .response_seconds = 0.5,
                                   .stall_seconds = 0.5};
}

static int set_up(void **state)
{
    ss_err err;
    static struct fixture f;
    const struct ss_net_options options = quick_options();
    net_script_open(&f.server);
    net_script_open(&f.other);
    snprintf(f.url, sizeof f.url, "http://127.0.0.1:%u/start", f.server.port);
    *state = &f;
    return ss_net_new(&options, &f.net, &err) != SS_OK;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    ss_net_free(f->net);
    return 0;
}

static void start(struct fixture *f)
{
    net_script_start(&f->server);
    net_script_start(&f->other);
}

static void stop(struct fixture *f)
{
    net_script_stop(&f->server);
    net_script_stop(&f->other);
}

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"a\"\r\n\r\nhello"

static void expect_body(const struct ss_net_response *response, const char *text)
{
    assert_int_equal(response->body.n_bytes, strlen(text));
    assert_memory_equal(response->body.data, text, strlen(text));
}

/* ---- one request ---- */

static void test_response_has_headers_and_body(void **state)
{
    struct fixture *f = *state;
    struct ss_net_response response;
    ss_err err;
    const struct ss_net_request request = {.url = f->url, .authorization = "Bearer secret"};
    net_script_add(&f->server, "HTTP/1.1 100 Continue\r\nX-A: early\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nX-A:  b c \r\nx-a: last\r\n"
                               "Content-Length: 5\r\n\r\nhello");
    start(f);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_OK);
    stop(f);
    assert_int_equal(response.code, 200);
    assert_int_equal(response.n_headers, 3);
    assert_string_equal(ss_net_header(&response, "X-a"), "last");
    assert_string_equal(response.headers[0].value, "b c");
    expect_body(&response, "hello");
    assert_non_null(strstr(f->server.requests[0], "Accept-Encoding: identity\r\n"));
    assert_non_null(strstr(f->server.requests[0], "Authorization: Bearer secret\r\n"));
    ss_net_response_release(&response);
}

static void test_post_sends_its_body(void **state)
{
    struct fixture *f = *state;
    struct ss_net_response response;
    ss_err err;
    const struct ss_net_header type = {"Content-Type", "application/json"};
    const struct ss_net_request request = {.method = "POST",
                                           .url = f->url,
                                           .headers = &type,
                                           .n_headers = 1,
                                           .body = "{\"a\":1}",
                                           .n_body_bytes = 7};
    net_script_add(&f->server, "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n");
    net_script_add(&f->server, OK_HELLO);
    start(f);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_OK);
    stop(f);
    assert_int_equal(f->server.n_requests, 2);
    assert_non_null(strstr(f->server.requests[1], "POST /start HTTP/1.1\r\n"));
    assert_non_null(strstr(f->server.requests[1], "Content-Type: application/json\r\n"));
    assert_non_null(strstr(f->server.requests[1], "\r\n\r\n{\"a\":1}"));
    ss_net_response_release(&response);
}

/* ---- redirects ---- */

static void test_token_stays_with_its_origin(void **state)
{
    struct fixture *f = *state;
    struct ss_net_response response;
    ss_err err;
    const struct ss_net_request request = {.url = f->url, .authorization = "Bearer secret"};
    net_script_add(&f->server, "HTTP/1.1 302 Found\r\nLocation: /b?x=1\r\n\r\n");
    net_script_add(&f->server, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/c\r\n\r\n",
                   f->other.port);
    net_script_add(&f->other, OK_HELLO);
    start(f);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_OK);
    stop(f);
    assert_non_null(strstr(f->server.requests[1], "GET /b?x=1 HTTP/1.1\r\n"));
    assert_non_null(strstr(f->server.requests[1], "Authorization: Bearer secret\r\n"));
    assert_non_null(strstr(f->other.requests[0], "GET /c HTTP/1.1\r\n"));
    assert_null(strstr(f->other.requests[0], "secret"));
    expect_body(&response, "hello");
    ss_net_response_release(&response);
}

static void test_redirect_may_stay_with_the_origin(void **state)
{
    struct fixture *f = *state;
    struct ss_net_response response;
    ss_err err;
    const struct ss_net_request request = {
        .method = "HEAD", .url = f->url, .follow = SS_NET_FOLLOW_ORIGIN};
    char place[64];
    net_script_add(&f->server, "HTTP/1.1 307 Moved\r\nLocation: /renamed\r\n\r\n");
    net_script_add(&f->server, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/c\r\n\r\n",
                   f->other.port);
    start(f);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_OK);
    stop(f);
    assert_int_equal(response.code, 302);
    assert_int_equal(f->other.n_requests, 0);
    assert_non_null(strstr(response.url, "/renamed"));
    snprintf(place, sizeof place, "http://127.0.0.1:%u/c", f->other.port);
    assert_string_equal(response.location, place);
    ss_net_response_release(&response);
}

static void test_bad_redirects_are_refused(void **state)
{
    static const char *const places[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "/start",
                                         "http://user:word@127.0.0.1/x"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct ss_net_response response;
        ss_err err;
        struct fixture *f = *state;
        const struct ss_net_request request = {.url = f->url};
        for (size_t j = 0; j < 30; j++) {
            net_script_add(&f->server,
                           "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n",
                           places[i]);
        }
        start(f);
        assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_E_NETWORK);
        stop(f);
        assert_non_null(strstr(err.message, "redirects"));
        assert_int_equal(f->server.n_requests, places[i][0] == '/' ? 21 : 1);
        tear_down(state);
        set_up(state);
    }
}

/* ---- faults ---- */

static void test_retryable_faults_are_tried_again(void **state)
{
    static const char *const faults[] = {
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nno header at all\r\nContent-Length: 5\r\n\r\nhello",
        "",
        "nonsense",
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct ss_net_response response;
        ss_err err;
        struct fixture *f = *state;
        const struct ss_net_request request = {.url = f->url};
        net_script_add(&f->server, "%s", faults[i]);
        net_script_add(&f->server, OK_HELLO);
        start(f);
        const ss_status status = ss_net_send(f->net, &request, &response, &err);
        stop(f);
        if (status != SS_OK) {
            fail_msg("fault %zu: %s", i, err.message);
        }
        expect_body(&response, "hello");
        ss_net_response_release(&response);
        tear_down(state);
        set_up(state);
    }
}

static void test_timeouts_end_requests(void **state)
{
    static const struct {
        const char *bytes, *says;
        int drip_ms, hold_ms;
    } cases[] = {
        {"", "no response", 0, 1500},
        {"HTTP/1.1 200 OK\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "no response", 50, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhel", "nearly nothing", 0, 1500}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_net_response response;
        ss_err err;
        struct fixture *f = *state;
        struct ss_net_options options = quick_options();
        const struct ss_net_request request = {.url = f->url};
        struct net_reply *reply = net_script_add(&f->server, "%s", cases[i].bytes);
        options.n_tries = 1;
        ss_net_free(f->net);
        assert_int_equal(ss_net_new(&options, &f->net, &err), SS_OK);
        reply->drip_ms = cases[i].drip_ms;
        reply->hold_ms = cases[i].hold_ms;
        start(f);
        assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_E_NETWORK);
        stop(f);
        assert_non_null(strstr(err.message, cases[i].says));
        tear_down(state);
        set_up(state);
    }
}

static void test_limits_hold(void **state)
{
    struct fixture *f = *state;
    struct ss_net_response response;
    ss_err err;
    static char flood[80000];
    const struct ss_net_request small = {.url = f->url, .max_bytes = 4};
    const struct ss_net_request request = {.url = f->url};
    memset(flood, 'a', sizeof flood - 1);
    net_script_add(&f->server, OK_HELLO);
    net_script_add(&f->server, "HTTP/1.1 200 OK\r\nX-Flood: %s\r\n\r\n", flood);
    struct net_reply *early = net_script_add(&f->server, "%s", "");
    early->bytes = realloc(early->bytes, 25 * 4000);
    for (size_t i = 0; i < 4000; i++) {
        memcpy(early->bytes + 25 * i, "HTTP/1.1 102 Processing\r\n\r\n", 25);
    }
    early->n_bytes = 25 * 4000;
    start(f);
    assert_int_equal(ss_net_send(f->net, &small, &response, &err), SS_E_LIMIT);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_E_NETWORK);
    assert_non_null(strstr(err.message, "64 KiB"));
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_E_NETWORK);
    stop(f);
}

static int say_stop(void *user)
{
    int *n_calls = user;
    return ++*n_calls > 2;
}

static void test_stop_and_offline(void **state)
{
    struct fixture *f = *state;
    struct ss_net_response response;
    ss_err err;
    int n_calls = 0;
    struct ss_net_options options = quick_options();
    const struct ss_net_request request = {.url = f->url};
    net_script_add(&f->server, "%s", "")->hold_ms = 400;
    start(f);
    options.stop = (struct ss_net_stop){say_stop, &n_calls};
    ss_net_free(f->net);
    assert_int_equal(ss_net_new(&options, &f->net, &err), SS_OK);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_E_STOPPED);
    options = (struct ss_net_options){.offline = true};
    ss_net_free(f->net);
    assert_int_equal(ss_net_new(&options, &f->net, &err), SS_OK);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_E_NETWORK);
    assert_non_null(strstr(err.message, "offline"));
    stop(f);
    assert_int_equal(f->server.n_requests, 1);
}

static void test_nobody_answers(void **state)
{
    struct fixture *f = *state;
    struct ss_net_response response;
    ss_err err;
    const struct ss_net_request request = {.url = f->url};
    const struct ss_net_request bad = {.url = "nothing"};
    close(f->server.listener);
    close(f->other.listener);
    assert_int_equal(ss_net_send(f->net, &request, &response, &err), SS_E_NETWORK);
    assert_non_null(strstr(err.message, "no connection"));
    assert_int_equal(ss_net_send(f->net, &bad, &response, &err), SS_E_USAGE);
}

static void test_waits_are_what_the_server_asks(void **state)
{
    static const struct {
        long code;
        const char *line;
        double seconds;
    } cases[] = {{429, "RateLimit: \"api\";r=0;t=55", 56},
                 {429, "RateLimit: \"api\"; r=0; t=7", 8},
                 {429, "RateLimit: \"api\";r=3;t=55", 0.5},
                 {429, "Retry-After: 12", 13},
                 {503, "Retry-After: 2", 3},
                 {500, "Retry-After: 2", 0.5},
                 {429, "Retry-After: -4", 0.5},
                 {429, "Retry-After: 0", 0.5},
                 {503, "Retry-After: 1.5", 2.5},
                 {429, "Retry-After: nan", 0.5},
                 {429, "Retry-After-Ms: 1500", 2.5},
                 {500, "Retry-After-Ms: 1500", 0.5},
                 {429, "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT", 0.5},
                 {429, "RateLimit: ;;;r=;t=", 0.5}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[128];
        snprintf(line, sizeof line, "%s", cases[i].line);
        char *colon = strchr(line, ':');
        *colon = '\0';
        struct ss_net_header header = {line, colon + 2};
        const struct ss_net_response response = {
            .code = cases[i].code, .headers = &header, .n_headers = 1};
        assert_true(ss_net_retry_after(&response, 0.5) == cases[i].seconds);
    }
}

/* ---- ranges ---- */

static void read_all(struct fixture *f, uint64_t offset, uint64_t n_bytes, uint64_t known,
                     bool needs_ranges, char *out, ss_status expected)
{
    struct ss_net_remote *remote = NULL;
    ss_err err;
    const struct ss_net_remote_options options = {
        .name = "a file", .url = f->url, .n_bytes = known, .needs_ranges = needs_ranges};
    assert_int_equal(ss_net_remote_new(f->net, &options, &remote, &err), SS_OK);
    const ss_status status =
        ss_net_remote_read_into(remote, offset, (size_t)n_bytes, out, &err);
    if (status != expected) {
        fail_msg("%s", status == SS_OK ? "read" : err.message);
    }
    ss_net_remote_free(remote);
}

static void test_range_is_resumed(void **state)
{
    struct fixture *f = *state;
    char out[16] = "";
    net_script_add(&f->server, "HTTP/1.1 206 P\r\nContent-Length: 6\r\nETag: \"a\"\r\n"
                               "Content-Range: bytes 2-7/10\r\n\r\n234");
    net_script_add(&f->server, "HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
    net_script_add(&f->server, "HTTP/1.1 206 P\r\nContent-Length: 3\r\nETag: \"a\"\r\n"
                               "Content-Range: bytes 5-7/10\r\n\r\n567");
    start(f);
    read_all(f, 2, 6, SS_NOWHERE, true, out, SS_OK);
    stop(f);
    assert_string_equal(out, "234567");
    assert_non_null(strstr(f->server.requests[0], "Range: bytes=2-7\r\n"));
    assert_non_null(strstr(f->server.requests[2], "Range: bytes=5-7\r\n"));
}

static void test_whole_file_instead_of_a_range(void **state)
{
    struct fixture *f = *state;
    char out[16] = "";
    for (size_t i = 0; i < 2; i++) {
        net_script_add(&f->server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
    }
    start(f);
    read_all(f, 2, 6, SS_NOWHERE, false, out, SS_OK);
    assert_string_equal(out, "234567");
    read_all(f, 2, 6, SS_NOWHERE, true, out, SS_E_UNSUPPORTED);
    stop(f);
}

static void test_changes_are_seen(void **state)
{
    static const char *const second[] = {
        "HTTP/1.1 206 P\r\nContent-Length: 3\r\nETag: \"b\"\r\n"
        "Content-Range: bytes 5-7/10\r\n\r\n567",
        "HTTP/1.1 206 P\r\nContent-Length: 3\r\nETag: \"a\"\r\n"
        "Content-Range: bytes 5-7/11\r\n\r\n567",
        "HTTP/1.1 200 P\r\nContent-Length: 11\r\nETag: \"a\"\r\n\r\n01234567890",
        "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n"};
    for (size_t i = 0; i < sizeof second / sizeof second[0]; i++) {
        struct fixture *f = *state;
        char out[16] = "";
        net_script_add(&f->server, "HTTP/1.1 206 P\r\nContent-Length: 6\r\nETag: \"a\"\r\n"
                                   "Content-Range: bytes 2-7/10\r\n\r\n234");
        net_script_add(&f->server, "%s", second[i]);
        start(f);
        read_all(f, 2, 6, SS_NOWHERE, false, out, SS_E_DATA);
        stop(f);
        tear_down(state);
        set_up(state);
    }
}

static void test_wrong_parts_are_tried_again_and_end(void **state)
{
    struct fixture *f = *state;
    char out[16] = "";
    for (size_t i = 0; i < 8; i++) {
        net_script_add(&f->server, "HTTP/1.1 206 P\r\nContent-Length: 6\r\n"
                                   "Content-Range: bytes 3-8/10\r\n\r\n345678");
    }
    start(f);
    read_all(f, 2, 6, SS_NOWHERE, false, out, SS_E_NETWORK);
    stop(f);
    assert_int_equal(f->server.n_requests, 4);
}

static ss_status next_place(void *user, char **url, char **authorization, ss_err *err)
{
    struct fixture *f = user;
    static size_t n;
    (void)err;
    *authorization = NULL;
    return asprintf(url, "%s/%zu", f->url, ++n) > 0 ? SS_OK : SS_E_NOMEM;
}

static void test_expired_address_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct ss_net_remote *remote = NULL;
    ss_err err;
    uint64_t size = 0;
    char out[16] = "";
    const struct ss_net_remote_options options = {
        .name = "a file", .locate = next_place, .user = f, .n_bytes = SS_NOWHERE};
    net_script_add(&f->server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    net_script_add(&f->server, "HTTP/1.1 403 Expired\r\nContent-Length: 0\r\n\r\n");
    net_script_add(&f->server, "HTTP/1.1 206 P\r\nContent-Length: 3\r\n"
                               "Content-Range: bytes 2-4/5\r\n\r\nllo");
    start(f);
    assert_int_equal(ss_net_remote_new(f->net, &options, &remote, &err), SS_OK);
    assert_int_equal(ss_net_remote_read_into(remote, 0, 5, out, &err), SS_OK);
    assert_int_equal(ss_net_remote_size(remote, &size, &err), SS_OK);
    stop(f);
    assert_string_equal(out, "hello");
    assert_int_equal(size, 5);
    assert_non_null(strstr(f->server.requests[2], "/start/2 "));
    assert_int_equal(ss_net_remote_read_into(remote, 3, 3, out, &err), SS_E_DATA);
    ss_net_remote_free(remote);
}

/* ---- addresses ---- */

static void test_addresses(void **state)
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    struct ss__buf quoted = {0};
    (void)state;
    assert_true(ss_net_url_origin("HTTPS://Example.ORG/a?b", origin));
    assert_string_equal(origin, "https://example.org:443");
    assert_true(ss_net_url_origin("http://[::1]:8080", origin));
    assert_false(ss_net_url_origin("ftp://example.org/", origin));
    assert_false(ss_net_url_origin("https://me:you@example.org/", origin));
    assert_false(ss_net_url_origin("example", origin));
    char *joined = NULL;
    assert_int_equal(ss_net_url_join("https://a.org/x/y?z", "../q%20r", &joined, NULL), SS_OK);
    assert_string_equal(joined, "https://a.org/q%20r");
    ss__free(joined);
    assert_int_equal(ss_net_url_join("https://a.org/x", "javascript:1", &joined, NULL), SS_OK);
    assert_null(joined);
    ss_net_url_quote(&quoted, "refs/pr/1 ä", "");
    assert_string_equal(ss__buf_text(&quoted), "refs%2Fpr%2F1%20%C3%A4");
    ss__buf_release(&quoted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_response_has_headers_and_body),
        TEST(test_post_sends_its_body),
        TEST(test_token_stays_with_its_origin),
        TEST(test_redirect_may_stay_with_the_origin),
        TEST(test_bad_redirects_are_refused),
        TEST(test_retryable_faults_are_tried_again),
        TEST(test_timeouts_end_requests),
        TEST(test_limits_hold),
        TEST(test_stop_and_offline),
        TEST(test_nobody_answers),
        TEST(test_range_is_resumed),
        TEST(test_whole_file_instead_of_a_range),
        TEST(test_changes_are_seen),
        TEST(test_wrong_parts_are_tried_again_and_end),
        TEST(test_expired_address_is_asked_for_again),
        cmocka_unit_test(test_waits_are_what_the_server_asks),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
