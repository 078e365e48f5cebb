/* URLs: quoting, origins, joining. Parsing is libcurl's own, so that what is checked here
 * is what is connected to. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

void ss_net_url_quote(struct ss__buf *out, const char *text, const char *safe)
{
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        const bool is_plain =
            (c < 0x80 && isalnum(c)) || strchr("-_.~", c) != NULL || strchr(safe, c) != NULL;
        if (is_plain) {
            ss__buf_add_byte(out, *text);
        } else {
            ss__buf_printf(out, "%%%02X", c);
        }
    }
}

/* Cut where it is long. */
const char *ss_net_url_show(const char *url, char out[SS_NET_URL_SHOWN_BYTES])
{
    size_t n_bytes = strcspn(url, "?#");
    n_bytes = n_bytes < SS_NET_URL_SHOWN_BYTES ? n_bytes : SS_NET_URL_SHOWN_BYTES - 1;
    memcpy(out, url, n_bytes);
    out[n_bytes] = '\0';
    return out;
}

static bool is_web_scheme(const char *scheme)
{
    return strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0;
}

static void lower(char *text)
{
    for (; *text != '\0'; text++) {
        *text = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
    }
}

/* A user name is refused: "https://good@evil/" would be read as the wrong host by people. */
bool ss_net_url_origin(const char *url, char out[SS_NET_URL_ORIGIN_BYTES])
{
    CURLU *parsed = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool is_good = parsed != NULL &&
                   curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
                   curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                   curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                   curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (is_good) {
        const int n = snprintf(out, SS_NET_URL_ORIGIN_BYTES, "%s://%s:%s", scheme, host, port);
        lower(out);
        is_good = n > 0 && n < SS_NET_URL_ORIGIN_BYTES && is_web_scheme(scheme);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parsed);
    return is_good;
}

/* The second to fourth number of 127.0.0.0/8, as libcurl writes hosts. */
static bool is_loopback_number(const char *host)
{
    size_t n_dots = 0;
    for (const char *c = host; *c != '\0'; c++) {
        if (*c != '.' && (*c < '0' || *c > '9')) {
            return false;
        }
        n_dots += *c == '.';
    }
    return strncmp(host, "127.", 4) == 0 && n_dots == 3;
}

bool ss_net_url_is_loopback(const char *url)
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    if (!ss_net_url_origin(url, origin)) {
        return false;
    }
    char *host = strstr(origin, "://") + 3;
    *strrchr(host, ':') = '\0';
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           is_loopback_number(host);
}

ss_status ss_net_url_join(const char *base, const char *reference, char **out, ss_err *err)
{
    ss_status status = SS_OK;
    CURLU *parsed = curl_url();
    CURLUcode code = parsed == NULL ? CURLUE_OUT_OF_MEMORY : CURLUE_OK;
    char *whole = NULL, origin[SS_NET_URL_ORIGIN_BYTES];
    *out = NULL;
    code = code == CURLUE_OK ? curl_url_set(parsed, CURLUPART_URL, base, 0) : code;
    if (code == CURLUE_OK) {
        code = curl_url_set(parsed, CURLUPART_URL, reference, CURLU_URLENCODE);
    }
    code = code == CURLUE_OK ? curl_url_get(parsed, CURLUPART_URL, &whole, 0) : code;
    const bool is_url = code == CURLUE_OK && ss_net_url_origin(whole, origin);
    *out = is_url ? ss__strdup(whole) : NULL;
    if (code == CURLUE_OUT_OF_MEMORY || (is_url && *out == NULL)) {
        status = ss__fail_nomem(err, "a URL");
    }
    curl_free(whole);
    curl_url_cleanup(parsed);
    return status;
}
