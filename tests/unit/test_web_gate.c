/* Requests that the gate refuses, each with its status, and those that it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "web/gate.h"
#include "web/server.h"

#define TOKEN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HOST "Host: 127.0.0.1:8080\r\n"
#define AUTH "Authorization: Bearer " TOKEN "\r\n"
#define JSON "Content-Type: application/json\r\nContent-Length: 2\r\n"
#define END "\r\n"
#define LINE(target) "GET " target " HTTP/1.1\r\n" HOST END
#define WITH(headers) "GET / HTTP/1.1\r\n" HOST headers END
#define API(headers) "GET /api/v1/run HTTP/1.1\r\n" HOST headers END
#define POST(headers) "POST /api/v1/encode HTTP/1.1\r\n" HOST headers END

static const struct ss_web_gate_rules rules = {.port = 8080, .token = TOKEN};

/* Heads are as long as their literal: they may hold NUL. */
#define CASE(status, text)                                                                     \
    {                                                                                          \
        status, text, sizeof(text) - 1                                                         \
    }
static const struct {
    int status;
    const char *head;
    size_t n_bytes;
} cases[] = {
    /* taken */
    CASE(0, LINE("/")),
    CASE(0, LINE("/app.js")),
    CASE(0, LINE("/healthz")),
    CASE(0, "HEAD / HTTP/1.1\r\n" HOST END),
    CASE(0, "GET / HTTP/1.1\r\nHost: localhost:8080\r\n" END),
    CASE(0, "GET / HTTP/1.1\r\nhOsT:[::1]:8080\r\n" END),
    CASE(0, "GET / HTTP/1.1\r\nHost: LOCALHOST:8080\r\n" END),
    CASE(0, WITH("Sec-Fetch-Site: cross-site\r\n")),
    CASE(0, WITH("Cookie: a=b\r\nX-HTTP-Method-Override: DELETE\r\n")),
    CASE(0, WITH("Range: bytes=0-1,0-2,0-3\r\n")),
    CASE(0, API(AUTH)),
    CASE(0, API(AUTH "Sec-Fetch-Site: same-origin\r\nOrigin: http://127.0.0.1:8080\r\n")),
    CASE(0, "GET /api/v1/features?q=a%20b&limit=5 HTTP/1.1\r\n" HOST AUTH END),
    CASE(0, POST(AUTH JSON)),
    CASE(0, "POST /api/v1/session HTTP/1.1\r\n" HOST JSON END),
    /* hosts */
    CASE(400, "GET / HTTP/1.1\r\n" END),
    CASE(400, WITH("Host: 127.0.0.1:8080\r\n")),
    CASE(421, "GET / HTTP/1.1\r\nHost: example.invalid\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 127.0.0.1:8081\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 127.0.0.1.evil:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080.evil\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: evil@127.0.0.1:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 2130706433:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 0x7f000001:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 127.1:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: [::]:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: 0.0.0.0:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost: localhost.:8080\r\n" END),
    CASE(421, "GET / HTTP/1.1\r\nHost:\r\n" END),
    /* who asks */
    CASE(401, API("")),
    CASE(401, API("Authorization: Bearer \r\n")),
    CASE(401, API("Authorization: Bearer 0123\r\n")),
    CASE(401, API("Authorization: bearer " TOKEN "\r\n")),
    CASE(401, API("Authorization: Basic " TOKEN "\r\n")),
    CASE(401, API("Authorization: Bearer " TOKEN "0\r\n")),
    CASE(401, API("Cookie: token=" TOKEN "\r\n")),
    CASE(401, "GET /api/v1/run?token=" TOKEN " HTTP/1.1\r\n" HOST END),
    CASE(403, API(AUTH "Origin: null\r\n")),
    CASE(403, API(AUTH "Origin: http://example.invalid\r\n")),
    CASE(403, API(AUTH "Origin: https://127.0.0.1:8080\r\n")),
    CASE(403, API(AUTH "Origin: http://127.0.0.1:8081\r\n")),
    CASE(403, API(AUTH "Sec-Fetch-Site: cross-site\r\n")),
    CASE(403, API(AUTH "Sec-Fetch-Site: same-site\r\n")),
    CASE(403, API(AUTH "Sec-Fetch-Site: none\r\n")),
    CASE(400, API(AUTH AUTH)),
    CASE(415, POST(AUTH "Content-Length: 2\r\n")),
    CASE(415, POST(AUTH "Content-Type: text/plain\r\nContent-Length: 2\r\n")),
    CASE(415,
         POST(AUTH "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2\r\n")),
    /* methods and versions */
    CASE(405, "OPTIONS / HTTP/1.1\r\n" HOST END),
    CASE(405, "PUT / HTTP/1.1\r\n" HOST END),
    CASE(405, "DELETE /api/v1/run HTTP/1.1\r\n" HOST AUTH END),
    CASE(405, "TRACE / HTTP/1.1\r\n" HOST END),
    CASE(405, "CONNECT 127.0.0.1:8080 HTTP/1.1\r\n" HOST END),
    CASE(405, "get / HTTP/1.1\r\n" HOST END),
    CASE(405, "POST / HTTP/1.1\r\n" HOST JSON END),
    CASE(400, "G(T / HTTP/1.1\r\n" HOST END),
    CASE(400, "GET / HTTP/9.9\r\n" HOST END),
    CASE(505, "GET / HTTP/1.0\r\n" HOST END),
    CASE(505, "GET / HTTP/2.0\r\n" HOST END),
    CASE(400, "GET /\r\n" END),
    CASE(400, "GET  / HTTP/1.1\r\n" HOST END),
    CASE(400, "GET /  HTTP/1.1\r\n" HOST END),
    CASE(400, " GET / HTTP/1.1\r\n" HOST END),
    CASE(400, "\r\nGET / HTTP/1.1\r\n" HOST END),
    CASE(400, "GET\t/\tHTTP/1.1\r\n" HOST END),
    CASE(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    /* targets */
    CASE(400, LINE("http://127.0.0.1:8080/")),
    CASE(400, LINE("//etc/passwd")),
    CASE(400, LINE("/../run.json")),
    CASE(400, LINE("/..")),
    CASE(400, LINE("/.")),
    CASE(400, LINE("/a/./b")),
    CASE(400, LINE("/a//b")),
    CASE(400, LINE("/%2e%2e/run.json")),
    CASE(400, LINE("/..%2frun.json")),
    CASE(400, LINE("/%2e%2e%2frun.json")),
    CASE(400, LINE("/%252e%252e/run.json")),
    CASE(400, LINE("/..%5crun.json")),
    CASE(400, LINE("/..\\run.json")),
    CASE(400, LINE("/%c0%ae%c0%ae/run.json")),
    CASE(400, LINE("/..;/run.json")),
    CASE(400, LINE("/app.js%00.html")),
    CASE(400, LINE("/app.js\000")),
    CASE(400, LINE("/a\x80")),
    CASE(400, LINE("/a#b")),
    CASE(400, LINE("/?a#b")),
    CASE(400, LINE("*")),
    CASE(400, LINE("")),
    CASE(400, LINE("app.js")),
    CASE(400, LINE("/a\x0b")),
    /* framing */
    CASE(501, WITH("Transfer-Encoding: chunked\r\n")),
    CASE(501, POST(AUTH JSON "Transfer-Encoding: chunked\r\n")),
    CASE(501, WITH("Transfer-Encoding: xchunked\r\n")),
    CASE(501, WITH("TRANSFER-ENCODING:\tidentity\r\n")),
    CASE(400, POST(AUTH JSON "Content-Length: 2\r\n")),
    CASE(400, POST(AUTH JSON "Content-Length: 3\r\n")),
    CASE(400, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH "Content-Length: +2\r\n" END),
    CASE(400, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH "Content-Length: 2,2\r\n" END),
    CASE(400, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH "Content-Length: 0x2\r\n" END),
    CASE(400, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH "Content-Length: -2\r\n" END),
    CASE(400, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH "Content-Length:\r\n" END),
    CASE(413, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH "Content-Length: 65537\r\n" END),
    CASE(413, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH
              "Content-Length: 18446744073709551618\r\n" END),
    CASE(411, "POST /api/v1/encode HTTP/1.1\r\n" HOST AUTH END),
    CASE(400, WITH("Content-Length: 5\r\n")),
    CASE(417, WITH("Expect: 100-continue\r\n")),
    CASE(400, WITH("Upgrade: websocket\r\nConnection: Upgrade\r\n")),
    CASE(400, WITH("Upgrade: h2c\r\n")),
    /* headers */
    CASE(400, WITH("X : a\r\n")),
    CASE(400, WITH("X\r\n")),
    CASE(400, WITH(": a\r\n")),
    CASE(400, WITH(" X: a\r\n")),
    CASE(400, WITH("X: a\r\n b\r\n")),
    CASE(400, WITH("X: a\r\n\tb\r\n")),
    CASE(400, WITH("X: a\rb\r\n")),
    CASE(400, WITH("X: a\nY: b\r\n")),
    CASE(400, WITH("X: a\000b\r\n")),
    CASE(400, WITH("X\000: a\r\n")),
    CASE(400, WITH("X: a\x7f\r\n")),
    CASE(400, WITH("Ho st: a\r\n")),
    CASE(400, WITH("Host : a\r\n")),
    CASE(400, "GET / HTTP/1.1\nHost: 127.0.0.1:8080\n\n"),
    CASE(400, "GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\n\r\n"),
    CASE(400, ""),
    CASE(400, "\r\n\r\n"),
};

static void each_head(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_web_request request;
        const char *why = NULL;
        const int status = ss_web_gate(&rules, cases[i].head, cases[i].n_bytes, &request, &why);
        if (status != cases[i].status) {
            fail_msg("case %zu gives %d, not %d: %s", i, status, cases[i].status,
                     cases[i].head);
        }
        assert_non_null(why);
    }
}

