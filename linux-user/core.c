/*
 * Core dumps (core(5), elf(5)): a file of the guest's class and machine with a note segment, which holds the registers
 * of every thread and what a debugger needs to find the program's files, and a segment per mapping of the guest. The
 * structs are those of the generic 64-bit <linux/elfcore.h>; what of a mapping is written follows
 * /proc/self/coredump_filter.
 */
#include "linux-user/core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "exec/exec.h"
#include "exec/target.h"
#include "linux-user/core-name.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"

enum { PAGE = 4096, NOTE_ALIGN = 4, COPY_PAGES = 64 };
enum { STOP_TRIES = 2000, STOP_NS = 1000000 }; /* two seconds for the other threads */

/* struct elf_prstatus up to its registers, which pr_fpvalid follows. */
struct prstatus_head {
    int32_t signo, code, error;
    int16_t cursig;
    uint64_t sigpend, sighold;
    int32_t pid, ppid, pgrp, sid;
    struct timeval utime, stime, cutime, cstime;
};

struct prpsinfo {
    char state, sname, zombie, nice;
    uint64_t flag;
    uint32_t uid, gid;
    int32_t pid, ppid, pgrp, sid;
    char fname[16];
    char psargs[80];
};

_Static_assert(sizeof(struct prstatus_head) == 112 && sizeof(struct prpsinfo) == 136, "<linux/elfcore.h>");

/* Bytes in memory that grow; `bad` after a failure. */
struct buffer {
    char *bytes;
    size_t n, room;
    bool bad;
};

static void put(struct buffer *b, const void *data, size_t n)
{
    if (b->n + n > b->room && !b->bad) {
        size_t room = 2 * (b->n + n) + PAGE;
        char *bytes = realloc(b->bytes, room);
        b->bad = !bytes;
        if (bytes) {
            b->bytes = bytes;
            b->room = room;
        }
    }
    if (b->bad)
        return;
    memcpy(b->bytes + b->n, data, n);
    b->n += n;
}

static void pad(struct buffer *b)
{
    static const char zeros[NOTE_ALIGN];
    put(b, zeros, -b->n & (NOTE_ALIGN - 1));
}

static void put_note(struct buffer *b, const char *owner, uint32_t type, const void *data, size_t n)
{
    Elf64_Nhdr head = {.n_namesz = (Elf64_Word)strlen(owner) + 1, .n_descsz = (Elf64_Word)n, .n_type = type};
    put(b, &head, sizeof head);
    put(b, owner, head.n_namesz);
    pad(b);
    put(b, data, n);
    pad(b);
}

/* --- the process stops --- */

static void wait_for_others(struct task *t)
{
    const struct timespec step = {.tv_nsec = STOP_NS};
    for (unsigned i = 0; i < STOP_TRIES; i++) {
        bool busy = false;
        pthread_mutex_lock(&t->process->lock);
        for (struct task *other = t->process->tasks; other; other = other->next) {
            if (other == t || __atomic_load_n(&other->parked, __ATOMIC_SEQ_CST))
                continue;
            /* In a call of the host's a thread's registers are those of the guest's call, and it comes no further. */
            if (!__atomic_load_n(&other->in_call, __ATOMIC_SEQ_CST))
                busy = true;
            cpu_kick(other->cpu);
        }
        pthread_mutex_unlock(&t->process->lock);
        if (!busy)
            return;
        nanosleep(&step, NULL);
    }
}

/* --- notes --- */

static void put_prstatus(struct buffer *b, struct task *t, const siginfo_t *info)
{
    const struct regset *regs = t->abi->regsets;
    struct {
        struct prstatus_head head;
        char regs[REGSET_MAX];
    } s;
    struct rusage own, children;
    memset(&s, 0, sizeof s);
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    s.head = (struct prstatus_head){
        .signo = info->si_signo,
        .code = info->si_code,
        .error = info->si_errno,
        .cursig = (int16_t)info->si_signo,
        .sighold = t->signals.mask,
        .pid = t->tid,
        .ppid = getppid(),
        .pgrp = getpgrp(),
        .sid = getsid(0),
        .utime = own.ru_utime,
        .stime = own.ru_stime,
        .cutime = children.ru_utime,
        .cstime = children.ru_stime,
    };
    regs->get(t->cpu, s.regs);
    int32_t fpvalid[2] = {1, 0};
    memcpy(s.regs + regs->size, fpvalid, sizeof fpvalid);
    put_note(b, "CORE", NT_PRSTATUS, &s, sizeof s.head + regs->size + sizeof fpvalid);
}

