/*
 * metic-img: disk images made, copied between formats, checked, looked at, resized and kept in snapshots while no
 * machine uses them. The formats are those of softmmu/block.h; the commands have the names and letters that users of
 * such tools know.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cmdline.h"
#include "base/log.h"
#include "softmmu/block-qcow2.h"

enum { DONE = 0, FAILED = 1, DAMAGED = 2, LEAKS = 3 }; /* exit codes; the last two: of check */

/* X(NAME, word, argument, help) */
#define IMG_OPTIONS(X)                                                                                  \
    X(FORMAT, "-f", "format", "raw or qcow2; of an image that exists: found out if not given")          \
    X(OUTPUT, "-O", "format", "of the copy: raw (if not given) or qcow2")                               \
    X(BACKING, "-b", "file", "the image whose content shows until it is written over")                  \
    X(BACKING_FORMAT, "-F", "format", "that image's format")                                            \
    X(CLUSTER, "-c", "bytes", "room is allocated in such pieces: 512 to 2M (if not given, 64K); of snapshot: the name of one to be made") \
    X(LIST, "-l", NULL, "list the snapshots")                                                           \
    X(APPLY, "-a", "name", "the disk becomes what it was when the snapshot was made")                   \
    X(DELETE, "-d", "name", "delete the snapshot")                                                      \
    X(SHRINK, "--shrink", NULL, "the image may become smaller, and lose what was behind its end")       \
    X(HELP, "-h", NULL, "print this text")                                                              \
    X(HELP_LONG, "-help", NULL, "print this text")                                                      \
    X(VERSION, "-version", NULL, "print the version")                                                   \
    X(MAN, "-man", NULL, "print the manual page's source")

enum option {
    IMG_OPTIONS(OPTION_NUMBER)
    OPTION_COUNT
};

static const struct option_row rows[] = {
    IMG_OPTIONS(OPTION_ROW)
};

struct request {
    const char *option[OPTION_COUNT]; /* its argument, or, of one without, itself; NULL: not given */
    char **file; /* the words after the options, NULL-terminated */
};

static int create(const struct request *r);
static int convert(const struct request *r);
static int check(const struct request *r);
static int info(const struct request *r);
static int resize(const struct request *r);
static int snapshot(const struct request *r);

static const struct img_command {
    const char *name, *usage, *help;
    unsigned least, most; /* words after the options */
    unsigned options;     /* a bit for each */
    int (*run)(const struct request *r);
} commands[] = {
    {"create", "[-f format] [-c bytes] [-b file [-F format]] FILE [SIZE]", "make an image; SIZE as 512M, 20G", 1, 2,
     1u << OPT_FORMAT | 1u << OPT_CLUSTER | 1u << OPT_BACKING | 1u << OPT_BACKING_FORMAT, create},
    {"convert", "[-f format] [-O format] [-c bytes] FILE COPY", "copy an image's content into a new one", 2, 2,
     1u << OPT_FORMAT | 1u << OPT_OUTPUT | 1u << OPT_CLUSTER, convert},
    {"check", "[-f format] FILE", "compare a qcow2 image's reference counts with its tables", 1, 1, 1u << OPT_FORMAT, check},
    {"info", "[-f format] FILE", "size, format, backing file and snapshots", 1, 1, 1u << OPT_FORMAT, info},
    {"resize", "[-f format] [--shrink] FILE [+|-]SIZE", "make the disk larger or smaller; new room reads as zeros", 2, 2, 1u << OPT_FORMAT | 1u << OPT_SHRINK,
     resize},
    {"snapshot", "-l | -c name | -a name | -d name FILE", "list, make, apply or delete snapshots inside a qcow2 image", 1, 1,
     1u << OPT_LIST | 1u << OPT_CLUSTER | 1u << OPT_APPLY | 1u << OPT_DELETE, snapshot},
};

static int failed(char *line)
{
    report_error("%s", line);
    free(line);
    return FAILED;
}

static int failed_with(const char *what, const char *path, int error)
{
    report_error("cannot %s %s: %s", what, path, strerror(error));
    return FAILED;
}

static struct block *open_for(const char *path, const char *format, bool change)
{
    char *line = NULL;
    struct block *b = block_open(path, &(struct block_options){.format = format, .read_only = !change}, NULL, &line);
    if (!b)
        failed(line);
    return b;
}

