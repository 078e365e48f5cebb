/* Rows of datasets, format by format: a table of files and the rows they must give.
 *
 * Rows are written as one line: T<text>, N for null, E for empty, B for blank, R before the
 * letter where bytes were repaired, X<fault> for a row that was left out, parted by '|'; "!"
 * and a part of the sentence is an error.
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
    const char *csv, *encoding, *field;
    bool skips; /* bad rows are left out */
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

    /* the rows of JSON that columnar formats have too */
    {"a.jsonl", "{\"text\":\"a\",\"x\":NaN}\n{\"x\":[-Infinity,Infinity],\"text\":\"b\"}",
     "Ta|Tb", "{\"text\":\"a\",\"x\":null}\n{\"x\":[null,null],\"text\":\"b\"}"},
    {"a.jsonl", "{\"text\":\"a\",\"x\":-NaN}", "!byte 17", NULL},
    {"a.jsonl", "{\"text\":\"a\",\"x\":Nan}", "!line 1", NULL},
    {"a.jsonl", "{\"text\":\"a\"}{\"text\":\"b\"} {\"text\":\"c\"}\n{\"text\":\"d\"}",
     "Ta|Tb|Tc|Td", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n{\"text\":\"c\"}\n{\"text\":\"d\"}"},
    {"a.jsonl", "{\"text\":\"a\"}\n{\n \"text\":\n\"b\"\n} {\"text\":\"c\"}\n7\n",
     "Ta|Tb|Tc!line 6, byte 43: expected an object", NULL},
    {"a.jsonl", "{\"text\":\"a\"},{\"text\":\"b\"}", "!there is more text", NULL},
    {"a.jsonl", "{\"doc\":{\"title\":\"a\"}}\n{\"doc\":null}\n{\"doc\":{}}\n{}", "Ta|N|N|N",
     NULL, .text_column = "doc.title"},
    {"a.jsonl", "{\"doc\":{\"title\":\"a\"}}\n{\"doc\":null}\n", "Ta|N", NULL},
    {"a.jsonl", "{\"doc\":null,\"n\":null}\n{\"doc\":{\"title\":\"a\"},\"n\":{\"m\":null}}",
     "N|Ta", NULL},
    {"a.jsonl", "{\"a\":{\"b\":\"x\"},\"a.b\":\"y\"}\n{\"a\":{\"b\":\"z\"}}", "Ty|Tz", NULL,
     .text_column = "a.b"},
    {"a.jsonl", "{\"\":\"x\"}", "Tx", NULL},
    {"a.jsonl", "{\"a.b\":{\"c\":\"x\"}}", "Tx", NULL, .text_column = "a.b.c"},
    {"a.jsonl", "{\"a\":{\"b\":\"x\"}}", "!did you mean 'a.b'?", NULL, .text_column = "b"},
    {"a.jsonl", "{\"text\":[\"a\",null,\"\\u00e9\\n\"]}\n{\"text\":[]}\n{\"text\":null}",
     "T[\"a\", null, \"\xC3\xA9\\n\"]|T[]|N", NULL},
    {"a.jsonl", "{\"text\":[\"a\",1]}", "!a list of other than strings", NULL},
    {"a.jsonl", "{\"text\":\"a\"}\n{\"text\":[\"b\"]}", "Ta!holds a list here and strings",
     NULL},
    {"a.jsonl", "{\"tags\":[\"a\"],\"id\":1}", "!'tags' (list of strings)", NULL},
    {"a.jsonl", "{\"id\":\"x\",\"body\":null}\n", "Tx", NULL},
    {"a.jsonl", "{\"id\":\"x\",\"body\":1}\n{\"id\":\"y\",\"body\":\"b\"}\n",
     "!say which with `text_column`", NULL},
    {"a.jsonl", "{\"abstract\":\"x\",\"title\":\"y\"}", "!did you mean 'abstract'?", NULL,
     .text_column = "abs"},
    {"a.jsonl", "{\"abstract\":\"x\"}", "!did you mean 'abstract'?", NULL,
     .text_column = "abstrct"},
    {"a.jsonl", "{\"abstract\":\"x\",\"n\":5}", "!for example 'abstract' is \"x\", 'n' is 5",
     NULL, .text_column = "year"},
    {"a.jsonl", "{\"abstract\":\"x\"}", "!the name of the text column is empty", NULL,
     .text_column = ""},

    /* rows under a key */
    {"a.json", "{\"v\":\"1\",\"data\":[{\"text\":\"a\"},{\"text\":\"b\"}],\"z\":{\"q\":[1]}}",
     "Ta|Tb", "{\"text\":\"a\"}\n{\"text\":\"b\"}", .field = "data"},
    {"a.json", "{\"v\":{\"x\":1},\"a\":{\"b\":[\"s\",null]}}", "Ts|N", NULL, .field = "a.b"},
    {"a.json", "{\"data\":{\"text\":[\"a\",null],\"id\":[1,2]}}", "Ta|N",
     "{\"text\":\"a\",\"id\":1}\n{\"text\":null,\"id\":2}", .field = "data"},
    {"a.json", "{\"data\":{\"text\":{\"0\":\"a\",\"5\":\"b\"},\"id\":{\"0\":1,\"5\":2}}}",
     "Ta|Tb", NULL, .field = "data"},
    {"a.json", "{\"data\":{\"text\":[\"a\"],\"id\":[1,2]}}", "!not of one length", NULL,
     .field = "data"},
    {"a.json", "{\"data\":{\"text\":\"a\"}}", "!is no table", NULL, .field = "data"},
    {"a.json", "{\"data\":[]}", "!there are no rows", "", .field = "data"},
    {"a.json", "{\"data\":[{\"text\":\"a\"}]", "Ta!the file ends before the object does", NULL,
     .field = "data"},
    {"a.json", "{\"data\":[{\"text\":\"a\"}]}", "!the field 'rows' is no key", NULL,
     .field = "rows"},
    {"a.json", "{\"data\":3}", "!holds neither a list of rows", NULL, .field = "data"},
    {"a.json", "[{\"text\":\"a\"}]", "!the document is no object", NULL, .field = "data"},
    {"a.json", "{\"v\":\"1.1\",\"data\":[{\"text\":\"a\"}]}", "!read them with `field` data",
     NULL},
    {"a.csv", "text\na\n", "!but no file is JSON", NULL, .field = "data"},
    {"a.json", "{\n\"text\":[\"a\",\"b\"],\n\"id\":[1,2]}", "Ta|Tb", NULL},

    /* bad rows, left out */
    {"a.jsonl",
     "{\"text\":\"a\"}\n{\"text\":\"b\n{\"text\":7}\n[1]\n{\"text\":\"x\",\"text\":\"y\"}\nx\n{"
     "\"text\":\"c\"",
     "Ta|Xmalformed JSON|Xwrong type|Xnot a row|Xcolumn twice|Xmalformed JSON|Xmalformed JSON",
     NULL, .skips = true},
    {"a.jsonl", "<html>\n{\"text\":\"a\"}\n{\"text\":\"\\q\"}\n{\"text\":\"b\"}",
     "Xmalformed JSON|Ta|Xmalformed JSON|Tb", "{\"text\":\"a\"}\n{\"text\":\"b\"}",
     .skips = true},
    {"a.jsonl", "{\"text\":\"a\"} {\"text\":1}\n{\"text\":\"b\"}", "Ta|Xwrong type|Tb", NULL,
     .skips = true},
    {"a.json", "[{\"text\":\"a\"},{\"text\":1},7,{\"text\":\"b\"}]",
     "Ta|Xwrong type|Xnot a row|Tb", NULL, .skips = true},
    {"a.json", "[{\"text\":\"a\"},{\"text\":}]", "Ta!expected a JSON value", NULL,
     .skips = true},
    {"a.csv", "id,text\n1,a\n2,b,c\n3,\"d\n4,e\n5,\"f\"g\n6,h\n",
     "Ta|Xtoo many fields|Xbad quoting|Te|Xbad quoting|Th", NULL, .skips = true},
    {"a.csv", "id,text\n1,a\n2,b,c\n3,d\n", "Ta|Xtoo many fields|Td", NULL,
     .csv = "on_bad_lines=skip"},
    {"a.csv", "id,text\n1,a\n2,b,c\n", "Ta!`on_bad_row` skip leaves such rows out", NULL},
    {"a.csv", "text,id\nabc\x81,1\n\x80,2\n", "Xundecodable|T\xE2\x82\xAC", NULL,
     .encoding = "cp1252", .skips = true},

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
     "{\"text\":null,\"b\":\"1\"}\n{\"text\":\"NA\",\"b\":\"1\"}\n{\"text\":null,\"b\":\"1\"}\n"
     "{\"text\":null,\"b\":\"1\"}\n{\"text\":null,\"b\":\"1\"}\n{\"text\":\"NAN\",\"b\":"
     "\"1\"}"},
    {"a.csv", "id,abstract,n\n1,word,2.5\n2,,-1e9\n", "Tword|E", NULL},
    {"a.csv", "id,abstract,title\n1,a,b\n",
     "!'id' (number), 'abstract' (string), 'title' (string)", NULL},
    {"a.csv", "id,n\n1,2\n", "!there is no column of strings; the columns are 'id' (number)",
     "{\"id\":\"1\",\"n\":\"2\"}"},
    {"a.csv", "id,n\n1,2\n", "T2", NULL, .text_column = "n"},
    {"a.csv", "b,text\n1,one\n2\n3,\n", "Tone|N|E",
     "{\"b\":\"1\",\"text\":\"one\"}\n{\"b\":\"2\",\"text\":null}\n"
     "{\"b\":\"3\",\"text\":\"\"}"},
    {"a.csv", "text,b\none,1\ntwo,2,3\n",
     "Tone!line 3: there are 3 fields in this row, and 2 columns", NULL},
    {"a.csv", "text\n\"one\ntwo\"\na,b\n", "Tone\ntwo!line 4: there are 2 fields", NULL},
    {"a.csv", "text\n\"one\n", "!line 2: a field in quotes is not closed", NULL},
    {"a.csv", "text\n\"one\"x\n", "!line 2: text follows the closing quote", NULL},
    {"a.csv", "text\nsay \"hi\"\n", "Tsay \"hi\"", NULL},
    {"a.csv", "text,text\na,b\n", "!there are several columns 'text'",
     "!the header names column 'text' twice"},
    {"a.csv", ",text\n0,a\n", "Ta", "{\"Unnamed: 0\":\"0\",\"text\":\"a\"}"},
    {"a.csv", ",text,\n0,a,\n", "Ta",
     "{\"Unnamed: 0\":\"0\",\"text\":\"a\",\"Unnamed: 2\":\"\"}"},
    {"a.csv", "Unnamed: 1,,text\n0,1,a\n", "Ta", "!the header names column 'Unnamed: 1' twice"},
    {"a.csv", "te\0xt\na\n", "!holds a NUL byte", NULL, .n_bytes = 8},
    {"a.csv", "text\na\0b\n", "Ta\\0b", NULL, .n_bytes = 9},
    {"a.csv", "text\n\xFC\n", "RT\xEF\xBF\xBD", "{\"text\":\"\xEF\xBF\xBD\"}"},
    {"a.csv", "", "!the file is empty", NULL},
    {"a.csv", "\n\n", "!the file is empty", NULL},
    {"a.csv", "text\n", "", ""},
    {"noname", "{\"text\":\"a,b\"}\n", "Ta,b", NULL},
    {"a.csv", "[\"text\"],n\nx,1\n", "Tx", NULL, .text_column = "[\"text\"]"},
    /* dialects; those of tests/data/rows/dialects.json are compared with the reference */
    {"a.csv", "id;text\n1;a\n2;\"b; c\"\n", "Ta|Tb; c", NULL},
    {"a.csv", "id\ttext\n1\ta, b\n", "Ta, b", NULL},
    {"a.csv", "id|text\n1|a\n", "Ta", NULL},
    {"a.tsv", "id,text\n1,a\n", "Ta", NULL},
    {"a.csv", "id;text\n1;a\n2;b;c\n", "!`csv` delimiter=;", NULL},
    {"a.csv", "id text\n1 river\n2 lamp\n", "!`csv` delimiter=space", NULL},
    {"a.csv", "id:text\n1:a\n", "!`csv` delimiter=:", NULL},
    {"a.csv", "product review\nriver\nlamp and more\n", "Triver|Tlamp and more", NULL},
    {"a.csv", "sep=;\nid;text\n1;a\n", "!`csv` delimiter=;,skiprows=1", NULL},
    {"a.csv", "sep=;\nid;text\n1;a\n", "Ta", NULL, .csv = "delimiter=;,skiprows=1"},
    {"a.csv", "id;text\n1;a\n", "T1;a", NULL, .csv = "delimiter=,", .text_column = "id;text"},
    {"a.csv", "3,river\n4,lamp\n", "!header=none,column_names", NULL},
    {"a.csv", "3,river\n4,lamp\n", "Triver|Tlamp", NULL,
     .csv = "header=none,column_names=n|text"},
    {"a.csv", "3,river\n4,lamp\n", "Triver|Tlamp", NULL, .csv = "header=none",
     .text_column = "1"},
    {"a.csv", "n,text\n1\n", "!no column 'words'", NULL, .text_column = "words"},
    {"a.csv", "x\n", "!'colour' is none of them", NULL, .csv = "colour=red"},
    {"a.csv", "x\n", "!does not take the value 'xy'", NULL, .csv = "delimiter=xy"},
    {"a.csv", "x\n", "!has no value", NULL, .csv = "delimiter"},
    {"a.jsonl", "{\"text\":\"a\"}", "!but no file is csv", NULL, .csv = "delimiter=;"},
    {"a.txt", "id;text\n1;a\n", "Ta", NULL, .csv = "delimiter=;"},
    {"a.csv", "x\n", "!encoding 'klingon'", NULL, .encoding = "klingon"},
    {"a.csv", "t\0e\0x\0t\0\n\0h\0\xE9\0\n\0", "Th\xC3\xA9", NULL, .encoding = "utf-16-le",
     .n_bytes = 16},
    {"a.txt", "\xFE\xFF\0h\0i", "Thi", NULL, .encoding = "utf-16", .n_bytes = 6},
    {"a.csv", "text,b\n\x83\x65\\,~\n", "T\xE3\x83\x86\\", NULL, .encoding = "shift_jis"},
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
    const struct ss_dataset_options options = {.struct_size = sizeof options,
                                               .text_column = c->text_column,
                                               .format = c->format,
                                               .text_unit = c->unit,
                                               .csv = c->csv,
                                               .encoding = c->encoding,
                                               .field = c->field,
                                               .on_bad_row = c->skips ? SS_BAD_ROWS_SKIP
                                                                      : SS_BAD_ROWS_STOP};
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