static void put_prpsinfo(struct buffer *b, const struct process *p)
{
    struct prpsinfo s = {
        .sname = 'R',
        .uid = getuid(),
        .gid = getgid(),
        .pid = getpid(),
        .ppid = getppid(),
        .pgrp = getpgrp(),
        .sid = getsid(0),
    };
    prctl(PR_GET_NAME, s.fname);
    size_t n = p->arg_end - p->arg_start < sizeof s.psargs ? p->arg_end - p->arg_start : sizeof s.psargs - 1;
    struct iovec to = {s.psargs, n}, from = {(void *)(uintptr_t)p->arg_start, n};
    ssize_t got = host_call(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0);
    for (ssize_t i = 0; i + 1 < got; i++)
        if (!s.psargs[i])
            s.psargs[i] = ' ';
    put_note(b, "CORE", NT_PRPSINFO, &s, sizeof s);
}

static void put_thread(struct buffer *b, struct task *t)
{
    char regs[REGSET_MAX];
    for (const struct regset *r = t->abi->regsets + 1; r->size; r++) {
        r->get(t->cpu, regs);
        put_note(b, r->note == NT_PRFPREG ? "CORE" : "LINUX", r->note, regs, r->size);
    }
}

/* --- mappings --- */

/* A mapping of the guest and how much of it, from its start, is dumped. */
struct segment {
    struct mapping map; /* its name is at `name` of the list's names */
    size_t name;
    uint64_t dumped;
};

struct segments {
    struct buffer list, names;
    uint64_t filter; /* /proc/self/coredump_filter */
};

enum { /* its bits: core(5) */
       FILTER_ANON_PRIVATE = 1 << 0,
       FILTER_ANON_SHARED = 1 << 1,
       FILTER_FILE_PRIVATE = 1 << 2,
       FILTER_FILE_SHARED = 1 << 3,
       FILTER_ELF_HEADERS = 1 << 4,
       FILTER_DEFAULT = FILTER_ANON_PRIVATE | FILTER_ANON_SHARED | FILTER_ELF_HEADERS | 1 << 5,
};

static bool starts_elf(const struct mapping *m)
{
    char magic[SELFMAG];
    struct iovec to = {magic, sizeof magic}, from = {(void *)(uintptr_t)m->area.start, sizeof magic};
    return host_call(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0) == sizeof magic &&
           !memcmp(magic, ELFMAG, SELFMAG);
}

static uint64_t dumped_bytes(const struct mapping *m, uint64_t filter)
{
    uint64_t all = m->area.end - m->area.start;
    bool named = m->inode != 0;
    if (m->area.kind == AREA_VDSO)
        return all;
    if (m->dont_dump)
        return 0;
    if (m->area.shared)
        return filter & (named && !m->deleted ? FILTER_FILE_SHARED : FILTER_ANON_SHARED) ? all : 0;
    if (filter & FILTER_ANON_PRIVATE && (!named || m->anonymous))
        return all;
    if (filter & FILTER_FILE_PRIVATE && named)
        return all;
    return filter & FILTER_ELF_HEADERS && named && !m->offset && m->area.prot & PROT_READ && starts_elf(m) ? PAGE : 0;
}

static void add_segment(void *opaque, const struct mapping *m)
{
    struct segments *s = opaque;
    struct segment g = {.map = *m, .name = s->names.n, .dumped = dumped_bytes(m, s->filter)};
    put(&s->names, m->name, strlen(m->name) + 1);
    put(&s->list, &g, sizeof g);
}

static uint64_t read_filter(void)
{
    unsigned long long value = FILTER_DEFAULT;
    FILE *f = fopen("/proc/self/coredump_filter", "re");
    if (!f)
        return value;
    if (fscanf(f, "%llx", &value) != 1)
        value = FILTER_DEFAULT;
    fclose(f);
    return value;
}

