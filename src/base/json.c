/* Getters of JSON documents, and how objects find their members.
 *
 * Getters accept NULL and values of other types, so that a chain of them needs one question at
 * its end. Small objects are searched member by member, large ones by a hash table; keys that
 * were chosen to collide would make that quadratic, so they are refused after MAX_PROBES. */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/json_tree.h"
#include "base/mem.h"
#include "base/number.h"

/* Objects of up to FEW_MEMBERS have no table. */
enum { FEW_MEMBERS = 8, MAX_PROBES = 4096 };

/* ---- objects ---- */

static bool same_key(const struct ss__json *key, const char *text, size_t n_bytes)
{
    return key->n == n_bytes && memcmp(key->of.text, text, n_bytes) == 0;
}

/* The slot of a key, or the empty one where it belongs; NULL after too many probes. */
static uint32_t *find_slot(const struct ss__json_object *object, const char *key,
                           size_t n_bytes)
{
    uint32_t at = (uint32_t)ss__hash64(key, n_bytes) & object->mask;
    for (size_t probe = 0; probe < MAX_PROBES; probe++) {
        uint32_t *slot = &object->slots[at];
        if (*slot == 0 || same_key(&object->members[*slot - 1].key, key, n_bytes)) {
            return slot;
        }
        at = (at + 1) & object->mask;
    }
    return NULL;
}

static struct ss__json_member *find_member(struct ss__json_object *object, size_t n,
                                           const char *key, size_t n_bytes)
{
    if (object->slots != NULL) {
        const uint32_t *slot = find_slot(object, key, n_bytes);
        return slot == NULL || *slot == 0 ? NULL : &object->members[*slot - 1];
    }
    for (size_t i = 0; i < n; i++) {
        if (same_key(&object->members[i].key, key, n_bytes)) {
            return &object->members[i];
        }
    }
    return NULL;
}

/* An object for n members, and a table that they fill to at most a half, so that probes end
 * soon. */
static struct ss__json_object *new_object(struct ss__arena *arena, size_t n)
{
    size_t n_slots = 16;
    struct ss__json_object *object =
        ss__arena_alloc(arena, sizeof *object + n * sizeof object->members[0]);
    if (object == NULL || n <= FEW_MEMBERS) {
        return object;
    }
    while (n_slots < 2 * n) {
        n_slots *= 2;
    }
    object->slots = ss__arena_alloc(arena, n_slots * sizeof object->slots[0]);
    object->mask = (uint32_t)n_slots - 1;
    return object->slots == NULL ? NULL : object;
}

bool ss__json_make_object(struct ss__arena *arena, const struct ss__json_member *members,
                          size_t n, struct ss__json *out, const char **problem)
{
    struct ss__json_object *object = new_object(arena, n);
    uint32_t n_kept = 0;
    *problem = NULL;
    if (object == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const struct ss__json *key = &members[i].key;
        struct ss__json_member *same = find_member(object, n_kept, key->of.text, key->n);
        uint32_t *slot = object->slots == NULL ? NULL : find_slot(object, key->of.text, key->n);
        if (object->slots != NULL && slot == NULL) {
            *problem = "an object has too many keys that are alike";
            return false;
        }
        if (same != NULL) {
            same->value = members[i].value;
            continue;
        }
        object->members[n_kept++] = members[i];
        if (slot != NULL) {
            *slot = n_kept;
        }
    }
    *out = (struct ss__json){.of.object = object, .n = n_kept, .type = SS__JSON_IS_OBJECT};
    return true;
}

/* ---- values ---- */

ss__json_tag ss__json_tag_of(const struct ss__json *value)
{
    return value == NULL ? SS__JSON_IS_NULL : value->type;
}

bool ss__json_is_null(const struct ss__json *value)
{
    return value != NULL && value->type == SS__JSON_IS_NULL;
}

bool ss__json_is_true(const struct ss__json *value)
{
    return ss__json_tag_of(value) == SS__JSON_IS_TRUE;
}

bool ss__json_is_boolean(const struct ss__json *value)
{
    return ss__json_is_true(value) || ss__json_tag_of(value) == SS__JSON_IS_FALSE;
}

bool ss__json_is_integer(const struct ss__json *value)
{
    return ss__json_tag_of(value) == SS__JSON_IS_INTEGER;
}

bool ss__json_is_number(const struct ss__json *value)
{
    return ss__json_is_integer(value) || ss__json_tag_of(value) == SS__JSON_IS_REAL;
}

bool ss__json_is_string(const struct ss__json *value)
{
    return ss__json_tag_of(value) == SS__JSON_IS_STRING;
}

bool ss__json_is_array(const struct ss__json *value)
{
    return ss__json_tag_of(value) == SS__JSON_IS_ARRAY;
}

bool ss__json_is_object(const struct ss__json *value)
{
    return ss__json_tag_of(value) == SS__JSON_IS_OBJECT;
}

