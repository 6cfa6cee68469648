/*
 * Copies to and from guest memory that survive a fault: the copy loop is a piece of host code whose range of
 * addresses is known (host/calls.h), and uaccess_host_fault() makes a fault inside it come out as a failed copy.
 */
#include "linux-user/uaccess.h"

#include <errno.h>
#include <string.h>

#include "exec/target.h"
#include "host/calls.h"
#include "host/context.h"
#include "linux-user/task.h"

enum { COPY_STEP = 256 }; /* bytes of a string looked at in one go */

bool uaccess_host_fault(void *ucontext)
{
    ucontext_t *uc = ucontext;
    uintptr_t pc = context_pc(uc);
    if (pc < (uintptr_t)uaccess_copy || pc >= (uintptr_t)uaccess_copy_end)
        return false;
    context_set_pc(uc, (uintptr_t)uaccess_copy_fault);
    return true;
}

int copy_recoverably(void *to, const void *from, size_t n)
{
    return uaccess_copy(to, from, n) ? -EFAULT : 0;
}

static bool below_ceiling(struct task *t, uint64_t addr, uint64_t n)
{
    uint64_t ceiling = UINT64_C(1) << t->abi->target->address_bits;
    return addr <= ceiling && n <= ceiling - addr;
}

int copy_from_guest(struct task *t, void *to, uint64_t from, size_t n)
{
    return below_ceiling(t, from, n) ? copy_recoverably(to, (const void *)(uintptr_t)from, n) : -EFAULT;
}

int copy_to_guest(struct task *t, uint64_t to, const void *from, size_t n)
{
    return below_ceiling(t, to, n) ? copy_recoverably((void *)(uintptr_t)to, from, n) : -EFAULT;
}

int64_t strncpy_from_guest(struct task *t, char *to, uint64_t from, size_t n)
{
    size_t done = 0;
    while (done < n) {
        /* Never across an aligned step: what lies behind the string may be unmapped. */
        size_t step = COPY_STEP - ((from + done) & (COPY_STEP - 1));
        if (step > n - done)
            step = n - done;
        if (copy_from_guest(t, to + done, from + done, step))
            return -EFAULT;
        const char *nul = memchr(to + done, 0, step);
        if (nul)
            return nul - to;
        done += step;
    }
    return -ENAMETOOLONG;
}
