/*
 * mlockall(2) and munlockall(2) for the guest's areas. The host's own would lock metic's memory, too, which has to grow
 * where the guest's limit (RLIMIT_MEMLOCK) is used up.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "linux-user/host.h"
#include "linux-user/mm-internal.h"
#include "linux-user/mm.h"

static void unlock_areas(struct mm *mm, size_t n)
{
    for (size_t i = 0; i < n; i++)
        host_call(SYS_munlock, mm->list.v[i].start, mm->list.v[i].end - mm->list.v[i].start);
}

/* Where the part of the area that has been used begins: the kernel's stacks are no longer than they have been. */
static uint64_t used_from(const struct area *a)
{
    enum { STEP = 256 };
    unsigned char resident[STEP];
    for (uint64_t at = a->start; a->kind == AREA_STACK && at < a->end; at += STEP * PAGE) {
        uint64_t n = (a->end - at) / PAGE < STEP ? (a->end - at) / PAGE : STEP;
        if (host_call(SYS_mincore, at, n * PAGE, resident))
            break;
        for (uint64_t i = 0; i < n; i++)
            if (resident[i] & 1)
                return at + i * PAGE;
    }
    return a->start;
}

static int64_t lock_areas(struct mm *mm, bool on_fault)
{
    for (size_t i = 0; i < mm->list.n; i++) {
        const struct area *a = &mm->list.v[i];
        uint64_t from = used_from(a);
        int64_t r = host_call(SYS_mlock2, from, a->end - from, on_fault ? MLOCK_ONFAULT : 0);
        /*
         * Pages that can't be brought in are no failure of mlockall: those that nobody may read, a file's behind its
         * end.
         */
        if (r == -EPERM || (r == -ENOMEM && a->prot & PROT_READ && !a->shared)) {
            unlock_areas(mm, i + 1);
            return r;
        }
    }
    return 0;
}

int64_t mm_lock_all(struct mm *mm, int flags)
{
    if (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || !(flags & (MCL_CURRENT | MCL_FUTURE)))
        return -EINVAL;
    shared_lock_take(&mm->op);
    int64_t r = flags & MCL_CURRENT ? lock_areas(mm, flags & MCL_ONFAULT) : 0;
    if (!r)
        mm->lock_new = flags & MCL_FUTURE;
    shared_lock_give(&mm->op);
    return r;
}

void mm_unlock_all(struct mm *mm)
{
    shared_lock_take(&mm->op);
    mm->lock_new = false;
    unlock_areas(mm, mm->list.n);
    shared_lock_give(&mm->op);
}
