/*
 * ioctl of disks and file systems, on loop devices with images of their own: partitions, limits, ext4's attributes, extents,
 * labels, trimming, freezing, encryption; autofs; and a FUSE file system served by the program itself. What the machine lacks, or only root
 * may do, is passed over.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/auto_dev-ioctl.h>
#include <linux/blkpg.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/fuse.h>
#include <linux/hdreg.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Of newer headers, or of none (linux/blktrace_api.h and the file systems' own) */
#define GET_DISKSEQ _IOR(0x12, 128, uint64_t)
#define EXT4_GET_VERSION _IOR('f', 3, long)
#define EXT4_PRECACHE _IO('f', 18)
#define EXT4_STATE _IOW('f', 41, uint32_t)
#define FS_GET_UUID _IOR(0x15, 0, char[17])
#define BACKING_OPEN _IOW(229, 1, uint64_t[2])

static char folder[] = "/tmp/metic-disks-XXXXXX";

static bool failed_as(int ret, int a, int b)
{
    return ret == -1 && (errno == a || errno == b);
}

/* A loop device with this file behind it; -1: none to be had. */
static int attach(int file, uint32_t flags, char path[40])
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), l = -1;
    for (int i = 0; control >= 0 && i < 5; i++) { /* another may be faster */
        int n = ioctl(control, LOOP_CTL_GET_FREE);
        snprintf(path, 40, "/dev/loop%d", n);
        l = n < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
        struct loop_config c = {.fd = (uint32_t)file, .block_size = 512, .info = {.lo_flags = flags, .lo_file_name = "metic"}};
        if (l < 0 || ioctl(l, LOOP_CONFIGURE, &c) == 0)
            break;
        close(l);
        l = -1;
    }
    close(control);
    return l;
}

