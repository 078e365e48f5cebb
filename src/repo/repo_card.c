/* The card of a dataset repository: the front matter of its README, by libyaml.
 *
 *   ---
 *   dataset_info: {config_name: …}            or a list of such
 *   configs:
 *   - config_name: NAME
 *     data_dir: FOLDER
 *     data_files: PATTERN | [PATTERN, …] | [{split: NAME, path: PATTERN | [PATTERN, …]}, …]
 *     default: true
 *     sep: ";"                                an option of the reader of its kind
 *   ---
 *
 * Everything else in it is passed over. Scalars are taken as text, whatever type YAML gives
 * them. */
#include <string.h>
#include <yaml.h>

#include "base/mem.h"
#include "repo/repo.h"

enum { MAX_CONFIGS = 100000, MAX_MERGE_DEPTH = 8 };
enum { MAX_KEPT_BYTES = 64 << 20, MAX_VISITED = 20 << 20 };

/* A document that is walked; where it comes from and where it goes. */
struct walk {
    const char *file;
    yaml_document_t *document;
    struct ss_repo_card *card;
};

/* ---- the front matter ---- */

static bool is_feed(char c)
{
    return c == '\n' || c == '\r';
}

/* The bytes between "---" on the first line that is not blank and the next such line. */
static bool find_front_matter(struct ss_text text, struct ss_text *out)
{
    const char *at = text.data, *end = text.data + text.n_bytes;
    while (at < end && strchr(" \t\n\r\v\f", *at) != NULL && *at != '\0') {
        at++;
    }
    if (end - at < 4 || memcmp(at, "---", 3) != 0 || !is_feed(at[3])) {
        return false;
    }
    at += 3;
    at += at[0] == '\r' && end - at > 1 && at[1] == '\n' ? 2 : 1;
    for (const char *line = at; line < end; line++) {
        if (!is_feed(line[0]) || end - line < 4 || memcmp(line + 1, "---", 3) != 0) {
            continue;
        }
        const char *rest = line + 4;
        while (rest < end && (*rest == ' ' || *rest == '\t')) {
            rest++;
        }
        if (rest == end || is_feed(*rest)) {
            *out = (struct ss_text){at, (size_t)(line - at)};
            return true;
        }
    }
    return false;
}

/* ---- nodes ---- */

static yaml_node_t *node_at(const struct walk *walk, int id)
{
    return yaml_document_get_node(walk->document, id);
}

static bool is_list(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SEQUENCE_NODE;
}

static bool is_map(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_MAPPING_NODE;
}

static const char *scalar(const yaml_node_t *node)
{
    return node != NULL && node->type == YAML_SCALAR_NODE
               ? (const char *)node->data.scalar.value
               : NULL;
}

static bool is_plain_word(const yaml_node_t *node, const char *const *words, size_t n)
{
    const char *text = scalar(node);
    for (size_t i = 0; text != NULL && i < n; i++) {
        if (strcmp(text, words[i]) == 0) {
            return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        }
    }
    return false;
}

/* By YAML 1.1 a plain word; in quotes it is a text. */
static bool is_null(const yaml_node_t *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    return node == NULL || is_plain_word(node, words, sizeof words / sizeof words[0]);
}

/* Python's truth of what YAML makes of it: anything but null, "", false and 0. */
static bool is_true(const yaml_node_t *node)
{
    static const char *const words[] = {"false", "False", "FALSE", "no", "No", "NO",
                                        "off",   "Off",   "OFF",   "n",  "N",  "0"};
    const char *text = scalar(node);
    return !is_null(node) && !is_plain_word(node, words, sizeof words / sizeof words[0]) &&
           (text == NULL || text[0] != '\0');
}

