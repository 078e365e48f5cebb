/* A cursor over one leaf in one row group: page after page, entry after entry.
 *
 * Text that is UTF-8 by its type is checked here, dictionary values once and values that share
 * a prefix with the one before only where they differ, so that damage costs no more time than
 * the file has bytes. */
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "parquet/parquet_priv.h"

/* Pages are forgotten in steps of this size, and not at all in smaller files. */
enum { FORGET_BYTES = 1 << 20 };

/* Rows count from 1, as in what people are shown. */
ss_status ss_parquet_column_fail(const struct ss_parquet_column *column, ss_err *err,
                                 ss_status code, const char *fault)
{
    code = fault == ss_parquet_no_memory ? SS_E_NOMEM : code;
    ss__fail_file(err, column->file->name, code, "column '%s', row group %zu, row %llu: %s",
                  column->path, column->group, (unsigned long long)column->row, fault);
    ss__err_at_row(err, column->row);
    ss__err_about(err, column->path);
    return code;
}

static ss_status fail_data(const struct ss_parquet_column *column, ss_err *err,
                           const char *fault)
{
    return ss_parquet_column_fail(column, err, SS_E_DATA, fault);
}

/* Pages of the mapping that were read leave memory, so that a large file does not fill it. */
static void forget_read(struct ss_parquet_column *column, size_t until, size_t least)
{
    if (column->file->forgets && column->file->n_bytes >= FORGET_BYTES &&
        until - column->forgotten >= least) {
        ss_source_view_forget(column->file->view, column->file->data + column->forgotten,
                              until - column->forgotten);
        column->forgotten = until;
    }
}

/* ---- checks of text ---- */

static bool is_valid(const struct ss_text *text)
{
    return ss__utf8_valid_prefix(text->data, text->n_bytes) == text->n_bytes;
}

/* Check a value whose first n_kept bytes are a prefix of a valid text, perhaps cut inside a
 * character: from the beginning of the character that ends there. */
static bool is_valid_from(const struct ss_text *text, size_t n_kept)
{
    size_t from = n_kept;
    if (text->n_bytes == 0) {
        return true;
    }
    while (from > 0 && n_kept - from < 4 &&
           ((unsigned char)text->data[from - 1] & 0xC0) == 0x80) {
        from--;
    }
    from -= from > 0;
    const struct ss_text rest = {text->data + from, text->n_bytes - from};
    return is_valid(&rest);
}

static const char not_utf8[] = "the text is not valid UTF-8";

/* What the encoding gave must be a value of the column. */
static const char *check_value(const struct ss_parquet_column *column)
{
    if (column->values.fixed_bytes > 0 && column->text.n_bytes != column->values.fixed_bytes) {
        return "a value does not have the fixed length of its column";
    }
    if (column->node->is_decimal && column->text.n_bytes == 0) {
        return "a decimal has no digits";
    }
    if (column->node->kind == SS_PARQUET_NODE_TEXT && !column->values.is_dictionary &&
        !is_valid_from(&column->text, column->values.n_kept)) {
        return not_utf8;
    }
    return NULL;
}

static const char *check_dictionary(const struct ss_parquet_column *column)
{
    if (column->node->kind != SS_PARQUET_NODE_TEXT) {
        return NULL;
    }
    for (size_t i = 0; i < column->dictionary.n; i++) {
        const struct ss_text text = ss_parquet_dictionary_get(&column->dictionary, i);
        if (!is_valid(&text)) {
            return "a text of its dictionary is not valid UTF-8";
        }
    }
    return NULL;
}

/* ---- pages ---- */

/* A chunk has one dictionary at most, before its data pages, and its own buffer, since it is
 * used by all of them. */
static ss_status use_dictionary(struct ss_parquet_column *column,
                                const struct ss_parquet_page *page, ss_err *err)
{
    if (column->has_dictionary) {
        return fail_data(column, err, "it has a second dictionary page");
    }
    const char *fault = ss_parquet_dictionary_index(&column->dictionary, page->values,
                                                    page->n_value_bytes, page->n_values);
    if (fault == NULL) {
        fault = check_dictionary(column);
    }
    column->has_dictionary = fault == NULL;
    column->values.dictionary = &column->dictionary;
    return fault == NULL ? SS_OK : fail_data(column, err, fault);
}

/* Pages are held to the number of entries that the chunk declares, so that a file cannot make
 * work without an end. */
static ss_status use_data(struct ss_parquet_column *column, const struct ss_parquet_page *page,
                          ss_err *err)
{
    if (page->n_values > column->n_entries_left) {
        return fail_data(column, err, "its pages hold more values than the row group declares");
    }
    column->n_entries_left -= page->n_values;
    column->reps = page->reps;
    column->defs = page->defs;
    if (page->n_values == 0) {
        return SS_OK;
    }
    column->values.dictionary = column->has_dictionary ? &column->dictionary : NULL;
    const char *fault = ss_parquet_values_start(&column->values, page->encoding, page->values,
                                                page->n_value_bytes);
    column->n_page_left = fault == NULL ? page->n_values : 0;
    return fault == NULL ? SS_OK : fail_data(column, err, fault);
}

/* Index pages are passed over. What ends a run (a stop, the network) is handed on as it is;
 * faults of the page get the name of the column. */
