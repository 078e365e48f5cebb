/* Repositories of many SAEs, each in a folder of its own: which folders those are, from the
 * list of files alone, so that nobody waits for hundreds of gigabytes to learn that one has to
 * be named. */
#include <string.h>

#include "base/mem.h"
#include "base/sae_files.h"
#include "net/hub_priv.h"

enum { MOST_NAMED = 6 };

/* A file of weights right in the folder that was named is taken for the SAE. */
static const char *const weights_endings[] = {".pt",  ".pth",  ".safetensors",
                                              ".npz", ".ckpt", ".bin"};

/* By the extension alone. */
static bool ends_as_weights(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof weights_endings / sizeof *weights_endings;
         i++) {
        if (strcmp(dot, weights_endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct saes {
    struct ss__buf names; /* of the first folders */
    const char *first;    /* the first folder, of n_first bytes */
    size_t n, n_first;
    const char *last;
    size_t n_last;
    bool has_own; /* weights lie in the named folder itself */
};

/* Paths are sorted, so files of a folder follow each other. */
static void add(struct saes *saes, const char *folder, size_t n)
{
    if (n == saes->n_last && saes->last != NULL && memcmp(folder, saes->last, n) == 0) {
        return;
    }
    saes->last = folder;
    saes->n_last = n;
    if (saes->n == 0) {
        saes->first = folder;
        saes->n_first = n;
    }
    if (saes->n++ < MOST_NAMED) {
        ss__buf_printf(&saes->names, "%s'%.*s'", saes->n == 1 ? "" : ", ",
                       (int)ss__min_size(n, 120), folder);
    }
}

static void look(const struct ss_net_hub_tree *tree, size_t n_base, struct saes *saes)
{
    for (size_t i = 0; i < tree->n; i++) {
        const char *path = tree->entries[i].path;
        const char *slash = strrchr(path, '/'), *name = slash == NULL ? path : slash + 1;
        const size_t n_folder = slash == NULL ? 0 : (size_t)(slash - path);
        if (n_folder <= n_base) {
            saes->has_own = saes->has_own || ends_as_weights(name);
        } else if (ss__is_sae_weights(name)) {
            add(saes, path, n_folder);
        }
    }
}

ss_status ss_net_hub_check_saes(const struct ss_net_hub_name *name,
                                const struct ss_net_hub_tree *tree, ss_err *err)
{
    ss_status status = SS_OK;
    struct saes saes = {0};
    look(tree, strlen(name->path), &saes);
    SS_TRY(ss__buf_check(&saes.names, err));
    if (saes.has_own || saes.n < 2) {
        goto out;
    }
    SS_FAIL(SS_E_NOINPUT,
            "%.300s holds %zu SAEs in folders of their own: %.*s%s; name one of them: "
            "hf:%.300s/%.*s",
            name->id, saes.n, (int)saes.names.n_bytes, saes.names.data,
            saes.n > MOST_NAMED ? ", ..." : "", name->id, (int)ss__min_size(saes.n_first, 300),
            saes.first);
out:
    ss__buf_release(&saes.names);
    return status;
}