/* NT_FILE: count, page size, {start, end, offset in pages} of each, then the names. */
static void put_files(struct buffer *b, const struct segments *s)
{
    const struct segment *v = (const struct segment *)s->list.bytes;
    size_t n = s->list.n / sizeof *v;
    struct buffer note = {0}, names = {0};
    uint64_t head[2] = {0, PAGE};
    put(&note, head, sizeof head);
    for (size_t i = 0; i < n; i++) {
        const char *name = s->names.bytes + v[i].name;
        if (name[0] != '/')
            continue;
        head[0]++;
        put(&note, (uint64_t[]){v[i].map.area.start, v[i].map.area.end, v[i].map.offset / PAGE}, 3 * sizeof(uint64_t));
        put(&names, name, strlen(name) + 1);
    }
    put(&note, names.bytes, names.n);
    if (!note.bad && head[0]) {
        memcpy(note.bytes, head, sizeof head);
        put_note(b, "CORE", NT_FILE, note.bytes, note.n);
    }
    b->bad |= note.bad || names.bad;
    free(note.bytes);
    free(names.bytes);
}

static void put_auxv(struct buffer *b, const struct process *p)
{
    uint64_t n = p->auxv_end - p->auxv_start;
    char *copy = malloc(n);
    struct iovec to = {copy, n}, from = {(void *)(uintptr_t)p->auxv_start, n};
    if (copy && host_call(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0) == (int64_t)n)
        put_note(b, "CORE", NT_AUXV, copy, n);
    free(copy);
}

static void put_notes(struct buffer *b, struct task *t, const siginfo_t *info, const struct segments *s)
{
    put_prstatus(b, t, info);
    put_prpsinfo(b, t->process);
    put_note(b, "CORE", NT_SIGINFO, info, sizeof *info);
    put_auxv(b, t->process);
    put_files(b, s);
    put_thread(b, t);
    const siginfo_t none = {.si_signo = info->si_signo};
    pthread_mutex_lock(&t->process->lock);
    for (struct task *other = t->process->tasks; other; other = other->next) {
        if (other == t)
            continue;
        put_prstatus(b, other, &none);
        put_thread(b, other);
    }
    pthread_mutex_unlock(&t->process->lock);
}

/* --- the file --- */

struct output {
    int fd, mem, pagemap;
    uint64_t at, limit; /* bytes written so far, and how many there may be */
    bool full;
};

static void write_all(struct output *o, const void *data, uint64_t n)
{
    const char *p = data;
    if (n > o->limit - o->at) {
        n = o->limit - o->at;
        o->full = true;
    }
    while (n) {
        ssize_t done = pwrite(o->fd, p, n, (off_t)o->at);
        if (done <= 0) {
            o->full = true;
            return;
        }
        p += done;
        n -= (uint64_t)done;
        o->at += (uint64_t)done;
    }
}

/* A hole. */
static void skip(struct output *o, uint64_t n)
{
    o->full |= n > o->limit - o->at;
    if (!o->full)
        o->at += n;
}

/* Pages that nobody has touched become holes. */
static void write_memory(struct output *o, const struct segment *g)
{
    enum { PRESENT = 1 << 1, SWAPPED = 1 << 0 }; /* of a pagemap entry's two highest bits */
    static const uint64_t top_bits = UINT64_C(62);
    char bytes[PAGE];
    uint64_t entries[COPY_PAGES];
    bool sparse = !g->map.inode && !g->map.area.shared;
    if (sparse && !g->map.resident) {
        skip(o, g->dumped);
        return;
    }
    for (uint64_t at = g->map.area.start, end = at + g->dumped; at < end && !o->full;) {
        uint64_t pages = (end - at) / PAGE < COPY_PAGES ? (end - at) / PAGE : COPY_PAGES;
        ssize_t got =
            sparse ? pread(o->pagemap, entries, pages * sizeof *entries, (off_t)(at / PAGE * sizeof *entries)) : -1;
        for (uint64_t i = 0; i < pages; i++, at += PAGE) {
            bool known = got >= (ssize_t)((i + 1) * sizeof *entries);
            if ((known && !(entries[i] >> top_bits & (PRESENT | SWAPPED))) ||
                pread(o->mem, bytes, PAGE, (off_t)at) != PAGE)
                skip(o, PAGE);
            else
                write_all(o, bytes, PAGE);
        }
    }
}

