/* Documents of a layout: found by name, read, and named in messages. */
#include <string.h>

#include "base/mem.h"
#include "dataset/layout.h"

enum { MAX_DOCUMENT_BYTES = 64 << 20 };

const char *ss_dataset_layout_file(const struct ss_dataset_layout *layout, size_t index,
                                   struct ss__buf *text)
{
    text->n_bytes = 0;
    ss__buf_printf(text, "%s/%s", layout->name, layout->paths[index]);
    const char *file = ss__buf_text(text);
    return file == NULL ? layout->paths[index] : file;
}

ss_status ss_dataset_layout_read_json(const struct ss_dataset_layout *layout, size_t index,
                                      struct ss__json **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__buf text = {0}, name = {0};
    *out = NULL;
    SS_TRY(layout->read(layout->user, index, MAX_DOCUMENT_BYTES, &text, err));
    SS_TRY(ss__json_parse(ss_dataset_layout_file(layout, index, &name), text.data, text.n_bytes,
                          out, err));
out:
    ss__buf_release(&text);
    ss__buf_release(&name);
    return status;
}

/* As strcmp of "folder" + "name" and a path. */
static int compare_parts(const char *folder, size_t n_folder, const char *name,
                         const char *path)
{
    const int order = strncmp(folder, path, n_folder);
    return order != 0 ? order : strcmp(name, path + n_folder);
}

/* By bisection: paths are sorted by bytes. layout->n where it is not there. */
size_t ss_dataset_layout_find(const struct ss_dataset_layout *layout, const char *folder,
                              size_t n_folder, const char *name)
{
    size_t low = 0, high = layout->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = compare_parts(folder, n_folder, name, layout->paths[middle]);
        if (order == 0) {
            return middle;
        }
        low = order > 0 ? middle + 1 : low;
        high = order > 0 ? high : middle;
    }
    return layout->n;
}
