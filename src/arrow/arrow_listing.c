/* The columns of Arrow data as people see them: leaves of structs by dotted path, lists and
 * maps whole. Bytes count as text only where no column has strings. */
#include "arrow/arrow_priv.h"
#include "base/mem.h"
#include "format/format.h"

/* The dotted path of a field, in the arena; NULL when memory ran out. */
static char *path_of(const struct ss_arrow_schema *schema, size_t field,
                     struct ss__arena *arena)
{
    size_t chain[SS_ARROW_MAX_DEPTH + 2], n = 0;
    struct ss__buf path = {0};
    for (size_t i = field; i != SIZE_MAX; i = schema->fields[i].parent) {
        chain[n++] = i;
    }
    while (n > 0) {
        ss_format_add_column_name(&path, &schema->fields[chain[--n]].name);
        ss__buf_add_text(&path, n > 0 ? "." : "");
    }
    char *copy = path.failed ? NULL
                             : ss__arena_strndup(arena, path.n_bytes == 0 ? "" : path.data,
                                                 path.n_bytes);
    ss__buf_release(&path);
    return copy;
}

bool ss_arrow_is_list_of_text(const struct ss_arrow_field *field)
{
    return ss_arrow_is_list(field) && field[1].text == SS_ARROW_UTF8;
}

static const char *type_of(const struct ss_arrow_field *field)
{
    return ss_arrow_is_list_of_text(field) ? "list of strings" : ss_arrow_type_name(field);
}

/* A struct without dictionary or children stands for its leaves. */
static bool is_open(const struct ss_arrow_schema *schema, size_t field)
{
    return schema->fields[field].shape == SS_ARROW_STRUCT &&
           schema->fields[field].dictionary == SIZE_MAX;
}

/* Strings first; bytes where there are none. */
static void find_text_columns(const struct ss_arrow_schema *schema,
                              struct ss_arrow_columns *columns)
{
    for (int kind = SS_ARROW_UTF8; kind > SS_ARROW_OTHER; kind--) {
        size_t n = 0;
        for (size_t i = 0; i < columns->n; i++) {
            columns->items[i].is_text = (int)schema->fields[columns->fields[i]].text == kind;
            n += columns->items[i].is_text;
        }
        if (n > 0) {
            return;
        }
    }
}

/* Of the columns that a row shows: those at the top that have text in them. */
static ss_status find_repeated_names(const struct ss_arrow_schema *schema,
                                     struct ss_arrow_columns *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_text *names = NULL;
    size_t n = 0;
    SS_ALLOC(names, schema->n_fields);
    for (size_t i = 0; i < schema->n_fields; i = schema->fields[i].end) {
        if (schema->fields[i].has_text) {
            names[n++] = schema->fields[i].name;
        }
    }
    out->names_repeat = ss_format_names_repeat(names, n);
out:
    ss__free(names);
    return status;
}

/* A path repeats the names of its parents, so that a small schema could make many megabytes of
 * names: they are bounded. */
ss_status ss_arrow_list_columns(const char *name, const struct ss_arrow_schema *schema,
                                struct ss_arrow_columns *out, ss_err *err)
{
    SS_ALLOC_OR_RETURN(out->items, schema->n_fields);
    SS_ALLOC_OR_RETURN(out->fields, schema->n_fields);
    for (size_t i = 0; i < schema->n_fields;) {
        if (is_open(schema, i)) {
            i++;
            continue;
        }
        struct ss_format_column *column = &out->items[out->n];
        column->name = path_of(schema, i, &out->arena);
        if (column->name == NULL) {
            return ss__fail_nomem(err, "names of columns");
        }
        if (out->arena.n_bytes > SS_ARROW_MAX_NAME_BYTES) {
            return ss__fail_file(err, name, SS_E_LIMIT,
                                 "the names of its columns take more than %d MiB",
                                 SS_ARROW_MAX_NAME_BYTES >> 20);
        }
        column->type = type_of(&schema->fields[i]);
        column->numbers = ss_arrow_numbers_of(schema, i);
        out->fields[out->n++] = i;
        i = schema->fields[i].end;
    }
    find_text_columns(schema, out);
    return find_repeated_names(schema, out, err);
}

void ss_arrow_columns_release(struct ss_arrow_columns *columns)
{
    ss__free(columns->items);
    ss__free(columns->fields);
    ss__arena_release(&columns->arena);
    *columns = (struct ss_arrow_columns){0};
}
