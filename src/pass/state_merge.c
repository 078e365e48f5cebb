/* States of one analysis: whether two are of the same, and their sum. */
#include <string.h>

#include "pass/state.h"

static bool find_difference(const struct ss__json *a, const struct ss__json *b,
                            struct ss__buf *place);

/* Say two values after their place; false where they are equal. Memory that runs out shows in
 * `place`, and then this is true. */
static bool differ(const struct ss__json *a, const struct ss__json *b, struct ss__buf *place)
{
    struct ss__buf x = {0}, y = {0};
    ss__json_add_value(&x, a, true);
    ss__json_add_value(&y, b, true);
    const char *shown[] = {ss__buf_text(&x), ss__buf_text(&y)};
    const bool is_failed = shown[0] == NULL || shown[1] == NULL;
    const bool differs = is_failed || strcmp(shown[0], shown[1]) != 0;
    if (is_failed) {
        place->failed = true;
    } else if (differs) {
        ss__buf_printf(place, " (%.80s and %.80s)", shown[0], shown[1]);
    }
    ss__buf_release(&x);
    ss__buf_release(&y);
    return differs;
}

/* Members of `a` that are others in `b`, or, with `is_missing`, not there. */
static bool find_in_members(const struct ss__json *a, const struct ss__json *b, bool is_missing,
                            struct ss__buf *place)
{
    const size_t n_before = place->n_bytes;
    const char *key = NULL;
    const struct ss__json *item = NULL;
    SS_JSON_EACH_MEMBER (a, key, item) {
        const struct ss__json *other = ss__json_get(b, key);
        ss__buf_printf(place, "%s%s", n_before == 0 ? "" : ".", key);
        if (is_missing ? other == NULL && differ(NULL, item, place)
                       : find_difference(item, other, place)) {
            return true;
        }
        place->n_bytes = n_before;
    }
    return false;
}

static bool find_difference(const struct ss__json *a, const struct ss__json *b,
                            struct ss__buf *place)
{
    const size_t n_before = place->n_bytes, n_a = ss__json_count(a), n_b = ss__json_count(b);
    const struct ss__json *item = NULL;
    size_t i = 0;
    if (ss__json_is_object(a) && ss__json_is_object(b)) {
        return find_in_members(a, b, false, place) || find_in_members(b, a, true, place);
    }
    if (ss__json_is_array(a) && ss__json_is_array(b)) {
        SS_JSON_EACH (a, i, item) {
            ss__buf_printf(place, "[%zu]", i);
            if (i < n_b && find_difference(item, ss__json_at(b, i), place)) {
                return true;
            }
            place->n_bytes = n_before;
        }
        if (n_a != n_b) {
            ss__buf_printf(place, " (%zu and %zu items)", n_a, n_b);
        }
        return n_a != n_b;
    }
    return differ(a, b, place);
}

ss_status ss_pass_state_difference(const struct ss__json *a, const struct ss__json *b,
                                   struct ss__buf *place, const char **text, ss_err *err)
{
    const bool differs = find_difference(a, b, place);
    *text = differs ? ss__buf_text(place) : NULL;
    return place->failed || (differs && *text == NULL)
               ? ss__fail_nomem(err, "what an analysis is made of")
               : SS_OK;
}

void ss_pass_state_put_identity(struct ss__json_writer *writer, const char *key,
                                const struct ss__json *identity)
{
    const char *name = NULL;
    const struct ss__json *value = NULL;
    ss__put_open(writer, key, '{');
    SS_JSON_EACH_MEMBER (identity, name, value) {
        if (strcmp(name, "parts") != 0) {
            ss__put_tree(writer, name, value);
        }
    }
    ss__put_close(writer, '}');
}

ss_status ss_pass_state_check_same(const struct ss__json *a, const struct ss__json *b,
                                   const char *const names[2], ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf place = {0};
    const char *text = NULL;
    SS_TRY(ss_pass_state_difference(a, b, &place, &text, err));
    if (text != NULL) {
        SS_TRY(ss__fail_file(err, names[1], SS_E_DATA,
                             "it is of another analysis than %s: %.400s differs", names[0],
                             text));
    }
out:
    ss__buf_release(&place);
    return status;
}

/* How many parts of `other` are there already. Errors: with other content. */
static ss_status count_known(const struct ss_pass_facts *facts,
                             const struct ss_pass_facts *other, const char *const names[2],
                             size_t *n, ss_err *err)
{
    *n = 0;
    for (size_t i = 0, j = 0; i < facts->n_done && j < other->n_done;) {
        const struct ss_pass_part *a = &facts->parts[i], *b = &other->parts[j];
        if (a->part == b->part && strcmp(a->id, b->id) != 0) {
            return ss__fail_file(err, names[1], SS_E_DATA,
                                 "its part %llu is not the part %llu of %s, though both are of "
                                 "one analysis; make that part again",
                                 (unsigned long long)b->part, (unsigned long long)a->part,
                                 names[0]);
        }
        *n += a->part == b->part;
        i += a->part <= b->part;
        j += a->part >= b->part;
    }
    return SS_OK;
}

ss_status ss_pass_state_merge(struct ss_pass_state *state, const struct ss_pass_state *other,
                              const char *const names[2], bool *is_known, ss_err *err)
{
    size_t n_known = 0;
    SS_RETURN_IF_ERROR(ss_pass_state_check_same(state->identity, other->identity, names, err));
    SS_RETURN_IF_ERROR(count_known(&state->facts, &other->facts, names, &n_known, err));
    const bool is_all = n_known > 0 && n_known == other->facts.n_done;
    if (is_known != NULL) {
        *is_known = is_all;
    }
    if (is_all) {
        return SS_OK;
    }
    if (n_known > 0) {
        return ss__fail_file(err, names[1], SS_E_DATA,
                             "it holds parts that %s holds too, beside others: a part counts "
                             "once; merge parts that are not in both",
                             names[0]);
    }
    SS_RETURN_IF_ERROR(ss_pass_gather_merge(&state->gathered, &other->gathered, err));
    return ss_pass_facts_merge(&state->facts, &other->facts, names, err);
}