static void blocks(void)
{
    char path[40], text[8] = "";
    int file = memfd_create("disk", MFD_CLOEXEC), other = memfd_create("other", MFD_CLOEXEC), n = -1;
    uint64_t bytes = 0, range[2] = {0, 4096};
    unsigned long sectors = 0;
    unsigned short most = 0;
    CHECK(ftruncate(file, 8 << 20) == 0 && ftruncate(other, 8 << 20) == 0 && pwrite(file, "disk", 4, 4096) == 4);
    int l = attach(file, LO_FLAGS_PARTSCAN, path);
    if (l < 0) {
        close(file);
        close(other);
        return; /* no loop devices here */
    }
    struct loop_info64 info = {0};
    CHECK(ioctl(l, LOOP_GET_STATUS64, &info) == 0 && !strcmp((char *)info.lo_file_name, "metic") && info.lo_flags & LO_FLAGS_PARTSCAN);
    CHECK(ioctl(l, BLKGETSIZE64, &bytes) == 0 && bytes == 8 << 20);
    CHECK(ioctl(l, BLKGETSIZE, &sectors) == 0 && sectors == 8 << 11);
    CHECK(ioctl(l, BLKSSZGET, &n) == 0 && n == 512);
    CHECK(ioctl(l, BLKPBSZGET, &n) == 0 && n >= 512);
    CHECK(ioctl(l, BLKIOMIN, &n) == 0 && n >= 512);
    CHECK(ioctl(l, BLKIOOPT, &n) == 0);
    CHECK(ioctl(l, BLKALIGNOFF, &n) == 0 && n == 0);
    CHECK(ioctl(l, BLKBSZGET, &n) == 0 && n >= 512);
    CHECK(ioctl(l, BLKBSZSET, &(int){1024}) == 0 && ioctl(l, BLKBSZGET, &n) == 0 && n == 1024);
    CHECK(ioctl(l, BLKSECTGET, &most) == 0 && most > 0);
    CHECK(ioctl(l, BLKROTATIONAL, &most) == 0);
    CHECK(ioctl(l, BLKRAGET, &sectors) == 0 && ioctl(l, BLKRASET, 64ul) == 0 && ioctl(l, BLKRAGET, &sectors) == 0 && sectors == 64);
    CHECK(ioctl(l, BLKROGET, &n) == 0 && n == 0);
    CHECK(ioctl(l, BLKROSET, &(int){1}) == 0 && ioctl(l, BLKROGET, &n) == 0 && n == 1 && ioctl(l, BLKROSET, &(int){0}) == 0);
    CHECK(ioctl(l, BLKFLSBUF, 0) == 0);
    if (ioctl(l, GET_DISKSEQ, &bytes) == 0)
        CHECK(bytes > 0);
    struct hd_geometry geometry;
    CHECK(ioctl(l, HDIO_GETGEO, &geometry) == -1 && errno == ENOTTY); /* a loop device has none */
    CHECK(pread(l, text, 4, 4096) == 4 && !strcmp(text, "disk"));
    range[0] = 4096;
    CHECK(ioctl(l, BLKZEROOUT, range) == 0 && ioctl(l, BLKFLSBUF, 0) == 0 && pread(file, text, 4, 4096) == 4 && !text[0]);
    CHECK(ioctl(l, BLKDISCARD, range) == 0 || errno == EOPNOTSUPP);
    range[0] = 1;
    FAILS(ioctl(l, BLKZEROOUT, range), EINVAL);
    FAILS(ioctl(l, BLKZEROOUT, BAD_POINTER), EFAULT);
    FAILS(ioctl(l, BLKGETSIZE64, BAD_POINTER), EFAULT);
    FAILS(ioctl(l, LOOP_SET_STATUS64, BAD_POINTER), EFAULT);
    FAILS(ioctl(l, LOOP_CONFIGURE, BAD_POINTER), EFAULT);
    FAILS(ioctl(l, LOOP_SET_STATUS, BAD_POINTER), EFAULT);
    /* A partition is described by a struct that points to another. */
    struct blkpg_partition part = {.start = 1 << 20, .length = 2 << 20, .pno = 3};
    struct blkpg_ioctl_arg arg = {.op = BLKPG_ADD_PARTITION, .datalen = sizeof part, .data = &part};
    struct stat st;
    strcat(path, "p3");
    CHECK(ioctl(l, BLKPG, &arg) == 0);
    for (int i = 0; i < 2000 && stat(path, &st); i++)
        usleep(1000); /* who makes the nodes */
    int p = open(path, O_RDWR | O_CLOEXEC);
    if (p >= 0) {
        CHECK(ioctl(p, BLKGETSIZE64, &bytes) == 0 && bytes == 2 << 20);
        CHECK(pwrite(p, "part", 4, 0) == 4 && fsync(p) == 0 && pread(file, text, 4, 1 << 20) == 4 && !strcmp(text, "part"));
        close(p);
    }
    arg.op = BLKPG_DEL_PARTITION;
    CHECK(ioctl(l, BLKPG, &arg) == 0);
    FAILS(ioctl(l, BLKPG, &arg), ENXIO);
    arg.data = BAD_POINTER;
    FAILS(ioctl(l, BLKPG, &arg), EFAULT);
    CHECK(ioctl(l, BLKRRPART, 0) == 0);
    CHECK(ioctl(l, LOOP_SET_CAPACITY, 0) == 0 && ioctl(l, LOOP_SET_BLOCK_SIZE, 4096ul) == 0);
    CHECK(ioctl(l, BLKSSZGET, &n) == 0 && n == 4096);
    FAILS(ioctl(l, LOOP_SET_BLOCK_SIZE, 777ul), EINVAL);
    FAILS(ioctl(l, LOOP_CHANGE_FD, other), EINVAL); /* only of one that can't be written */
    FAILS(ioctl(l, LOOP_CHANGE_FD, -1), EBADF);
    CHECK(ioctl(l, LOOP_CLR_FD) == 0);
    close(l);
    close(file);
    close(other);
}

