/* families.json read back, for what shows it. Nothing in it is trusted: members are features
 * of the run, lists end, and what is missing is NaN or 0, by the rule of the field
 * (docs/formats.md). */
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/sized.h"
#include "folder/families_file.h"
#include "folder/manifest_read.h"
#include "folder/results.h"
#include "saescope.h"

struct ss_families {
    size_t n_features, n;
    const char *rule;
    struct ss_family *families;       /* [n] */
    size_t *members;                  /* of all families */
    struct ss_family_parent *parents; /* [F] n_rows 0: none */
    struct ss__arena arena;
};

struct reading {
    const char *path;
    ss_families *families;
    size_t n_members;
};

static ss_status fail_item(const struct reading *reading, const char *list, size_t i,
                           const char *what, ss_err *err)
{
    return ss__fail_file(err, reading->path, SS_E_DATA, "item %zu of '%s': %s", i, list, what);
}

static bool feature_of(const struct reading *reading, const struct ss__json *value, size_t *out)
{
    const int64_t number = ss__json_is_integer(value) ? ss__json_integer(value) : -1;
    *out = number < 0 ? 0 : (size_t)number;
    return number >= 0 && (uint64_t)number < reading->families->n_features;
}

static double number_of(const struct ss__json *object, const char *key)
{
    const struct ss__json *value = ss__json_get(object, key);
    return ss__json_is_number(value) ? ss__json_real(value) : NAN;
}

static uint64_t count_of(const struct ss__json *object, const char *key)
{
    const int64_t n = ss__json_integer(ss__json_get(object, key));
    return n < 0 ? 0 : (uint64_t)n;
}

static ss_status count_members(struct reading *reading, const struct ss__json *list,
                               size_t *n_all, ss_err *err)
{
    const struct ss__json *item = NULL;
    size_t i = 0;
    *n_all = 0;
    SS_JSON_EACH (list, i, item) {
        const struct ss__json *members = ss__json_get(item, "members");
        if (!ss__json_is_array(members) || ss__json_count(members) == 0) {
            return fail_item(reading, "families", i, "it has no members", err);
        }
        *n_all += ss__json_count(members);
    }
    return SS_OK;
}

/* A string, or "". */
static ss_status read_string(struct reading *reading, const struct ss__json *value,
                             const char **out, ss_err *err)
{
    *out = "";
    if (ss__json_is_string(value)) {
        *out = ss__arena_strndup(&reading->families->arena, ss__json_string(value),
                                 ss__json_string_bytes(value));
    }
    return *out == NULL ? ss__fail_nomem(err, "a label") : SS_OK;
}

static ss_status read_family(struct reading *reading, const struct ss__json *item, size_t i,
                             ss_err *err)
{
    struct ss_family *family = &reading->families->families[i];
    const struct ss__json *held_out = ss__json_get(item, "held_out");
    const struct ss__json *member = NULL;
    size_t j = 0;
    *family = (struct ss_family){.struct_size = sizeof *family,
                                 .round = (size_t)count_of(item, "round"),
                                 .block_ratio = number_of(item, "block_ratio"),
                                 .n_held_out = (size_t)count_of(held_out, "pairs"),
                                 .lift = number_of(held_out, "lift"),
                                 .lift_low = number_of(held_out, "low"),
                                 .lift_high = number_of(held_out, "high"),
                                 .n_meant = (size_t)count_of(held_out, "meaning_pairs"),
                                 .meaning = number_of(held_out, "meaning"),
                                 .meaning_low = number_of(held_out, "meaning_low"),
                                 .meaning_high = number_of(held_out, "meaning_high"),
                                 .auc = number_of(item, "auc"),
                                 .auc_low = number_of(item, "auc_low"),
                                 .auc_high = number_of(item, "auc_high"),
                                 .members = reading->families->members + reading->n_members};
    SS_JSON_EACH (ss__json_get(item, "members"), j, member) {
        size_t *place = &reading->families->members[reading->n_members++];
        if (!feature_of(reading, member, place)) {
            return fail_item(reading, "families", i, "a member is no feature of the run", err);
        }
        family->n_members++;
    }
    SS_RETURN_IF_ERROR(read_string(reading, ss__json_get(item, "label"), &family->label, err));
    return read_string(reading, ss__json_get(item, "phrases"), &family->phrases, err);
}

static ss_status read_parent(struct reading *reading, const struct ss__json *item, size_t i,
                             ss_err *err)
{
    size_t child = 0, parent = 0;
    if (!feature_of(reading, ss__json_get(item, "child"), &child) ||
        !feature_of(reading, ss__json_get(item, "parent"), &parent) || child == parent) {
        return fail_item(reading, "parents", i, "it does not say two features", err);
    }
    struct ss_family_parent *out = &reading->families->parents[child];
    if (out->n_rows > 0) {
        return fail_item(reading, "parents", i, "the feature has a parent already", err);
    }
    *out = (struct ss_family_parent){.struct_size = sizeof *out,
                                     .parent = parent,
                                     .phi = number_of(item, "phi"),
                                     .lift = number_of(item, "lift"),
                                     .q = number_of(item, "q"),
                                     .n_rows = count_of(item, "rows"),
                                     .conditional = number_of(item, "parent_given_child"),
                                     .conditional_low = number_of(item, "low"),
                                     .conditional_high = number_of(item, "high")};
    return out->n_rows > 0 ? SS_OK : fail_item(reading, "parents", i, "it has no rows", err);
}

