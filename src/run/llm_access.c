/* Where a language model is, and with which key it may be asked: a key goes to its own host alone,
 * and in clear to this machine alone. */
#include "run/llm_access.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/net.h"

/* ---- the URL ---- */

static bool has_user(const char *url)
{
    const char *host = strstr(url, "://");
    const size_t n = host == NULL ? 0 : strcspn(host + 3, "/?#");
    return host != NULL && memchr(host + 3, '@', n) != NULL;
}

static ss_status check_url(const char *url, ss_err *err)
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    if (url == NULL || url[0] == '\0') {
        return ss__fail(err, SS_E_USAGE, "`llm` is not the URL of a service");
    }
    if (has_user(url) || strchr(url, '@') != NULL) {
        return ss__fail(err, SS_E_USAGE,
                        "`llm`: a URL with a user name or password is refused; the key of a "
                        "service comes from the environment, as SAESCOPE_LLM_KEY");
    }
    if (strpbrk(url, "?#") != NULL) {
        return ss__fail(err, SS_E_USAGE,
                        "`llm`: the URL of a service has no part behind ? or #; its key comes "
                        "from the environment, as SAESCOPE_LLM_KEY");
    }
    if (!ss_net_url_origin(url, origin)) {
        return ss__fail(err, SS_E_USAGE,
                        "`llm`: '%.200s' is not an http or https URL, such as "
                        "http://localhost:8080/v1",
                        url);
    }
    return SS_OK;
}

/* The host of a URL in lower case; "" where it is none. */
static void host_of(const char *url, char out[320])
{
    char origin[SS_NET_URL_ORIGIN_BYTES];
    out[0] = '\0';
    if (url != NULL && ss_net_url_origin(url, origin)) {
        char *host = strstr(origin, "://") + 3;
        *strrchr(host, ':') = '\0';
        memcpy(out, host, strlen(host) + 1);
    }
}

/* What people copy from examples: the whole path of a request, and slashes. */
static char *base_of(const char *url, ss_describe_llm_api api)
{
    static const char *const tails[][2] = {
        [SS_DESCRIBE_LLM_OPENAI] = {"/chat/completions", ""},
        [SS_DESCRIBE_LLM_ANTHROPIC] = {"/v1/messages", "/v1"}};
    size_t n = strlen(url);
    for (size_t i = 0; i < 2; i++) {
        while (n > 0 && url[n - 1] == '/') {
            n--;
        }
        const size_t n_tail = strlen(tails[api][i]);
        if (n_tail > 0 && n > n_tail && strncmp(url + n - n_tail, tails[api][i], n_tail) == 0) {
            n -= n_tail;
        }
    }
    while (n > 0 && url[n - 1] == '/') {
        n--;
    }
    return ss__strndup(url, n);
}

/* ---- the key ---- */

/* Keys that belong to one host. */
static const struct {
    const char *variable, *host;
} keys[] = {
    {"OPENAI_API_KEY", "api.openai.com"},
    {"OPENROUTER_API_KEY", "openrouter.ai"},
    {"ANTHROPIC_API_KEY", "api.anthropic.com"},
};

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static const char *find_secret(const char *host)
{
    char other[320];
    const char *secret = variable("SAESCOPE_LLM_KEY");
    for (size_t i = 0; secret == NULL && i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].host, host) == 0) {
            secret = variable(keys[i].variable);
        }
    }
    host_of(variable("OPENAI_BASE_URL"), other);
    return secret == NULL && other[0] != '\0' && strcmp(other, host) == 0
               ? variable("OPENAI_API_KEY")
               : secret;
}

static ss_status check_secret(const struct ss_run_llm_access *access, ss_err *err)
{
    if (access->secret == NULL) {
        return SS_OK;
    }
    for (const char *c = access->secret; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~') {
            return ss__fail(err, SS_E_USAGE,
                            "the key of the service, from the environment, holds white space "
                            "or other characters that no key has");
        }
    }
    if (!access->is_local && strncasecmp(access->url, "https:", 6) != 0) {
        return ss__fail(err, SS_E_USAGE,
                        "`llm`: a key is not sent to another machine over plain http; use an "
                        "https URL, or unset the key for %s",
                        access->host);
    }
    return SS_OK;
}

ss_status ss_run_llm_access_init(struct ss_run_llm_access *access,
                                 const struct ss_llm_options *options, ss_err *err)
{
    *access = (struct ss_run_llm_access){0};
    SS_RETURN_IF_ERROR(check_url(options->url, err));
    host_of(options->url, access->host);
    const bool is_anthropic = strcmp(access->host, "api.anthropic.com") == 0;
    access->api = options->api == SS_LLM_API_ANTHROPIC ||
                          (options->api == SS_LLM_API_GUESSED && is_anthropic)
                      ? SS_DESCRIBE_LLM_ANTHROPIC
                      : SS_DESCRIBE_LLM_OPENAI;
    access->is_local = ss_net_url_is_loopback(options->url);
    access->url = base_of(options->url, access->api);
    if (access->url == NULL) {
        return ss__fail_nomem(err, "a URL");
    }
    access->secret = find_secret(access->host);
    return check_secret(access, err);
}

void ss_run_llm_access_release(struct ss_run_llm_access *access)
{
    ss__free(access->url);
    *access = (struct ss_run_llm_access){0};
}
