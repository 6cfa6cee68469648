/* System calls on memory: the arguments' Linux meaning; the work is mm.c's. */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/uio.h>

#include "base/bits.h"
#include "linux-user/abi.h"
#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/uring.h"
#include "linux-user/xlat.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum { PAGE = 4096, PROT_KNOWN = 7, PROT_SEM = 8, PROT_GROWS = 0x03000000, PROT_GROWSUP_BIT = 0x02000000 };

int64_t sys_brk(struct task *t, const uint64_t a[6])
{
    return mm_brk(t->process->mm, a[0]);
}

static uint32_t prot_wanted(const struct task *t, uint64_t prot)
{
    bool exec = prot & PROT_READ && t->process->personality & READ_IMPLIES_EXEC;
    return (uint32_t)prot | (exec ? PROT_EXEC : 0);
}

/* mmap(addr, length, prot, flags, fd, offset). Unknown bits of prot are ignored, as by the kernel. */
int64_t sys_mmap(struct task *t, const uint64_t a[6])
{
    uint32_t flags = (uint32_t)flags_to_host(t->abi->syscalls, SET_map, a[3]);
    int64_t ret = mm_mmap(t->process->mm, a[0], a[1], prot_wanted(t, a[2]) & PROT_KNOWN, flags, (int)a[4], a[5]);
    if (ret >= 0 && !(flags & MAP_ANONYMOUS))
        uring_mapped(t, (int)a[4], a[5], (uint64_t)ret);
    return ret;
}

int64_t sys_munmap(struct task *t, const uint64_t a[6])
{
    return mm_munmap(t->process->mm, a[0], a[1]);
}

int64_t sys_mremap(struct task *t, const uint64_t a[6])
{
    return mm_mremap(t->process->mm, a[0], a[1], a[2], (uint32_t)a[3], a[4]);
}

int64_t sys_mprotect(struct task *t, const uint64_t a[6])
{
    uint64_t known = PROT_KNOWN | PROT_SEM | PROT_GROWS;
    if (a[2] & ~known || (a[2] & PROT_GROWS) == PROT_GROWS || a[2] & PROT_GROWSUP_BIT)
        return -EINVAL;
    return mm_mprotect(t->process->mm, a[0], a[1], prot_wanted(t, a[2]));
}

/* Guests have no protection keys: only the default one exists. */
int64_t sys_pkey_mprotect(struct task *t, const uint64_t a[6])
{
    return (int32_t)a[3] == -1 ? sys_mprotect(t, a) : -EINVAL;
}

/* Linux 6.12 takes advice from outside that changes no contents; what newer ones allow would have to be recorded. */
int64_t sys_process_madvise(struct task *t, const uint64_t a[6])
{
    int advice = (int)a[3];
    if (advice != MADV_COLD && advice != MADV_PAGEOUT && advice != MADV_WILLNEED && advice != MADV_COLLAPSE)
        return -EINVAL;
    return host_call(SYS_process_madvise, a[0], a[1], a[2], a[3], a[4]);
}

int64_t sys_remap_file_pages(struct task *t, const uint64_t a[6])
{
    return a[2] ? -EINVAL : mm_remap_file_pages(t->process->mm, a[0], a[1], a[3], (uint32_t)a[4]);
}

int64_t sys_mseal(struct task *t, const uint64_t a[6])
{
    return a[2] ? -EINVAL : mm_mseal(t->process->mm, a[0], a[1]);
}

/* What is written may be code that is translated: the caller's own, or that of another guest process. */
int64_t sys_process_vm_writev(struct task *t, const uint64_t a[6])
{
    int64_t ret = host_call(SYS_process_vm_writev, a[0], a[1], a[2], a[3], a[4], a[5]);
    struct iovec v;
    uint64_t left = ret > 0 ? (uint64_t)ret : 0, first = UINT64_MAX, last = 0;
    for (uint64_t at = a[3]; left && !get_user(t, v, at); at += sizeof v) {
        uint64_t n = v.iov_len < left ? v.iov_len : left, start = (uintptr_t)v.iov_base;
        first = n && start < first ? start : first;
        last = n && start + n > last ? start + n : last;
        left -= n;
    }
    if (first < last && (pid_t)a[0] == getpid())
        mm_overwritten(t->process->mm, first, last);
    else if (first < last)
        tracer_wrote(t, (pid_t)a[0], first, last - first);
    return ret;
}

/* The commands for restartable sequences, which there are none of (rseq), are not there either. */
int64_t sys_membarrier(struct task *t, const uint64_t a[6])
{
    const uint64_t rseq = MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
    if (a[0] & rseq)
        return -EINVAL;
    int64_t ret = host_call(SYS_membarrier, a[0], a[1], a[2]);
    return ret > 0 && !(int)a[0] ? ret & ~(int64_t)rseq : ret;
}

int64_t sys_madvise(struct task *t, const uint64_t a[6])
{
    return mm_madvise(t->process->mm, a[0], a[1], (int)a[2]);
}

/* Calls that take a range and change no mapping: the kernel's answer, once the range is the guest's. */
static int64_t on_range(struct task *t, long nr, const uint64_t a[6], int64_t outside)
{
    uint64_t start = ALIGN_DOWN(a[0], (uint64_t)PAGE), end = a[0] + a[1];
    if (end < a[0] || end + PAGE < end)
        return outside;
    if (a[1] && !mm_is_mapped(t->process->mm, start, ALIGN_UP(end, (uint64_t)PAGE) - start))
        return -ENOMEM;
    return host_call(nr, a[0], a[1], a[2]);
}

int64_t sys_msync(struct task *t, const uint64_t a[6])
{
    if ((int)a[2] & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || a[0] & (PAGE - 1))
        return -EINVAL;
    return on_range(t, SYS_msync, a, -ENOMEM);
}

int64_t sys_mincore(struct task *t, const uint64_t a[6])
{
    if (a[0] & (PAGE - 1))
        return -EINVAL;
    return on_range(t, SYS_mincore, a, -ENOMEM);
}

int64_t sys_mlock(struct task *t, const uint64_t a[6])
{
    return on_range(t, SYS_mlock, a, -EINVAL);
}

int64_t sys_mlock2(struct task *t, const uint64_t a[6])
{
    return on_range(t, SYS_mlock2, a, -EINVAL);
}

int64_t sys_munlock(struct task *t, const uint64_t a[6])
{
    return on_range(t, SYS_munlock, a, -EINVAL);
}

int64_t sys_mlockall(struct task *t, const uint64_t a[6])
{
    return mm_lock_all(t->process->mm, (int)a[0]);
}

int64_t sys_munlockall(struct task *t, const uint64_t a[6])
{
    (void)a;
    mm_unlock_all(t->process->mm);
    return 0;
}

int64_t sys_shmat(struct task *t, const uint64_t a[6])
{
    return mm_shmat(t->process->mm, (int)a[0], a[1], (int)a[2]);
}

int64_t sys_shmdt(struct task *t, const uint64_t a[6])
{
    return mm_shmdt(t->process->mm, a[0]);
}
