/* How a document lies in memory: shared by its parser and its getters. */
#ifndef SS_BASE_JSON_TREE_H
#define SS_BASE_JSON_TREE_H

#include "base/arena.h"
#include "base/json.h"

struct ss__json {
    union {
        const char *text;       /* of a string; of a number, as it stands in the document */
        struct ss__json *items; /* [n] of an array */
        struct ss__json_object *object;
    } of;
    uint32_t n; /* bytes, elements or members */
    ss__json_tag type;
};

struct ss__json_member {
    struct ss__json key, value;
};

/* Members in the order of the text; those of large objects are found through `slots`, a hash
 * table with linear probing of 1-based places in `members`. */
struct ss__json_object {
    uint32_t *slots; /* [mask + 1]; NULL where there are few members */
    uint32_t mask;
    struct ss__json_member members[];
};

/* The root of a document is its first member, so that a pointer to one is one to the other. */
struct ss__json_document {
    struct ss__json root;
    size_t n_owners;
    struct ss__arena arena;
};

/* Make an object of members, of which a later one replaces an earlier one with its key. Members
 * are copied. False: *problem says what is wrong, or is NULL where memory ran out. */
bool ss__json_make_object(struct ss__arena *arena, const struct ss__json_member *members,
                          size_t n, struct ss__json *out, const char **problem);

#endif
