/* Names of repositories.
 *
 *   ID    [namespace/]name, each part 1 to 96 of letters, digits, "_", "-", "."; no "--", no
 *         "..", neither "-" nor "." at an end, not ending in ".git"
 *   REV   a branch, tag, commit, or refs/pr/N, refs/convert/NAME
 *   PATH  relative, no "..", no backslash */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/hub_priv.h"

enum { MAX_COMPONENT_BYTES = 96 };

static const char *const kind_names[SS_NET_HUB_N_KINDS] = {"models", "datasets", "spaces"};

const char *ss_net_hub_kind_name(ss_net_hub_kind kind)
{
    return kind_names[kind];
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_';
}

/* The rules keep a name from being a path: no "..", no leading dot. */
static bool is_component(const char *text, size_t n)
{
    if (n == 0 || n > MAX_COMPONENT_BYTES || !is_word(text[0]) || !is_word(text[n - 1])) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const bool repeats = i > 0 && text[i] == text[i - 1];
        if (!is_word(text[i]) && ((text[i] != '-' && text[i] != '.') || repeats)) {
            return false;
        }
    }
    return true;
}

/* A namespace is not needed: some old models have none. */
static bool is_id(const char *text, size_t n)
{
    const char *slash = memchr(text, '/', n);
    const size_t n_space = slash == NULL ? 0 : (size_t)(slash - text);
    const char *name = slash == NULL ? text : slash + 1;
    const size_t n_name = n - (size_t)(name - text);
    const bool is_git = n_name >= 4 && strncmp(name + n_name - 4, ".git", 4) == 0;
    return n < SS_NET_HUB_ID_BYTES && (slash == NULL || is_component(text, n_space)) &&
           is_component(name, n_name) && !is_git;
}

bool ss_net_hub_is_id(const char *text)
{
    return is_id(text, strcspn(text, "@"));
}

bool ss_net_hub_is_reference(const char *text)
{
    return strncmp(text, "hf:", 3) == 0;
}

/* In full and in small letters; a shortened one is asked for like a branch. */
bool ss_net_hub_is_commit(const char *text)
{
    return strlen(text) == SS_NET_HUB_COMMIT_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == SS_NET_HUB_COMMIT_BYTES - 1;
}

/* No part of a path may be empty, "." or "..": those would name another file. */
bool ss_net_hub_path_is_good(const char *path)
{
    if (path[0] == '\0' || strlen(path) >= SS_NET_HUB_PATH_BYTES || !ss__path_is_inside(path)) {
        return false;
    }
    for (const char *component = path;; component++) {
        const size_t n = strcspn(component, "/");
        if (n == 0 || n > 255 || (n == 1 && component[0] == '.')) {
            return false;
        }
        component += n;
        if (*component == '\0') {
            return true;
        }
    }
}

/* ---- parsing ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Copy with %XX read, since a revision may hold a slash (%2F); false if it does not fit or
 * holds a NUL. */
static bool unquote(const char *text, size_t n, char *out, size_t capacity)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++, at++) {
        const bool is_quoted = text[i] == '%' && i + 2 < n && hex_value(text[i + 1]) >= 0 &&
                               hex_value(text[i + 2]) >= 0;
        if (at + 1 >= capacity) {
            return false;
        }
        out[at] =
            is_quoted ? (char)(16 * hex_value(text[i + 1]) + hex_value(text[i + 2])) : text[i];
        i += is_quoted ? 2 : 0;
    }
    out[at] = '\0';
    return at > 0 && strlen(out) == at;
}

/* "datasets/" and "spaces/"; a model has no mark, but "models/" is understood. */
static const char *take_kind(const char *at, ss_net_hub_kind *kind)
{
    for (size_t i = 0; i < SS_NET_HUB_N_KINDS; i++) {
        const size_t n = strlen(kind_names[i]);
        if (strncmp(at, kind_names[i], n) == 0 && at[n] == '/') {
            *kind = (ss_net_hub_kind)i;
            return at + n + 1;
        }
    }
    return at;
}

