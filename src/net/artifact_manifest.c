/* The manifest of an artifact, a JSON document:
 *
 *   {"version": 1, "storagePolicy": "wandb-storage-policy-v1",
 *    "storagePolicyConfig": {"storageLayout": "V2", "storageRegion": …},
 *    "contents": {PATH: {"digest": BASE64 HASH, "size": N, "birthArtifactID": …,
 *                        "ref": …, "extra": {"etag": …, "alg": "XXH128"}}}}
 *
 * The hash of an entry is MD5 unless `alg` says XXH128. The artifact's digest is the hex of
 * either of "wandb-artifact-manifest-v1\n" and a line "PATH:DIGEST\n" for every entry, by
 * path; which one is said nowhere. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/sort.h"
#include "net/artifact_priv.h"

enum { HASH_BYTES = 16, MAX_PATH_BYTES = 1024 };

static int compare_paths(const void *a, const void *b)
{
    const struct ss_net_artifact_entry *left = a, *right = b;
    return strcmp(left->path, right->path);
}

/* False for what is no hash of 16 bytes. */
static bool hex_of_digest(const char *digest, char hex[SS_NET_HASH128_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[HASH_BYTES];
    size_t n_bytes = 0;
    hex[0] = '\0';
    if (!ss__base64_decode(digest, strlen(digest), bytes, sizeof bytes, &n_bytes) ||
        n_bytes != HASH_BYTES) {
        return false;
    }
    for (size_t i = 0; i < HASH_BYTES; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * HASH_BYTES] = '\0';
    return true;
}

/* No component may be empty, "." or "..": two names would mean one file. */
static bool path_is_sound(const char *path)
{
    if (*path == '\0' || strlen(path) > MAX_PATH_BYTES || !ss__path_is_inside(path)) {
        return false;
    }
    for (const char *component = path; component != NULL;) {
        const size_t n_bytes = strcspn(component, "/");
        if (n_bytes == 0 || (n_bytes == 1 && *component == '.')) {
            return false;
        }
        component = component[n_bytes] == '/' ? component + n_bytes + 1 : NULL;
    }
    return true;
}

/* The algorithm of an entry; MD5 where none is named. */
static ss_status read_algorithm(const char *what, const char *path,
                                const struct ss__json *extra, ss__hash_kind *kind, ss_err *err)
{
    const char *name = "MD5";
    SS_RETURN_IF_ERROR(ss__json_text(what, extra, "alg", &name, err));
    *kind = ss__equal_ignoring_case(name, "XXH128") ? SS__HASH_XXH128 : SS__HASH_MD5;
    if (*kind == SS__HASH_MD5 && !ss__equal_ignoring_case(name, "MD5")) {
        return ss__fail_file(
            err, what, SS_E_UNSUPPORTED,
            "the digest of '%.200s' is by the algorithm '%.40s'; MD5 and XXH128 are "
            "known",
            path, name);
    }
    return SS_OK;
}

/* Paths become names of files, so a bad one is an error of the whole manifest. */
static ss_status read_entry(const char *what, const char *path, const struct ss__json *value,
                            struct ss_net_artifact_entry *entry, ss_err *err)
{
    size_t n_bytes = SIZE_MAX;
    *entry = (struct ss_net_artifact_entry){.path = path, .n_bytes = SS_NOWHERE};
    if (!path_is_sound(path)) {
        return ss__fail_file(
            err, what, SS_E_DATA,
            "the path '%.200s' of an entry would leave the folder of the artifact", path);
    }
    if (!ss__json_is_object(value)) {
        return ss__fail_file(err, what, SS_E_DATA, "the entry '%.200s' is not an object", path);
    }
    SS_RETURN_IF_ERROR(ss__json_need(what, value, "digest", err));
    SS_RETURN_IF_ERROR(ss__json_text(what, value, "digest", &entry->digest, err));
    SS_RETURN_IF_ERROR(ss__json_text(what, value, "ref", &entry->ref, err));
    SS_RETURN_IF_ERROR(ss__json_text(what, value, "birthArtifactID", &entry->birth_id, err));
    SS_RETURN_IF_ERROR(ss__json_size(what, value, "size", &n_bytes, err));
    const struct ss__json *extra = ss__json_get(value, "extra");
    extra = ss__json_is_object(extra) ? extra : NULL;
    SS_RETURN_IF_ERROR(ss__json_text(what, extra, "etag", &entry->etag, err));
    SS_RETURN_IF_ERROR(read_algorithm(what, path, extra, &entry->kind, err));
    entry->n_bytes = n_bytes == SIZE_MAX ? SS_NOWHERE : n_bytes;
    if (!hex_of_digest(entry->digest, entry->hex) && entry->ref == NULL) {
        return ss__fail_file(
            err, what, SS_E_DATA,
            "the digest '%.60s' of '%.200s' is not an %s in base64 (24 characters)",
            entry->digest, path, entry->kind == SS__HASH_MD5 ? "MD5" : "XXH128");
    }
    return SS_OK;
}

/* Another version or policy would name other places for the files. */
static ss_status check_head(const char *what, const struct ss__json *tree, ss_err *err)
{
    size_t version = 0;
    const char *policy = "";
    if (!ss__json_is_object(tree) || !ss__json_is_object(ss__json_get(tree, "contents"))) {
        return ss__fail_file(err, what, SS_E_DATA,
                             "is not a manifest: it has no object 'contents'");
    }
    SS_RETURN_IF_ERROR(ss__json_size(what, tree, "version", &version, err));
    SS_RETURN_IF_ERROR(ss__json_text(what, tree, "storagePolicy", &policy, err));
    if (version != 1 || strcmp(policy, "wandb-storage-policy-v1") != 0) {
        return ss__fail_file(
            err, what, SS_E_UNSUPPORTED,
            "is of version %zu with the storage policy '%.60s'; version 1 with "
            "wandb-storage-policy-v1 is read",
            version, policy);
    }
    if (ss__json_count(ss__json_get(tree, "contents")) > SS_NET_ARTIFACT_MAX_FILES) {
        return ss__fail_file(err, what, SS_E_LIMIT, "has more than %d files",
                             SS_NET_ARTIFACT_MAX_FILES);
    }
    return SS_OK;
}

/* Entries are sorted by path, as the digest wants them. */
static ss_status digest_of(const struct ss_net_artifact_manifest *manifest, ss__hash_kind kind,
                           char hex[SS__HASH_HEX_BYTES], ss_err *err)
{
    static const char head[] = "wandb-artifact-manifest-v1\n";
    ss_status status = SS_OK;
    struct ss__hash *hash = NULL;
    SS_TRY(ss__hash_new(kind, &hash, err));
    ss__hash_add(hash, head, sizeof head - 1);
    for (size_t i = 0; i < manifest->n; i++) {
        ss__hash_add(hash, manifest->entries[i].path, strlen(manifest->entries[i].path));
        ss__hash_add(hash, ":", 1);
        ss__hash_add(hash, manifest->entries[i].digest, strlen(manifest->entries[i].digest));
        ss__hash_add(hash, "\n", 1);
    }
    ss__hash_finish(hash, hex);
out:
    ss__hash_free(hash);
    return status;
}

/* The digest binds names and contents to the artifact that the store named. */
static ss_status check_digest(const char *what, const struct ss_net_artifact_manifest *manifest,
                              const char *digest, ss_err *err)
{
    char md5[SS__HASH_HEX_BYTES], xxh128[SS__HASH_HEX_BYTES];
    SS_RETURN_IF_ERROR(digest_of(manifest, SS__HASH_MD5, md5, err));
    SS_RETURN_IF_ERROR(digest_of(manifest, SS__HASH_XXH128, xxh128, err));
    if (strcmp(md5, digest) != 0 && strcmp(xxh128, digest) != 0) {
        return ss__fail_file(
            err, what, SS_E_DATA,
            "its entries have the digest %s (MD5) or %s (XXH128), the store says "
            "%.60s; the manifest is damaged or of another artifact",
            md5, xxh128, digest);
    }
    return SS_OK;
}

/* Texts of entries are views into the document, which the manifest owns from here on, also on
 * error. */
ss_status ss_net_artifact_manifest_from_json(const char *what, struct ss__json *document,
                                             struct ss__json *tree, const char *digest,
                                             struct ss_net_artifact_manifest *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_net_artifact_manifest manifest = {
        .document = document, .tree = tree, .region = "default"};
    const char *path = NULL;
    struct ss__json *value = NULL;
    *out = (struct ss_net_artifact_manifest){0};
    SS_TRY(check_head(what, tree, err));
    const struct ss__json *config = ss__json_get(tree, "storagePolicyConfig");
    SS_TRY(ss__json_text(what, ss__json_is_object(config) ? config : NULL, "storageRegion",
                         &manifest.region, err));
    struct ss__json *contents = ss__json_get(tree, "contents");
    SS_ALLOC(manifest.entries, ss__json_count(contents));
    SS_JSON_EACH_MEMBER (contents, path, value) {
        SS_TRY(read_entry(what, path, value, &manifest.entries[manifest.n], err));
        manifest.n++;
    }
    ss__sort(manifest.entries, manifest.n, sizeof *manifest.entries, compare_paths);
    if (digest != NULL) {
        SS_TRY(check_digest(what, &manifest, digest, err));
    }
    *out = manifest;
    manifest = (struct ss_net_artifact_manifest){0};
out:
    ss_net_artifact_manifest_release(&manifest);
    return status;
}

ss_status ss_net_artifact_manifest_parse(const char *what, const char *text, size_t n_bytes,
                                         const char *digest,
                                         struct ss_net_artifact_manifest *out, ss_err *err)
{
    struct ss__json *tree = NULL;
    *out = (struct ss_net_artifact_manifest){0};
    const ss_status status = ss__json_parse(what, text, n_bytes, &tree, err);
    return status == SS_OK
               ? ss_net_artifact_manifest_from_json(what, tree, tree, digest, out, err)
               : status;
}

void ss_net_artifact_manifest_release(struct ss_net_artifact_manifest *manifest)
{
    ss__json_free(manifest->document);
    ss__free(manifest->entries);
    *manifest = (struct ss_net_artifact_manifest){0};
}

const struct ss_net_artifact_entry *
ss_net_artifact_manifest_find(const struct ss_net_artifact_manifest *manifest, const char *path)
{
    const struct ss_net_artifact_entry wanted = {.path = path};
    return ss__search(&wanted, manifest->entries, manifest->n, sizeof *manifest->entries,
                      compare_paths);
}
