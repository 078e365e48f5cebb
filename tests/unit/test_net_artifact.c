/* What is read without a network: names, manifests and their digests, base64, netrc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "net/artifact_priv.h"
#include "net/netrc.h"

static void names_are_split_and_checked(void **state)
{
    static const char *const bad[] = {
        "wandb:",           "wandb:sae",          "wandb:proj/sae:v0",   "wandb:a/b/c/d:v0",
        "wandb:/b/c:v0",    "wandb:a//c:v0",      "wandb:a/b/:v0",       "wandb:a/b/c:",
        "wandb:a/b/..:v0",  "wandb:../b/c:v0",    "wandb:a/../c:v0",     "wandb:a/b/c:v0:v1",
        "wandb:a/b/c\n:v0", "wandb:a/b%2Fx/c:v0", "wandb:a/b/c:v0/../x", "wandb:a/b/.:v0",
        "wandb:a/b/c:..",   "wandb:a/b/\xff:v0"};
    /* Names that people give on the store's pages, and those of registries. */
    static const char *const odd[] = {"c d",
                                      "my artifact \xF0\x9F\x99\x80",
                                      "sä",
                                      "k=16, n",
                                      "50% #1 \\ \"q\" ?&+'<>",
                                      ".hidden",
                                      "...",
                                      "a\xC2\xA0z"};
    struct ss_net_artifact_name name = {0};
    ss_err err;
    (void)state;
    assert_int_equal(
        ss_net_artifact_name_parse("wandb:team-1/My Pröject/sae_b.2:v12", &name, &err), SS_OK);
    assert_string_equal(name.entity, "team-1");
    assert_string_equal(name.project, "My Pröject");
    assert_string_equal(name.collection, "sae_b.2");
    assert_string_equal(name.alias, "v12");
    ss_net_artifact_name_release(&name);
    assert_int_equal(ss_net_artifact_name_parse("a/b/c", &name, &err), SS_OK);
    assert_string_equal(name.alias, "latest");
    ss_net_artifact_name_release(&name);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "wandb:a/b/%s:%s", odd[i], odd[i]);
        if (ss_net_artifact_name_parse(text, &name, &err) != SS_OK) {
            fail_msg("%s", err.message);
        }
        assert_string_equal(name.collection, odd[i]);
        assert_string_equal(name.alias, odd[i]);
        ss_net_artifact_name_release(&name);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (ss_net_artifact_name_parse(bad[i], &name, &err) != SS_E_USAGE) {
            fail_msg("'%s' was taken for a name", bad[i]);
        }
        assert_non_null(strstr(err.message, "wandb:ENTITY/PROJECT/NAME:ALIAS"));
    }
}

/* Pairs from RFC 4648, section 10. */
static void base64_is_read_and_written(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    static const char *const bad[] = {
        "Z", "Zg=", "Zg", "Zg==Zg==", "Z===", "=Zg=", "Zh==", "Z g=", "Zm9-"};
    uint8_t bytes[8];
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct ss__buf text = {0};
        ss__base64_add(&text, pairs[i][0], strlen(pairs[i][0]));
        assert_string_equal(ss__buf_text(&text), pairs[i][1]);
        assert_true(ss__base64_decode(pairs[i][1], strlen(pairs[i][1]), bytes, 8, &n));
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(bytes, pairs[i][0], n);
        ss__buf_release(&text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (ss__base64_decode(bad[i], strlen(bad[i]), bytes, 8, &n)) {
            fail_msg("'%s' was taken for base64", bad[i]);
        }
    }
    assert_false(ss__base64_decode("Zm9vYmFy", 8, bytes, 5, &n));
}

/* The digest is md5sum's of "wandb-artifact-manifest-v1\na/b:DIGEST\nz:DIGEST\n". */
#define ABC_DIGEST "kAFQmDzST7DWlj99KOF/cg=="
static const char head[] =
    "{\"version\": 1, \"storagePolicy\": \"wandb-storage-policy-v1\", "
    "\"storagePolicyConfig\": {\"storageLayout\": \"V2\"}, \"contents\": ";

static ss_status parse(const char *contents, const char *digest,
                       struct ss_net_artifact_manifest *manifest, ss_err *err)
{
    struct ss__buf text = {0};
    ss__buf_printf(&text, "%s%s}", head, contents);
    const ss_status status =
        ss_net_artifact_manifest_parse("here", text.data, text.n_bytes, digest, manifest, err);
    ss__buf_release(&text);
    return status;
}

static void manifests_are_sorted_and_digested(void **state)
{
    static const char contents[] = "{\"z\": {\"digest\": \"" ABC_DIGEST
                                   "\", \"size\": 3}, \"a/b\": {\"digest\": \"" ABC_DIGEST
                                   "\", \"birthArtifactID\": \"x\"}}";
    struct ss_net_artifact_manifest manifest = {0};
    ss_err err;
    (void)state;
    assert_int_equal(parse(contents, "98a2911a2942dacfea9ec102d636ca53", &manifest, &err),
                     SS_OK);
    assert_int_equal(manifest.n, 2);
    assert_string_equal(manifest.entries[0].path, "a/b");
    assert_string_equal(manifest.entries[0].hex, "900150983cd24fb0d6963f7d28e17f72");
    assert_true(manifest.entries[0].n_bytes == SS_NOWHERE);
    assert_true(ss_net_artifact_manifest_find(&manifest, "z")->n_bytes == 3);
    assert_null(ss_net_artifact_manifest_find(&manifest, "a"));
    ss_net_artifact_manifest_release(&manifest);
    assert_int_equal(parse(contents, "00000000000000000000000000000000", &manifest, &err),
                     SS_E_DATA);
}