/* The value of a key, also of mappings that are merged by "<<"; NULL if there is none. */
static yaml_node_t *find_key(const struct walk *walk, const yaml_node_t *map, const char *key,
                             int depth)
{
    yaml_node_t *merged = NULL, *found = NULL;
    for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
         pair < map->data.mapping.pairs.top; pair++) {
        const char *name = scalar(node_at(walk, pair->key));
        if (name != NULL && strcmp(name, key) == 0) {
            found = node_at(walk, pair->value);
        } else if (name != NULL && strcmp(name, "<<") == 0) {
            merged = node_at(walk, pair->value);
        }
    }
    if (found == NULL && is_map(merged) && depth < MAX_MERGE_DEPTH) {
        found = find_key(walk, merged, key, depth + 1);
    }
    return found;
}

/* A null is as good as no key. */
static yaml_node_t *value_of(const struct walk *walk, const yaml_node_t *map, const char *key)
{
    yaml_node_t *found = find_key(walk, map, key, 0);
    return is_null(found) ? NULL : found;
}

/* A copy. Aliases can make a small text name much: what is kept and visited in all is
 * bounded. */
static ss_status keep(const struct walk *walk, const char *text, const char **out, ss_err *err)
{
    if (walk->card->arena.n_bytes > MAX_KEPT_BYTES || walk->card->n_visited > MAX_VISITED) {
        return ss__fail_file(err, walk->file, SS_E_LIMIT,
                             "its YAML repeats more by its aliases than is read");
    }
    *out = ss__arena_strndup(&walk->card->arena, text, strlen(text));
    return *out == NULL ? ss__fail_nomem(err, "a dataset card") : SS_OK;
}

/* Lines count from the beginning of the YAML, not of the README. */
static ss_status fail_card(const struct walk *walk, const yaml_node_t *node,
                           const char *message, ss_err *err)
{
    return ss__fail_file(err, walk->file, SS_E_DATA, "line %zu of the YAML: %s",
                         node->start_mark.line + 1, message);
}

/* ---- data_files ---- */

static const char data_files_form[] =
    "data_files must be a pattern, a list of patterns, or a list of {split, path}";

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || (unsigned char)c >= 0x80;
}

/* Words of letters, digits and "_", joined by single dots. */
static bool is_split_name(const char *name)
{
    for (const char *at = name;; at++) {
        const char *start = at;
        while (is_word_char(*at)) {
            at++;
        }
        if (at == start || (*at != '.' && *at != '\0')) {
            return false;
        }
        if (*at == '\0') {
            return true;
        }
    }
}

static ss_status add_pattern(const struct walk *walk, struct ss_repo_split *split,
                             const yaml_node_t *node, ss_err *err)
{
    const char *text = scalar(node);
    if (text == NULL) {
        return fail_card(walk, node, data_files_form, err);
    }
    SS_GROW_OR_RETURN(split->patterns, split->capacity, split->n + 1);
    SS_RETURN_IF_ERROR(keep(walk, text, &split->patterns[split->n], err));
    split->n++;
    return SS_OK;
}

/* A pattern or a list of them. */
static ss_status add_patterns(const struct walk *walk, struct ss_repo_split *split,
                              const yaml_node_t *node, ss_err *err)
{
    if (!is_list(node)) {
        return add_pattern(walk, split, node, err);
    }
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        SS_RETURN_IF_ERROR(add_pattern(walk, split, node_at(walk, *item), err));
    }
    return SS_OK;
}

static ss_status add_split(const struct walk *walk, struct ss_repo_config *config,
                           const char *name, struct ss_repo_split **out, ss_err *err)
{
    SS_GROW_OR_RETURN(config->splits, config->splits_capacity, config->n_splits + 1);
    *out = &config->splits[config->n_splits++];
    **out = (struct ss_repo_split){.name = ""};
    return keep(walk, name, &(*out)->name, err);
}

