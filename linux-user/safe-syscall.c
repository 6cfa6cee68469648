/*
 * safe_syscall on hosts without a trampoline of their own (safe-syscall.S): a signal between the test and the kernel's
 * entry is seen only when the call returns. The range is empty.
 */
#include "linux-user/safe-syscall.h"

#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"

#if !defined(__x86_64__)
const char safe_syscall_begin[1], safe_syscall_interrupted[1];
__asm__(".globl safe_syscall_end\n.set safe_syscall_end, safe_syscall_begin");

int64_t safe_syscall_unless(const uint32_t *pending, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                            uint64_t a4, uint64_t a5)
{
    if (__atomic_load_n(pending, __ATOMIC_SEQ_CST))
        return -SYS_RESTART;
    return host_call(nr, a0, a1, a2, a3, a4, a5);
}
#endif

int64_t safe_syscall(struct task *t, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                     uint64_t a5)
{
    return safe_syscall_unless(&t->signals.pending, nr, a0, a1, a2, a3, a4, a5);
}
