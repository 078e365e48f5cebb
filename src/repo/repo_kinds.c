/* Kinds of data files by the extensions of their names.
 *
 * An extension may stand anywhere behind the first dot: "a.csv.gz" and "a.csv.part1" are both
 * of kind csv. Upper case counts only for kinds that say so. */
#include <ctype.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "repo/repo.h"

/* The reference's modules by extension. Kinds that are not read are here too: the most common
 * extension decides, and a dataset of pictures is to be refused as that. */
static const struct ss_repo_kind kinds[] = {
    {"csv", "csv tsv", false, true, "csv"},
    {"json", "json jsonl ndjson", false, true, NULL},
    {"parquet", "parquet geoparquet gpq", false, true, "parquet"},
    {"arrow", "arrow", false, true, NULL},
    {"text", "txt", false, true, "txt"},
    {"zip", "zip", false, true, NULL},
    {"conll", "conll conllu", false, false, NULL},
    {"webdataset", "tar", false, false, NULL},
    {"xml", "xml", false, false, NULL},
    {"hdf5", "hdf5 h5", false, false, NULL},
    {"eval", "eval", false, false, NULL},
    {"harbor", "toml md", false, false, NULL},
    {"lance", "lance", false, false, NULL},
    {"tsfile", "tsfile", false, false, NULL},
    {"vortex", "vortex", false, false, NULL},
    {"fasta", "fa fasta fna ffn faa frn afa", false, false, NULL},
    {"genbank", "gb gbk genbank", false, false, NULL},
    {"fastq", "fq fastq", false, false, NULL},
    {"pdb", "pdb ent", true, false, NULL},
    {"mmcif", "cif mmcif", false, false, NULL},
    {"imagefolder",
     "blp bmp dib bufr cur pcx dcx dds ps eps fit fits fli flc ftc ftu gbr gif grib png apng "
     "jp2 j2k jpc jpf jpx j2c icns ico im iim tif tiff jfif jpe jpg jpeg msp pcd pxr pbm pgm "
     "ppm pnm psd bw rgb rgba sgi ras tga icb vda vst webp wmf emf xbm xpm",
     true, false, NULL},
    {"audiofolder",
     "mpg aiff au avr caf flac htk svx mat4 mat5 mpc2k ogg paf pvf raw rf64 sd2 sds ircam voc "
     "w64 wav nist wavex wve xi mp3 opus 3gp 3g2 asf flv m4v webm f4v wmv wma ogm mxf nut",
     true, false, NULL},
    {"videofolder", "mpeg avi mp4 mov mkv", true, false, NULL},
    {"meshfolder", "glb gltf ply stl", true, false, NULL},
    {"pdffolder", "pdf", true, false, NULL},
    {"niftifolder", "nii", true, false, NULL},
};
enum { N_KINDS = sizeof kinds / sizeof kinds[0], MAX_EXTENSION_BYTES = 15 };

/* An extension in lower case, and whether it was so or all in upper case. */
struct extension {
    char text[MAX_EXTENSION_BYTES + 1];
    bool is_lower, is_upper;
};

/* Take the next extension of a file name; `at` begins at the name and ends NULL. Extensions too
 * long to be known come out empty. */
