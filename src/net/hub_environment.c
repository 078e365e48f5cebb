/* Where the cache lies and which token is sent, by the variables of the hub's Python client:
 *
 *   HF_HOME        ${XDG_CACHE_HOME:-~/.cache}/huggingface
 *   cache          HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub
 *   of models      SENTENCE_TRANSFORMERS_HOME of sentence-transformers, before these
 *   token          HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else the file HF_TOKEN_PATH
 *                  ($HF_HOME/token); none with HF_HUB_DISABLE_IMPLICIT_TOKEN
 *
 * "~" and "$VAR" in the folders are read as a shell would. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/hub_priv.h"

enum { MAX_TOKEN_BYTES = 4096, MAX_VARIABLE_BYTES = 128 };

/* An empty one counts as unset. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* $NAME or ${NAME} at `at`: append its value and return what follows; NULL if it is none. */
static const char *expand_variable(struct ss__buf *out, const char *at)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    char name[MAX_VARIABLE_BYTES];
    const bool is_braced = at[1] == '{';
    const char *begin = at + 1 + is_braced;
    const size_t n = strspn(begin, letters);
    if (n == 0 || n >= sizeof name || (is_braced && begin[n] != '}')) {
        return NULL;
    }
    memcpy(name, begin, n);
    name[n] = '\0';
    if (getenv(name) == NULL) {
        return NULL;
    }
    ss__buf_add_text(out, getenv(name));
    return begin + n + is_braced;
}

/* What is no variable stays as it is. */
static void expand(struct ss__buf *out, const char *text)
{
    const char *home = variable("HOME");
    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0') && home != NULL) {
        ss__buf_add_text(out, home);
        text++;
    }
    while (*text != '\0') {
        const char *after = *text == '$' ? expand_variable(out, text) : NULL;
        if (after == NULL) {
            ss__buf_add_byte(out, *text++);
        } else {
            text = after;
        }
    }
}

/* The value of the first variable that is set, expanded; else $HF_HOME/`below`. */
static ss_status find_path(const char *const *names, const char *below, char **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf path = {0};
    const char *home = variable("HF_HOME"), *caches = variable("XDG_CACHE_HOME");
    for (; *names != NULL && variable(*names) == NULL; names++) {
    }
    if (*names != NULL) {
        expand(&path, variable(*names));
    } else if (home != NULL) {
        expand(&path, home);
        ss__buf_printf(&path, "/%s", below);
    } else if (caches != NULL) {
        expand(&path, caches);
        ss__buf_printf(&path, "/huggingface/%s", below);
    } else if (variable("HOME") != NULL) {
        ss__buf_printf(&path, "%s/.cache/huggingface/%s", variable("HOME"), below);
    } else {
        SS_FAIL(SS_E_USAGE, "there is no folder for the cache: set HF_HOME or HOME");
    }
    *out = ss__strndup(path.data == NULL ? "" : path.data, path.n_bytes);
    SS_TRY(ss__buf_check(&path, err));
    if (*out == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
out:
    ss__buf_release(&path);
    return status;
}

ss_status ss_net_hub_cache_from_environment(char **out, ss_err *err)
{
    static const char *const names[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", NULL};
    return find_path(names, "hub", out, err);
}

ss_status ss_net_hub_models_from_environment(char **out, ss_err *err)
{
    static const char *const names[] = {"SENTENCE_TRANSFORMERS_HOME", NULL};
    *out = NULL;
    return variable(names[0]) == NULL ? SS_OK : find_path(names, "", out, err);
}

/* A token without the white space around it; NULL for an empty one. */
static ss_status trim_token(const char *text, size_t n, char **out, ss_err *err)
{
    static const char blanks[] = " \t\r\n";
    for (; n > 0 && strchr(blanks, text[0]) != NULL; text++, n--) {
    }
    for (; n > 0 && strchr(blanks, text[n - 1]) != NULL; n--) {
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return ss__fail(err, SS_E_USAGE,
                            "the token of the hub holds characters that no token has; set "
                            "HF_TOKEN again");
        }
    }
    if (n > 0 && (*out = ss__strndup(text, n)) == NULL) {
        return ss__fail_nomem(err, "a token");
    }
    return SS_OK;
}

ss_status ss_net_hub_token_from_environment(char **out, ss_err *err)
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    static const char *const places[] = {"HF_TOKEN_PATH", NULL};
    ss_status status = SS_OK;
    struct ss__buf text = {0};
    char *path = NULL;
    *out = NULL;
    if (ss_net_env_is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
        return SS_OK;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (variable(names[i]) != NULL) {
            return trim_token(variable(names[i]), strlen(variable(names[i])), out, err);
        }
    }
    if (find_path(places, "token", &path, NULL) == SS_OK &&
        ss__path_stat(path) == SS__PATH_FILE) {
        SS_TRY(ss__file_read(path, MAX_TOKEN_BYTES, &text, err));
        SS_TRY(trim_token(text.data == NULL ? "" : text.data, text.n_bytes, out, err));
    }
out:
    ss__buf_release(&text);
    ss__free(path);
    return status;
}
