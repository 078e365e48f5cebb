/* Kinds of files that are recognised in order to be refused by name: each has one message that
 * says what it is and what to do with it. A table by extension and one by first bytes; bytes
 * count over the extension, since names are often wrong. */
#include <string.h>

#include "base/file.h"
#include "base/number.h"
#include "format/reader.h"

#define EXCEL "is an Excel workbook, which is not read; save it as CSV or Parquet"
#define SPREADSHEET                                                                            \
    "is an OpenDocument spreadsheet, which is not read; save it as CSV or Parquet"
#define OFFICE "is a document of an office program, which is not read; save its text as .txt"
#define OLD_OFFICE                                                                             \
    "is a file of an old office program (.xls, .doc), which is not read; save a table as CSV " \
    "or Parquet, a document as .txt"
#define PDF "is a PDF document, which is not read; take its text out first (pdftotext)"
#define SQLITE "is an SQLite database, which is not read; export the table as CSV or Parquet"
#define DATABASE "is a database, which is not read; export the table as CSV or Parquet"
#define PICKLE                                                                                 \
    "is a Python pickle, and nothing in it is run; save the table as Parquet, with pandas by " \
    "DataFrame.to_parquet"
#define HDF5 "is an HDF5 file, which is not read; save the table as Parquet"
#define ORC "is an ORC file, which is not read; save it as Parquet"
#define AVRO "is an Avro file, which is not read; save it as Parquet"
#define LANCE                                                                                  \
    "is a file of a Lance or Vortex table, which is not read; save the table as Parquet"
#define IMAGE "is an image, which has no rows of text"
#define SOUND "is a recording, which has no rows of text"
#define VIDEO "is a video, which has no rows of text"
#define STATISTICS                                                                             \
    "is a file of a statistics program (R, SPSS, Stata, SAS, MATLAB), which is not read; "     \
    "save the table as CSV or Parquet"
#define ARRAY                                                                                  \
    "is an array of numbers (.npy, .npz), not a dataset of texts; it is read as embeddings "   \
    "where `embeddings` names the file itself: not a pattern, a folder or a pipe"
#define WEIGHTS "holds the weights of a model, not rows of text"
#define TFRECORD "is a TFRecord file, which is not read; save the rows as Parquet or JSON Lines"
#define OTHER_ARCHIVE "is an archive of a kind that is not read (7z, RAR); unpack it first"
#define OTHER_PACKED                                                                           \
    "is compressed in a way that is not read; decompress it, or use gzip, zstd, bzip2, xz or " \
    "lz4"
#define UTF16 "is UTF-16 text; read it with `encoding` utf-16"
#define FEATHER1 "is a Feather file of version 1; save it as version 2 or as Parquet"
#define ZIP                                                                                    \
    "is a zip archive; those are read from files on disk whose name ends in .zip, others "     \
    "must be unpacked first"
#define TAR                                                                                    \
    "is a tar archive; those are read from files on disk whose name ends in .tar, .tar.gz, "   \
    ".tgz, .tar.zst, .tar.xz or .tar.bz2, others must be unpacked first"

/* ---- by the extension of a name ---- */

static const struct {
    const char *extensions; /* " xlsx xls " */
    const char *message;
    bool is_table; /* likely to hold rows that a user misses */
} kinds[] = {
    {" xlsx xlsm xlsb xls ", EXCEL, true},
    {" ods ", SPREADSHEET, true},
    {" docx doc odt rtf pptx ppt odp epub ", OFFICE, false},
    {" pdf ", PDF, false},
    {" sqlite sqlite3 ", SQLITE, true},
    {" duckdb mdb accdb ", DATABASE, true},
    {" pkl pickle joblib ", PICKLE, true},
    {" h5 hdf5 hdf ", HDF5, true},
    {" orc ", ORC, true},
    {" avro ", AVRO, true},
    {" lance vortex ", LANCE, true},
    {" png jpg jpeg gif bmp webp tif tiff ico ", IMAGE, false},
    {" mp3 wav flac ogg opus m4a aiff ", SOUND, false},
    {" mp4 mkv avi mov webm mpeg mpg ", VIDEO, false},
    {" dta sav por sas7bdat xpt rds rda rdata mat ", STATISTICS, true},
    {" npy npz ", ARRAY, false},
    {" safetensors pt pth gguf onnx ckpt ", WEIGHTS, false},
    {" tfrecord tfrecords ", TFRECORD, true},
    {" 7z rar ", OTHER_ARCHIVE, true},
    {" br z lzma lz lzo sz snappy ", OTHER_PACKED, true},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0], MAX_EXTENSION_BYTES = 12 };