static void attributes(int d, const char *name)
{
    int f = openat(d, name, O_CREAT | O_RDWR | O_CLOEXEC, 0644), n = 0;
    struct fsxattr x = {0}, y = {0};
    CHECK(f >= 0 && pwrite(f, "a", 1, 0) == 1 && pwrite(f, "b", 1, 1 << 20) == 1 && fsync(f) == 0);
    CHECK(ioctl(f, FS_IOC_GETFLAGS, &n) == 0 && n & 0x80000); /* FS_EXTENT_FL */
    n |= FS_NODUMP_FL;
    CHECK(ioctl(f, FS_IOC_SETFLAGS, &n) == 0 && ioctl(f, FS_IOC_FSGETXATTR, &x) == 0 && x.fsx_xflags & FS_XFLAG_NODUMP);
    x.fsx_xflags &= ~(unsigned)FS_XFLAG_NODUMP;
    CHECK(ioctl(f, FS_IOC_FSSETXATTR, &x) == 0 && ioctl(f, FS_IOC_FSGETXATTR, &y) == 0 && !(y.fsx_xflags & FS_XFLAG_NODUMP));
    n = FS_IMMUTABLE_FL | 0x80000;
    CHECK(ioctl(f, FS_IOC_SETFLAGS, &n) == 0);
    FAILS(openat(d, name, O_WRONLY), EPERM);
    n = 0x80000;
    CHECK(ioctl(f, FS_IOC_SETFLAGS, &n) == 0);
    long generation[2] = {-1, -1}; /* an int is written, whatever the number says */
    CHECK(ioctl(f, FS_IOC_GETVERSION, &generation) == 0 && generation[1] == -1 && generation[0] >> 32 == -1);
    CHECK(ioctl(f, EXT4_GET_VERSION, &generation) == 0 && ioctl(f, FS_IOC_SETVERSION, &(int){77}) == 0);
    CHECK(ioctl(f, FS_IOC_GETVERSION, &n) == 0 && n == 77);
    union {
        struct fiemap map;
        char room[sizeof(struct fiemap) + 4 * sizeof(struct fiemap_extent)];
    } u = {.map = {.fm_length = FIEMAP_MAX_OFFSET, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 4}};
    CHECK(ioctl(f, FS_IOC_FIEMAP, &u) == 0 && u.map.fm_mapped_extents == 2);
    CHECK(u.map.fm_extents[0].fe_logical == 0 && u.map.fm_extents[1].fe_logical == 1 << 20 && u.map.fm_extents[1].fe_flags & FIEMAP_EXTENT_LAST);
    u.map.fm_extent_count = 0;
    CHECK(ioctl(f, FS_IOC_FIEMAP, &u) == 0 && u.map.fm_mapped_extents == 2);
    n = 0;
    CHECK(ioctl(f, FIBMAP, &n) == 0 && n > 0);
    CHECK(ioctl(f, EXT4_PRECACHE, 0) == 0);
    if (ioctl(f, EXT4_STATE, &n))
        CHECK(errno == ENOTTY); /* of newer kernels */
    struct file_clone_range clone = {.src_fd = f, .src_length = 4096};
    CHECK(failed_as(ioctl(f, FICLONE, f), EOPNOTSUPP, EINVAL) && failed_as(ioctl(f, FICLONERANGE, &clone), EOPNOTSUPP, EINVAL));
    struct {
        struct file_dedupe_range head;
        struct file_dedupe_range_info one;
    } dedupe = {{.src_length = 1, .dest_count = 1}, {.dest_fd = f}};
    CHECK(ioctl(f, FIDEDUPERANGE, &dedupe) == 0 ? dedupe.one.status != 0 : errno == EOPNOTSUPP || errno == EINVAL);
    FAILS(ioctl(f, FIDEDUPERANGE, BAD_POINTER), EFAULT);
    FAILS(ioctl(f, FS_IOC_SETFLAGS, BAD_POINTER), EFAULT);
    FAILS(ioctl(f, FS_IOC_FSSETXATTR, BAD_POINTER), EFAULT);
    FAILS(ioctl(f, FS_IOC_FIEMAP, BAD_POINTER), EFAULT);
    close(f);
}

