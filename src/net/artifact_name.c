#include <string.h>

#include "base/mem.h"
#include "net/artifact_priv.h"

static const char prefix[] = "wandb:";
enum { MAX_PART_BYTES = 128 };

bool ss__artifact_is_name(const char *text)
{
    return strncmp(text, prefix, sizeof prefix - 1) == 0;
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.';
}

/* Names become folders and parts of addresses: only what the store itself allows in them. An
 * entity or project may hold spaces and letters of any script. */
static bool part_is_sound(const char *part, size_t n_bytes, bool strict)
{
    if (n_bytes == 0 || n_bytes > MAX_PART_BYTES || part[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        const unsigned char c = (unsigned char)part[i];
        const bool fits =
            strict ? is_plain(part[i]) : c >= ' ' && c != 0x7F && strchr("\\#?%:", c) == NULL;
        if (!fits) {
            return false;
        }
    }
    return true;
}

static ss_status refuse(const char *text, ss_err *err)
{
    return ss__fail(err, SS_E_USAGE,
                    "'%.300s' does not name an artifact; expected "
                    "wandb:ENTITY/PROJECT/NAME:ALIAS, such as wandb:team/project/sae:v0",
                    text);
}

ss_status ss__artifact_name_parse(const char *text, struct ss__artifact_name *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__artifact_name name = {0};
    const char *rest = ss__artifact_is_name(text) ? text + sizeof prefix - 1 : text;
    const char *first = strchr(rest, '/');
    const char *second = first != NULL ? strchr(first + 1, '/') : NULL;
    *out = (struct ss__artifact_name){0};
    if (second == NULL || strchr(second + 1, '/') != NULL) {
        SS_TRY(refuse(text, err));
    }
    const char *colon = strchr(second + 1, ':');
    const size_t n_collection =
        colon != NULL ? (size_t)(colon - second - 1) : strlen(second + 1);
    const char *alias = colon != NULL ? colon + 1 : "latest";
    if (!part_is_sound(rest, (size_t)(first - rest), false) ||
        !part_is_sound(first + 1, (size_t)(second - first - 1), false) ||
        !part_is_sound(second + 1, n_collection, true) ||
        !part_is_sound(alias, strlen(alias), false)) {
        SS_TRY(refuse(text, err));
    }
    name.entity = ss__strndup(rest, (size_t)(first - rest));
    name.project = ss__strndup(first + 1, (size_t)(second - first - 1));
    name.collection = ss__strndup(second + 1, n_collection);
    name.alias = ss__strdup(alias);
    if (name.entity == NULL || name.project == NULL || name.collection == NULL ||
        name.alias == NULL) {
        SS_TRY(ss__fail_nomem(err, "a name"));
    }
    *out = name;
    name = (struct ss__artifact_name){0};
out:
    ss__artifact_name_release(&name);
    return status;
}

void ss__artifact_name_release(struct ss__artifact_name *name)
{
    ss__free(name->entity);
    ss__free(name->project);
    ss__free(name->collection);
    ss__free(name->alias);
    *name = (struct ss__artifact_name){0};
}