/* N_KINDS for an extension that says nothing. */
static size_t find_kind(const char *path)
{
    char wanted[MAX_EXTENSION_BYTES + 3] = " ";
    const char *dot = strrchr(ss__path_name(path), '.');
    const size_t n = dot == NULL ? 0 : strlen(dot + 1);
    if (n == 0 || n > MAX_EXTENSION_BYTES) {
        return N_KINDS;
    }
    for (size_t i = 0; i < n; i++) {
        const char c = dot[1 + i];
        wanted[1 + i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    wanted[n + 1] = ' ';
    size_t i = 0;
    while (i < N_KINDS && strstr(kinds[i].extensions, wanted) == NULL) {
        i++;
    }
    return i;
}

bool ss_format_is_other_table(const char *path)
{
    const size_t i = find_kind(path);
    return i < N_KINDS && kinds[i].is_table;
}

ss_status ss_format_refuse_name(const char *name, const char *path, ss_err *err)
{
    const size_t i = find_kind(path);
    return i == N_KINDS
               ? SS_OK
               : ss__fail_file(err, name, SS_E_UNSUPPORTED, "this %s", kinds[i].message);
}

/* ---- by the first bytes ---- */

/* Marks whose bytes are all printable could begin a text too: they count where the name says
 * nothing, or where a NUL shows that this is none. */
static const struct {
    const char *mark;
    size_t n, at; /* where the mark is */
    const char *message;
    bool is_printable;
} marks[] = {
    {"\xFF\xFE", 2, 0, UTF16, false},
    {"\xFE\xFF", 2, 0, UTF16, false},
    {"FEA1", 4, 0, FEATHER1, true},
    {"ustar\0", 6, 257, TAR, false},
    {"ustar  ", 8, 257, TAR, false},
    {"\xFF\x06\0\0sNaPpY", 10, 0, OTHER_PACKED, false},
    {"\x1F\x9D", 2, 0, OTHER_PACKED, false},
    {"\x02\x21\x4C\x18", 4, 0, OTHER_PACKED, false},
    {"LZIP\x01", 5, 0, OTHER_PACKED, false},
    {"\x5D\0\0", 3, 0, OTHER_PACKED, false},
    {"7z\xBC\xAF\x27\x1C", 6, 0, OTHER_ARCHIVE, false},
    {"Rar!\x1A\x07", 6, 0, OTHER_ARCHIVE, false},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8, 0, OLD_OFFICE, false},
    {"%PDF-", 5, 0, PDF, true},
    {"SQLite format 3\0", 16, 0, SQLITE, false},
    {"\x89HDF\r\n\x1A\n", 8, 0, HDF5, false},
    {"Obj\x01", 4, 0, AVRO, false},
    {"ORC", 3, 0, ORC, true},
    {"\x93NUMPY", 6, 0, ARRAY, false},
    {"\x89PNG\r\n\x1A\n", 8, 0, IMAGE, false},
    {"\xFF\xD8\xFF", 3, 0, IMAGE, false},
    {"GIF8", 4, 0, IMAGE, true},
    {"II*\0", 4, 0, IMAGE, false},
    {"MM\0*", 4, 0, IMAGE, false},
    {"WEBP", 4, 8, IMAGE, true},
    {"WAVE", 4, 8, SOUND, true},
    {"ID3", 3, 0, SOUND, true},
    {"fLaC", 4, 0, SOUND, true},
    {"OggS", 4, 0, SOUND, true},
    {"ftyp", 4, 4, VIDEO, true},
    {"\x1A\x45\xDF\xA3", 4, 0, VIDEO, false},
};

/* Protocols 2 to 5, whose first opcode is never 0; an old Arrow stream may begin so too, but
 * with the length of its metadata, which is small. */
static bool is_pickle(const struct ss_source_stream *stream)
{
    const uint8_t *data = (const uint8_t *)stream->data;
    return stream->n_bytes >= 3 && data[0] == 0x80 && data[1] >= 2 && data[1] <= 5 &&
           data[2] != 0;
}

/* Within the bytes that are there, which are the head of the file. */
static bool holds(const struct ss_source_stream *stream, const char *word)
{
    return memmem(stream->data, stream->n_bytes, word, strlen(word)) != NULL;
}

/* What is packed as a zip: by the first members that lie in the head. */
static const char *zip_message(const struct ss_source_stream *stream)
{
    if (holds(stream, "application/vnd.oasis.opendocument.spreadsheet")) {
        return SPREADSHEET;
    }
    if (holds(stream, "application/vnd.oasis.opendocument") ||
        holds(stream, "application/epub+zip")) {
        return OFFICE;
    }
    if (holds(stream, "[Content_Types].xml")) {
        return holds(stream, "word/") || holds(stream, "ppt/") ? OFFICE : EXCEL;
    }
    return ZIP;
}

ss_status ss_format_refuse_content(const struct ss_source_stream *stream, bool is_text,
                                   ss_err *err)
{
    const char *message = NULL;
    const bool has_nul = memchr(stream->data, 0, stream->n_bytes) != NULL;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0] && message == NULL; i++) {
        if (stream->n_bytes >= marks[i].at + marks[i].n &&
            memcmp(stream->data + marks[i].at, marks[i].mark, marks[i].n) == 0 &&
            (!marks[i].is_printable || !is_text || has_nul)) {
            message = marks[i].message;
        }
    }
    if (stream->n_bytes >= 4 && memcmp(stream->data, "PK\x03\x04", 4) == 0) {
        message = zip_message(stream);
    } else if (is_pickle(stream)) {
        message = PICKLE;
    }
    return message == NULL
               ? SS_OK
               : ss__fail_file(err, stream->name, SS_E_UNSUPPORTED, "this %s", message);
}

/* ---- what a server gave instead ---- */

static bool begins(const char *data, size_t n, const char *word)
{
    const size_t n_word = strlen(word);
    return n >= n_word && ss__begin_alike_ignoring_case(data, word, n_word);
}

/* Such a file would be read as CSV or lines without any error, and embedded. */
ss_status ss_format_refuse_page(const struct ss_source_stream *stream, ss_err *err)
{
    const char *data = stream->data;
    size_t n = stream->n_bytes;
    while (n > 0 && strchr(" \t\r\n", *data) != NULL && *data != '\0') {
        data++;
        n--;
    }
    return !begins(data, n, "<!doctype html") && !begins(data, n, "<html") &&
                   !begins(data, n, "<?xml ")
               ? SS_OK
               : ss__fail_file(err, stream->name, SS_E_DATA,
                               "this is a web page or XML, not rows: perhaps what a server "
                               "gave in place of the file, an error or a page to sign in; "
                               "download it again, or say `format` txt to read its lines");
}