static void encryption(int d)
{
    int e = mkdirat(d, "secret", 0700) == 0 ? openat(d, "secret", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    union {
        struct fscrypt_add_key_arg key;
        char room[sizeof(struct fscrypt_add_key_arg) + 64];
    } add = {.key = {.key_spec.type = FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER, .raw_size = 64}};
    memset(add.room + sizeof add.key, 0x5a, 64);
    CHECK(e >= 0);
    if (ioctl(e, FS_IOC_ADD_ENCRYPTION_KEY, &add) == 0) {
        struct fscrypt_policy_v2 policy = {.version = FSCRYPT_POLICY_V2, .contents_encryption_mode = FSCRYPT_MODE_AES_256_XTS,
                                           .filenames_encryption_mode = FSCRYPT_MODE_AES_256_CTS, .flags = FSCRYPT_POLICY_FLAGS_PAD_32};
        struct fscrypt_get_policy_ex_arg got = {.policy_size = sizeof got.policy};
        struct fscrypt_get_key_status_arg status = {.key_spec = add.key.key_spec};
        struct fscrypt_remove_key_arg gone = {.key_spec = add.key.key_spec};
        memcpy(policy.master_key_identifier, add.key.key_spec.u.identifier, sizeof policy.master_key_identifier);
        CHECK(ioctl(e, FS_IOC_GET_ENCRYPTION_KEY_STATUS, &status) == 0 && status.status == FSCRYPT_KEY_STATUS_PRESENT);
        if (ioctl(e, FS_IOC_SET_ENCRYPTION_POLICY, &policy) == 0) {
            CHECK(ioctl(e, FS_IOC_GET_ENCRYPTION_POLICY_EX, &got) == 0 && got.policy_size == sizeof policy);
            CHECK(!memcmp(&got.policy.v2, &policy, sizeof policy));
            int f = openat(e, "a-file-that-is-encrypted", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
            uint8_t nonce[16] = {0};
            CHECK(f >= 0 && write(f, "words", 5) == 5 && ioctl(f, FS_IOC_GET_ENCRYPTION_NONCE, nonce) == 0);
            close(f);
        } else {
            CHECK(errno == EOPNOTSUPP || errno == ENOPKG);
        }
        CHECK(ioctl(e, FS_IOC_REMOVE_ENCRYPTION_KEY, &gone) == 0);
    } else {
        CHECK(errno == EOPNOTSUPP || errno == ENOTTY || errno == ENOPKG || errno == ENOKEY);
    }
    close(e);
}

/* Enters namespaces of its own: what it mounts goes with it. */
static void file_system(void)
{
    char image[64], at[64], path[40], command[200], label[256] = "";
    snprintf(image, sizeof image, "%s/image", folder);
    snprintf(at, sizeof at, "%s/at", folder);
    int file = open(image, O_CREAT | O_RDWR | O_CLOEXEC, 0600), n = 0;
    CHECK(mkdir(at, 0700) == 0 && ftruncate(file, 32 << 20) == 0);
    snprintf(command, sizeof command, "PATH=$PATH:/sbin:/usr/sbin; mkfs.ext4 -q -L before -O encrypt,^metadata_csum -I 256 %s >/dev/null 2>&1", image);
    int l = system(command) == 0 ? attach(file, 0, path) : -1;
    if (l >= 0 && mount(path, at, "ext4", 0, NULL) == 0) {
        int d = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        attributes(d, "file");
        encryption(d);
        CHECK(ioctl(d, FS_IOC_GETFSLABEL, label) == 0 && !strcmp(label, "before"));
        memset(label, 0, sizeof label);
        strcpy(label, "after");
        CHECK(ioctl(d, FS_IOC_SETFSLABEL, label) == 0);
        memset(label, 0, sizeof label);
        CHECK(ioctl(d, FS_IOC_GETFSLABEL, label) == 0 && !strcmp(label, "after"));
        FAILS(ioctl(d, FS_IOC_GETFSLABEL, BAD_POINTER), EFAULT);
        char uuid[17] = {0};
        CHECK(ioctl(d, FS_GET_UUID, uuid) == 0 ? uuid[0] == 16 : errno == ENOTTY);
        CHECK(ioctl(d, FIGETBSZ, &n) == 0 && n >= 1024);
        struct fstrim_range trim = {.len = UINT64_MAX};
        CHECK(ioctl(d, FITRIM, &trim) == 0 ? trim.len > 1 << 20 : errno == EOPNOTSUPP);
        CHECK(ioctl(d, FIFREEZE, 0) == 0 && ioctl(d, FIFREEZE, 0) == -1 && errno == EBUSY && ioctl(d, FITHAW, 0) == 0);
        FAILS(ioctl(d, FITHAW, 0), EINVAL);
        close(d);
        CHECK(umount(at) == 0);
    }
    if (l >= 0)
        CHECK(ioctl(l, LOOP_CLR_FD) == 0);
    close(l);
    close(file);
    unlink(image);
    rmdir(at);
}

static void automount(void)
{
    int p[2], a = open("/dev/autofs", O_RDWR | O_CLOEXEC), n = 0;
    char at[64], options[100];
    snprintf(at, sizeof at, "%s/auto", folder);
    CHECK(mkdir(at, 0700) == 0 && pipe2(p, O_CLOEXEC) == 0);
    struct autofs_dev_ioctl *v = calloc(1, sizeof *v + PATH_MAX);
    if (a >= 0) {
        init_autofs_dev_ioctl(v);
        CHECK(ioctl(a, AUTOFS_DEV_IOCTL_VERSION, v) == 0 && v->ver_major == AUTOFS_DEV_IOCTL_VERSION_MAJOR);
        FAILS(ioctl(a, AUTOFS_DEV_IOCTL_VERSION, BAD_POINTER), EFAULT);
    }
    snprintf(options, sizeof options, "fd=%d,pgrp=%d,minproto=5,maxproto=5,indirect", p[1], getpgrp());
    if (mount("metic", at, "autofs", 0, options) == 0) {
        int d = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        unsigned long old = 300;
        CHECK(d >= 0 && ioctl(d, AUTOFS_IOC_PROTOVER, &n) == 0 && n == 5);
        CHECK(ioctl(d, AUTOFS_IOC_PROTOSUBVER, &n) == 0 && n >= 0);
        CHECK(ioctl(d, AUTOFS_IOC_SETTIMEOUT, &old) == 0 && ioctl(d, AUTOFS_IOC_SETTIMEOUT, &old) == 0 && old == 300);
        CHECK(ioctl(d, AUTOFS_IOC_ASKUMOUNT, &n) == 0 && n == 1);
        struct stat st;
        CHECK(fstat(d, &st) == 0);
        if (a >= 0) { /* the path stands behind the struct */
            init_autofs_dev_ioctl(v);
            v->size = (uint32_t)(sizeof *v + strlen(at) + 1);
            v->openmount.devid = (uint32_t)((major(st.st_dev) << 8) | minor(st.st_dev));
            strcpy(v->path, at);
            CHECK(ioctl(a, AUTOFS_DEV_IOCTL_OPENMOUNT, v) == 0 && v->ioctlfd >= 0 && fcntl(v->ioctlfd, F_GETFD) >= 0);
            CHECK(ioctl(a, AUTOFS_DEV_IOCTL_CLOSEMOUNT, v) == 0);
        }
        CHECK(ioctl(d, AUTOFS_IOC_CATATONIC, 0) == 0);
        close(d);
        CHECK(umount(at) == 0);
    }
    free(v);
    close(a);
    close(p[0]);
    close(p[1]);
    rmdir(at);
}

/* -- a FUSE file system of one file, whose content tells with which flags it was opened */

enum { FILE_NODE = 2, COMMAND = 0x4d01 };

struct reply {
    struct fuse_out_header head;
    union {
        struct fuse_init_out init;
        struct fuse_attr_out attr;
        struct fuse_entry_out entry;
        struct fuse_open_out open;
        struct fuse_write_out write;
        struct fuse_statfs_out statfs;
        struct fuse_ioctl_out ioctl;
        char bytes[64];
    } u;
};

static struct fuse_attr attr_of(uint64_t node)
{
    return (struct fuse_attr){.ino = node, .size = node == FILE_NODE ? 12 : 0, .nlink = 1, .mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0755};
}

static void serve(int fd)
{
    static char request[1 << 17] __attribute__((aligned(8)));
    uint32_t flags = 0;
    ssize_t n;
    while ((n = read(fd, request, sizeof request)) > 0 || (n < 0 && (errno == EINTR || errno == ENOENT))) {
        const struct fuse_in_header *in = (void *)request;
        const void *arg = in + 1;
        struct reply r = {.head = {.unique = in->unique}};
        size_t more = 0;
        if (n < 0)
            continue;
        switch (in->opcode) {
        case FUSE_INIT:
            r.u.init = (struct fuse_init_out){.major = 7, .minor = 31, .max_write = 4096, .flags = ((const struct fuse_init_in *)arg)->flags & FUSE_BIG_WRITES};
            more = sizeof r.u.init;
            break;
        case FUSE_GETATTR:
        case FUSE_SETATTR:
            r.u.attr.attr = attr_of(in->nodeid);
            more = sizeof r.u.attr;
            break;
        case FUSE_LOOKUP:
            if (strcmp(arg, "file")) {
                r.head.error = -ENOENT;
                break;
            }
            r.u.entry = (struct fuse_entry_out){.nodeid = FILE_NODE, .attr = attr_of(FILE_NODE)};
            more = sizeof r.u.entry;
            break;
        case FUSE_OPEN:
            flags = ((const struct fuse_open_in *)arg)->flags;
            r.u.open = (struct fuse_open_out){.fh = 5, .open_flags = FOPEN_DIRECT_IO};
            more = sizeof r.u.open;
            break;
        case FUSE_READ:
            if (((const struct fuse_read_in *)arg)->offset == 0)
                more = (size_t)snprintf(r.u.bytes, sizeof r.u.bytes, "%011o\n", flags);
            break;
        case FUSE_WRITE:
            r.u.write.size = ((const struct fuse_write_in *)arg)->size;
            more = sizeof r.u.write;
            break;
        case FUSE_STATFS:
            r.u.statfs.st = (struct fuse_kstatfs){.blocks = 77, .bsize = 4096, .namelen = 255};
            more = sizeof r.u.statfs;
            break;
        case FUSE_IOCTL:
            r.u.ioctl.result = (int)((const struct fuse_ioctl_in *)arg)->cmd & 0xff;
            more = sizeof r.u.ioctl;
            break;
        case FUSE_FLUSH:
        case FUSE_RELEASE:
        case FUSE_ACCESS: break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT: continue;
        case FUSE_DESTROY: return;
        default: r.head.error = -ENOSYS;
        }
        r.head.len = (uint32_t)(sizeof r.head + more);
        if (write(fd, &r, r.head.len) < 0 && errno != ENOENT)
            return;
    }
}

static unsigned opened_with(const char *path, int flags)
{
    char text[64] __attribute__((aligned(512))) = "";
    int f = open(path, flags);
    CHECK(f >= 0 && read(f, text, sizeof text - 1) == 12);
    close(f);
    return (unsigned)strtoul(text, NULL, 8);
}

static void fuse(void)
{
    char at[64], path[80], options[100];
    struct fuse_in_header small;
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return; /* no FUSE here */
    snprintf(at, sizeof at, "%s/fuse", folder);
    snprintf(path, sizeof path, "%s/file", at);
    CHECK(mkdir(at, 0700) == 0);
    FAILS(read(fd, &small, sizeof small), EPERM); /* not mounted */
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (mount("metic", at, "fuse", 0, options) == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            int clone = open("/dev/fuse", O_RDWR | O_CLOEXEC);
            uint32_t old = (uint32_t)fd;
            CHECK(ioctl(clone, FUSE_DEV_IOC_CLONE, &old) == 0);
            FAILS(ioctl(clone, FUSE_DEV_IOC_CLONE, BAD_POINTER), EFAULT);
            FAILS(read(fd, &small, sizeof small), EINVAL); /* no room for a request */
            uint64_t backing[2] = {0x7fff};
            CHECK(ioctl(clone, BACKING_OPEN, backing) == -1);
            serve(fd);
            _exit(failures != 0);
        }
        struct stat st;
        CHECK(stat(path, &st) == 0 && st.st_ino == FILE_NODE && st.st_size == 12);
        FAILS(open(at, O_RDONLY | O_CREAT, 0600), EISDIR);
        /* The server is told in its own machine's flags. */
        CHECK((opened_with(path, O_RDONLY | O_DIRECT) & (O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_ACCMODE)) == O_DIRECT);
        CHECK((opened_with(path, O_RDWR | O_NOFOLLOW) & (O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_ACCMODE)) == (O_NOFOLLOW | O_RDWR));
        CHECK((opened_with(path, O_RDWR) & (O_DIRECT | O_DIRECTORY | O_NOFOLLOW | O_ACCMODE)) == O_RDWR);
        int f = open(path, O_WRONLY | O_CLOEXEC);
        CHECK(f >= 0 && write(f, "xyz", 3) == 3 && close(f) == 0);
        CHECK(umount(at) == 0);
        int status;
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    close(fd);
    rmdir(at);
}

int main(void)
{
    signal(SIGALRM, SIG_DFL);
    alarm(50);
    blocks();
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) { /* root's */
        CHECK(mkdtemp(folder));
        file_system();
        automount();
        fuse();
        rmdir(folder);
    }
    DONE();
}
