/* Parts of tokenizer.json in combination, against digests of the ids that the reference library
 * gives (tools/make_tokenizer_product.py): the first model with each normalizer and
 * pre-tokenizer, the others with a sixth of these pairs each, and all with each post-processor.
 */
#include <unistd.h>

#include "base/buf.h"
#include "tokenizer_helpers.h"

#ifndef PARTS_STEP
#define PARTS_STEP                                                                             \
    6 /* of the pairs of normalizer and pre-tokenizer, for all but the first model */
#endif
enum { N_DIGEST_CHARS = 8 };

static const char reference_fails[] = "--------";

struct product {
    struct ss__json *root;
    const struct ss__json *texts;
    const char *digests;
    size_t n_digests, at; /* of the next combination */
    char folder[64], path[96];
    const char *added;
    size_t n_compared, n_failing;
};

struct combination {
    const struct ss__json *model, *normalizer, *pre_tokenizer,
        *post_processor; /* [name, part] */
};

static void open_product(struct product *self)
{
    *self = (struct product){.root = need_json(SS_TEST_DATA "/tokenizer_parts.json")};
    self->texts = ss__json_get(self->root, "texts");
    self->digests = ss__json_string(ss__json_get(self->root, "digests"));
    self->n_digests = strlen(self->digests) / N_DIGEST_CHARS;
    self->added = ss__json_string(ss__json_get(self->root, "added_tokens"));
    snprintf(self->folder, sizeof self->folder, "/tmp/saescope-parts-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    snprintf(self->path, sizeof self->path, "%s/tokenizer.json", self->folder);
}

static void close_product(struct product *self)
{
    assert_int_equal(unlink(self->path), 0);
    assert_int_equal(rmdir(self->folder), 0);
    ss__json_free(self->root);
}

static const char *name_of(const struct ss__json *part)
{
    return ss__json_string(ss__json_at(part, 0));
}

static void add_part(struct ss__buf *buf, const char *key, const struct ss__json *part)
{
    ss__buf_printf(buf, ",\"%s\":", key);
    ss__buf_add_text(buf, ss__json_string(ss__json_at(part, 1)));
}

static void write_combination(const struct product *self, const struct combination *c)
{
    struct ss__buf buf = {0};
    ss_err err;
    ss__buf_add_text(&buf, "{\"version\":\"1.0\",\"added_tokens\":");
    ss__buf_add_text(&buf, self->added);
    add_part(&buf, "normalizer", c->normalizer);
    add_part(&buf, "pre_tokenizer", c->pre_tokenizer);
    add_part(&buf, "post_processor", c->post_processor);
    add_part(&buf, "model", c->model);
    ss__buf_add_text(&buf, "}");
    must(ss__buf_check(&buf, &err), &err);
    FILE *file = fopen(self->path, "wb"); /* not flushed to disk, of which there is no need */
    assert_non_null(file);
    assert_int_equal(fwrite(buf.data, 1, buf.n_bytes, file), buf.n_bytes);
    assert_int_equal(fclose(file), 0);
    ss__buf_release(&buf);
}

static uint32_t add_ids(uint32_t digest, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i <= n; i++) {
        const uint32_t id = i < n ? (uint32_t)ids[i] : UINT32_MAX;
        for (unsigned byte = 0; byte < 4; byte++) {
            digest = (digest ^ (id >> 8 * byte & 0xFF)) * 0x01000193U;
        }
    }
    return digest;
}

/* Twice: what was remembered of words gives the same ids. */
static uint32_t digest_of(const struct product *self, struct fixture *fixture)
{
    uint32_t digests[2] = {0x811C9DC5U, 0x811C9DC5U};
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < ss__json_count(self->texts); i++) {
            const struct ss__json *text = ss__json_at(self->texts, i);
            tokenize(fixture, ss__json_string(text), ss__json_string_bytes(text), 0);
            digests[pass] = add_ids(digests[pass], fixture->tokens.ids,
                                    ss_tokenizer_tokens_n_ids(&fixture->tokens));
        }
    }
    assert_int_equal(digests[0], digests[1]);
    return digests[0];
}

static void check_combination(struct product *self, struct fixture *fixture,
                              const struct combination *c)
{
    char digest[N_DIGEST_CHARS + 1];
    const char *expected = self->digests + self->at * N_DIGEST_CHARS;
    assert_in_range(self->at, 0, self->n_digests - 1);
    self->at++;
    if (memcmp(expected, reference_fails, N_DIGEST_CHARS) == 0) {
        self->n_failing++;
        return;
    }
    write_combination(self, c);
    must(ss_tokenizer_load(self->folder, NULL, &fixture->tokenizer, &fixture->err),
         &fixture->err);
    snprintf(digest, sizeof digest, "%08x", digest_of(self, fixture));
    if (memcmp(digest, expected, N_DIGEST_CHARS) != 0) {
        fail_msg("%s, %s, %s, %s: other ids", name_of(c->model), name_of(c->normalizer),
                 name_of(c->pre_tokenizer), name_of(c->post_processor));
    }
    ss_tokenizer_free(fixture->tokenizer);
    fixture->tokenizer = NULL;
    self->n_compared++;
}

static const struct ss__json *named(const struct product *self, const char *axis,
                                    const char *name)
{
    const struct ss__json *parts = ss__json_get(self->root, axis);
    for (size_t i = 0; i < ss__json_count(parts); i++) {
        if (strcmp(name_of(ss__json_at(parts, i)), name) == 0) {
            return ss__json_at(parts, i);
        }
    }
    fail_msg("no part '%s'", name);
    return NULL;
}

static void check_model(struct product *self, struct fixture *fixture, size_t number)
{
    const struct ss__json *normalizers = ss__json_get(self->root, "normalizers");
    const struct ss__json *pre_tokenizers = ss__json_get(self->root, "pre_tokenizers");
    const struct ss__json *post_processors = ss__json_get(self->root, "post_processors");
    struct combination c = {.model = ss__json_at(ss__json_get(self->root, "models"), number),
                            .post_processor = named(self, "post_processors", "none")};
    for (size_t i = 0; i < ss__json_count(normalizers); i++) {
        c.normalizer = ss__json_at(normalizers, i);
        for (size_t j = 0; j < ss__json_count(pre_tokenizers); j++) {
            c.pre_tokenizer = ss__json_at(pre_tokenizers, j);
            if (number == 0 || (number + i + j) % PARTS_STEP == 0) {
                check_combination(self, fixture, &c);
            }
        }
    }
    c.normalizer = named(self, "normalizers", "none");
    c.pre_tokenizer = named(self, "pre_tokenizers", "white");
    for (size_t i = 0; i < ss__json_count(post_processors); i++) {
        c.post_processor = ss__json_at(post_processors, i);
        check_combination(self, fixture, &c);
    }
}

static void test_product(void **state)
{
    struct product product;
    struct fixture fixture = {0};
    (void)state;
    open_product(&product);
    must(ss_tokenizer_token_scratch_new(&fixture.scratch, &fixture.err), &fixture.err);
    const struct ss__json *models = ss__json_get(product.root, "models");
    for (size_t i = 0; i < ss__json_count(models); i++) {
        check_model(&product, &fixture, i);
    }
    assert_int_equal(product.at, product.n_digests);
    assert_in_range(product.n_compared, 7000, 100000);
    assert_in_range(product.n_failing, 0, 100);
    close_fixture(&fixture);
    close_product(&product);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_product)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
