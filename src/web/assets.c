/* The table of embedded files, and the modules as one script. */
#include "web/assets.h"

#include <string.h>

#define ASSET(id, name, type) extern const char ss_web_asset_##id[], ss_web_asset_end_##id[];
#include "web/asset_list.h"
#undef ASSET

const struct ss_web_asset ss_web_assets[] = {
#define ASSET(id, name, type) {name, type, ss_web_asset_##id, ss_web_asset_end_##id},
#include "web/asset_list.h"
#undef ASSET
};
const size_t ss_web_n_assets = sizeof ss_web_assets / sizeof ss_web_assets[0];

const struct ss_web_asset *ss_web_asset_find(const char *name)
{
    for (size_t i = 0; i < ss_web_n_assets; i++) {
        if (strcmp(ss_web_assets[i].name, name) == 0) {
            return &ss_web_assets[i];
        }
    }
    return NULL;
}

static bool begins(const char *at, const char *end, const char *word)
{
    const size_t n = strlen(word);
    return (size_t)(end - at) >= n && memcmp(at, word, n) == 0;
}

static void add_module(struct ss__buf *buf, const struct ss_web_asset *module)
{
    const char *at = module->data;
    while (at < module->end) {
        const char *newline = memchr(at, '\n', (size_t)(module->end - at));
        const char *next = newline == NULL ? module->end : newline + 1;
        if (!begins(at, next, "import ")) {
            at += begins(at, next, "export ") ? strlen("export ") : 0;
            ss__buf_add(buf, at, (size_t)(next - at));
        }
        at = next;
    }
}

void ss_web_add_script(struct ss__buf *buf)
{
    ss__buf_add_text(buf, "(() => {\n\"use strict\";\n");
    for (size_t i = 0; i < ss_web_n_assets; i++) {
        const size_t n = strlen(ss_web_assets[i].name);
        if (n > 3 && strcmp(ss_web_assets[i].name + n - 3, ".js") == 0) {
            add_module(buf, &ss_web_assets[i]);
        }
    }
    ss__buf_add_text(buf, "})();\n");
}
