/* What comes from the hub and from people who name things on it: headers, addresses, names.
 * Every line of the input is taken as each of them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/hub_priv.h"
#include "net/net_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_LINES = 300 };

static void need(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* What was accepted can become the name of a folder, and that name means the same again. */
static void check_name(const char *line)
{
    struct ss_net_hub_name name, again;
    struct ss__buf folder = {0};
    ss_err err;
    if (ss_net_hub_parse(line, SS_NET_HUB_MODEL, &name, &err) != SS_OK) {
        return;
    }
    need(ss_net_hub_is_id(name.id) && ss_net_hub_path_is_good(name.revision));
    need(name.path[0] == '\0' || ss_net_hub_path_is_good(name.path));
    ss_net_hub_add_folder_name(&folder, &name);
    const char *text = ss__buf_text(&folder);
    need(text != NULL && strchr(text, '/') == NULL &&
         ss_net_hub_read_folder_name(text, &again));
    need(strcmp(again.id, name.id) == 0 && again.kind == name.kind);
    ss__buf_release(&folder);
}

static void check_address(const char *line)
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    struct ss__buf quoted = {0};
    char *joined = NULL;
    (void)!ss_net_url_join("https://example.org/a/b?c", line, &joined, NULL);
    need(joined == NULL || ss_net_url_origin(joined, origin));
    ss__free(joined);
    (void)ss_net_url_origin(line, origin);
    ss_net_url_quote(&quoted, line, "/");
    need(quoted.failed || strpbrk(ss__buf_text(&quoted), " %\r\n?#") == NULL ||
         strchr(quoted.data, '%') != NULL);
    ss__buf_release(&quoted);
}

static void check_answer(struct ss_net_response *response)
{
    uint64_t first = 0, last = 0, total = 0;
    ss_err err;
    if (ss_net_content_range(response, &first, &last, &total)) {
        need(first <= last && last < total);
    }
    (void)ss_net_content_length(response);
    static const long codes[] = {200, 401, 403, 404, 429, 503};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        response->code = codes[i];
        need(ss_net_retry_after(response, 0.5) >= 0.5);
        need((ss_net_check(response, "x", &err) == SS_OK) == (codes[i] == 200));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ss_net_response response = {0};
    size_t n_lines = 0;
    for (size_t at = 0; at < n && n_lines < MAX_LINES; n_lines++) {
        const uint8_t *end = memchr(data + at, '\n', n - at);
        const size_t length = end == NULL ? n - at : (size_t)(end - (data + at));
        (void)!ss_net_response_add_header(&response, (const char *)data + at, length);
        char *line = ss__strndup((const char *)data + at, length);
        if (line != NULL) {
            check_name(line);
            check_address(line);
        }
        ss__free(line);
        at += length + 1;
    }
    check_answer(&response);
    ss_net_response_release(&response);
    return 0;
}
