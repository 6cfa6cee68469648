/* riscv_flush_icache(2): guest code between two addresses has changed, for all threads or (flag) for the caller's. */
#include <errno.h>

#include "linux-user/dispatch.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"

enum { SYS_RISCV_FLUSH_ICACHE_LOCAL = 1 };

int64_t sys_riscv_flush_icache(struct task *t, const uint64_t a[6])
{
    if (a[2] & ~(uint64_t)SYS_RISCV_FLUSH_ICACHE_LOCAL)
        return -EINVAL;
    mm_code_changed(t->process->mm, a[0], a[1]);
    return 0;
}
