/* Surfaces of cairo by file extension, and the few strokes that pictures need. Equal pictures
 * have equal bytes: no date, no counter of the process, no hinting by the machine's fonts,
 * numbers in the C locale. */
#include "view/canvas.h"

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/output.h"
#include "base/utf8.h"
#include "view/font.h"
#include "view/view.h"

#define DEFAULT_WIDTH_IN 6.4
#define DEFAULT_HEIGHT_IN 4.8
#define DEFAULT_DPI 150.0
#define POINTS_PER_INCH 72.0

/* Sizes within which a picture can be read and rendered. */
#define MIN_IN 1.0
#define MAX_IN 60.0
#define MIN_DPI 20.0
#define MAX_DPI 1200.0
#define MAX_PIXELS 16000.0

/* More than cairo was seen to use: for itself, and for a pixel of an image. */
enum { CAIRO_BYTES = 16 << 20, PIXEL_BYTES = 8 };

/* Where the first is missing: the second has the widths of its letters. */
#define SVG_FONTS "DejaVu Sans, Verdana, Geneva, sans-serif"

struct ss_view_canvas_format {
    const char *extension;
    bool has_pixels;
    bool has_text_elements; /* texts are written into the file as such */
    cairo_surface_t *(*open)(struct ss_view_canvas *canvas);
    cairo_status_t (*finish)(struct ss_view_canvas *canvas);
};

/* Cairo gives the file in pieces; it is written when it is whole. */
static cairo_status_t collect(void *closure, const unsigned char *data, unsigned int n_bytes)
{
    struct ss__buf *bytes = closure;
    ss__buf_add(bytes, data, n_bytes);
    return bytes->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static cairo_surface_t *open_svg(struct ss_view_canvas *canvas)
{
    return cairo_svg_surface_create_for_stream(collect, &canvas->bytes, canvas->width,
                                               canvas->height);
}

static cairo_surface_t *open_pdf(struct ss_view_canvas *canvas)
{
    cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(
        collect, &canvas->bytes, canvas->width, canvas->height);
    /* The date of creation would make equal pictures differ. */
    cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, "");
    return surface;
}

/* No transparency: a picture is on white wherever it is shown. */
static cairo_surface_t *open_png(struct ss_view_canvas *canvas)
{
    return cairo_image_surface_create(CAIRO_FORMAT_RGB24,
                                      (int)lround(canvas->width * canvas->dots),
                                      (int)lround(canvas->height * canvas->dots));
}

static cairo_status_t finish_vector(struct ss_view_canvas *canvas)
{
    cairo_show_page(canvas->cairo);
    cairo_surface_finish(canvas->surface);
    return cairo_surface_status(canvas->surface);
}

/* Cairo names the group of a page after a counter of the process; nothing refers to the name.
 */
static void remove_page_number(struct ss__buf *bytes)
{
    static const char name[] = "id=\"surface";
    char *found = memmem(bytes->data, bytes->n_bytes, name, sizeof name - 1);
    if (found != NULL) {
        char *from = found + sizeof name - 1;
        char *to = from;
        const char *end = bytes->data + bytes->n_bytes;
        while (from < end && *from >= '0' && *from <= '9') {
            from++;
        }
        memmove(to, from, (size_t)(end - from));
        bytes->n_bytes -= (size_t)(from - to);
    }
}

/* `at` points into `bytes`, which may move. */
static void insert(struct ss__buf *bytes, const char *at, const struct ss__buf *inserted)
{
    const size_t n_before = (size_t)(at - bytes->data);
    const size_t n_after = bytes->n_bytes - n_before;
    const size_t n = inserted->n_bytes;
    if (n > 0 && ss__buf_reserve(bytes, n) != NULL) {
        memmove(bytes->data + n_before + n, bytes->data + n_before, n_after);
        memcpy(bytes->data + n_before, inserted->data, n);
        bytes->n_bytes += n;
    }
}

/* What was gathered goes behind the elements that cairo wrote, what the picture says of itself
 * before them. */