static void long_heads(void **state)
{
    (void)state;
    static char head[SS_WEB_HEAD_BYTES + 64];
    struct ss_web_request request;
    const char *why = NULL;
    size_t n = (size_t)snprintf(head, sizeof head, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(head + n, sizeof head - n, "X%d: a\r\n", i);
    }
    n += (size_t)snprintf(head + n, sizeof head - n, "\r\n");
    assert_int_equal(ss_web_gate(&rules, head, n, &request, &why), 431);
    memset(head, 'a', sizeof head);
    assert_int_equal(ss_web_gate(&rules, head, sizeof head, &request, &why), 431);
    memcpy(head, "GET /", 5);
    memcpy(head + 3000, " HTTP/1.1\r\n" HOST END, sizeof " HTTP/1.1\r\n" HOST END);
    assert_int_equal(
        ss_web_gate(&rules, head, ss_web_head_bytes(head, sizeof head), &request, &why), 414);
}

static void facts_of_a_request(void **state)
{
    (void)state;
    static const char head[] = "POST /api/v1/encode?a=b HTTP/1.1\r\n" HOST AUTH
                               "Content-Type: application/json\r\nContent-Length: "
                               "00017\r\nIf-None-Match:  W/\"x\" \r\n\r\nbody";
    struct ss_web_request request;
    const char *why = NULL;
    const size_t n_head = ss_web_head_bytes(head, sizeof head - 1);
    assert_int_equal(n_head, sizeof head - 5);
    assert_int_equal(ss_web_gate(&rules, head, n_head, &request, &why), 0);
    assert_int_equal(request.method, SS_WEB_POST);
    assert_int_equal(request.n_body, 17);
    assert_true(request.is_api);
    assert_int_equal(request.path.n_bytes, 14);
    assert_memory_equal(request.query.data, "a=b", 3);
    assert_memory_equal(request.none_match.data, "W/\"x\"", 5);
    assert_int_equal(ss_web_head_bytes(head, n_head - 1), 0);
}

