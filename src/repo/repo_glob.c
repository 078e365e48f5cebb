/* Patterns of repository files.
 *
 *   *      any characters of one component        **   any components, as a component alone
 *   ?      one character                          [a-z] [!a-z]   a set; "]" first is itself
 *
 * Without a closing bracket "[" stands for itself. Components "." are passed over.
 *
 * Matching goes back to the last star only: an earlier one need never take more, since a later
 * one can take what is left. So time is at most the product of the two lengths, whatever the
 * pattern. */
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "repo/repo.h"

/* A component of a path or pattern, or the whole of either. */
struct span {
    const char *at, *end;
};

/* The next character; bytes that are not UTF-8 stand for themselves. */
static uint32_t take_char(struct span *text)
{
    uint32_t c = 0;
    const size_t n = ss__utf8_decode(text->at, (size_t)(text->end - text->at), &c);
    if (n == 0) {
        c = 0x110000 + (unsigned char)*text->at;
    }
    text->at += n == 0 ? 1 : n;
    return c;
}

/* Where the set that begins behind "[" ends, NULL if it does not. */
static const char *set_end(const char *at, const char *end)
{
    at += at < end && *at == '!';
    at += at < end && *at == ']';
    return at < end ? memchr(at, ']', (size_t)(end - at)) : NULL;
}

/* A range by code points. */
static bool set_holds(struct span set, uint32_t c)
{
    const bool negated = set.at < set.end && *set.at == '!';
    bool found = false;
    set.at += negated;
    while (set.at < set.end) {
        const uint32_t low = take_char(&set);
        uint32_t high = low;
        if (set.end - set.at >= 2 && *set.at == '-') {
            set.at++;
            high = take_char(&set);
        }
        found |= low <= c && c <= high;
    }
    return found != negated;
}

/* Take one element of a pattern that is no star, and the character it stands for. */
static bool match_one(struct span *pattern, struct span *text)
{
    if (pattern->at == pattern->end || text->at == text->end) {
        return false;
    }
    const uint32_t wanted = take_char(pattern), c = take_char(text);
    const char *close = wanted == '[' ? set_end(pattern->at, pattern->end) : NULL;
    if (close != NULL) {
        const struct span set = {pattern->at, close};
        pattern->at = close + 1;
        return set_holds(set, c);
    }
    return wanted == '?' || wanted == c;
}

/* Match within one component: on a mismatch the last star takes one character more. */
static bool match_component(struct span pattern, struct span text)
{
    struct span star_pattern = {NULL, NULL}, star_text = text;
    for (;;) {
        if (pattern.at < pattern.end && *pattern.at == '*') {
            pattern.at++;
            star_pattern = pattern;
            star_text = text;
        } else if (pattern.at == pattern.end && text.at == text.end) {
            return true;
        } else if (!match_one(&pattern, &text)) {
            if (star_pattern.at == NULL || star_text.at == star_text.end) {
                return false;
            }
            (void)take_char(&star_text);
            pattern = star_pattern;
            text = star_text;
        }
    }
}

/* Cut the next component off; false at the end. Left out are "." and, but at the end, "". */
static bool next_component(const char **at, struct span *out)
{
    do {
        if (*at == NULL) {
            return false;
        }
        const char *slash = strchr(*at, '/');
        *out = (struct span){*at, slash == NULL ? *at + strlen(*at) : slash};
        *at = slash == NULL ? NULL : slash + 1;
    } while ((out->end - out->at == 1 && *out->at == '.') ||
             (out->end == out->at && *at != NULL));
    return true;
}

/* A component that stands for any number of them. */
static bool is_any_depth(struct span part)
{
    return part.end - part.at == 2 && memcmp(part.at, "**", 2) == 0;
}

/* Whether a path matches. A lone star takes one character at least, and so does every name. */
static bool matches(const char *pattern, const char *path)
{
    const char *star_pattern = NULL, *star_path = NULL;
    for (;;) {
        const char *next_pattern = pattern, *next_path = path;
        struct span part, name;
        const bool has_part = next_component(&next_pattern, &part);
        const bool has_name = next_component(&next_path, &name);
        if (has_part && is_any_depth(part)) {
            if (next_pattern == NULL) {
                return has_name; /* of a folder's content, not the folder itself */
            }
            star_pattern = pattern = next_pattern;
            star_path = path;
        } else if (!has_part && !has_name) {
            return true;
        } else if (has_part && has_name && match_component(part, name)) {
            pattern = next_pattern;
            path = next_path;
        } else {
            if (star_pattern == NULL || !next_component(&star_path, &name)) {
                return false;
            }
            pattern = star_pattern;
            path = star_path;
        }
    }
}

/* The same characters as Python's glob. */
bool ss_repo_is_pattern(const char *text)
{
    return strpbrk(text, "*?[") != NULL;
}

const char *ss_repo_pattern_fault(const char *pattern)
{
    struct span part;
    if (pattern[0] == '/' || strstr(pattern, "://") != NULL || strchr(pattern, '\\') != NULL) {
        return "names a place outside the repository, which is not followed";
    }
    for (const char *at = pattern; next_component(&at, &part);) {
        const size_t n = (size_t)(part.end - part.at);
        if (n == 2 && memcmp(part.at, "..", 2) == 0) {
            return "leaves the repository by '..', which is not followed";
        }
        for (size_t i = 0; n > 2 && i + 1 < n; i++) {
            if (part.at[i] == '*' && part.at[i + 1] == '*') {
                return "has '**' inside a name; it stands alone between slashes";
            }
        }
    }
    return NULL;
}

/* ---- what a pattern must name ---- */

/* Components that begin with a mark; of the folders only, or of all. */
static size_t count_marked(const char *path, const char *mark, bool folders_only)
{
    struct span part;
    size_t n = 0;
    for (const char *at = path; next_component(&at, &part);) {
        const size_t length = (size_t)(part.end - part.at);
        const bool is_marked =
            length >= strlen(mark) && memcmp(part.at, mark, strlen(mark)) == 0;
        const bool only_dots = strspn(part.at, ".") >= length;
        n += is_marked && !only_dots && (at != NULL || !folders_only);
    }
    return n;
}

/* Such a file is data only where the pattern ends with its name. */
static bool is_about_repository(const char *pattern, const char *path)
{
    static const char *const names[] = {"README.md",         "config.json",
                                        "dataset_info.json", "dataset_infos.json",
                                        "dummy_data.zip",    "dataset_dict.json"};
    const char *name = ss__path_name(path);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return strcmp(ss__path_name(pattern), name) != 0;
        }
    }
    return false;
}

bool ss_repo_match(const char *pattern, const char *path)
{
    return matches(pattern, path) && !is_about_repository(pattern, path) &&
           count_marked(path, "__", true) == count_marked(pattern, "__", true) &&
           count_marked(path, ".", false) == count_marked(pattern, ".", false);
}

ss_status ss_repo_pattern_in(struct ss__arena *arena, const char *folder, const char *pattern,
                             const char **out, ss_err *err)
{
    *out = folder[0] == '\0' ? pattern : ss__arena_printf(arena, "%s/%s", folder, pattern);
    return *out == NULL ? ss__fail_nomem(err, "a pattern") : SS_OK;
}