static void add_texts(struct ss_view_canvas *canvas)
{
    static const char root[] = "<svg ", end[] = "</svg>";
    struct ss__buf *bytes = &canvas->bytes;
    const char *at = memmem(bytes->data, bytes->n_bytes, end, sizeof end - 1);
    ss__buf_add_text(&canvas->texts, "</g>\n");
    if (at != NULL) {
        insert(bytes, at, &canvas->texts);
    }
    at = memmem(bytes->data, bytes->n_bytes, root, sizeof root - 1);
    at = at == NULL ? NULL : memchr(at, '>', bytes->n_bytes - (size_t)(at - bytes->data));
    if (at != NULL) {
        insert(bytes, at + 1, &canvas->about);
    }
    bytes->failed = bytes->failed || canvas->texts.failed || canvas->about.failed;
}

static cairo_status_t finish_svg(struct ss_view_canvas *canvas)
{
    const cairo_status_t status = finish_vector(canvas);
    if (status == CAIRO_STATUS_SUCCESS && !canvas->bytes.failed) {
        remove_page_number(&canvas->bytes);
        add_texts(canvas);
    }
    return status;
}

static cairo_status_t finish_png(struct ss_view_canvas *canvas)
{
    return cairo_surface_write_to_png_stream(canvas->surface, collect, &canvas->bytes);
}

static const struct ss_view_canvas_format formats[] = {
    {".svg", false, true, open_svg, finish_svg},
    {".png", true, false, open_png, finish_png},
    {".pdf", false, false, open_pdf, finish_vector},
};

static const struct ss_view_canvas_format *find_format(const char *path)
{
    const char *extension = strrchr(ss__path_name(path), '.');
    for (size_t i = 0; extension != NULL && i < sizeof formats / sizeof formats[0]; i++) {
        if (ss__equal_ignoring_case(extension, formats[i].extension)) {
            return &formats[i];
        }
    }
    return NULL;
}

/* Hinting would move letters by the machine's settings. */
static bool prepare_cairo(struct ss_view_canvas *canvas)
{
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(canvas->cairo, options);
    cairo_font_options_destroy(options);
    if (canvas->dots > 0) {
        cairo_scale(canvas->cairo, canvas->dots, canvas->dots);
    }
    cairo_set_source_rgb(canvas->cairo, 1, 1, 1);
    cairo_paint(canvas->cairo);
    return ss_view_font_select(canvas->cairo);
}

/* Whether there is memory for a picture. Cairo does not survive every allocation that fails, so
 * what it may come to need is asked for, and given back, before it begins. */
static bool has_memory(const struct ss_view_canvas *canvas)
{
    const double n_pixels = canvas->width * canvas->height * canvas->dots * canvas->dots;
    void *block = ss__alloc_aligned(CAIRO_BYTES + (size_t)n_pixels * PIXEL_BYTES, 1);
    ss__free(block);
    return block != NULL;
}

static bool is_between(double value, double least, double most)
{
    return value >= least && value <= most;
}

ss_status ss_view_canvas_open(struct ss_view_canvas *canvas, const char *path, double width_in,
                              double height_in, double dpi, ss_err *err)
{
    *canvas = (struct ss_view_canvas){.format = find_format(path)};
    width_in = width_in == 0 ? DEFAULT_WIDTH_IN : width_in;
    height_in = height_in == 0 ? DEFAULT_HEIGHT_IN : height_in;
    dpi = dpi == 0 ? DEFAULT_DPI : dpi;
    if (canvas->format == NULL) {
        return ss__fail(err, SS_E_USAGE,
                        "%s: a picture is written as .svg, .png or .pdf; end its name so",
                        path);
    }
    if (!is_between(width_in, MIN_IN, MAX_IN) || !is_between(height_in, MIN_IN, MAX_IN)) {
        return ss__fail(err, SS_E_USAGE,
                        "a picture is %g to %g inches wide and high, found %g by %g", MIN_IN,
                        MAX_IN, width_in, height_in);
    }
    if (!is_between(dpi, MIN_DPI, MAX_DPI) ||
        (canvas->format->has_pixels && fmax(width_in, height_in) * dpi > MAX_PIXELS)) {
        return ss__fail(
            err, SS_E_USAGE,
            "a picture has %g to %g dots per inch and at most %g in all a way, found %g "
            "for %g by %g inches",
            MIN_DPI, MAX_DPI, MAX_PIXELS, dpi, width_in, height_in);
    }
    canvas->width = width_in * POINTS_PER_INCH;
    canvas->height = height_in * POINTS_PER_INCH;
    canvas->dots = canvas->format->has_pixels ? dpi / POINTS_PER_INCH : 0;
    if (!has_memory(canvas)) {
        return ss__fail_nomem(err, "a picture");
    }
    canvas->surface = canvas->format->open(canvas);
    canvas->cairo = cairo_create(canvas->surface);
    if (cairo_status(canvas->cairo) != CAIRO_STATUS_SUCCESS) {
        return ss__fail(err, SS_E_NOMEM, "cannot begin a picture: %s",
                        cairo_status_to_string(cairo_status(canvas->cairo)));
    }
    if (!prepare_cairo(canvas)) {
        return ss__fail_nomem(err, "a font");
    }
    return SS_OK;
}