static void queries(void **state)
{
    (void)state;
    static const char *const names[] = {"q", "limit"};
    static const struct {
        const char *query, *q, *limit; /* q NULL: refused */
    } given[] = {
        {"", "", ""},
        {"q=a", "a", ""},
        {"limit=5&q=a+b%20c", "a b c", "5"},
        {"q=%C3%A9", "\xC3\xA9", ""},
        {"q=", "", ""},
        {"q=a=b", "a=b", ""},
        {"q=a&q=b", NULL, NULL},
        {"x=a", NULL, NULL},
        {"q", NULL, NULL},
        {"q=a&", "a", ""},
        {"&q=a", NULL, NULL},
        {"q=%", NULL, NULL},
        {"q=%4", NULL, NULL},
        {"q=%zz", NULL, NULL},
        {"q=%00", NULL, NULL},
        {"q=%0a", NULL, NULL},
        {"q=%7f", NULL, NULL},
        {"q=%C3", NULL, NULL},
        {"q=%ED%A0%80", NULL, NULL},
        {"=a", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        char values[2][SS_WEB_VALUE_BYTES];
        const char *why = NULL;
        const struct ss_text query = {given[i].query, strlen(given[i].query)};
        const int status = ss_web_query(query, names, 2, values, &why);
        assert_int_equal(status, given[i].q == NULL ? 400 : 0);
        if (given[i].q != NULL) {
            assert_string_equal(values[0], given[i].q);
            assert_string_equal(values[1], given[i].limit);
        }
    }
}

static void tags(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        bool matches;
    } given[] = {{"\"a\"", true},   {"*", true},
                 {"W/\"a\"", true}, {"\"b\", \"a\"", true},
                 {" \"a\" ", true}, {"\"b\"", false},
                 {"", false},       {"a", false},
                 {",,", false},     {"\"b\",W/\"a\"", true}};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        assert_int_equal(
            ss_web_matches((struct ss_text){given[i].given, strlen(given[i].given)}, "\"a\""),
            given[i].matches);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_head),
        cmocka_unit_test(long_heads),
        cmocka_unit_test(facts_of_a_request),
        cmocka_unit_test(queries),
        cmocka_unit_test(tags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