static struct block *open_image(const char *path, const char *format) { return open_for(path, format, false); }

/* Closes an image that `what` was done to: its exit code, or that of what closing comes to. */
static int close_changed(struct block *b, const char *what, int code)
{
    char *path = strdup(b->path);
    CHECK(path);
    int error = block_close(b);
    if (error && code == DONE)
        code = failed_with(what, path, error);
    free(path);
    return code;
}

/* A new image; a file that exists is a mistake. */
static int make(const char *path, const char *format, struct qcow2_layout l, const char *cluster)
{
    uint64_t bytes;
    if (cluster && (!option_read_size(cluster, 2 << 20, &bytes) || bytes < 512 || bytes & (bytes - 1))) {
        report_error("-c wants a power of two from 512 to 2M, not '%s'", cluster);
        return FAILED;
    }
    l.cluster_bits = cluster ? (unsigned)__builtin_ctzll(bytes) : 0;
    l.refcount_order = UINT32_MAX;
    if (format && !strcmp(format, "qcow2")) {
        char *line = qcow2_create(path, &l);
        return line ? failed(line) : DONE;
    }
    if ((format && strcmp(format, "raw")) || l.backing || cluster) {
        report_error("format '%s': there are raw and qcow2, and only qcow2 has a backing file and clusters",
                     format ? format : "raw");
        return FAILED;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return failed_with("make disk image", path, errno);
    int error = ftruncate(fd, (off_t)l.size) ? errno : 0;
    if (close(fd) && !error)
        error = errno;
    if (!error)
        return DONE;
    unlink(path);
    return failed_with("make disk image", path, error);
}

static int create(const struct request *r)
{
    struct qcow2_layout l = {.backing = r->option[OPT_BACKING], .backing_format = r->option[OPT_BACKING_FORMAT]};
    if (l.backing_format && !l.backing) {
        report_error("-F is the format of a backing file, and there is none (-b)");
        return FAILED;
    }
    if (l.backing) { /* a relative name is one beside the image */
        const char *slash = strrchr(r->file[0], '/');
        char *path = NULL;
        CHECK(asprintf(&path, "%.*s%s", slash && *l.backing != '/' ? (int)(slash + 1 - r->file[0]) : 0, r->file[0],
                       l.backing) > 0);
        struct block *b = open_image(path, l.backing_format);
        free(path);
        if (!b)
            return FAILED;
        l.size = b->size;
        l.backing_format = b->format->name;
        block_close(b);
    } else if (!r->file[1]) {
        report_error("create wants a size, such as 20G, or a backing file (-b)");
        return FAILED;
    }
    if (r->file[1] && (!option_read_size(r->file[1], UINT64_C(1) << 50, &l.size) || !l.size || l.size % BLOCK_SECTOR)) {
        report_error("create wants a size of whole sectors of 512 bytes, such as 512M or 20G, not '%s'", r->file[1]);
        return FAILED;
    }
    return make(r->file[0], r->option[OPT_FORMAT], l, r->option[OPT_CLUSTER]);
}

static bool is_zero(const uint8_t *p, size_t n) { return !p[0] && !memcmp(p, p + 1, n - 1); }

/* Whatever is not zero, in pieces that are clusters of most images. */
static int copy(struct block *from, struct block *to)
{
    enum { PIECE = 65536 };
    static uint8_t buf[PIECE];
    for (uint64_t at = 0; at < from->size; at += PIECE) {
        uint64_t n = from->size - at < PIECE ? from->size - at : PIECE;
        int error = block_read(from, at, buf, n);
        if (error)
            return failed_with("read disk image", from->path, error);
        if (!is_zero(buf, n) && (error = block_write(to, at, buf, n)))
            return failed_with("write disk image", to->path, error);
    }
    return DONE;
}

static int convert(const struct request *r)
{
    const char *format = r->option[OPT_OUTPUT] ? r->option[OPT_OUTPUT] : "raw", *path = r->file[1];
    char *line = NULL;
    struct block *from = open_image(r->file[0], r->option[OPT_FORMAT]), *to = NULL;
    if (!from)
        return FAILED;
    int code = make(path, format, (struct qcow2_layout){.size = from->size}, r->option[OPT_CLUSTER]);
    bool made = code == DONE;
    if (made && !(to = block_open(path, &(struct block_options){.format = format}, NULL, &line)))
        code = failed(line);
    if (to) {
        code = copy(from, to);
        int error = block_flush(to), closed = block_close(to);
        if (code == DONE && (error || closed))
            code = failed_with("write disk image", path, error ? error : closed);
    }
    block_close(from);
    if (made && code != DONE)
        unlink(path);
    return code;
}

static int check(const struct request *r)
{
    struct block *b = open_image(r->file[0], r->option[OPT_FORMAT]);
    if (!b)
        return FAILED;
    struct qcow2_check found = {0};
    int code = DONE;
    if (b->format != &block_qcow2) {
        report_error("%s: a %s image has nothing that could be checked", b->path, b->format->name);
        code = FAILED;
    } else {
        int error = qcow2_check(b, &found);
        if (error)
            code = failed_with("check disk image", b->path, error);
        else if (found.errors || found.leaks)
            code = found.errors ? DAMAGED : LEAKS;
        if (!error)
            printf("%s: %llu errors, %llu clusters of lost room\n", b->path, (unsigned long long)found.errors,
                   (unsigned long long)found.leaks);
    }
    block_close(b);
    return code;
}

static void print_snapshots(const struct block *b)
{
    const struct block_snapshot *s;
    for (unsigned i = 0; (s = block_snapshot_at(b, i)); i++) {
        char when[32];
        time_t seconds = (time_t)s->seconds;
        struct tm tm;
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
        printf("snapshot: %s, id %s, %s, %llu bytes of the machine's state\n", s->name, s->id, when,
               (unsigned long long)s->state_size);
    }
}

static int info(const struct request *r)
{
    struct block *b = open_image(r->file[0], r->option[OPT_FORMAT]);
    if (!b)
        return FAILED;
    struct stat st;
    printf("image: %s\nformat: %s\nsize: %llu bytes\n", b->path, b->format->name, (unsigned long long)b->size);
    if (!fstat(b->fd, &st))
        printf("room on the host: %llu bytes\n", (unsigned long long)st.st_blocks * 512);
    if (b->format == &block_qcow2)
        printf("version: %u\ncluster: %llu bytes\n", qcow2(b)->version, (unsigned long long)qcow2(b)->cluster_size);
    for (const struct block *under = b->backing; under; under = under->backing)
        printf("backing file: %s (%s)\n", under->path, under->format->name);
    print_snapshots(b);
    block_close(b);
    return DONE;
}

/* SIZE, or a change of the size there is. */
static bool new_size(const char *text, uint64_t old, uint64_t *size)
{
    bool more = *text == '+', less = *text == '-';
    uint64_t n;
    if (!option_read_size(text + (more || less), UINT64_C(1) << 50, &n) || n % BLOCK_SECTOR || (less && n >= old))
        return false;
    *size = more ? old + n : less ? old - n : n;
    return *size;
}

static int resize(const struct request *r)
{
    struct block *b = open_for(r->file[0], r->option[OPT_FORMAT], true);
    if (!b)
        return FAILED;
    uint64_t size;
    int code = FAILED, error;
    if (!new_size(r->file[1], b->size, &size))
        report_error("resize wants a size of whole sectors of 512 bytes, such as 20G, +5G or -512M, not '%s'",
                     r->file[1]);
    else if (size < b->size && !r->option[OPT_SHRINK])
        report_error("%s would lose what lies behind %llu bytes; --shrink allows that", b->path,
                     (unsigned long long)size);
    else if ((error = block_resize(b, size)) == ENOTSUP)
        report_error("%s: an image of version 2 with snapshots keeps its size", b->path);
    else
        code = error ? failed_with("resize disk image", b->path, error) : DONE;
    return close_changed(b, "resize disk image", code);
}

/* The disk gets the size that it had then, too. */
static int apply_snapshot(struct block *b, unsigned i)
{
    int error = block_resize(b, block_snapshot_at(b, i)->disk_size);
    return error ? error : block_snapshot_apply(b, i);
}

static int make_snapshot(struct block *b, const char *name)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return block_snapshot_create(b, &(struct block_snapshot){.name = (char *)name,
                                                             .seconds = (uint64_t)now.tv_sec,
                                                             .nanoseconds = (uint32_t)now.tv_nsec});
}

