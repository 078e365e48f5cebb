/* How rows are made of the files of a dataset, for whoever compares two ways of reading them. */
#include "base/json_write.h"
#include "dataset/dataset_state_priv.h"

static void put_text_or_null(struct ss__json_writer *writer, const char *key, const char *text)
{
    if (text == NULL) {
        ss__put_null(writer, key);
    } else {
        ss__put_text(writer, key, text);
    }
}

static void put_texts(struct ss__json_writer *writer, const char *key, const char *const *texts,
                      size_t n)
{
    ss__put_open(writer, key, '[');
    for (size_t i = 0; i < n; i++) {
        ss__put_text(writer, NULL, texts[i]);
    }
    ss__put_close(writer, ']');
}

static void put_csv(struct ss__json_writer *writer, const struct ss_format_row_options *rows)
{
    const struct ss_format_csv_syntax *csv = &rows->csv;
    const unsigned char signs[] = {(unsigned char)csv->quote, (unsigned char)csv->escape,
                                   (unsigned char)csv->comment, (unsigned char)csv->terminator};
    const bool flags[] = {rows->has_delimiter,    rows->no_quotes,
                          csv->no_doubled_quotes, csv->skips_initial_space,
                          csv->keeps_blank_lines, rows->no_usual_null_words,
                          rows->no_null_words,    rows->skips_long_rows};
    ss__put_open(writer, "csv", '[');
    ss__put_string(writer, NULL, (struct ss_text){csv->delimiter, csv->n_delimiter});
    for (size_t i = 0; i < sizeof signs; i++) {
        ss__put_count(writer, NULL, signs[i]);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        ss__put_bool(writer, NULL, flags[i]);
    }
    ss__put_count(writer, NULL, (uint64_t)(rows->header + 2)); /* from -2 on */
    ss__put_count(writer, NULL, rows->skip_lines);
    ss__put_count(writer, NULL, rows->n_rows);
    ss__put_close(writer, ']');
    put_texts(writer, "names", rows->names, rows->n_names);
    put_texts(writer, "null_words", rows->null_words, rows->n_null_words);
}

void ss_dataset_put_reading(const ss_dataset *dataset, struct ss__json_writer *writer)
{
    const struct ss_format_row_options *rows = &dataset->use.rows;
    put_text_or_null(writer, "text_column",
                     dataset->has_template ? dataset->given_column : dataset->text_column);
    put_text_or_null(writer, "format", dataset->given_format);
    put_texts(writer, "keep", (const char *const *)dataset->keep, dataset->n_carried);
    ss__put_count(writer, "text_unit", (uint64_t)dataset->text_unit);
    ss__put_count(writer, "on_bad_row", (uint64_t)dataset->on_bad_row);
    put_text_or_null(writer, "encoding", rows->encoding);
    ss__put_count(writer, "decode_errors", (uint64_t)rows->decode_errors);
    put_text_or_null(writer, "field", rows->field);
    put_csv(writer, rows);
    if (ss_dataset_is_selective(dataset)) {
        const struct ss_dataset_selection *selection = &dataset->selection;
        put_text_or_null(writer, "where", selection->expression);
        ss__put_count(writer, "sample", selection->sample.n);
        ss__put_count(writer, "seed", selection->sample.seed);
    }
}
