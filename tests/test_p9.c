/* A folder of the host by 9P2000.L: files as a guest's kernel uses them, and what a hostile one may try. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "softmmu/p9.h"
#include "tests/virtio-driver.h"

static char folder[] = "/tmp/metic-p9-XXXXXX";
static struct p9 *server;
static uint8_t answer[P9_MAX_MESSAGE];
static size_t answer_size;

static void begin(void)
{
    char path[96], *error = NULL;
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/share", folder);
    cr_assert(!mkdir(path, 0755));
    server = p9_new(path, false, &error);
    cr_assert(server, "%s", error);
    snprintf(path, sizeof path, "%s/secret", folder);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert_eq(write(fd, "secret", 6), 6);
    close(fd);
}

static void end(void)
{
    char command[96];
    p9_free(server);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

/* A message: its type, and arguments by letters: b, w, d, q numbers of 1, 2, 4 and 8 bytes; s a string. */
static size_t message(uint8_t *m, uint8_t type, const char *format, va_list args)
{
    size_t n = 7;
    for (; *format; format++) {
        uint64_t v = 0;
        const char *text = NULL;
        unsigned size = *format == 'b' ? 1 : *format == 'w' ? 2 : *format == 'd' ? 4 : *format == 'q' ? 8 : 2;
        if (*format == 's')
            v = strlen(text = va_arg(args, const char *));
        else if (*format == 'q')
            v = va_arg(args, uint64_t);
        else
            v = va_arg(args, unsigned);
        memcpy(m + n, &v, size);
        n += size;
        if (text) {
            memcpy(m + n, text, v);
            n += v;
        }
    }
    uint32_t size = (uint32_t)n;
    memcpy(m, &size, 4);
    m[4] = type;
    m[5] = 0x34, m[6] = 0x12;
    return n;
}

static uint64_t number(size_t at, unsigned size)
{
    uint64_t v = 0;
    memcpy(&v, answer + at, size);
    return v;
}

/* Sends one and returns the error of the answer, 0 for none. */
static unsigned ask(uint8_t type, const char *format, ...)
{
    uint8_t m[8192];
    va_list args;
    va_start(args, format);
    size_t n = message(m, type, format, args);
    va_end(args);
    answer_size = p9_serve(server, m, n, answer, sizeof answer);
    cr_assert(answer_size >= 7 && number(0, 4) == answer_size && number(5, 2) == 0x1234);
    if (answer[4] == 7)
        return (unsigned)number(7, 4);
    cr_assert_eq(answer[4], type + 1);
    return 0;
}

enum { VERSION = 100, ATTACH = 104, WALK = 110, LOPEN = 12, LCREATE = 14, SYMLINK = 16, MKNOD = 18, READLINK = 22, GETATTR = 24, SETATTR = 26,
       READDIR = 40, FSYNC = 50, LINK = 70, MKDIR = 72, RENAMEAT = 74, UNLINKAT = 76, READ = 116, WRITE = 118, CLUNK = 120, STATFS = 8 };

static void mount(void)
{
    cr_assert_eq(ask(VERSION, "ds", 65536, "9P2000.L"), 0);
    cr_assert_eq(number(7, 4), 65536);
    cr_assert_eq(ask(ATTACH, "ddssd", 0, UINT32_MAX, "user", "", 0), 0);
    cr_assert_eq(answer[7], 0x80, "a folder");
}

static unsigned walk(unsigned from, unsigned to, const char *name) { return ask(WALK, "ddws", from, to, 1, name); }

static void write_file(unsigned dir, unsigned fid, const char *name, const char *text)
{
    cr_assert_eq(ask(WALK, "ddw", dir, fid, 0), 0);
    cr_assert_eq(ask(LCREATE, "dsddd", fid, name, 2, 0644, getgid()), 0);
    uint8_t m[256];
    uint32_t n = (uint32_t)strlen(text), size = 23 + n;
    memset(m, 0, sizeof m);
    memcpy(m, &size, 4);
    m[4] = WRITE, m[5] = 0x34, m[6] = 0x12;
    memcpy(m + 7, &fid, 4);
    memcpy(m + 19, &n, 4);
    memcpy(m + 23, text, n);
    cr_assert(p9_serve(server, m, size, answer, sizeof answer) == 11 && number(7, 4) == n);
}

