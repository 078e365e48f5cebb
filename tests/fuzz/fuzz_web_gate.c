/* Heads of requests and their queries: the gate takes or refuses them, and whatever it takes is a
 * plain path without anything that a second parser could read in another way. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "web/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char token[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    static const char *const names[] = {"q", "limit", "sort"};
    const struct ss_web_gate_rules rules = {.port = 8080, .token = token};
    char values[3][SS_WEB_VALUE_BYTES];
    struct ss_web_request request;
    const char *why = NULL;
    char *copy = malloc(size + 1); /* of exactly its size, so that reads behind it are seen */
    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, size);
    const size_t n_head = ss_web_head_bytes(copy, size);
    want(n_head <= size);
    const int refused = ss_web_gate(&rules, copy, n_head == 0 ? size : n_head, &request, &why);
    want(why != NULL && (refused == 0 || refused >= 400));
    if (refused == 0) {
        want(request.path.n_bytes > 0 && request.path.data[0] == '/');
        want(memmem(request.path.data, request.path.n_bytes, "..", 2) == NULL ||
             memmem(request.path.data, request.path.n_bytes, "/..", 3) == NULL);
        want(memchr(request.path.data, '%', request.path.n_bytes) == NULL);
        want(memchr(request.path.data, '\0', request.path.n_bytes) == NULL);
        want(request.n_body <= SS_WEB_BODY_BYTES);
        (void)ss_web_query(request.query, names, 3, values, &why);
    }
    const struct ss_text query = {copy, size};
    (void)ss_web_query(query, names, 3, values, &why);
    free(copy);
    return 0;
}