static bool next_extension(const char **at, struct extension *out)
{
    const char *dot = *at == NULL ? NULL : strchr(*at, '.');
    *at = dot == NULL ? NULL : dot + 1;
    *out = (struct extension){.is_lower = true, .is_upper = true};
    if (dot == NULL) {
        return false;
    }
    const size_t n = strcspn(*at, ".");
    for (size_t i = 0; i < n && n <= MAX_EXTENSION_BYTES; i++) {
        const unsigned char c = (unsigned char)(*at)[i];
        out->is_lower &= !(c >= 'A' && c <= 'Z');
        out->is_upper &= !(c >= 'a' && c <= 'z');
        out->text[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return true;
}

static bool kind_has(const struct ss_repo_kind *kind, const char *extension)
{
    const size_t n = strlen(extension);
    for (const char *at = kind->extensions; n > 0;) {
        const size_t length = strcspn(at, " ");
        if (length == n && memcmp(at, extension, n) == 0) {
            return true;
        }
        if (at[length] == '\0') {
            break;
        }
        at += length + 1;
    }
    return false;
}

static const struct ss_repo_kind *find_kind(const char *extension)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (kind_has(&kinds[i], extension)) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool ss_repo_has_known_extension(const char *path)
{
    struct extension extension;
    for (const char *at = ss__path_name(path); next_extension(&at, &extension);) {
        const struct ss_repo_kind *kind = find_kind(extension.text);
        if (kind != NULL && (extension.is_lower || (kind->any_case && extension.is_upper))) {
            return true;
        }
    }
    return false;
}

/* A .zip is of every kind, since its members are what is read. */
bool ss_repo_is_of_kind(const struct ss_repo_kind *kind, const char *path)
{
    struct extension extension;
    for (const char *at = ss__path_name(path); next_extension(&at, &extension);) {
        const bool case_fits = extension.is_lower || (kind->any_case && extension.is_upper);
        if (case_fits &&
            (kind_has(kind, extension.text) || strcmp(extension.text, "zip") == 0)) {
            return true;
        }
    }
    return false;
}

/* ---- the most common extension ---- */

struct tally {
    char extension[MAX_EXTENSION_BYTES + 1];
    bool is_about_files; /* of files that describe others, such as metadata.csv */
    size_t n;
};

/* Such files count only where there are no others. */
static bool is_about_files(const char *name)
{
    static const char *const names[] = {"instruction.md",   "latest_version_hint.json",
                                        "metadata.csv",     "metadata.jsonl",
                                        "metadata.parquet", "task.toml"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Which of two extensions wins where counts are equal; higher is better. */
static int favour(const char *extension)
{
    static const char *const order[] = {"csv",    "json",  "jsonl",  "arrow",
                                        "vortex", "lance", "parquet"};
    for (int i = 0; i < (int)(sizeof order / sizeof order[0]); i++) {
        if (strcmp(extension, order[i]) == 0) {
            return i + 1;
        }
    }
    return 0;
}

static bool is_better(const struct tally *a, const struct tally *b)
{
    if (a->is_about_files != b->is_about_files) {
        return b->is_about_files;
    }
    if (a->n != b->n) {
        return a->n > b->n;
    }
    const int by_favour = favour(a->extension) - favour(b->extension);
    return by_favour != 0 ? by_favour > 0 : strcmp(a->extension, b->extension) > 0;
}

/* More than there are known extensions, each counted in two ways. */
enum { MAX_TALLIES = 512 };

/* Count an extension of known kind. */
static void count_extension(struct tally *tallies, size_t *n, const char *extension,
                            bool about_files)
{
    size_t i = 0;
    while (i < *n && (strcmp(tallies[i].extension, extension) != 0 ||
                      tallies[i].is_about_files != about_files)) {
        i++;
    }
    if (i == *n && i < MAX_TALLIES) {
        memcpy(tallies[i].extension, extension, sizeof tallies[i].extension);
        tallies[i].is_about_files = about_files;
        ++*n;
    }
    tallies[i].n += i < MAX_TALLIES;
}

/* Every extension of a name counts: "a.csv.gz" for csv alone, since gz is of no kind. */
const struct ss_repo_kind *ss_repo_kind_of(const char *const *paths, size_t n,
                                           const char **format)
{
    struct tally tallies[MAX_TALLIES] = {{.n = 0}};
    struct extension extension;
    size_t n_tallies = 0, best = 0;
    *format = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *name = ss__path_name(paths[i]);
        for (const char *at = name; next_extension(&at, &extension);) {
            if (find_kind(extension.text) != NULL) {
                count_extension(tallies, &n_tallies, extension.text, is_about_files(name));
            }
        }
    }
    for (size_t i = 1; i < n_tallies; i++) {
        best = is_better(&tallies[i], &tallies[best]) ? i : best;
    }
    const struct ss_repo_kind *kind =
        n_tallies == 0 ? NULL : find_kind(tallies[best].extension);
    if (kind != NULL) {
        *format = strcmp(tallies[best].extension, "tsv") == 0 ? "tsv" : kind->format;
    }
    return kind;
}
