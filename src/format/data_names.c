/* Names of files that are no data, as the reference library passes over them, and beyond that
 * what a project has beside its data. */
#include "format/data_names.h"
#include "base/number.h"

#include <string.h>

/* "_" hides too, unless it is the key of a partition ("_year=2020"); "." and ".." are steps. */
bool ss_format_name_is_hidden(const char *name)
{
    const size_t n = strcspn(name, "/");
    const bool is_step = (n == 1 && name[0] == '.') || (n == 2 && memcmp(name, "..", 2) == 0);
    if (name[0] == '_') {
        return memchr(name, '=', n) == NULL;
    }
    return name[0] == '.' && !is_step;
}

bool ss_format_path_is_hidden(const char *path)
{
    for (const char *at = path; *at != '\0';) {
        if (ss_format_name_is_hidden(at)) {
            return true;
        }
        at += strcspn(at, "/");
        at += *at == '/';
    }
    return false;
}

/* Documents of models and datasets that end like data. */
static bool is_document(const char *name)
{
    static const char *const names[] = {
        "config.json",           "dataset_info.json", "dataset_infos.json",
        "dataset_dict.json",     "state.json",        "tokenizer.json",
        "tokenizer_config.json", "package.json",      "package-lock.json",
        "CMakeLists.txt",        "robots.txt"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a name is a word before its first ".", "-" or "_". */
static bool is_word(const char *name, const char *word, bool any_case)
{
    const size_t n = strcspn(name, ".-_");
    return n == strlen(word) && (any_case ? ss__begin_alike_ignoring_case(name, word, n)
                                          : memcmp(name, word, n) == 0);
}

/* Texts of a project. Words that a text among others may be called count in capitals only. */
static bool is_project_text(const char *name)
{
    static const char *const words[] = {"NOTICE",    "CHANGES", "CHANGELOG", "CONTRIBUTING",
                                        "COPYRIGHT", "AUTHORS", "COPYING",   "CITATION",
                                        "INSTALL",   "VERSION"};
    static const char *const any_case[] = {"readme", "license", "licence"};
    static const char *const extensions[] = {"", ".txt", ".text", ".md", ".rst"};
    const char *dot = strrchr(name, '.');
    bool fits = false;
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        fits |= strcmp(dot == NULL ? "" : dot, extensions[i]) == 0;
    }
    if (!fits) {
        return false;
    }
    bool found = dot != NULL && strcmp(dot, ".txt") == 0 && strchr(name, '.') == dot &&
                 strstr(name, "requirements") != NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        found |= is_word(name, words[i], false);
    }
    for (size_t i = 0; i < sizeof any_case / sizeof any_case[0]; i++) {
        found |= is_word(name, any_case[i], true);
    }
    return found;
}

bool ss_format_name_is_about_data(const char *name)
{
    return is_document(name) || is_project_text(name);
}

/* cache-FINGERPRINT.arrow, also with "_00000_of_00002" behind it. */
bool ss_format_name_is_cache(const char *name)
{
    static const char begin[] = "cache-";
    const size_t n = sizeof begin - 1;
    return strncmp(name, begin, n) == 0 && strspn(name + n, "0123456789abcdef") >= 8 &&
           strstr(name, ".arrow") != NULL;
}
