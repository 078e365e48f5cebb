/* What comes with artifacts: manifests, netrc files, names. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/artifact_priv.h"
#include "net/netrc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ss_net_artifact_manifest manifest = {0};
    struct ss_net_artifact_name name = {0};
    struct ss__buf password = {0};
    bool found = false;
    ss_err err;
    const char *bytes = n == 0 ? "" : (const char *)data;
    if (ss_net_artifact_manifest_parse("fuzz", bytes, n, NULL, &manifest, &err) == SS_OK) {
        for (size_t i = 0; i < manifest.n; i++) {
            const char *path = manifest.entries[i].path;
            if (!ss__path_is_inside(path) ||
                ss_net_artifact_manifest_find(&manifest, path) != &manifest.entries[i]) {
                abort();
            }
        }
    }
    ss_net_netrc_find(bytes, n, "api.wandb.ai", &password, &found);
    char *text = ss__strndup(bytes, n);
    if (text != NULL && ss_net_artifact_name_parse(text, &name, &err) == SS_OK &&
        strchr(name.collection, '/') != NULL) {
        abort();
    }
    ss__free(text);
    ss_net_artifact_name_release(&name);
    ss_net_artifact_manifest_release(&manifest);
    ss__buf_release(&password);
    return 0;
}