ss_status ss_view_canvas_write(struct ss_view_canvas *canvas, const char *path, bool force,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ss__out out = SS__OUT_CLOSED;
    cairo_status_t drawn = cairo_status(canvas->cairo);
    if (drawn == CAIRO_STATUS_SUCCESS) {
        drawn = canvas->format->finish(canvas);
    }
    SS_TRY(ss__buf_check(&canvas->bytes, err));
    SS_TRY(ss__buf_check(&canvas->texts, err));
    if (drawn != CAIRO_STATUS_SUCCESS) {
        SS_FAIL_FILE(path, drawn == CAIRO_STATUS_NO_MEMORY ? SS_E_NOMEM : SS_E_INTERNAL,
                     "the picture could not be drawn: %s", cairo_status_to_string(drawn));
    }
    SS_TRY(ss__out_open_named(path, force, &out, err));
    SS_TRY(ss__out_write(&out, canvas->bytes.data, canvas->bytes.n_bytes, err));
    SS_TRY(ss__out_commit(&out, err));
out:
    ss__out_abort(&out);
    return status;
}

void ss_view_canvas_fail(struct ss_view_canvas *canvas)
{
    canvas->texts.failed = true;
}

void ss_view_canvas_release(struct ss_view_canvas *canvas)
{
    if (canvas->cairo != NULL) {
        cairo_destroy(canvas->cairo);
    }
    if (canvas->surface != NULL) {
        cairo_surface_destroy(canvas->surface);
    }
    ss__buf_release(&canvas->bytes);
    ss__buf_release(&canvas->texts);
    ss__buf_release(&canvas->about);
    *canvas = (struct ss_view_canvas){0};
}

void ss_view_canvas_color(struct ss_view_canvas *canvas, struct ss_view_color color)
{
    canvas->color = color;
    cairo_set_source_rgb(canvas->cairo, color.red, color.green, color.blue);
}

double ss_view_canvas_snap(const struct ss_view_canvas *canvas, double at)
{
    return canvas->dots > 0 ? round(at * canvas->dots) / canvas->dots : at;
}

/* The middle of a line that is `n_dots` pixels thick and nearest to `at`. */
static double snap_line(const struct ss_view_canvas *canvas, double at, double n_dots)
{
    const double shift = fmod(n_dots, 2.0) / 2.0;
    return (round(at * canvas->dots - shift) + shift) / canvas->dots;
}

/* A line between two pixels would be grey and twice as wide. */
void ss_view_canvas_line(struct ss_view_canvas *canvas, const double from[2],
                         const double to[2], double width)
{
    double ends[4] = {from[0], from[1], to[0], to[1]};
    if (canvas->dots > 0) {
        const double n_dots = fmax(1.0, round(width * canvas->dots));
        const size_t axis = from[0] == to[0] ? 0 : 1;
        ends[axis] = snap_line(canvas, from[axis], n_dots);
        ends[axis + 2] = ends[axis];
        width = n_dots / canvas->dots;
    }
    cairo_set_line_width(canvas->cairo, width);
    cairo_move_to(canvas->cairo, ends[0], ends[1]);
    cairo_line_to(canvas->cairo, ends[2], ends[3]);
    cairo_stroke(canvas->cairo);
}

double ss_view_canvas_text_width(struct ss_view_canvas *canvas, const char *text, double size)
{
    cairo_text_extents_t extents;
    cairo_set_font_size(canvas->cairo, size);
    cairo_text_extents(canvas->cairo, text, &extents);
    return extents.x_advance;
}