static int snapshot(const struct request *r)
{
    const char *make = r->option[OPT_CLUSTER], *apply = r->option[OPT_APPLY], *delete = r->option[OPT_DELETE];
    const char *name = make ? make : apply ? apply : delete;
    if (!!make + !!apply + !!delete + !!r->option[OPT_LIST] != 1 || (name && !*name)) {
        report_error("snapshot wants one of -l, -c NAME, -a NAME and -d NAME");
        return FAILED;
    }
    struct block *b = open_for(r->file[0], NULL, name);
    if (!b)
        return FAILED;
    int code = DONE, at = name ? block_snapshot_find(b, name) : -1, error = 0;
    if (!b->format->snapshots) {
        report_error("%s: a %s image has no snapshots", b->path, b->format->name);
        code = FAILED;
    } else if (name && !make && at < 0) {
        report_error("%s has no snapshot %s", b->path, name);
        code = FAILED;
    } else if (name) {
        error = make    ? make_snapshot(b, name)
                : apply ? apply_snapshot(b, (unsigned)at)
                        : block_snapshot_delete(b, (unsigned)at);
    } else {
        print_snapshots(b);
    }
    if (error)
        code = failed_with(make    ? "make a snapshot of"
                           : apply ? "apply a snapshot of"
                                   : "delete a snapshot of",
                           b->path, error);
    return close_changed(b, "close", code);
}

