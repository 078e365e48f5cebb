/* Every name of a tokenizer class that the reference library knows: the same ids as there, or a
 * refusal that gives the name (tools/make_tokenizer_classes.py). */
#include <unistd.h>

#include "base/buf.h"
#include "tokenizer_helpers.h"

struct folder {
    char path[64], tokenizer[96], config[96], model[96];
};

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void open_folder(struct folder *self, const char *tokenizer)
{
    snprintf(self->path, sizeof self->path, "/tmp/saescope-classes-XXXXXX");
    assert_non_null(mkdtemp(self->path));
    snprintf(self->tokenizer, sizeof self->tokenizer, "%s/tokenizer.json", self->path);
    snprintf(self->config, sizeof self->config, "%s/tokenizer_config.json", self->path);
    snprintf(self->model, sizeof self->model, "%s/config.json", self->path);
    put(self->tokenizer, tokenizer);
    put(self->model, "{\"model_type\":\"bert\"}");
}

static void close_folder(const struct folder *self)
{
    assert_int_equal(unlink(self->tokenizer), 0);
    assert_int_equal(unlink(self->config), 0);
    assert_int_equal(unlink(self->model), 0);
    assert_int_equal(rmdir(self->path), 0);
}

static void check_ids(const char *name, struct ss_tokenizer *tokenizer,
                      struct ss_tokenizer_token_scratch *scratch, const struct ss__json *texts,
                      const struct ss__json *rows)
{
    struct fixture fixture = {.tokenizer = tokenizer, .scratch = scratch};
    for (size_t i = 0; i < ss__json_count(texts); i++) {
        if (!ids_equal(&fixture, ss__json_at(texts, i), ss__json_at(rows, i), 0, 0)) {
            fail_msg("%s: other ids for text %zu", name, i);
        }
    }
    ss_tokenizer_tokens_release(&fixture.tokens);
}

static void test_names(void **state)
{
    struct ss__json *root = need_json(SS_TEST_DATA "/tokenizer_classes.json");
    const struct ss__json *names = ss__json_get(root, "names");
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct folder folder;
    size_t n_read = 0, n_refused = 0;
    ss_err err;
    (void)state;
    open_folder(&folder, ss__json_string(ss__json_get(root, "tokenizer.json")));
    must(ss_tokenizer_token_scratch_new(&scratch, &err), &err);
    for (size_t i = 0; i < ss__json_count(names); i++) {
        const struct ss__json *row = ss__json_at(names, i), *ids = ss__json_at(row, 1);
        const char *name = ss__json_string(ss__json_at(row, 0));
        struct ss_tokenizer *tokenizer = NULL;
        struct ss__buf config = {0};
        ss__buf_printf(&config, "{\"tokenizer_class\":\"%s\",%s", name,
                       ss__json_string(ss__json_get(root, "config")));
        put(folder.config, ss__buf_text(&config));
        ss__buf_release(&config);
        const ss_status status = ss_tokenizer_load(folder.path, NULL, &tokenizer, &err);
        if (status == SS_OK) {
            assert_true(ss__json_is_array(ids)); /* what the reference can not read */
            check_ids(name, tokenizer, scratch, ss__json_get(root, "texts"), ids);
            n_read++;
        } else {
            assert_int_equal(status, SS_E_UNSUPPORTED);
            assert_true(strstr(err.message, name) != NULL ||
                        strstr(err.message, "needs") != NULL);
            n_refused++;
        }
        ss_tokenizer_free(tokenizer);
    }
    assert_in_range(n_read, 40, 100);
    assert_in_range(n_refused, 100, 200);
    ss_tokenizer_token_scratch_free(scratch);
    close_folder(&folder);
    ss__json_free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