void ss_view_clean_text(const char *text, struct ss__buf *out)
{
    const size_t start = out->n_bytes;
    ss__utf8_repair(text, strlen(text), out);
    for (size_t i = start; i < out->n_bytes; i++) {
        if ((unsigned char)out->data[i] < ' ' || out->data[i] == 0x7F) {
            out->data[i] = ' ';
        }
    }
    ss__buf_add_byte(out, '\0');
}

/* Valid UTF-8 without control characters as the content of an element. */
static void add_escaped(struct ss__buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&' || *text == '<' || *text == '>') {
            ss__buf_add_text(out, *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : "&gt;");
        } else if (strncmp(text, "\xEF\xBF", 2) == 0 && (unsigned char)text[2] >= 0xBE) {
            ss__buf_add_text(out, "\xEF\xBF\xBD"); /* U+FFFE and U+FFFF are not in XML */
            text += 2;
        } else {
            ss__buf_add_byte(out, *text);
        }
    }
}

void ss_view_canvas_describe(struct ss_view_canvas *canvas, const char *title,
                             const char *description)
{
    const char *const texts[2] = {title, description};
    const char *const names[2] = {"title", "desc"};
    struct ss__buf *out = &canvas->about;
    ss__buf_add_text(&canvas->texts, "<g font-family=\"" SVG_FONTS "\">\n");
    for (size_t i = 0; i < 2; i++) {
        struct ss__buf clean = {0};
        ss_view_clean_text(texts[i] == NULL ? "" : texts[i], &clean);
        if (!clean.failed && clean.data[0] != '\0') {
            ss__buf_printf(out, "\n<%s>", names[i]);
            add_escaped(out, clean.data);
            ss__buf_printf(out, "</%s>", names[i]);
        }
        out->failed = out->failed || clean.failed;
        ss__buf_release(&clean);
    }
}

static void add_text_element(struct ss_view_canvas *canvas, const char *text, double size,
                             ss_view_align align, const double at[2], bool is_up)
{
    static const char *const anchors[] = {[SS_VIEW_ALIGN_LEFT] = "start",
                                          [SS_VIEW_ALIGN_CENTER] = "middle",
                                          [SS_VIEW_ALIGN_RIGHT] = "end"};
    const struct ss_view_color color = canvas->color;
    struct ss__buf *out = &canvas->texts;
    ss__buf_printf(out, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%.4g\" text-anchor=\"%s\"",
                   at[0], at[1], size, anchors[align]);
    if (is_up) {
        ss__buf_printf(out, " transform=\"rotate(-90 %.2f %.2f)\"", at[0], at[1]);
    }
    if (color.red + color.green + color.blue > 0) {
        ss__buf_printf(out, " fill=\"#%02lx%02lx%02lx\"", lround(color.red * 255),
                       lround(color.green * 255), lround(color.blue * 255));
    }
    ss__buf_add_text(out, ">");
    add_escaped(out, text);
    ss__buf_add_text(out, "</text>\n");
}

void ss_view_canvas_text(struct ss_view_canvas *canvas, const char *text, double size,
                         ss_view_align align, const double at[2])
{
    static const double shares[] = {
        [SS_VIEW_ALIGN_LEFT] = 0.0, [SS_VIEW_ALIGN_CENTER] = 0.5, [SS_VIEW_ALIGN_RIGHT] = 1.0};
    if (canvas->format->has_text_elements) {
        add_text_element(canvas, text, size, align, at, false);
        return;
    }
    const double width = ss_view_canvas_text_width(canvas, text, size);
    cairo_move_to(canvas->cairo, at[0] - shares[align] * width, at[1]);
    cairo_show_text(canvas->cairo, text);
    cairo_new_path(canvas->cairo);
}

void ss_view_canvas_text_up(struct ss_view_canvas *canvas, const char *text, double size,
                            const double at[2])
{
    const double origin[2] = {0, 0};
    if (canvas->format->has_text_elements) {
        add_text_element(canvas, text, size, SS_VIEW_ALIGN_CENTER, at, true);
        return;
    }
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, at[0], at[1]);
    cairo_rotate(canvas->cairo, -acos(0.0));
    ss_view_canvas_text(canvas, text, size, SS_VIEW_ALIGN_CENTER, origin);
    cairo_restore(canvas->cairo);
}
