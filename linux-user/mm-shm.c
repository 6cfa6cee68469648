/* System V shared memory in the guest's address space: shmat(2), shmdt(2). */
#include "linux-user/mm.h"

#include <errno.h>
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "base/bits.h"
#include "linux-user/host.h"
#include "linux-user/mm-internal.h"

static int64_t attach(struct mm *mm, int id, uint64_t addr, uint64_t len, int flags)
{
    uint32_t prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
    if (mm->nattached == ARRAY_SIZE(mm->attached))
        return -EMFILE;
    struct area a = {.end = len, .prot = (uint8_t)prot, .shared = true, .kind = AREA_SHM};
    mm_learn_growth(mm, addr, addr + len);
    if (!mm_may_grow(mm, len, &a) || !mm_reserve(mm, 1) || !mm_has_room(mm))
        return -ENOMEM;
    bool anywhere = !addr;
    if (anywhere) {
        int64_t at = mm_place(mm, len, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at < 0)
            return at;
        addr = (uint64_t)at;
    } else {
        if (mm_in_space(mm, addr, len) && flags & SHM_REMAP && mm_is_sealed(mm, addr, addr + len))
            return -EPERM;
        if (!mm_in_space(mm, addr, len) || (!(flags & SHM_REMAP) && areas_first(&mm->list, addr, addr + len)))
            return -EINVAL;
        if (mm_hold_holes(mm, addr, addr + len) < 0)
            return -EINVAL;
        mm_begin_change(mm, addr, addr + len);
    }
    int64_t r = host_call(SYS_shmat, id, addr, (flags & ~SHM_EXEC) | SHM_REMAP);
    if (r < 0) {
        if (anywhere)
            mm_host_unmap(addr, len);
        else
            mm_release_holes(mm, addr, addr + len);
        mm_cancel_change(mm);
        return r;
    }
    mm->attached[mm->nattached++] = (struct attachment){addr, len};
    a.start = addr;
    a.end = addr + len;
    mm_end_change(mm, &a, a.start, a.end);
    return r;
}

int64_t mm_shmat(struct mm *mm, int id, uint64_t addr, int flags)
{
    struct shmid_ds info;
    int64_t r = host_call(SYS_shmctl, id, IPC_STAT, &info);
    if (r < 0)
        return r;
    if (addr & (PAGE - 1)) {
        if (!(flags & SHM_RND))
            return -EINVAL;
        addr = ALIGN_DOWN(addr, (uint64_t)PAGE);
    }
    if (!addr && flags & SHM_REMAP)
        return -EINVAL;
    if (info.shm_segsz > mm->limit)
        return -ENOMEM;
    shared_lock_take(&mm->op);
    r = attach(mm, id, addr, ALIGN_UP((uint64_t)info.shm_segsz, (uint64_t)PAGE), flags);
    shared_lock_give(&mm->op);
    return r;
}

/* Forgets what was shared memory in the range: the guest may have mapped other things over parts of it. */
static void forget_attached(struct mm *mm, uint64_t start, uint64_t end)
{
    for (uint64_t at = start; at < end;) {
        const struct area *a = areas_first(&mm->list, at, end);
        if (!a)
            return;
        uint64_t from = a->start > at ? a->start : at;
        at = a->end < end ? a->end : end;
        if (a->kind == AREA_SHM)
            mm_end_change(mm, NULL, from, at);
    }
}

int64_t mm_shmdt(struct mm *mm, uint64_t addr)
{
    int64_t r = -EINVAL;
    shared_lock_take(&mm->op);
    for (unsigned i = 0; i < mm->nattached; i++) {
        struct attachment at = mm->attached[i];
        if (at.addr != addr || !mm_reserve(mm, 1))
            continue;
        mm_begin_change(mm, addr, addr + at.len);
        r = host_call(SYS_shmdt, addr);
        if (r == 0)
            forget_attached(mm, addr, addr + at.len);
        mm_cancel_change(mm);
        mm->attached[i] = mm->attached[--mm->nattached];
        break;
    }
    shared_lock_give(&mm->op);
    return r;
}

