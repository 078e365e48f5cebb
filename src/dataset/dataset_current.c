/* The file of a dataset that is being read: opened from wherever it is, closed, and the next
 * one in its turn. */
#include <string.h>

#include "base/lfs.h"
#include "base/mem.h"
#include "dataset/dataset_state_priv.h"
#include "parquet/parquet.h"
#include "source/source.h"

/* Views and streams go after the reader, which borrows from them. */
void ss_dataset_close_file(ss_dataset *dataset)
{
    if (dataset->is_open) {
        if (dataset->files[dataset->current].reader != NULL) {
            dataset->files[dataset->current].reader->close(dataset->state);
        }
        ss_source_view_close(&dataset->view);
        ss_source_stream_close(&dataset->stream);
    }
    dataset->is_open = false;
    dataset->state = NULL;
    dataset->columns = NULL;
    dataset->n_columns = 0;
}

/* All that was read of a file that was written to meanwhile is in doubt. */
ss_status ss_dataset_check_end(const ss_dataset *dataset, ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_source_stream_check_end(&dataset->stream, err));
    SS_RETURN_IF_ERROR(ss_source_view_check(&dataset->view, err));
    if (ss_dataset_archives_have(&dataset->archives, dataset->current)) {
        SS_RETURN_IF_ERROR(
            ss_dataset_archives_check(&dataset->archives, dataset->current, err));
    }
    return SS_OK;
}

/* Of a remote file, when it is opened. */
static ss_status find_format(ss_dataset *dataset, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_dataset_file *file = &dataset->files[dataset->current];
    char *name = ss_source_file_name(dataset->use.paths.items[dataset->current]);
    if (dataset->stream.state == NULL) { /* it is read in parts */
        file->reader = &ss_parquet_reader;
        goto out;
    }
    if (name == NULL) {
        SS_TRY(ss__fail_nomem(err, "a file name"));
    }
    SS_TRY(ss_dataset_format_find(&dataset->stream, name, dataset->given_format, &file->reader,
                                  err));
out:
    ss__free(name);
    return status;
}

/* Put the decoder of the encoding that was given before a stream that nothing was taken from,
 * unless the stream holds a binary format. */
static ss_status decode(ss_dataset *dataset, struct ss_source_stream *stream, ss_err *err)
{
    const struct ss_format_row_options *rows = &dataset->use.rows;
    const char *encoding = rows->encoding == NULL ? "utf-8" : rows->encoding;
    if (ss_source_encoding_is_utf8(encoding) &&
        rows->decode_errors != SS_SOURCE_DECODE_IGNORE) {
        return SS_OK; /* what is no UTF-8 is repaired and counted */
    }
    SS_RETURN_IF_ERROR(ss_source_stream_need(stream, 8, err));
    if (!ss_dataset_format_is_binary(stream)) {
        SS_RETURN_IF_ERROR(ss_source_decode_stream(stream, encoding, rows->decode_errors, err));
    }
    return SS_OK;
}

ss_status ss_dataset_open_stream(ss_dataset *dataset, size_t index,
                                 struct ss_source_stream *stream, struct ss_source_view *view,
                                 ss_err *err)
{
    struct ss_source_input input = {.name = NULL};
    const char *path = dataset->use.paths.items[index];
    if (ss_dataset_archives_have(&dataset->archives, index)) {
        SS_RETURN_IF_ERROR(
            ss_dataset_archives_open(&dataset->archives, index, path, &input, err));
    } else if (ss_source_is_remote(path)) {
        SS_RETURN_IF_ERROR(ss_dataset_remotes_open(&dataset->remotes, index, &input, err));
    } else {
        dataset->remotes.current = index;
        SS_RETURN_IF_ERROR(ss_source_input_open(path, &dataset->halt, &input, err));
    }
    if (input.ops->need != NULL) {
        return ss_source_view_input(&input, view, err);
    }
    SS_RETURN_IF_ERROR(ss_source_stream_open_input(&input, stream, err));
    stream->halt = &dataset->halt;
    return decode(dataset, stream, err);
}

/* What the reader sees of the file: its bytes in order or by offset. */
static ss_status give_bytes(ss_dataset *dataset, const struct ss_format_reader *reader,
                            ss_err *err)
{
    const char *name = dataset->source.name;
    struct ss_source_view *view = &dataset->view;
    if (!reader->needs_view) {
        dataset->source.stream = &dataset->stream;
        return ss_source_stream_skip_mark(&dataset->stream, err);
    }
    dataset->source.view = view;
    if (dataset->stream.state != NULL) {
        SS_RETURN_IF_ERROR(ss_source_view_stream(&dataset->stream, view, err));
        view->name = name;
        return SS_OK;
    }
    view->name = name;
    return view->n_bytes < SS__LFS_MAX_BYTES /* all of it is there */
               ? ss__lfs_check(name, view->data, view->n_bytes, err)
               : SS_OK;
}

/* Where rows come from the caller, the reader is there, and its state too. */
static ss_status open_given(ss_dataset *dataset, ss_err *err)
{
    const struct ss_dataset_file *file = &dataset->files[dataset->current];
    dataset->source =
        (struct ss_format_file){.name = dataset->use.paths.items[dataset->current]};
    dataset->state = &dataset->given;
    dataset->is_open = true;
    return file->reader->columns(dataset->state, &dataset->columns, &dataset->n_columns, err);
}

/* The stream that told the format of a pipe is the one that is read; others are opened anew. */
ss_status ss_dataset_open_file(ss_dataset *dataset, ss_err *err)
{
    if (dataset->given.source.next != NULL) {
        return open_given(dataset, err);
    }
    struct ss_dataset_file *file = &dataset->files[dataset->current];
    const char *path = dataset->use.paths.items[dataset->current];
    dataset->can_reopen = file->stream.state == NULL && !ss_source_is_remote(path);
    dataset->view = (struct ss_source_view){.name = NULL};
    if (file->stream.state != NULL) {
        dataset->stream = file->stream;
        file->stream = (struct ss_source_stream){0};
    } else {
        SS_RETURN_IF_ERROR(ss_dataset_open_stream(dataset, dataset->current, &dataset->stream,
                                                  &dataset->view, err));
    }
    dataset->is_open = true;
    const struct ss__file_facts *facts = ss_source_stream_facts(&dataset->stream);
    if (facts != NULL) {
        file->facts = *facts;
        file->is_regular = true;
    }
    if (file->reader == NULL) {
        SS_RETURN_IF_ERROR(find_format(dataset, err));
        file->is_empty = file->reader == NULL;
    }
    dataset->source = (struct ss_format_file){
        .name = path,
        .text_unit = dataset->text_unit,
        .rows = &dataset->use.rows,
        .log = &dataset->log,
        .all_columns = dataset->all_columns && dataset->rows == SS_DATASET_ROWS_WHOLE,
        .skips_bad_rows = dataset->on_bad_row == SS_BAD_ROWS_SKIP,
    };
    if (file->is_empty) {
        return SS_OK;
    }
    SS_RETURN_IF_ERROR(give_bytes(dataset, file->reader, err));
    SS_RETURN_IF_ERROR(file->reader->open(&dataset->source, &dataset->state, err));
    return file->reader->columns(dataset->state, &dataset->columns, &dataset->n_columns, err);
}
