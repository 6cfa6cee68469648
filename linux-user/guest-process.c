/* Guest processes as others see them: see guest-process.h. Host interfaces: proc(5), process_vm_readv(2), prctl(2). */
#include "linux-user/guest-process.h"

#include <elf.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "linux-user/areas.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/vdso.h"

enum { RECORD_VERSION = 5, MAX_AUXV_WORDS = 128, TRIES = 8, MAX_AREAS = 1 << 20 };
static const char magic[8] = "metic-g";

/* Where the vDSO is one of metic's, we are a guest ourselves; its record is in this very memory. */
static uint32_t own_depth(void)
{
    const char *vdso = (const char *)(uintptr_t)getauxval(AT_SYSINFO_EHDR);
    const struct guest_mark *mark = (const void *)(vdso + VDSO_BYTES - sizeof *mark);
    if (!vdso || memcmp(mark->magic, magic, sizeof magic))
        return 0;
    const struct guest_record *outer = (const void *)(uintptr_t)mark->record;
    return outer->version == RECORD_VERSION ? outer->depth + 1 : 1;
}

void guest_record_fill(struct process *p)
{
    p->record = (struct guest_record){
        .version = RECORD_VERSION,
        .depth = own_depth(),
        .machine = p->abi->target->elf_machine,
        .exe_path = (uintptr_t)p->exe_path,
        .areas = (uintptr_t)mm_areas(p->mm),
        .tasks = (uintptr_t)&p->tasks,
        .process = (uintptr_t)p,
        .changes = (uintptr_t)&p->code_changes,
        .auxv = (uintptr_t)&p->auxv_start,
    };
    memcpy(p->record.magic, magic, sizeof magic);
}

struct guest_mark guest_mark_of(const struct process *p)
{
    struct guest_mark m = {.record = (uintptr_t)&p->record};
    memcpy(m.magic, magic, sizeof magic);
    return m;
}

void guest_show_to_host(const struct process *p, bool with_auxv)
{
    uint64_t brk = (uintptr_t)sbrk(0); /* the heap stays the emulator's own */
    struct prctl_mm_map map = {
        .start_code = p->code_start,
        .end_code = p->code_end,
        .start_data = p->data_start,
        .end_data = p->data_end,
        .start_brk = brk,
        .brk = brk,
        .start_stack = p->stack_start,
        .arg_start = p->arg_start,
        .arg_end = p->arg_end,
        .env_start = p->env_start,
        .env_end = p->env_end,
        .auxv = with_auxv ? (void *)(uintptr_t)p->auxv_start : NULL,
        .auxv_size = with_auxv ? (uint32_t)(p->auxv_end - p->auxv_start) : 0,
        .exe_fd = (uint32_t)-1,
    };
    /* Where the kernel lacks it, /proc shows the emulator's to others. */
    host_call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

bool remote_read(pid_t pid, void *to, uint64_t from, uint64_t n)
{
    struct iovec local = {to, n}, remote = {(void *)(uintptr_t)from, n};
    return host_call(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0) == (int64_t)n;
}

bool remote_write(pid_t pid, uint64_t to, const void *from, uint64_t n)
{
    struct iovec local = {(void *)from, n}, remote = {(void *)(uintptr_t)to, n};
    return host_call(SYS_process_vm_writev, pid, &local, 1, &remote, 1, 0) == (int64_t)n;
}

static uint64_t vdso_address(pid_t pid)
{
    char path[32];
    uint64_t words[MAX_AUXV_WORDS];
    snprintf(path, sizeof path, "/proc/%d/auxv", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, words, sizeof words);
    if (fd >= 0)
        close(fd);
    for (ssize_t i = 0; i + 1 < n / (ssize_t)sizeof words[0]; i += 2)
        if (words[i] == AT_SYSINFO_EHDR)
            return words[i + 1];
    return 0;
}

bool guest_record_read(pid_t pid, struct guest_record *r)
{
    struct guest_mark mark;
    uint64_t vdso = vdso_address(pid);
    return vdso && remote_read(pid, &mark, vdso + VDSO_BYTES - sizeof mark, sizeof mark) &&
           !memcmp(mark.magic, magic, sizeof magic) && remote_read(pid, r, mark.record, sizeof *r) &&
           !memcmp(r->magic, magic, sizeof magic) && r->version == RECORD_VERSION;
}

bool guest_exe_path(pid_t pid, const struct guest_record *r, char out[PATH_MAX])
{
    enum { STEP = 64 }; /* never across a page's end: what lies behind the string may be unmapped */
    for (size_t done = 0; done < PATH_MAX;) {
        size_t step = STEP - ((r->exe_path + done) & (STEP - 1));
        step = step < PATH_MAX - done ? step : PATH_MAX - done;
        if (!remote_read(pid, out + done, r->exe_path + done, step))
            return false;
        if (memchr(out + done, 0, step))
            return true;
        done += step;
    }
    return false;
}

bool guest_areas(pid_t pid, const struct guest_record *r, struct area_list *out)
{
    *out = (struct area_list){0};
    for (unsigned i = 0; i < TRIES; i++) { /* it may be changing */
        struct area_list before, after;
        if (!remote_read(pid, &before, r->areas, sizeof before) || before.n > MAX_AREAS)
            return false;
        struct area *v = realloc(out->v, (before.n + 1) * sizeof *v);
        if (!v)
            break;
        *out = (struct area_list){.v = v, .n = before.n, .room = before.n + 1};
        if (remote_read(pid, v, (uintptr_t)before.v, before.n * sizeof *v) &&
            remote_read(pid, &after, r->areas, sizeof after) && !memcmp(&before, &after, sizeof after))
            return true;
    }
    areas_free(out);
    return false;
}

size_t guest_auxv(pid_t pid, const struct guest_record *r, void *out, size_t size)
{
    uint64_t range[2];
    if (!remote_read(pid, range, r->auxv, sizeof range) || range[1] < range[0])
        return 0;
    size_t n = range[1] - range[0] < size ? range[1] - range[0] : size;
    return remote_read(pid, out, range[0], n) ? n : 0;
}

bool guest_has_thread(pid_t pid, const struct guest_record *r, pid_t tid)
{
    enum { MAX_THREADS = 1 << 16 };
    struct task *t;
    int32_t id;
    if (tid == pid)
        return true;
    bool ok = remote_read(pid, &t, r->tasks, sizeof t);
    for (unsigned i = 0; ok && t && i < MAX_THREADS; i++) {
        ok = remote_read(pid, &id, (uintptr_t)&t->tid, sizeof id);
        if (ok && id == tid)
            return true;
        ok = ok && remote_read(pid, &t, (uintptr_t)&t->next, sizeof t);
    }
    return false;
}

bool guest_tell(pid_t pid, int message, pid_t about)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_errno = message, .si_code = SI_QUEUE};
    info.si_pid = about;
    info.si_uid = getuid();
    return !host_call(SYS_rt_sigqueueinfo, pid, SIGSEGV, &info);
}
