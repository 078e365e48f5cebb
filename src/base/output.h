/* Files and folders that are written.
 *
 * Every output is made under a temporary name (temporary.h) on the same disk as its target,
 * flushed and renamed, so that a reader sees the old file or the whole new one, and two writers
 * never one file. Cleaning up needs no memory. What cannot be renamed over (a pipe, a device, a
 * descriptor such as /dev/stdout) gets the whole content at the end. */
#ifndef SS_BASE_OUTPUT_H
#define SS_BASE_OUTPUT_H

#include "base/buf.h"
#include "base/temporary.h"

/* ---- files ---- */

struct ss__out {
    int descriptor;   /* -1 while not open; the struct must come from ss__out_open… */
    int made_in;      /* the folder that `temporary` is in; -1: the same */
    int folder;       /* the target's folder; -1: it gets no name */
    int sink;         /* the pipe or descriptor that gets the content at the end; -1: none */
    char *path;       /* as it was given, for messages */
    char *target;     /* links followed, if they are */
    const char *name; /* in `folder`, a view into `target` */
    bool is_kept;     /* a file that is there is not replaced */
    char temporary[SS__TEMPORARY_NAME_BYTES]; /* "": none */
    struct ss__buf pending;
};
#define SS__OUT_CLOSED                                                                         \
    ((struct ss__out){.descriptor = -1, .made_in = -1, .folder = -1, .sink = -1})

/* A file of our own (a cache, a folder under way): what has the name is replaced, a link too,
 * not what it leads to. Errors: SS_E_IO. */
SS_MUST_USE ss_status ss__out_open(const char *path, struct ss__out *out, ss_err *err);

/* The same, made in another folder, where it is not mistaken for a finished file; if that is on
 * another disk or cannot be opened, in the target's folder. */
SS_MUST_USE ss_status ss__out_open_made_in(const char *path, const char *made_in,
                                           struct ss__out *out, ss_err *err);

/* Remove from a folder what dead processes left; best effort. */
void ss__out_remove_stale(const char *folder);

/* A file that the user named. Links are followed; a file that is there, or comes there
 * meanwhile, is left alone unless `force`; what dead processes left in its folder is removed.
 * Errors: SS_E_EXISTS, SS_E_IO; a terminal is refused. */
SS_MUST_USE ss_status ss__out_open_named(const char *path, bool force, struct ss__out *out,
                                         ss_err *err);

SS_MUST_USE ss_status ss__out_write(struct ss__out *out, const void *data, size_t n_bytes,
                                    ss_err *err);
/* Overwrite bytes that were written before, such as a header whose count is known at the end.
 */
SS_MUST_USE ss_status ss__out_patch(struct ss__out *out, uint64_t offset, const void *data,
                                    size_t n_bytes, ss_err *err);
/* Flush to disk and rename. On error the temporary is gone. Errors: SS_E_IO, SS_E_EXISTS. */
SS_MUST_USE ss_status ss__out_commit(struct ss__out *out, ss_err *err);
/* Drop what was written; does nothing after a commit. */
void ss__out_abort(struct ss__out *out);

/* Write a whole file at once, as ss__out_open. */
SS_MUST_USE ss_status ss__file_write(const char *path, const void *data, size_t n_bytes,
                                     ss_err *err);

/* Rename a file that was flushed, on the same disk, and flush the folder it comes into. */
SS_MUST_USE ss_status ss__file_move(const char *from, const char *to, ss_err *err);

/* ---- folders ---- */

/* Make a folder and its missing parents; *n_made (nullable) tells how many are new. On error
 * none of those stays. Errors: SS_E_USAGE (an empty name), SS_E_IO. */
SS_MUST_USE ss_status ss__make_folder(const char *path, size_t *n_made, ss_err *err);

/* Remove the innermost n folders of a path as far as they are empty; needs no memory. */
void ss__unmake_folder(const char *path, size_t n);

/* Flush an open folder, after which renames in it are durable; where a file system cannot,
 * nothing happens. */
SS_MUST_USE ss_status ss__flush_folder(int folder, const char *path, ss_err *err);

/* ---- where a path leads (output_target.c) ---- */

typedef enum ss__out_target_kind {
    SS__OUT_TARGET_NAME,       /* a name to be made or replaced */
    SS__OUT_TARGET_DEVICE,     /* a device with offsets, such as /dev/null */
    SS__OUT_TARGET_STREAM,     /* a pipe, a socket, a terminal */
    SS__OUT_TARGET_DESCRIPTOR, /* an open file of this process */
} ss__out_target_kind;

struct ss__out_target {
    ss__out_target_kind kind;
    char *path;     /* links followed, but for those of /proc/…/fd; gives (ss__free) */
    int descriptor; /* of SS__OUT_TARGET_DESCRIPTOR, borrowed */
};

/* Follow the links of a path that is to be written. Errors: SS_E_IO (a folder, too long, a
 * circle of links, a descriptor that is not open for writing). */
SS_MUST_USE ss_status ss__out_target_resolve(const char *path, struct ss__out_target *out,
                                             ss_err *err);

#endif