static void print_help(void)
{
    printf("usage: metic-img command [option...] file...\nDisk images of machines, while no machine uses them. An "
           "existing file is never written over.\n\n");
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
        printf("  %s %s\n      %s\n", commands[i].name, commands[i].usage, commands[i].help);
    printf("\n");
    option_print_help(rows, OPTION_COUNT);
}

static void print_man(void)
{
    printf(".TH METIC-IMG 1 \"\" \"metic " METIC_VERSION "\"\n.SH NAME\nmetic-img \\- disk images of machines\n"
           ".SH SYNOPSIS\n.B metic-img\n\\fIcommand\\fR [\\fIoption\\fR...] \\fIfile\\fR...\n.SH DESCRIPTION\n"
           "Images are made, copied between formats, checked, described and changed while no machine uses them. An existing file is never written over.\n"
           ".SH COMMANDS\n");
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        printf(".TP\n\\fB%s\\fR ", commands[i].name);
        roff_print(commands[i].usage);
        printf("\n");
        roff_print(commands[i].help);
        printf("\n");
    }
    printf(".SH OPTIONS\n");
    option_print_man(rows, OPTION_COUNT);
    printf(
        ".SH EXIT STATUS\n0: done. 1: not done. check: 2: the image is damaged; 3: it is sound, but has lost room.\n");
}

/* Options that stand alone; -1: there is none. */
static int alone(int option)
{
    switch (option) {
    case OPT_HELP:
    case OPT_HELP_LONG: print_help(); return DONE;
    case OPT_VERSION: printf("metic-img " METIC_VERSION "\n"); return DONE;
    case OPT_MAN: print_man(); return DONE;
    case OPTION_BAD: return FAILED;
    default: return -1;
    }
}

int main(int argc, char **argv)
{
    struct option_reader reader = {rows, OPTION_COUNT, argv, 1, NULL};
    int which = option_next(&reader), code = alone(which);
    if (code >= 0)
        return code;
    const struct img_command *c = NULL;
    const char *name = which == OPTION_END ? argv[reader.at] : NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(commands) && name; i++)
        if (!strcmp(name, commands[i].name))
            c = &commands[i];
    if (!c) {
        report_error("a command is wanted first: create, convert, check, info, resize or snapshot; -h says more");
        return FAILED;
    }
    struct request r = {0};
    reader.at++;
    while ((which = option_next(&reader)) != OPTION_END) {
        if ((code = alone(which)) >= 0)
            return code;
        if (!(c->options >> which & 1)) {
            report_error("%s has no option %s; its form: %s %s", c->name, rows[which].word, c->name, c->usage);
            return FAILED;
        }
        r.option[which] = reader.value ? reader.value : rows[which].word;
    }
    r.file = argv + reader.at;
    unsigned n = (unsigned)(argc - reader.at);
    if (n < c->least || n > c->most) {
        report_error("the form is: metic-img %s %s", c->name, c->usage);
        return FAILED;
    }
    return c->run(&r);
}