static uint32_t segment_flags(unsigned prot)
{
    return (prot & PROT_READ ? PF_R : 0) | (prot & PROT_WRITE ? PF_W : 0) | (prot & PROT_EXEC ? PF_X : 0);
}

static void write_core(struct output *o, struct task *t, const struct buffer *notes, const struct segments *s)
{
    const struct target *target = t->abi->target;
    const struct segment *v = (const struct segment *)s->list.bytes;
    size_t n = s->list.n / sizeof *v, nheaders = n + 1;
    bool many = nheaders >= PN_XNUM;
    Elf64_Ehdr e = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, target->elf_class, target->elf_data, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = target->elf_machine,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof e,
        .e_ehsize = sizeof e,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = many ? PN_XNUM : (Elf64_Half)nheaders,
    };
    uint64_t notes_at = sizeof e + nheaders * sizeof(Elf64_Phdr);
    uint64_t at = ALIGN_UP(notes_at + notes->n, (uint64_t)PAGE), total = at;
    for (size_t i = 0; i < n; i++)
        total += v[i].dumped;
    Elf64_Shdr count = {.sh_info = (Elf64_Word)nheaders}; /* gABI: where e_phnum is too small */
    if (many) {
        e.e_shoff = total;
        e.e_shentsize = sizeof count;
        e.e_shnum = 1;
    }
    write_all(o, &e, sizeof e);
    Elf64_Phdr h = {.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes->n, .p_align = NOTE_ALIGN};
    write_all(o, &h, sizeof h);
    for (size_t i = 0; i < n; i++) {
        h = (Elf64_Phdr){
            .p_type = PT_LOAD,
            .p_flags = segment_flags(v[i].map.area.prot),
            .p_offset = at,
            .p_vaddr = v[i].map.area.start,
            .p_filesz = v[i].dumped,
            .p_memsz = v[i].map.area.end - v[i].map.area.start,
            .p_align = PAGE,
        };
        at += v[i].dumped;
        write_all(o, &h, sizeof h);
    }
    write_all(o, notes->bytes, notes->n);
    skip(o, ALIGN_UP(o->at, (uint64_t)PAGE) - o->at);
    for (size_t i = 0; i < n && !o->full; i++)
        write_memory(o, &v[i]);
    if (many)
        write_all(o, &count, sizeof count);
    if (ftruncate(o->fd, (off_t)o->at)) /* a hole at the end; without it the file is as a full disk leaves it */
        o->full = true;
}

/* As the kernel: a regular file of the user's own with one name, emptied. -1: none. */
static int open_core(struct task *t, int signo)
{
    char path[PATH_MAX];
    struct stat st;
    if (!core_name(t, signo, path))
        return -1;
    int fd = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid() || ftruncate(fd, 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The parent, and a tracer, whose metic shows the core file in the status that they wait for. */
static void tell_of_core(const struct task *t)
{
    struct guest_record record;
    char line[80];
    pid_t parent = getppid(), tracer = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    if (f)
        fclose(f);
    if (parent > 0 && guest_record_read(parent, &record))
        guest_tell(parent, trace_mark(t->process, MESSAGE_DUMPED), getpid());
    if (tracer > 0 && tracer != parent && guest_record_read(tracer, &record))
        guest_tell(tracer, trace_mark(t->process, MESSAGE_DUMPED), getpid());
}

void core_dump(struct task *t, const siginfo_t *info)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) || limit.rlim_cur < PAGE || prctl(PR_GET_DUMPABLE) != 1)
        return;
    struct output o = {
        .fd = open_core(t, info->si_signo),
        .mem = open("/proc/thread-self/mem", O_RDONLY | O_CLOEXEC),
        .pagemap = open("/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC),
        .limit = limit.rlim_cur,
    };
    if (o.fd < 0 || o.mem < 0)
        return;
    struct segments s = {.filter = read_filter()};
    struct buffer notes = {0};
    signal(SIGXFSZ, SIG_IGN);
    wait_for_others(t);
    mm_each_mapping(t->process->mm, true, add_segment, &s);
    if (!s.list.bad && !s.names.bad)
        put_notes(&notes, t, info, &s);
    if (!s.list.bad && !s.names.bad && !notes.bad)
        write_core(&o, t, &notes, &s);
    close(o.fd);
    tell_of_core(t);
}
