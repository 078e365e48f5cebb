/* Rows of datasets, format by format: a table of files and the rows they must give.
 *
 * Rows are written as one line: T<text>, N for null, E for empty, B for blank, R before the
 * letter where bytes were repaired, parted by '|'; "!" and a part of the sentence is an error.
 */
#include "dataset_helpers.h"

struct row_case {
    const char *name; /* of the file */
    const char *content;
    const char *rows;
    const char *json; /* nullable: whole rows, parted by '\n' */
    const char *text_column, *format;
    ss_text_unit unit;
    size_t n_bytes; /* of the content, 0: up to its NUL */
};

/* Fields that a case leaves out are zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const struct row_case cases[] = {
    /* plain text */
    {"a.txt", "one\n\n  \nfour", "Tone|E|B|Tfour", "{\"text\":\"one\"}"},
    {"a.txt", "a\r\nb\rc\n", "Ta|Tb|Tc", NULL},
    {"a.txt", "a\r", "Ta", NULL},
    {"a.txt", "", "", ""},
    {"a.txt", "\xEF\xBB\xBFmark\n", "Tmark", NULL},
    {"a.txt", "bad \xC3( \xF0\x9F\x98 end\n", "RTbad \xEF\xBF\xBD( \xEF\xBF\xBD end", NULL},
    {"a.txt", "nul\0in\n", "Tnul\\0in", NULL, .n_bytes = 7},
    {"a.txt", "a\nb\n\nc\n\n\nd\n", "Ta\nb|Tc|T\nd\n", NULL, .unit = SS_UNIT_PARAGRAPH},
    {"a.txt", "\n\n\n\na\r\n\r\nb", "Ta|Tb", NULL, .unit = SS_UNIT_PARAGRAPH},
    {"a.txt", "a\r\nb\n\nc\r", "Ta\nb\n\nc\n", NULL, .unit = SS_UNIT_DOCUMENT},
    {"a.txt", "", "E", NULL, .unit = SS_UNIT_DOCUMENT},
    {"noname", "just words\nmore", "Tjust words|Tmore", NULL},
    {"noname", "\x01\x00\x02", "!neither content nor name", NULL, .n_bytes = 3},
    {"a.txt", "\xFF\xFEh\0i\0", "!UTF-16", NULL, .n_bytes = 6},
    {"a.txt", "FEA1...", "TFEA1...", NULL},
    {"a.txt", "FEA1\0...", "!Feather", NULL, .n_bytes = 8},
    {"noname", "FEA1...", "!Feather", NULL},
    {"a.txt", "x", "!not a dataset format", NULL, .format = "docx"},

    /* JSON Lines */
    {"a.jsonl", "{\"text\": \"a\"}\n{\"text\":\"b\"}", "Ta|Tb",
     "{\"text\":\"a\"}\n{\"text\":\"b\"}"},
    {"a.jsonl",
     "{\"id\":1,\"text\":null}\n\n{\"id\":2}\r\n{\"text\":\"\"}\n{\"text\":\" \\t\"}\n",
     "N|N|E|B", "{\"id\":1,\"text\":null}\n{\"id\":2}\n{\"text\":\"\"}\n{\"text\":\" \\t\"}"},
    {"a.jsonl", "{\"text\":\"\\u00e9\\ud83d\\ude00\\n\\/\\\"\\\\\\b\\f\\r\\t\"}",
     "T\xC3\xA9\xF0\x9F\x98\x80\n/\"\\\b\f\r\t", NULL},
    {"a.jsonl", "{\"text\":\"\\ud800x\\udc00\\ud800\\u0041\"}",
     "RT\xEF\xBF\xBDx\xEF\xBF\xBD\xEF\xBF\xBD"
     "A",
     NULL},
    {"a.jsonl", "{\"text\":\"\xE9t\xE9\"}", "RT\xEF\xBF\xBDt\xEF\xBF\xBD",
     "{\"text\":\"\xEF\xBF\xBDt\xEF\xBF\xBD\"}"},
    {"a.jsonl", "{\"text\":\"a\\u0000b\"}", "Ta\\0b", NULL},
    {"a.jsonl", "{\"te\\u0078t\":\"key\"}", "Tkey", NULL},
    {"a.jsonl", "\"one\"\nnull\n\"two\"\n", "Tone|N|Ttwo",
     "{\"text\":\"one\"}\n{\"text\":null}\n{\"text\":\"two\"}"},
    {"a.jsonl", "{\"id\":1,\"abstract\":\"x\"}", "Tx", NULL},
    {"a.jsonl", "{\"a\":\"1\",\"b\":\"2\"}", "!'a' (string), 'b' (string)", NULL},
    {"a.jsonl", "{\"a\":1,\"b\":[]}",
     "!there is no column of strings; the columns are 'a' (number)", NULL},
    {"a.jsonl", "{\"a\":\"1\",\"b\":\"2\"}", "T2", NULL, .text_column = "b"},
    {"a.jsonl", "{\"a\":\"1\",\"b\":\"2\"}", "!no column 'c'; the columns are 'a'", NULL,
     .text_column = "c"},
    {"a.jsonl", "{\"text\":\"a\"}\n{\"text\":7}",
     "Ta!line 2, byte 21: column 'text' holds the type number", NULL},
    {"a.jsonl", "{\"text\":\"a\"}\n{\"text\":{\"x\":1}}", "Ta!holds the type object", NULL},
    {"a.jsonl", "{\"text\":\"a\"}\n{\"text\":true}", "Ta!holds the value true or false", NULL},
    {"a.jsonl", "{\"text\":\"a\",\"text\":\"b\"}", "!occurs twice", NULL},
    {"a.jsonl", "{\"text\":\"a\",\"b\":1,\"b\":2}", "Ta", "{\"text\":\"a\",\"b\":1,\"b\":2}"},
    {"a.jsonl", "{\"text\":\"a\"} x", "!line 1, byte 13: there is more text", NULL},
    {"a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"\n", "Ta!line 2, byte 24: the JSON ends",
     NULL},
    {"a.jsonl", "{\"text\":\"a\"}\n[1]\n",
     "Ta!expected an object or a string as a row, found array", NULL},
    {"a.jsonl", "{\"text\":\"a\nb\"}", "!line 1", NULL},
    {"a.jsonl", "", "!there are no rows", ""},
    {"a.jsonl", "{}\n{}\n", "!the rows have no columns", "{}\n{}"},
    {"noname", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "Ta|Tb", NULL},
    {"noname", "{\"text\":\"a\"}\n", "Ta", NULL},
    {"noname", "{\"text\":\"a\"}\n", "T{\"text\":\"a\"}", NULL, .format = "txt"},
    {"a.txt", "{\"text\":\"a\"}\n", "T{\"text\":\"a\"}", NULL},
    {"a.txt", "[]\n[1]\n", "T[]|T[1]", NULL},

    /* JSON */
    {"a.json", "[{\"text\": \"a\"},\n {\"text\": \"b\", \"n\": [1, {\"x\": \" y \"}]}]",
     "Ta|Tb", "{\"text\":\"a\"}\n{\"text\":\"b\",\"n\":[1,{\"x\":\" y \"}]}"},
    {"a.json", "[\"a\", null, \"\"]", "Ta|N|E",
     "{\"text\":\"a\"}\n{\"text\":null}\n{\"text\":\"\"}"},
    {"a.json", "{\n \"text\": \"a\"\n}", "Ta", "{\"text\":\"a\"}"},
    {"a.json", "{\n \"text\": \"a\"\n}\n{\n \"text\": \"b\"\n}\n", "Ta|Tb", NULL},
    {"a.json", "{\"text\": \"a\"}\n{\"text\": \"b\"}", "Ta|Tb", NULL},
    {"a.json", "[]", "!there are no rows", ""},
    {"a.json", "", "!the file is empty", NULL},
    {"a.json", " \n", "!the file is empty", NULL},
    {"a.json", "[\"a\", \"b\"", "Ta|Tb!the file ends before the array", NULL},
    {"a.json", "[\"a\", \"b\"] x", "Ta|Tb!there is more text", NULL},
    {"a.json", "[\"a\" \"b\"]", "Ta!expected ',' or ']'", NULL},
    {"a.json", "[\"a\",]", "Ta!expected a JSON value", NULL},
    {"a.json", "[\"a\", 1]",
     "Ta!item 2, byte 5: expected an object or a string as a row, found number", NULL},
    {"a.json", "nonsense", "!expected true, false or null", NULL},
    {"noname", " \n[{\"text\":\"a\"}]", "Ta", NULL},

    /* CSV, TSV */
    {"a.csv", "id,text\n1,one\n2,\"two, \"\"2\"\"\nlines\"\n3,\n4,\"\"\n5, \n",
     "Tone|Ttwo, \"2\"\nlines|E|E|B",
     "{\"id\":\"1\",\"text\":\"one\"}\n{\"id\":\"2\",\"text\":\"two, \\\"2\\\"\\nlines\"}\n"
     "{\"id\":\"3\",\"text\":\"\"}\n{\"id\":\"4\",\"text\":\"\"}\n{\"id\":\"5\",\"text\":\" "
     "\"}"},
    {"a.csv", "id,text\r\n1,one\r\n2,\"a\r\nb\"", "Tone|Ta\r\nb", NULL},
    {"a.csv", "text\rone\r\rtwo\r", "Tone|Ttwo", NULL},
    {"a.csv", "\xEF\xBB\xBF\"text\",b\nx,y\n", "Tx", NULL},
    {"a.csv", "text,b\nNA,1\n\"NA\",1\nnull,1\nNone,1\nnan,1\nNAN,1\n", "N|TNA|N|N|N|TNAN",
     "{\"text\":\"NA\",\"b\":\"1\"}\n{\"text\":\"NA\",\"b\":\"1\"}\n{\"text\":\"null\",\"b\":"
     "\"1\"}\n"
     "{\"text\":\"None\",\"b\":\"1\"}\n{\"text\":\"nan\",\"b\":\"1\"}\n{\"text\":\"NAN\",\"b\":"
     "\"1\"}"},
    {"a.csv", "id,abstract,n\n1,word,2.5\n2,,-1e9\n", "Tword|E", NULL},
    {"a.csv", "id,abstract,title\n1,a,b\n",
     "!'id' (number), 'abstract' (string), 'title' (string)", NULL},
    {"a.csv", "id,n\n1,2\n", "!there is no column of strings; the columns are 'id' (number)",
     "{\"id\":\"1\",\"n\":\"2\"}"},
    {"a.csv", "id,n\n1,2\n", "T2", NULL, .text_column = "n"},
    {"a.csv", "text,b\none,1\ntwo\n",
     "Tone!line 3: there are 1 fields in this row, and 2 in the header", NULL},
    {"a.csv", "text\n\"one\ntwo\"\na,b\n", "Tone\ntwo!line 4: there are 2 fields", NULL},
    {"a.csv", "text\n\"one\n", "!line 2: a field in quotes is not closed", NULL},
    {"a.csv", "text\n\"one\"x\n", "!line 2: text follows the closing quote", NULL},
    {"a.csv", "text\nsay \"hi\"\n", "Tsay \"hi\"", NULL},
    {"a.csv", "text,text\na,b\n", "!there are several columns 'text'",
     "!the header names column 'text' twice"},
    {"a.csv", ",text\n0,a\n", "Ta", "{\"\":\"0\",\"text\":\"a\"}"},
    {"a.csv", "te\0xt\na\n", "!holds a NUL byte", NULL, .n_bytes = 8},
    {"a.csv", "text\na\0b\n", "Ta\\0b", NULL, .n_bytes = 9},
    {"a.csv", "text\n\xFC\n", "RT\xEF\xBF\xBD", "{\"text\":\"\xEF\xBF\xBD\"}"},
    {"a.csv", "", "!the file is empty", NULL},
    {"a.csv", "\n\n", "!the file is empty", NULL},
    {"a.csv", "text\n", "", ""},
    {"noname", "{\"text\":\"a,b\"}\n", "Ta,b", NULL},
    {"a.csv", "[\"text\"],n\nx,1\n", "Tx", NULL, .text_column = "[\"text\"]"},
    {"a.tsv", "id\ttext\n1\ta,b\n2\t\"c\td\"\n", "Ta,b|Tc\td", NULL},
    {"noname", "id,text\n1,a\n", "Ta", NULL},
    {"noname", "id\ttext\r\n1\ta\r\n", "Ta", NULL},
    {"noname", "one, text two\nthree\n", "Tone, text two|Tthree", NULL},
};

/* How many of its two expectations fail. */
static int check_case(const struct row_case *c)
{
    struct ss__buf rows = {0}, json = {0};
    char path[600];
    test_write(path, sizeof path, c->name, c->content,
               c->n_bytes > 0 ? c->n_bytes : strlen(c->content));
    const struct ss_dataset_options options = {
        .text_column = c->text_column, .format = c->format, .text_unit = c->unit};
    const char *paths[] = {path};
    test_rows(paths, 1, &options, &rows);
    int n_wrong = !test_compare(c->name, c->content, ss__buf_text(&rows), c->rows);
    if (c->json != NULL) {
        test_json(paths, 1, &options, strlen(c->json) > 0 && strchr(c->json, '\n') == NULL,
                  &json);
        n_wrong += !test_compare(c->name, c->content, ss__buf_text(&json), c->json);
    }
    ss__buf_release(&rows);
    ss__buf_release(&json);
    remove(path);
    return n_wrong;
}

static void test_cases(void **state)
{
    (void)state;
    int n_wrong = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        n_wrong += check_case(&cases[i]);
    }
    assert_int_equal(n_wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, test_make_folder, test_remove_folder);
}
