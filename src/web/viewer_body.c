/* Numbers of queries, and JSON objects of bodies by a table of their members. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "web/viewer_priv.h"

enum { MAX_DIGITS = 10 };

bool ss_web_read_count(const char *text, size_t otherwise, size_t most, size_t *value)
{
    const size_t n = strlen(text);
    if (n == 0) {
        *value = otherwise;
        return true;
    }
    if (n > MAX_DIGITS || strspn(text, "0123456789") != n) {
        return false;
    }
    *value = (size_t)strtoull(text, NULL, 10);
    return *value <= most;
}

static bool read_integer(const struct ss__json *value, const struct ss_web_member *member)
{
    const int64_t integer = ss__json_integer(value);
    if (!ss__json_is_integer(value) || integer < 0 || (uint64_t)integer < member->least ||
        (uint64_t)integer > member->most) {
        return false;
    }
    *member->count = (size_t)integer;
    return true;
}

static bool read_member(const struct ss__json *value, const struct ss_web_member *member)
{
    if (member->is_there != NULL) {
        *member->is_there = true;
    }
    if (member->count != NULL) {
        return read_integer(value, member);
    }
    if (member->text != NULL) {
        *member->text = (struct ss_text){ss__json_string(value), ss__json_string_bytes(value)};
        return ss__json_is_string(value);
    }
    if (member->flag != NULL) {
        *member->flag = ss__json_is_true(value);
        return ss__json_is_boolean(value);
    }
    *member->list = value;
    return ss__json_is_array(value) && ss__json_count(value) >= member->least &&
           ss__json_count(value) <= member->most;
}

const char *ss_web_read_body(struct ss_text body, const struct ss_web_member *members,
                             size_t n_members, struct ss__json **document)
{
    const char *key = NULL;
    const struct ss__json *value = NULL;
    if (ss__json_parse("request", body.data, body.n_bytes, document, NULL) != SS_OK ||
        !ss__json_is_object(*document)) {
        return "The body is no JSON object.";
    }
    SS_JSON_EACH_MEMBER (*document, key, value) {
        size_t i = 0;
        while (i < n_members && strcmp(key, members[i].key) != 0) {
            i++;
        }
        if (i == n_members) {
            return "A member of the object is not known.";
        }
        if (!read_member(value, &members[i])) {
            return members[i].wrong;
        }
    }
    return NULL;
}