/* The id is one part or two; a revision ends it. */
static size_t id_length(const char *at)
{
    const size_t n = strcspn(at, "/@");
    return at[n] != '/' ? n : n + 1 + strcspn(at + n + 1, "/@");
}

/* A revision goes to the next slash, but refs/pr/1 and refs/convert/parquet hold two. */
static size_t revision_length(const char *at)
{
    const bool is_ref =
        strncmp(at, "refs/pr/", 8) == 0 || strncmp(at, "refs/convert/", 13) == 0;
    size_t n = strcspn(at, "/");
    for (size_t i = 0; is_ref && i < 2 && at[n] == '/'; i++) {
        n += 1 + strcspn(at + n + 1, "/");
    }
    return n;
}

ss_status ss_net_hub_parse(const char *text, ss_net_hub_kind otherwise,
                           struct ss_net_hub_name *out, ss_err *err)
{
    *out = (struct ss_net_hub_name){.kind = otherwise, .revision = "main"};
    const bool is_marked = ss_net_hub_is_reference(text);
    const char *at = text + (is_marked ? 3 : 0);
    at += is_marked && strncmp(at, "//", 2) == 0 ? 2 : 0;
    at = is_marked ? take_kind(at, &out->kind) : at;
    const size_t n_id = id_length(at);
    bool is_good = is_id(at, n_id);
    if (is_good) {
        memcpy(out->id, at, n_id);
        at += n_id;
    }
    if (is_good && *at == '@') {
        const size_t n = is_marked ? revision_length(at + 1) : strlen(at + 1);
        is_good = unquote(at + 1, n, out->revision, sizeof out->revision) &&
                  ss_net_hub_path_is_good(out->revision);
        at += 1 + n;
    }
    if (is_good && *at == '/' && at[1] != '\0') {
        is_good = is_marked && ss_net_hub_path_is_good(at + 1);
        snprintf(out->path, sizeof out->path, "%s", is_good ? at + 1 : "");
    } else if (is_good) {
        is_good = *at == '\0' || is_marked;
    }
    if (!is_good) {
        return ss__fail(err, SS_E_USAGE,
                        "'%.300s' is not a name on the hub; expected ORG/NAME, "
                        "ORG/NAME@REVISION, or hf:ORG/NAME@REVISION/PATH",
                        text);
    }
    return SS_OK;
}

/* ---- as folder, as title ---- */

void ss_net_hub_add_folder_name(struct ss__buf *out, const struct ss_net_hub_name *name)
{
    ss__buf_printf(out, "%s--", kind_names[name->kind]);
    for (const char *c = name->id; *c != '\0'; c++) {
        ss__buf_add(out, *c == '/' ? "--" : c, *c == '/' ? 2 : 1);
    }
}

/* "--" stands for the slash, which is why no part of a name may hold it. */
bool ss_net_hub_read_folder_name(const char *folder, struct ss_net_hub_name *out)
{
    *out = (struct ss_net_hub_name){.revision = "main"};
    for (size_t i = 0; i < SS_NET_HUB_N_KINDS; i++) {
        const size_t n = strlen(kind_names[i]);
        if (strncmp(folder, kind_names[i], n) != 0 || strncmp(folder + n, "--", 2) != 0 ||
            strlen(folder + n + 2) >= sizeof out->id) {
            continue;
        }
        const char *id = folder + n + 2, *parted = strstr(id, "--");
        out->kind = (ss_net_hub_kind)i;
        if (parted == NULL) {
            snprintf(out->id, sizeof out->id, "%s", id);
        } else {
            snprintf(out->id, sizeof out->id, "%.*s/%s", (int)(parted - id), id, parted + 2);
        }
        return is_id(out->id, strlen(out->id));
    }
    return false;
}

void ss_net_hub_add_title(struct ss__buf *out, const struct ss_net_hub_name *name)
{
    ss__buf_add_text(out, name->id);
    if (strcmp(name->revision, "main") != 0) {
        ss__buf_printf(out, "@%s", name->revision);
    }
}