static ss_status read_lists(struct reading *reading, const struct ss__json *root, ss_err *err)
{
    ss_families *families = reading->families;
    const struct ss__json *list = ss__json_get(root, "families");
    const struct ss__json *parents = ss__json_get(root, "parents");
    const struct ss__json *item = NULL;
    size_t n_members = 0, i = 0;
    if (!ss__json_is_array(list) || !ss__json_is_array(parents)) {
        return ss__fail_file(err, reading->path, SS_E_DATA,
                             "it has no lists 'families' and 'parents'");
    }
    SS_RETURN_IF_ERROR(count_members(reading, list, &n_members, err));
    SS_ALLOC_OR_RETURN(families->families, ss__json_count(list));
    SS_ALLOC_OR_RETURN(families->members, n_members);
    SS_JSON_EACH (list, i, item) {
        SS_RETURN_IF_ERROR(read_family(reading, item, i, err));
        families->n++;
    }
    i = 0;
    SS_JSON_EACH (parents, i, item) {
        SS_RETURN_IF_ERROR(read_parent(reading, item, i, err));
    }
    return SS_OK;
}

/* A feature above itself; SIZE_MAX: there is none. Each walk goes up until it comes to where an
 * earlier one has been; where this one has been itself, it went in a circle. */
static ss_status find_circle(const ss_families *families, size_t *out, ss_err *err)
{
    size_t *walk_of = NULL; /* [F] the walk that came by, + 1 */
    SS_ALLOC_OR_RETURN(walk_of, families->n_features);
    *out = SIZE_MAX;
    for (size_t f = 0; f < families->n_features && *out == SIZE_MAX; f++) {
        size_t at = f;
        while (walk_of[at] == 0 && families->parents[at].n_rows > 0) {
            walk_of[at] = f + 1;
            at = families->parents[at].parent;
        }
        *out = walk_of[at] == f + 1 ? at : SIZE_MAX;
    }
    ss__free(walk_of);
    return SS_OK;
}

static ss_status read_file(struct reading *reading, const struct ss__json *root, ss_err *err)
{
    ss_families *families = reading->families;
    const char *rule = ss__json_string(ss__json_get(root, "rule"));
    size_t n_features = 0;
    SS_RETURN_IF_ERROR(ss__json_size(reading->path, root, "features", &n_features, err));
    if (n_features != families->n_features || rule == NULL) {
        return ss__fail_file(
            err, reading->path, SS_E_DATA,
            "it is of %zu features, the run of %zu: run saescope families again", n_features,
            families->n_features);
    }
    families->rule = ss__arena_strndup(&families->arena, rule, strlen(rule));
    if (families->rule == NULL) {
        return ss__fail_nomem(err, "a name");
    }
    SS_ALLOC_OR_RETURN(families->parents, n_features);
    SS_RETURN_IF_ERROR(read_lists(reading, root, err));
    size_t circle = SIZE_MAX;
    SS_RETURN_IF_ERROR(find_circle(families, &circle, err));
    return circle == SIZE_MAX ? SS_OK
                              : ss__fail_file(err, reading->path, SS_E_DATA,
                                              "feature %zu is above itself", circle);
}

ss_status ss_folder_families_read(const char *path, size_t n_features, ss_families **out,
                                  ss_err *err)
{
    ss_status status = SS_OK;
    struct reading reading = {.path = path};
    struct ss__json *root = NULL;
    *out = NULL;
    SS_TRY(ss__json_load(path, &root, err));
    SS_ALLOC(reading.families, 1);
    reading.families->n_features = n_features;
    SS_TRY(read_file(&reading, root, err));
    *out = reading.families;
    reading.families = NULL;
out:
    ss_families_free(reading.families);
    ss__json_free(root);
    return status;
}

ss_status ss_families_open(const char *run_dir, ss_families **out, ss_err *err)
{
    ss_status status = SS_OK;
    ss_run *run = NULL;
    char *path = ss__path_join(run_dir, SS_FOLDER_FILE_FAMILIES);
    *out = NULL;
    if (path == NULL) {
        SS_TRY(ss__fail_nomem(err, "a path"));
    }
    SS_TRY(ss_folder_run_open_features(run_dir, &run, err));
    if (ss__path_stat(path) == SS__PATH_NONE) {
        SS_FAIL_FILE(run_dir, SS_E_NOINPUT,
                     "the run has no families yet; saescope families finds them");
    }
    SS_TRY(ss_folder_families_read(path, run->info.n_features, out, err));
out:
    ss_run_free(run);
    ss__free(path);
    return status;
}

void ss_families_free(ss_families *families)
{
    if (families == NULL) {
        return;
    }
    ss__free(families->families);
    ss__free(families->members);
    ss__free(families->parents);
    ss__arena_release(&families->arena);
    ss__free(families);
}

const char *ss_families_rule(const ss_families *families)
{
    return families->rule;
}

size_t ss_families_n(const ss_families *families)
{
    return families->n;
}

ss_status ss_families_get(const ss_families *families, size_t index, struct ss_family *out)
{
    return index < families->n ? ss__result_write(out, &families->families[index],
                                                  sizeof families->families[index])
                               : SS_E_USAGE;
}

ss_status ss_families_parent(const ss_families *families, size_t feature,
                             struct ss_family_parent *out)
{
    return feature < families->n_features && families->parents[feature].n_rows > 0
               ? ss__result_write(out, &families->parents[feature],
                                  sizeof families->parents[feature])
               : SS_E_USAGE;
}
