/* The font of pictures: its file in the usual folders first, then fontconfig. */
#include "view/font.h"

#include <cairo-ft.h>
#include <unistd.h>

#include "base/mem.h"

#define FONT_FAMILY "DejaVu Sans" /* where it is missing, fontconfig gives its likest */

/* Where distributions have it. */
static const char *const font_files[] = {
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",   /* Debian, Ubuntu */
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf", /* Fedora */
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",            /* older Fedora, RHEL, Alpine */
    "/usr/share/fonts/TTF/DejaVuSans.ttf",               /* Arch */
    "/usr/share/fonts/truetype/DejaVuSans.ttf",          /* openSUSE */
    "/usr/local/share/fonts/dejavu/DejaVuSans.ttf",
};

/* A face with the library that it lives in; cairo keeps it as long as some font needs it. */
struct font {
    FT_Library library;
    FT_Face face;
};

static void free_font(void *user)
{
    struct font *font = user;
    if (font->face != NULL) {
        FT_Done_Face(font->face);
    }
    if (font->library != NULL) {
        FT_Done_FreeType(font->library);
    }
    ss__free(font);
}

static struct font *open_font(const char *path)
{
    struct font *font = ss__alloc(1, sizeof *font);
    if (font == NULL) {
        return NULL;
    }
    if (FT_Init_FreeType(&font->library) != 0 ||
        FT_New_Face(font->library, path, 0, &font->face) != 0) {
        free_font(font);
        return NULL;
    }
    return font;
}

/* Give the context a font, and the font to cairo. */
static bool use_font(cairo_t *cairo, struct font *font)
{
    static const cairo_user_data_key_t key;
    cairo_font_face_t *face = cairo_ft_font_face_create_for_ft_face(font->face, 0);
    const cairo_status_t kept = cairo_font_face_set_user_data(face, &key, font, free_font);
    if (kept == CAIRO_STATUS_SUCCESS) {
        cairo_set_font_face(cairo, face);
    }
    cairo_font_face_destroy(face);
    if (kept != CAIRO_STATUS_SUCCESS) {
        free_font(font);
    }
    return kept == CAIRO_STATUS_SUCCESS;
}

bool ss_view_font_select(cairo_t *cairo)
{
    for (size_t i = 0; i < sizeof font_files / sizeof font_files[0]; i++) {
        if (access(font_files[i], R_OK) == 0) {
            struct font *font = open_font(font_files[i]);
            return font != NULL && use_font(cairo, font);
        }
    }
    cairo_select_font_face(cairo, FONT_FAMILY, CAIRO_FONT_SLANT_NORMAL,
                           CAIRO_FONT_WEIGHT_NORMAL);
    return true;
}
