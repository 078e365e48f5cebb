/* wandb:ENTITY/PROJECT/NAME:ALIAS. What the store lets people write is wider than what its
 * client makes, so all characters are taken but those that would change where a path or a
 * query leads. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "net/artifact_priv.h"

static const char prefix[] = "wandb:";
static const char in_owners[] = "\\#?%"; /* forbidden in names of entities and projects */
enum { MAX_COMPONENT_BYTES = 4 * 128 /* characters */ };

bool ss_net_artifact_is_name(const char *text)
{
    return strncmp(text, prefix, sizeof prefix - 1) == 0;
}

/* What the store lets people write in a part of a name. The client's own rule for what it makes
 * is narrower, but names can be changed on the store's pages, and a registry has its own. No
 * part may lead a path elsewhere: entity and project are folders of the record, the collection
 * is a folder with its version behind it. */
static bool component_is_valid(const char *component, size_t n_bytes, const char *forbidden)
{
    if (n_bytes == 0 || n_bytes > MAX_COMPONENT_BYTES ||
        (component[0] == '.' && *forbidden != '\0') || (n_bytes == 1 && component[0] == '.') ||
        (n_bytes == 2 && memcmp(component, "..", 2) == 0) ||
        ss__utf8_valid_prefix(component, n_bytes) != n_bytes) {
        return false;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        const unsigned char c = (unsigned char)component[i];
        if (c < ' ' || c == 0x7F || c == '/' || c == ':' || strchr(forbidden, c) != NULL) {
            return false;
        }
    }
    return true;
}

static ss_status refuse(const char *text, ss_err *err)
{
    return ss__fail(err, SS_E_USAGE,
                    "'%.300s' does not name an artifact; expected "
                    "wandb:ENTITY/PROJECT/NAME:ALIAS, such as wandb:team/project/sae:v0, whose "
                    "parts hold neither '/' nor ':'",
                    text);
}

ss_status ss_net_artifact_name_parse(const char *text, struct ss_net_artifact_name *out,
                                     ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_artifact_name name = {0};
    const char *rest = ss_net_artifact_is_name(text) ? text + sizeof prefix - 1 : text;
    const char *first = strchr(rest, '/');
    const char *second = first != NULL ? strchr(first + 1, '/') : NULL;
    *out = (struct ss_net_artifact_name){0};
    if (second == NULL || strchr(second + 1, '/') != NULL) {
        SS_TRY(refuse(text, err));
    }
    const char *colon = strchr(second + 1, ':');
    const size_t n_collection =
        colon != NULL ? (size_t)(colon - second - 1) : strlen(second + 1);
    const char *alias = colon != NULL ? colon + 1 : "latest";
    if (!component_is_valid(rest, (size_t)(first - rest), in_owners) ||
        !component_is_valid(first + 1, (size_t)(second - first - 1), in_owners) ||
        !component_is_valid(second + 1, n_collection, "") ||
        !component_is_valid(alias, strlen(alias), "")) {
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
    name = (struct ss_net_artifact_name){0};
out:
    ss_net_artifact_name_release(&name);
    return status;
}

void ss_net_artifact_name_release(struct ss_net_artifact_name *name)
{
    ss__free(name->entity);
    ss__free(name->project);
    ss__free(name->collection);
    ss__free(name->alias);
    *name = (struct ss_net_artifact_name){0};
}