struct ss__json *ss__json_get(const struct ss__json *object, const char *key)
{
    if (!ss__json_is_object(object) || key == NULL) {
        return NULL;
    }
    struct ss__json_member *found = find_member(object->of.object, object->n, key, strlen(key));
    return found == NULL ? NULL : &found->value;
}

struct ss__json *ss__json_at(const struct ss__json *array, size_t i)
{
    return ss__json_is_array(array) && i < array->n ? &array->of.items[i] : NULL;
}

struct ss__json *ss__json_member(const struct ss__json *object, size_t i, const char **key)
{
    if (!ss__json_is_object(object) || i >= object->n) {
        return NULL;
    }
    struct ss__json_member *member = &object->of.object->members[i];
    *key = member->key.of.text;
    return &member->value;
}

size_t ss__json_count(const struct ss__json *value)
{
    return ss__json_is_array(value) || ss__json_is_object(value) ? value->n : 0;
}

const char *ss__json_string(const struct ss__json *value)
{
    return ss__json_is_string(value) ? value->of.text : NULL;
}

size_t ss__json_string_bytes(const struct ss__json *value)
{
    return ss__json_is_string(value) ? value->n : 0;
}

/* The parser has found that it fits; -2^63 has a magnitude that only an unsigned number
 * holds. */
int64_t ss__json_integer(const struct ss__json *value)
{
    uint64_t magnitude = 0;
    if (!ss__json_is_integer(value)) {
        return 0;
    }
    const bool is_negative = value->of.text[0] == '-';
    (void)ss__parse_u64(value->of.text + is_negative, value->n - is_negative, &magnitude);
    return (int64_t)(is_negative ? 0 - magnitude : magnitude);
}

double ss__json_real(const struct ss__json *value)
{
    double number = 0;
    if (!ss__json_is_number(value)) {
        return 0;
    }
    const char *text = value->of.text;
    const bool is_negative = text[0] == '-';
    if (text[is_negative] == 'I') {
        return is_negative ? (double)-INFINITY : (double)INFINITY;
    }
    return text[0] == 'N' ? (double)NAN
                          : (ss__parse_double(text, value->n, &number) ? number : 0);
}

/* ---- typed members ---- */

/* The member, or NULL if it is absent or null. */
static const struct ss__json *member(const struct ss__json *object, const char *key)
{
    const struct ss__json *value = ss__json_get(object, key);
    return ss__json_is_null(value) ? NULL : value;
}

/* SS_E_DATA, with the file, the key, and what was expected. */
static ss_status wrong_type(const char *file, const char *key, const char *expected,
                            ss_err *err)
{
    const ss_status status =
        ss__fail_file(err, file, SS_E_DATA, "key '%s' is not %s", key, expected);
    ss__err_about(err, key);
    return status;
}

ss_status ss__json_size(const char *file, const struct ss__json *object, const char *key,
                        size_t *value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    if (ss__json_is_integer(found) && ss__json_integer(found) >= 0) {
        *value = (size_t)ss__json_integer(found);
        return SS_OK;
    }
    const double number =
        ss__json_tag_of(found) == SS__JSON_IS_REAL ? ss__json_real(found) : -1;
    /* as Python's writers leave a count that went through a float: 768.0 */
    if (number >= 0 && number < 9e15 && number == (double)(uint64_t)number) {
        *value = (size_t)number;
        return SS_OK;
    }
    return wrong_type(file, key, "a whole number of 0 or more", err);
}

ss_status ss__json_number(const char *file, const struct ss__json *object, const char *key,
                          double *value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    if (!ss__json_is_number(found)) {
        return wrong_type(file, key, "a number", err);
    }
    if (!isfinite(ss__json_real(found))) {
        return wrong_type(file, key, "a finite number", err);
    }
    *value = ss__json_real(found);
    return SS_OK;
}

ss_status ss__json_bool(const char *file, const struct ss__json *object, const char *key,
                        bool *value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    if (!ss__json_is_boolean(found)) {
        return wrong_type(file, key, "true or false", err);
    }
    *value = ss__json_is_true(found);
    return SS_OK;
}

ss_status ss__json_text(const char *file, const struct ss__json *object, const char *key,
                        const char **value, ss_err *err)
{
    const struct ss__json *found = member(object, key);
    if (found == NULL) {
        return SS_OK;
    }
    const char *text = ss__json_string(found);
    /* a NUL inside would cut the text where it is used */
    if (text == NULL || strlen(text) != ss__json_string_bytes(found)) {
        return wrong_type(file, key, "a string", err);
    }
    *value = text;
    return SS_OK;
}

ss_status ss__json_need(const char *file, const struct ss__json *object, const char *key,
                        ss_err *err)
{
    if (member(object, key) != NULL) {
        return SS_OK;
    }
    const ss_status status = ss__fail_file(err, file, SS_E_DATA, "key '%s' is missing", key);
    ss__err_about(err, key);
    return status;
}
