/* mremap(2) and mseal(2) of the guest. */
#include "linux-user/mm.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "linux-user/host.h"
#include "linux-user/mm-internal.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#define SYS_MSEAL 462 /* of every architecture */

/* --- mseal --- */

int64_t mm_mseal(struct mm *mm, uint64_t addr, uint64_t len)
{
    uint64_t end = addr + ALIGN_UP(len, (uint64_t)PAGE);
    if (addr & (PAGE - 1) || end < addr || (len && end == addr))
        return -EINVAL;
    if (!len)
        return 0;
    if (!mm_in_space(mm, addr, len))
        return -ENOMEM;
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, addr, end);
    int64_t r = areas_cover(&mm->list, addr, end) ? host_call(SYS_MSEAL, addr, end - addr, 0) : -ENOMEM;
    if (r == -ENOSYS) /* a host before Linux 6.10: every change goes through here */
        r = 0;
    for (uint64_t at = addr; at < end && !r;) {
        if (!mm_reserve(mm, 1)) {
            r = -ENOMEM;
            break;
        }
        struct area a = *areas_first(&mm->list, at, end);
        a.start = at;
        at = a.end = a.end < end ? a.end : end;
        a.sealed = true;
        mm_end_change(mm, &a, a.start, a.end);
    }
    shared_lock_give(&mm->op);
    return r;
}

/* --- mremap --- */

/* Moves to `to`, which nothing of metic's own occupies: mapped by the guest or held. */
static int64_t move(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t to, uint64_t new_len, uint32_t flags)
{
    struct area a = *areas_first(&mm->list, addr, addr + 1);
    mm_begin_change(mm, addr, addr + (old_len ? old_len : PAGE));
    int64_t r = host_call(SYS_mremap, addr, old_len, new_len, flags | MREMAP_MAYMOVE | MREMAP_FIXED, to);
    if (r < 0) {
        mm_cancel_change(mm);
        return r;
    }
    a.start = to;
    a.end = to + new_len;
    if (old_len && !(flags & MREMAP_DONTUNMAP))
        mm_end_change(mm, NULL, addr, addr + old_len);
    mm_end_change(mm, &a, a.start, a.end);
    return (int64_t)to;
}

static int64_t move_fixed(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t to, uint64_t new_len, uint32_t flags)
{
    if (to & (PAGE - 1) || !mm_in_space(mm, to, new_len) || (to < addr + old_len && addr < to + new_len))
        return -EINVAL;
    if (mm_is_sealed(mm, to, to + new_len))
        return -EPERM;
    int64_t r = mm_hold_holes(mm, to, to + new_len);
    if (r < 0)
        return r;
    mm_begin_change(mm, to, to + new_len);
    mm_cancel_change(mm); /* its translations are gone; the source's are next */
    r = move(mm, addr, old_len, to, new_len, flags & ~MREMAP_FIXED);
    if (r < 0)
        mm_release_holes(mm, to, to + new_len);
    return r;
}

static int64_t move_anywhere(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t new_len, uint32_t flags)
{
    int64_t to = mm_place(mm, new_len, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (to < 0)
        return to;
    int64_t r = move(mm, addr, old_len, (uint64_t)to, new_len, flags);
    if (r < 0)
        mm_host_unmap((uint64_t)to, new_len);
    return r;
}

static int64_t resize(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t new_len, uint32_t flags, uint64_t to)
{
    const struct area *old = areas_first(&mm->list, addr, addr + 1);
    if (!old)
        return -EFAULT;
    struct area a = *old;
    bool stays = !old_len || flags & MREMAP_DONTUNMAP;
    if (mm_is_sealed(mm, addr, addr + (old_len ? old_len : PAGE)))
        return -EPERM;
    uint64_t growth = stays ? new_len : new_len > old_len ? new_len - old_len : 0;
    if (!mm_may_grow(mm, growth, &a) || !mm_reserve(mm, 2) || !mm_has_room(mm))
        return -ENOMEM;
    if (flags & MREMAP_FIXED)
        return move_fixed(mm, addr, old_len, to, new_len, flags);
    if (stays)
        return move_anywhere(mm, addr, old_len, new_len, flags);
    if (new_len <= old_len) {
        int64_t r = new_len < old_len ? mm_unmap(mm, addr + new_len, addr + old_len) : 0;
        return r < 0 ? r : (int64_t)addr;
    }
    if (!areas_cover(&mm->list, addr, addr + old_len))
        return -EFAULT;
    uint64_t end = addr + new_len;
    bool in_brk_room = addr + old_len <= mm->brk_start && end > mm->brk_start;
    if (mm_in_space(mm, addr, new_len) && !areas_first(&mm->list, addr + old_len, end) && !in_brk_room) {
        /* The host sees metic's own mappings in the way, if any. */
        int64_t r = host_call(SYS_mremap, addr, old_len, new_len, 0, 0);
        if (r >= 0) {
            a.start = addr;
            a.end = end;
            mm_end_change(mm, &a, a.start, a.end);
            return r;
        }
        if (r != -ENOMEM)
            return r;
    }
    return flags & MREMAP_MAYMOVE ? move_anywhere(mm, addr, old_len, new_len, flags) : -ENOMEM;
}

int64_t mm_mremap(struct mm *mm, uint64_t addr, uint64_t old_len, uint64_t new_len, uint32_t flags, uint64_t new_addr)
{
    if (flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || addr & (PAGE - 1) || !new_len)
        return -EINVAL;
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
        return -EINVAL;
    if (!mm_in_space(mm, addr, old_len))
        return -EFAULT;
    if (new_len > mm->limit)
        return flags & MREMAP_FIXED ? -EINVAL : -ENOMEM;
    old_len = ALIGN_UP(old_len, (uint64_t)PAGE);
    new_len = ALIGN_UP(new_len, (uint64_t)PAGE);
    if (flags & MREMAP_DONTUNMAP && old_len != new_len)
        return -EINVAL;
    shared_lock_take(&mm->op);
    mm_learn_growth(mm, addr, addr + (old_len > new_len ? old_len : new_len));
    if (flags & MREMAP_FIXED)
        mm_learn_growth(mm, new_addr, new_addr + new_len);
    int64_t r = resize(mm, addr, old_len, new_len, flags, new_addr);
    shared_lock_give(&mm->op);
    return r;
}