/* {split: NAME, path: …} */
static ss_status read_split(const struct walk *walk, struct ss_repo_config *config,
                            const yaml_node_t *node, ss_err *err)
{
    struct ss_repo_split *split = NULL;
    const yaml_node_t *path = is_map(node) ? value_of(walk, node, "path") : NULL;
    const char *name = is_map(node) ? scalar(value_of(walk, node, "split")) : NULL;
    if (name == NULL || path == NULL || is_map(path)) {
        return fail_card(walk, node, data_files_form, err);
    }
    if (!is_split_name(name)) {
        return fail_card(walk, node,
                         "the name of a split is made of letters, digits, '_' and single dots",
                         err);
    }
    for (size_t i = 0; i < config->n_splits; i++) {
        if (strcmp(config->splits[i].name, name) == 0) {
            return fail_card(walk, node, "a split is there twice in data_files", err);
        }
    }
    SS_RETURN_IF_ERROR(add_split(walk, config, name, &split, err));
    return add_patterns(walk, split, path, err);
}

/* Without names of splits all of it is "train". */
static ss_status read_data_files(const struct walk *walk, struct ss_repo_config *config,
                                 const yaml_node_t *node, ss_err *err)
{
    struct ss_repo_split *split = NULL;
    config->has_data_files = true;
    bool has_splits = false;
    if (is_list(node) && node->data.sequence.items.start < node->data.sequence.items.top) {
        has_splits = scalar(node_at(walk, *node->data.sequence.items.start)) == NULL;
    }
    if (!has_splits) {
        SS_RETURN_IF_ERROR(add_split(walk, config, "train", &split, err));
        SS_RETURN_IF_ERROR(add_patterns(walk, split, node, err));
        return SS_OK;
    }
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        SS_RETURN_IF_ERROR(read_split(walk, config, node_at(walk, *item), err));
    }
    return SS_OK;
}

/* ---- configurations ---- */