/* The hash of an entry, and the algorithms that `alg` may name. */
static void algorithms_are_named_by_entries(void **state)
{
    static const char contents[] =
        "{\"a\": {\"digest\": \"" ABC_DIGEST "\", \"extra\": {\"alg\": \"%s\"}}}";
    struct ss_net_artifact_manifest manifest = {0};
    ss_err err;
    char text[256];
    (void)state;
    (void)snprintf(text, sizeof text, contents, "XXH128");
    assert_int_equal(parse(text, NULL, &manifest, &err), SS_OK);
    assert_int_equal(manifest.entries[0].kind, SS__HASH_XXH128);
    ss_net_artifact_manifest_release(&manifest);
    (void)snprintf(text, sizeof text, contents, "MD5");
    assert_int_equal(parse(text, NULL, &manifest, &err), SS_OK);
    assert_int_equal(manifest.entries[0].kind, SS__HASH_MD5);
    ss_net_artifact_manifest_release(&manifest);
    (void)snprintf(text, sizeof text, contents, "BLAKE3");
    assert_int_equal(parse(text, NULL, &manifest, &err), SS_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'BLAKE3'"));
    assert_int_equal(parse("{\"a\": {\"digest\": \"" ABC_DIGEST "\", \"extra\": {\"alg\": 7}}}",
                           NULL, &manifest, &err),
                     SS_E_DATA);
}

static void bad_manifests_are_refused(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"a\": 1}",
        "{\"a\": {}}",
        "{\"a\": {\"digest\": 7}}",
        "{\"a\": {\"digest\": \"abc\"}}",
        "{\"a\": {\"digest\": \"900150983cd24fb0d6963f7d28e17f72\"}}",
        "{\"a\": {\"digest\": \"" ABC_DIGEST "\", \"size\": -1}}",
        "{\"../a\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"a/../../b\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"/a\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"a//b\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"a/./b\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"a/\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"c:\\\\a\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"a\\u0007\": {\"digest\": \"" ABC_DIGEST "\"}}",
        "{\"\": {\"digest\": \"" ABC_DIGEST "\"}}"};
    struct ss_net_artifact_manifest manifest = {0};
    ss_err err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (parse(bad[i], NULL, &manifest, &err) != SS_E_DATA) {
            fail_msg("%s was taken for a manifest", bad[i]);
        }
        assert_null(manifest.tree);
    }
    static const char other[] =
        "{\"version\": 2, \"storagePolicy\": \"wandb-storage-policy-v1\", \"contents\": {}}";
    assert_int_equal(
        ss_net_artifact_manifest_parse("here", other, sizeof other - 1, NULL, &manifest, &err),
        SS_E_UNSUPPORTED);
}

/* What Python's netrc module says of the same texts. */
static void netrc_passwords_are_found(void **state)
{
    static const struct {
        const char *text, *password; /* of api.wandb.ai */
    } cases[] = {
        {"", NULL},
        {"machine api.wandb.ai login user password abc\n", "abc"},
        {"machine api.wandb.ai\n  login user\n  password abc\n", "abc"},
        {"machine other login x password y\nmachine api.wandb.ai login user password abc",
         "abc"},
        {"machine api.wandb.ai.evil login x password y\n", NULL},
        {"default login a password d\n", "d"},
        {"default login a password d\nmachine other login u password x\n", "d"},
        {"machine api.wandb.ai login user password abc\ndefault login a password d\n", "abc"},
        {"# machine api.wandb.ai password no\nmachine api.wandb.ai login u password yes\n",
         "yes"},
        {"machine api.wandb.ai login u password #x\n", "#x"},
        {"machine api.wandb.ai login u password \"a b\\\"c\"\n", "a b\"c"},
        {"macdef init\npassword no\n\nmachine api.wandb.ai login u password yes\n", "yes"},
        {"machine api.wandb.ai login u account acc password yes\n", "yes"},
        {"machine api.wandb.ai login u password a\nmachine api.wandb.ai login v password b\n",
         "b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss__buf password = {0};
        bool found = false;
        ss_net_netrc_find(cases[i].text, strlen(cases[i].text), "api.wandb.ai", &password,
                          &found);
        if (found != (cases[i].password != NULL) ||
            (found && strcmp(ss__buf_text(&password), cases[i].password) != 0)) {
            fail_msg("%s: %s", cases[i].text, found ? password.data : "none");
        }
        ss__buf_release(&password);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_split_and_checked),
        cmocka_unit_test(base64_is_read_and_written),
        cmocka_unit_test(manifests_are_sorted_and_digested),
        cmocka_unit_test(algorithms_are_named_by_entries),
        cmocka_unit_test(bad_manifests_are_refused),
        cmocka_unit_test(netrc_passwords_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