Test(p9, files, .init = begin, .fini = end)
{
    mount();
    write_file(0, 1, "hello", "some text");
    cr_assert_eq(ask(READ, "dqd", 1, UINT64_C(5), 100), 0);
    cr_assert(number(7, 4) == 4 && !memcmp(answer + 11, "text", 4));
    cr_assert_eq(ask(FSYNC, "dd", 1, 0), 0);
    cr_assert_eq(ask(GETATTR, "dq", 1, UINT64_C(0x7ff)), 0);
    cr_assert(number(7 + 8 + 13, 4) == (S_IFREG | 0644) && number(7 + 8 + 13 + 28, 8) == 9);
    cr_assert_eq(ask(SETATTR, "ddddd" "qqqqq", 1, 1 | 8 | 32 | 256, 0600, 0, 0, UINT64_C(4), UINT64_C(0), UINT64_C(0), UINT64_C(1000), UINT64_C(5)), 0);
    char path[96];
    struct stat st;
    snprintf(path, sizeof path, "%s/share/hello", folder);
    cr_assert(!stat(path, &st) && st.st_size == 4 && (st.st_mode & 0777) == 0600 && st.st_mtim.tv_sec == 1000 && st.st_mtim.tv_nsec == 5);
    cr_assert_eq(ask(CLUNK, "d", 1), 0);
    cr_assert_eq(ask(CLUNK, "d", 1), EBADF);
    cr_assert_eq(walk(0, 1, "hello"), 0);
    cr_assert_eq(ask(LOPEN, "dd", 1, 0), 0);
    cr_assert_eq(ask(READ, "dqd", 1, UINT64_C(0), 100), 0);
    cr_assert(number(7, 4) == 4 && !memcmp(answer + 11, "some", 4));
    cr_assert_eq(ask(LINK, "dds", 0, 1, "again"), 0);
    cr_assert_eq(ask(RENAMEAT, "dsds", 0, "again", 0, "other"), 0);
    cr_assert_eq(walk(0, 2, "other"), 0);
    cr_assert_eq(ask(GETATTR, "dq", 2, UINT64_C(0x7ff)), 0);
    cr_assert_eq(number(7 + 8 + 13 + 12, 8), 2, "two names");
    cr_assert_eq(ask(UNLINKAT, "dsd", 0, "other", 0), 0);
    cr_assert_eq(walk(0, 3, "other"), ENOENT);
    cr_assert_eq(ask(STATFS, "d", 0), 0);
}

Test(p9, folders, .init = begin, .fini = end)
{
    mount();
    cr_assert_eq(ask(MKDIR, "dsdd", 0, "dir", 0755, getgid()), 0);
    cr_assert_eq(walk(0, 1, "dir"), 0);
    char name[16];
    for (unsigned i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "file%u", i);
        write_file(1, 100 + i, name, "x");
    }
    cr_assert_eq(ask(WALK, "ddw", 1, 2, 0), 0);
    cr_assert_eq(ask(LOPEN, "dd", 2, 0), 0);
    unsigned found = 0, rounds = 0;
    for (uint64_t offset = 0, size = 1; size; rounds++) {
        cr_assert_eq(ask(READDIR, "dqd", 2, offset, 300), 0);
        size = number(7, 4);
        cr_assert(size <= 300);
        for (size_t at = 11; at < 11 + size; at += 24 + number(at + 22, 2)) {
            offset = number(at + 13, 8);
            found += !memcmp(answer + at + 24, "file", 4);
        }
    }
    cr_assert(found == 40 && rounds > 3);
    cr_assert_eq(ask(WALK, "ddwss", 0, 3, 2, "dir", "file7"), 0);
    cr_assert_eq(number(7, 2), 2);
    cr_assert_eq(ask(WALK, "ddwss", 0, 4, 2, "dir", "none"), 0);
    cr_assert_eq(number(7, 2), 1, "half the way");
    cr_assert_eq(ask(CLUNK, "d", 4), EBADF);
    cr_assert_eq(ask(UNLINKAT, "dsd", 0, "dir", AT_REMOVEDIR), ENOTEMPTY);
}

Test(p9, nothing_outside_is_reached, .init = begin, .fini = end)
{
    mount();
    cr_assert_eq(ask(SYMLINK, "dssd", 0, "out", "../secret", getgid()), 0);
    cr_assert_eq(ask(SYMLINK, "dssd", 0, "up", "..", getgid()), 0);
    cr_assert_eq(walk(0, 1, "out"), 0);
    cr_assert_eq(answer[9], 2, "a link is a link");
    cr_assert_eq(ask(READLINK, "d", 1), 0);
    cr_assert(number(7, 2) == 9 && !memcmp(answer + 9, "../secret", 9));
    cr_assert_eq(ask(LOPEN, "dd", 1, 0), ENXIO);
    cr_assert_eq(ask(LCREATE, "dsddd", 0, "out", 2, 0644, getgid()), ENXIO, "nor through the link when creating");
    cr_assert_eq(ask(WALK, "ddwss", 0, 2, 2, "up", "secret"), 0);
    cr_assert_eq(number(7, 2), 1);
    cr_assert_eq(walk(0, 3, ".."), 0);
    cr_assert_eq(ask(GETATTR, "dq", 3, UINT64_C(0x7ff)), 0);
    cr_assert_eq(walk(3, 4, "share"), ENOENT, "above the root is the root");
    cr_assert_eq(walk(0, 4, "../secret"), EINVAL);
    cr_assert_eq(walk(0, 4, "/etc"), EINVAL);
    cr_assert_eq(walk(0, 4, ""), EINVAL);
    cr_assert_eq(ask(MKDIR, "dsdd", 0, "../new", 0755, getgid()), EINVAL);
    cr_assert_eq(ask(RENAMEAT, "dsds", 0, "out", 0, "../out"), EINVAL);
    cr_assert_eq(ask(UNLINKAT, "dsd", 0, "..", AT_REMOVEDIR), EINVAL);
    cr_assert_eq(ask(MKNOD, "dsdddd", 0, "null", S_IFCHR | 0666, 1, 3, getgid()), EPERM);
    char path[96];
    snprintf(path, sizeof path, "%s/share/fifo", folder);
    cr_assert(!mkfifo(path, 0600));
    cr_assert_eq(walk(0, 5, "fifo"), 0);
    cr_assert_eq(ask(LOPEN, "dd", 5, 0), ENXIO, "does not wait for a writer");
}

