/* Documents of the run that is there and of the files that are added, as one. */
#include <string.h>

#include "base/mem.h"
#include "pass/append.h"

void ss_pass_append_release(struct ss_pass_append *append)
{
    ss_pass_state_release(&append->before);
    ss__free(append->file_of);
    ss__free(append->is_known);
    *append = (struct ss_pass_append){
        .before = {.gathered = {.evidence = {.kind = SS_EVIDENCE_NONE}}}};
}

static bool is_same_text(const struct ss__json *a, const struct ss__json *b, const char *key)
{
    const char *x = ss__json_string(ss__json_get(a, key));
    const char *y = ss__json_string(ss__json_get(b, key));
    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static void put_list(struct ss__json_writer *writer, const char *key,
                     const struct ss__json *before, const struct ss__json *now,
                     const struct ss_pass_append *append)
{
    const bool are_files = strcmp(key, "files") == 0;
    const struct ss__json *item = NULL;
    size_t i = 0;
    ss__put_open(writer, key, '[');
    SS_JSON_EACH (before, i, item) {
        ss__put_tree(writer, NULL, item);
    }
    SS_JSON_EACH (now, i, item) {
        const bool is_known =
            are_files ? i < append->n_files && append->file_of[i] == SS_PASS_FILE_KNOWN
                      : i < append->n_archives && append->is_known[i];
        if (!is_known) {
            ss__put_tree(writer, NULL, item);
        }
    }
    ss__put_close(writer, ']');
}

/* A dataset as a document, with the lists of before and of now. `name`: in place of its own. */
static void put_dataset(struct ss__json_writer *writer, const char *key, const char *name,
                        const struct ss__json *before, const struct ss__json *now,
                        const struct ss_pass_append *append)
{
    const char *member = NULL;
    const struct ss__json *value = NULL;
    const struct ss__json *archives[] = {ss__json_get(before, "archives"),
                                         ss__json_get(now, "archives")};
    ss__put_open(writer, key, '{');
    SS_JSON_EACH_MEMBER (now, member, value) {
        if (strcmp(member, "files") == 0) {
            put_list(writer, member, ss__json_get(before, member), value, append);
        } else if (strcmp(member, "name") == 0 && name != NULL) {
            ss__put_text(writer, member, name);
        } else if (strcmp(member, "format") == 0 && name != NULL &&
                   !is_same_text(before, now, member)) {
            ss__put_text(writer, member, "mixed");
        } else if (strcmp(member, "archives") != 0) {
            ss__put_tree(writer, member, value);
        }
    }
    if (archives[0] != NULL || archives[1] != NULL) {
        put_list(writer, "archives", archives[0], archives[1], append);
    }
    ss__put_close(writer, '}');
}

ss_status ss_pass_append_replace(struct ss__json_writer *writer, struct ss__json **document,
                                 ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__json *made = NULL;
    SS_TRY(ss__buf_check(&writer->buf, err));
    SS_TRY(ss__json_parse("a document", writer->buf.data, writer->buf.n_bytes, &made, err));
    ss__json_free(*document);
    *document = made;
out:
    ss__buf_release(&writer->buf);
    return status;
}

ss_status ss_pass_append_join_identity(const struct ss_pass_append *append,
                                       struct ss__json **identity, ss_err *err)
{
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    const char *key = NULL;
    const struct ss__json *value = NULL;
    ss__put_open(&writer, NULL, '{');
    SS_JSON_EACH_MEMBER (*identity, key, value) {
        if (strcmp(key, "dataset") == 0) {
            put_dataset(&writer, key, NULL, ss__json_get(append->before.identity, key), value,
                        append);
        } else {
            ss__put_tree(&writer, key, value);
        }
    }
    ss__put_close(&writer, '}');
    return ss_pass_append_replace(&writer, identity, err);
}

ss_status ss_pass_append_join_dataset(const struct ss_pass_append *append, const char *name,
                                      struct ss__json **dataset, ss_err *err)
{
    struct ss__json_writer writer = {.style = SS__JSON_COMPACT};
    put_dataset(&writer, NULL, name, append->before.facts.dataset, *dataset, append);
    return ss_pass_append_replace(&writer, dataset, err);
}