/* All other keys of a configuration are options of the reader of its files. */
static bool is_layout_key(const char *name)
{
    static const char *const keys[] = {"config_name", "data_files",  "data_dir", "default",
                                       "version",     "description", "<<"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(name, keys[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A scalar, or the scalars of a list. */
static ss_status read_value(const struct walk *walk, const yaml_node_t *node,
                            struct ss_format_option_value *out, ss_err *err)
{
    const yaml_node_item_t *nodes = is_list(node) ? node->data.sequence.items.start : NULL;
    const size_t n = is_list(node) ? (size_t)(node->data.sequence.items.top - nodes) : 1;
    *out = (struct ss_format_option_value){.is_list = is_list(node), .is_null = is_null(node)};
    walk->card->n_visited += n;
    const char **items = ss__arena_alloc(&walk->card->arena, n * sizeof *items + 1);
    if (items == NULL) {
        return ss__fail_nomem(err, "a dataset card");
    }
    for (size_t i = 0; i < n; i++) {
        const char *text = scalar(nodes == NULL ? node : node_at(walk, nodes[i]));
        if (text == NULL) {
            out->is_map = true;
            return SS_OK;
        }
        SS_RETURN_IF_ERROR(keep(walk, text, &items[i], err));
    }
    out->items = items;
    out->n = n;
    return SS_OK;
}

static ss_status read_options(const struct walk *walk, struct ss_repo_config *config,
                              const yaml_node_t *node, ss_err *err)
{
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const char *name = scalar(node_at(walk, pair->key));
        const yaml_node_t *value = node_at(walk, pair->value);
        if (name == NULL || is_layout_key(name)) {
            continue;
        }
        SS_GROW_OR_RETURN(config->options, config->options_capacity, config->n_options + 1);
        struct ss_repo_option *option = &config->options[config->n_options];
        *option = (struct ss_repo_option){.name = NULL};
        SS_RETURN_IF_ERROR(keep(walk, name, &option->name, err));
        SS_RETURN_IF_ERROR(read_value(walk, value, &option->value, err));
        config->n_options++;
    }
    return SS_OK;
}

/* Slashes at its end say nothing. */
static ss_status read_folder(const struct walk *walk, struct ss_repo_config *config,
                             const yaml_node_t *node, ss_err *err)
{
    const char *text = node == NULL ? "" : scalar(node);
    if (text == NULL) {
        return fail_card(walk, node, "data_dir must be one folder", err);
    }
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '/') {
        n--;
    }
    config->data_dir = ss__arena_strndup(&walk->card->arena, text, n);
    return config->data_dir == NULL ? ss__fail_nomem(err, "a dataset card") : SS_OK;
}

static ss_status read_config(const struct walk *walk, const yaml_node_t *node, ss_err *err)
{
    struct ss_repo_card *card = walk->card;
    const char *name = is_map(node) ? scalar(value_of(walk, node, "config_name")) : NULL;
    if (name == NULL) {
        return fail_card(walk, node, "each of the configs needs a config_name", err);
    }
    card->n_visited +=
        (uint64_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    if (card->n_configs == MAX_CONFIGS) {
        return ss__fail_file(err, walk->file, SS_E_LIMIT, "there are more than %d configs",
                             MAX_CONFIGS);
    }
    SS_GROW_OR_RETURN(card->configs, card->configs_capacity, card->n_configs + 1);
    struct ss_repo_config *config = &card->configs[card->n_configs++];
    *config = (struct ss_repo_config){.is_default = is_true(value_of(walk, node, "default"))};
    SS_RETURN_IF_ERROR(keep(walk, name, &config->name, err));
    SS_RETURN_IF_ERROR(read_folder(walk, config, value_of(walk, node, "data_dir"), err));
    const yaml_node_t *files = value_of(walk, node, "data_files");
    if (files != NULL) {
        SS_RETURN_IF_ERROR(read_data_files(walk, config, files, err));
    }
    return read_options(walk, config, node, err);
}

/* Strings are the arena's and stay. */
static void release_configs(struct ss_repo_card *card)
{
    for (size_t i = 0; i < card->n_configs; i++) {
        for (size_t j = 0; j < card->configs[i].n_splits; j++) {
            ss__free(card->configs[i].splits[j].patterns);
        }
        ss__free(card->configs[i].splits);
        ss__free(card->configs[i].options);
    }
    card->n_configs = 0;
}

/* A second document's list takes the place of the first's: .huggingface.yaml is read after
 * README.md. */
static ss_status read_configs(const struct walk *walk, const yaml_node_t *node, ss_err *err)
{
    if (!is_list(node)) {
        return fail_card(walk, node, "configs must be a list", err);
    }
    release_configs(walk->card);
    for (const yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        SS_RETURN_IF_ERROR(read_config(walk, node_at(walk, *item), err));
    }
    return SS_OK;
}

/* Only where it speaks of one configuration does it say which is meant. */
static ss_status read_info(const struct walk *walk, const yaml_node_t *node, ss_err *err)
{
    if (is_list(node)) {
        const yaml_node_item_t *items = node->data.sequence.items.start;
        node = node->data.sequence.items.top - items == 1 ? node_at(walk, *items) : NULL;
    }
    if (!is_map(node)) {
        return SS_OK;
    }
    const char *name = scalar(value_of(walk, node, "config_name"));
    return keep(walk, name == NULL ? "default" : name, &walk->card->only_info, err);
}

/* ---- the document ---- */

static ss_status read_document(const struct walk *walk, ss_err *err)
{
    const yaml_node_t *root = yaml_document_get_root_node(walk->document);
    if (is_null(root)) {
        return SS_OK;
    }
    if (!is_map(root)) {
        return fail_card(walk, root, "expected names with values", err);
    }
    const yaml_node_t *info = value_of(walk, root, "dataset_info");
    const yaml_node_t *configs = value_of(walk, root, "configs");
    if (info != NULL) {
        SS_RETURN_IF_ERROR(read_info(walk, info, err));
    }
    if (configs != NULL) {
        SS_RETURN_IF_ERROR(read_configs(walk, configs, err));
    }
    return SS_OK;
}

/* libyaml bounds nesting by itself. */
static ss_status load_document(const char *file, struct ss_text text, yaml_document_t *document,
                               ss_err *err)
{
    yaml_parser_t parser;
    ss_status status = SS_OK;
    if (yaml_parser_initialize(&parser) == 0) {
        return ss__fail_nomem(err, "a YAML parser");
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.data, text.n_bytes);
    if (yaml_parser_load(&parser, document) == 0) {
        status = parser.error == YAML_MEMORY_ERROR
                     ? ss__fail_nomem(err, "a dataset card")
                     : ss__fail_file(err, file, SS_E_DATA, "line %zu of the YAML: %s",
                                     parser.problem_mark.line + 1,
                                     parser.problem == NULL ? "malformed" : parser.problem);
    }
    yaml_parser_delete(&parser);
    return status;
}

ss_status ss_repo_card_read(const char *file, struct ss_text text, bool is_bare,
                            struct ss_repo_card *card, ss_err *err)
{
    yaml_document_t document;
    if (!is_bare && !find_front_matter(text, &text)) {
        return SS_OK;
    }
    if (text.n_bytes > SS_REPO_MAX_YAML_BYTES) {
        return ss__fail_file(err, file, SS_E_LIMIT, "its YAML has %zu bytes, more than %d",
                             text.n_bytes, SS_REPO_MAX_YAML_BYTES);
    }
    ss_status status = load_document(file, text, &document, err);
    if (status == SS_OK) {
        const struct walk walk = {file, &document, card};
        status = read_document(&walk, err);
        yaml_document_delete(&document);
    }
    return status;
}

void ss_repo_card_release(struct ss_repo_card *card)
{
    release_configs(card);
    ss__free(card->configs);
    ss__arena_release(&card->arena);
    *card = (struct ss_repo_card){.configs = NULL};
}

/* ---- cards that are made ---- */

/* The configuration or split of a name in a growing list; NULL when memory ran out. */
static struct ss_repo_config *need_config(struct ss_repo_card *card, const char *name)
{
    void *grown = card->configs;
    for (size_t i = 0; i < card->n_configs; i++) {
        if (strcmp(card->configs[i].name, name) == 0) {
            return &card->configs[i];
        }
    }
    if (!ss__grow(&grown, &card->configs_capacity, card->n_configs + 1,
                  sizeof *card->configs)) {
        return NULL;
    }
    card->configs = grown;
    struct ss_repo_config *config = &card->configs[card->n_configs++];
    *config =
        (struct ss_repo_config){.name = ss__arena_strndup(&card->arena, name, strlen(name)),
                                .data_dir = "",
                                .has_data_files = true};
    return config->name == NULL ? NULL : config;
}

static struct ss_repo_split *need_split(struct ss_repo_card *card,
                                        struct ss_repo_config *config, const char *name)
{
    void *grown = config->splits;
    for (size_t i = 0; i < config->n_splits; i++) {
        if (strcmp(config->splits[i].name, name) == 0) {
            return &config->splits[i];
        }
    }
    if (!ss__grow(&grown, &config->splits_capacity, config->n_splits + 1,
                  sizeof *config->splits)) {
        return NULL;
    }
    config->splits = grown;
    struct ss_repo_split *split = &config->splits[config->n_splits++];
    *split =
        (struct ss_repo_split){.name = ss__arena_strndup(&card->arena, name, strlen(name))};
    return split->name == NULL ? NULL : split;
}

ss_status ss_repo_card_add(struct ss_repo_card *card, const char *config_name,
                           const char *split_name, const char *pattern, ss_err *err)
{
    struct ss_repo_config *config = need_config(card, config_name);
    struct ss_repo_split *split = config == NULL ? NULL : need_split(card, config, split_name);
    if (split == NULL) {
        return ss__fail_nomem(err, "a list of splits");
    }
    SS_GROW_OR_RETURN(split->patterns, split->capacity, split->n + 1);
    split->patterns[split->n++] = pattern;
    return SS_OK;
}
