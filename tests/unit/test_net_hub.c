/* Names of the hub and what its etags are. The talk with it is in tests/net/test_hub.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/hub_priv.h"

static void test_names(void **state)
{
    static const struct {
        const char *text, *parsed; /* KIND ID REVISION PATH; NULL: refused */
    } cases[] = {
        {"org/name", "models org/name main "},
        {"gpt2", "models gpt2 main "},
        {"org/name@v1.0", "models org/name v1.0 "},
        {"org/name@feature/x", "models org/name feature/x "},
        {"org/name@refs%2Fpr%2F1", "models org/name refs/pr/1 "},
        {"hf:org/name", "models org/name main "},
        {"hf:org/name/", "models org/name main "},
        {"hf://org/name/a/b.json", "models org/name main a/b.json"},
        {"hf:datasets/org/name@main/data", "datasets org/name main data"},
        {"hf://spaces/org/name", "spaces org/name main "},
        {"hf:org/name@refs/pr/12/config.json", "models org/name refs/pr/12 config.json"},
        {"hf:datasets/o/n@refs/convert/parquet/default/train/0.parquet",
         "datasets o/n refs/convert/parquet default/train/0.parquet"},
        {"hf:org/name@v1/x", "models org/name v1 x"},
        {"org/name/x", NULL},
        {"/org/name", NULL},
        {"./name", NULL},
        {"", NULL},
        {"hf:", NULL},
        {"org/-name", NULL},
        {"org/name.", NULL},
        {"org/na--me", NULL},
        {"org/na..me", NULL},
        {"org/name.git", NULL},
        {"org/na me", NULL},
        {"org/name@", NULL},
        {"org/name@../x", NULL},
        {"org/name@a//b", NULL},
        {"org/name@%2e%2e", NULL},
        {"hf:org/name/../x", NULL},
        {"hf:org/name/a//b", NULL},
        {"hf:org/name/a\\b", NULL},
        {"org/"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaa"
         "aaaaaaaaa",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_net_hub_name name;
        ss_err err;
        char found[2048] = "";
        const ss_status status = ss_net_hub_parse(cases[i].text, SS_NET_HUB_MODEL, &name, &err);
        if (cases[i].parsed == NULL) {
            assert_int_equal(status, SS_E_USAGE);
            continue;
        }
        snprintf(found, sizeof found, "%s %s %s %s", ss_net_hub_kind_name(name.kind), name.id,
                 name.revision, name.path);
        assert_string_equal(status == SS_OK ? found : err.message, cases[i].parsed);
    }
}

static void test_folder_names(void **state)
{
    static const struct {
        const char *folder, *id;
        ss_net_hub_kind kind;
    } cases[] = {{"models--org--name", "org/name", SS_NET_HUB_MODEL},
                 {"models--gpt2", "gpt2", SS_NET_HUB_MODEL},
                 {"datasets--a--b-c", "a/b-c", SS_NET_HUB_DATASET},
                 {"kernels--a--b", NULL, SS_NET_HUB_MODEL},
                 {"models--a--b--c", NULL, SS_NET_HUB_MODEL},
                 {"models--", NULL, SS_NET_HUB_MODEL},
                 {"models-a", NULL, SS_NET_HUB_MODEL},
                 {"blobs", NULL, SS_NET_HUB_MODEL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_net_hub_name name;
        assert_int_equal(ss_net_hub_read_folder_name(cases[i].folder, &name),
                         cases[i].id != NULL);
        if (cases[i].id != NULL) {
            struct ss__buf again = {0};
            assert_string_equal(name.id, cases[i].id);
            assert_int_equal(name.kind, cases[i].kind);
            ss_net_hub_add_folder_name(&again, &name);
            assert_string_equal(ss__buf_text(&again), cases[i].folder);
            ss__buf_release(&again);
        }
    }
}

/* Expected: sha256sum and git hash-object of "hello". */
static void test_etags(void **state)
{
    static const struct {
        const char *etag;
        bool is_good;
    } cases[] = {
        {"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", true},
        {"b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0", true},
        {"b6fc4c620b67d95f953a5c1c1230aaab5db5a1b1", false},
        {"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9825", false},
        {"an-etag-of-no-kind", true},
    };
    char path[] = "/tmp/saescope-etag-XXXXXX";
    ss_err err;
    struct ss_net *net = NULL;
    const struct ss_net_options options = {.offline = true};
    (void)state;
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0 && write(descriptor, "hello", 5) == 5);
    close(descriptor);
    assert_int_equal(ss_net_new(&options, &net, &err), SS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool is_good = !cases[i].is_good;
        assert_int_equal(ss_net_hub_check_file(net, path, cases[i].etag, &is_good, &err),
                         SS_OK);
        assert_int_equal(is_good, cases[i].is_good);
    }
    ss_net_free(net);
    unlink(path);
}

static void expect_cache(const char *expected)
{
    char *path = NULL;
    ss_err err;
    assert_int_equal(ss_net_hub_cache_from_environment(&path, &err), SS_OK);
    assert_string_equal(path, expected);
    ss__free(path);
}

static void test_where_the_cache_is(void **state)
{
    static const char *const names[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME",
                                        "XDG_CACHE_HOME"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv(names[i]);
    }
    setenv("HOME", "/home/me", 1);
    expect_cache("/home/me/.cache/huggingface/hub");
    setenv("XDG_CACHE_HOME", "/caches", 1);
    expect_cache("/caches/huggingface/hub");
    setenv("HF_HOME", "~/hf$NOTHING", 1);
    expect_cache("/home/me/hf$NOTHING/hub");
    setenv("WHERE", "/disk", 1);
    setenv("HUGGINGFACE_HUB_CACHE", "${WHERE}/old", 1);
    expect_cache("/disk/old");
    setenv("HF_HUB_CACHE", "$WHERE/new", 1);
    expect_cache("/disk/new");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_folder_names),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_where_the_cache_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