static ss_status next_page(struct ss_parquet_column *column, ss_err *err)
{
    struct ss_parquet_page page;
    ss_err cause;
    forget_read(column, column->extent.offset, FORGET_BYTES);
    if (column->extent.offset >= column->extent.end) {
        return fail_data(column, err,
                         "its pages hold fewer values than its column chunk declares");
    }
    const ss_status status =
        ss_parquet_page_read(column->file, column->node, column->codec, &column->extent,
                             column->bodies, &page, &cause);
    if (status == SS_E_NETWORK || status == SS_E_STOPPED || status == SS_E_IO) {
        if (err != NULL) {
            *err = cause;
        }
        return status;
    }
    if (status != SS_OK) {
        return ss_parquet_column_fail(column, err, status, cause.message);
    }
    if (page.kind == SS_PARQUET_PAGE_DICTIONARY) {
        return use_dictionary(column, &page, err);
    }
    return page.kind == SS_PARQUET_PAGE_DATA || page.kind == SS_PARQUET_PAGE_DATA_V2
               ? use_data(column, &page, err)
               : SS_OK;
}

/* ---- entries ---- */

/* Levels that can only be 0 are not stored. */
static bool next_level(struct ss_parquet_runs *runs, uint8_t max, uint8_t *level)
{
    uint32_t value = 0;
    const bool found = max == 0 || (ss_parquet_runs_next(runs, &value) && value <= max);
    *level = (uint8_t)value;
    return found;
}

ss_status ss_parquet_column_next(struct ss_parquet_column *column, ss_err *err)
{
    while (column->n_page_left == 0) {
        if (column->n_entries_left == 0) {
            column->at_end = true;
            forget_read(column, column->extent.offset, 0);
            return SS_OK;
        }
        const ss_status status = next_page(column, err);
        if (status != SS_OK) {
            return status;
        }
    }
    column->n_page_left--;
    if (!next_level(&column->reps, column->node->max_rep, &column->rep) ||
        !next_level(&column->defs, column->node->max_def, &column->def)) {
        return fail_data(column, err, "the levels of a page are damaged or too few");
    }
    column->row += column->rep == 0;
    if (column->def < column->node->max_def) {
        return SS_OK;
    }
    const char *fault = ss_parquet_values_next(&column->values, &column->text);
    if (fault == NULL) {
        fault = check_value(column);
    }
    return fault == NULL ? SS_OK : fail_data(column, err, fault);
}

/* ---- chunks ---- */

const char *ss_parquet_chunk_extent(const struct ss_parquet *file,
                                    const struct ss_parquet_meta *meta,
                                    struct ss_parquet_extent *out)
{
    const uint64_t limit = file->pages_end;
    int64_t begin = meta->data_offset;
    if (meta->dictionary_offset > 0 && meta->dictionary_offset < begin) {
        begin = meta->dictionary_offset;
    }
    if (begin < 4 || meta->compressed_bytes < 0 || (uint64_t)begin > limit ||
        (uint64_t)meta->compressed_bytes > limit - (uint64_t)begin) {
        return "its column chunk is not inside the file";
    }
    out->offset = (size_t)begin;
    out->end = out->offset + (size_t)meta->compressed_bytes;
    out->end += ss__min_size(file->chunk_slack_bytes, (size_t)limit - out->end);
    out->fetched = file->view == NULL ? out->end : out->offset;
    return NULL;
}

/* The schema and the chunk state the type both; a reader that believed one would misread the
 * other's bytes. */
static const char *check_meta(const struct ss_parquet_column *column,
                              const struct ss_parquet_meta *meta)
{
    if (meta->type != column->node->physical) {
        return "its column chunk has another type than the schema";
    }
    if (meta->n_values < 0 || (uint64_t)meta->n_values > column->file->n_entries_max) {
        return "its column chunk claims an impossible number of values";
    }
    return NULL;
}

ss_status ss_parquet_column_start(struct ss_parquet_column *column,
                                  const struct ss_parquet *file, size_t text_leaf,
                                  const struct ss_parquet_chunk *chunk, size_t group,
                                  uint64_t first_row, ss_err *err)
{
    column->file = file;
    column->node = &file->nodes[file->text_nodes[text_leaf]];
    column->path = file->text_paths[text_leaf];
    column->group = group;
    column->row = first_row;
    column->n_page_left = 0;
    column->has_dictionary = false;
    column->at_end = false;
    column->values.fixed_bytes = column->dictionary.fixed_bytes =
        ss_parquet_node_value_bytes(column->node);
    column->values.physical = column->node->physical;
    const char *fault = check_meta(column, &chunk->meta);
    if (fault == NULL && chunk->meta.n_values > 0) {
        fault = ss_parquet_chunk_extent(file, &chunk->meta, &column->extent);
    } else {
        column->extent = (struct ss_parquet_extent){0}; /* no pages, so any will do */
    }
    column->forgotten = column->extent.offset;
    if (fault != NULL) {
        return fail_data(column, err, fault);
    }
    column->n_entries_left = (uint64_t)chunk->meta.n_values;
    column->codec = ss_parquet_codec_find(chunk->meta.codec);
    if (column->codec == NULL) {
        return fail_data(column, err, "it has an unknown compression codec");
    }
    if (column->codec->decode == NULL) {
        return ss_parquet_column_fail(column, err, SS_E_UNSUPPORTED,
                                      "it is compressed with lzo, which is not read");
    }
    return ss_parquet_column_next(column, err);
}

void ss_parquet_column_release(struct ss_parquet_column *column)
{
    ss__free(column->bodies[0].data);
    ss__free(column->bodies[1].data);
    ss__free(column->dictionary.offsets);
    ss__buf_release(&column->values.whole);
    *column = (struct ss_parquet_column){.file = NULL};
}