Test(p9, read_only_and_mistakes, .init = begin, .fini = end)
{
    char path[96], *error = NULL;
    mount();
    write_file(0, 1, "file", "x");
    p9_free(server);
    snprintf(path, sizeof path, "%s/share", folder);
    server = p9_new(path, true, &error);
    mount();
    cr_assert_eq(ask(MKDIR, "dsdd", 0, "dir", 0755, 0), EROFS);
    cr_assert_eq(ask(UNLINKAT, "dsd", 0, "file", 0), EROFS);
    cr_assert_eq(walk(0, 1, "file"), 0);
    cr_assert_eq(ask(LOPEN, "dd", 1, 2), EROFS);
    cr_assert_eq(ask(LOPEN, "dd", 1, 0), 0);
    cr_assert_eq(ask(LOPEN, "dd", 1, 0), EBUSY);
    cr_assert_eq(ask(200, "d", 0), EOPNOTSUPP);
    cr_assert_eq(ask(WALK, "d", 0), EPROTO);
    cr_assert_null(p9_new("/nonexistent", false, &error));
    cr_assert_str_eq(error, "cannot serve the folder /nonexistent: No such file or directory");
    free(error);
}

Test(p9, any_message, .init = begin, .fini = end)
{
    static const uint8_t types[] = {8, 12, 14, 16, 18, 22, 24, 26, 40, 50, 52, 54, 70, 72, 74, 76, 108, 110, 116, 118, 120, 122};
    uint64_t seed = 17;
    mount();
    for (unsigned i = 0; i < 40000; i++) {
        uint8_t m[200];
        uint32_t size = 7 + (uint32_t)(chance(&seed) % 193);
        memcpy(m, &size, 4);
        m[4] = chance(&seed) % 16 ? types[chance(&seed) % ARRAY_SIZE(types)] : (uint8_t)chance(&seed);
        for (unsigned k = 5; k < sizeof m; k++)
            m[k] = (uint8_t)(chance(&seed) >> (chance(&seed) % 4 ? 61 : 56));
        if (m[4] == 100 || m[4] == 104)
            continue;
        size_t room = chance(&seed) % 8 ? 4096 : 11 + chance(&seed) % 100;
        cr_assert(p9_serve(server, m, size, answer, room) <= room);
        if (i % 500 == 0)
            mount();
    }
}

Test(p9, through_a_queue, .init = begin, .fini = end)
{
    static const uint64_t layouts[] = {0, VIRTIO_RING_PACKED | VIRTIO_INDIRECT_DESC};
    for (unsigned l = 0; l < ARRAY_SIZE(layouts); l++) {
        char path[96];
        struct driver d;
        driver_begin(&d, "virtio-9p-device");
        snprintf(path, sizeof path, "%s/share", folder);
        cr_assert(!device_set(d.device, "path", path) && !device_set(d.device, "mount_tag", "host"));
        driver_plug(&d);
        cr_assert(rd(&d.b, V_CONFIG, 2) == 4 && rd(&d.b, V_CONFIG + 2, 1) == 'h' && rd(&d.b, V_CONFIG + 5, 1) == 't');
        cr_assert(driver_start(&d, layouts[l] | 1, 16));
        static const uint8_t version[] = {21, 0, 0, 0, 100, 0xff, 0xff, 0, 0x20, 0, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L'};
        memcpy(ram(&d, BUFFERS), version, sizeof version);
        struct part parts[] = {{BUFFERS, sizeof version, false}, {BUFFERS + 0x1000, 7, true}, {BUFFERS + 0x2000, 1000, true}};
        cr_assert_eq(driver_send(&d, 0, parts, 3, layouts[l] & VIRTIO_INDIRECT_DESC), sizeof version);
        cr_assert_eq(*((uint8_t *)ram(&d, BUFFERS + 0x1004)), 101);
        driver_fuzz(&d, 50, l + 1);
        driver_end(&d);
    }
}
