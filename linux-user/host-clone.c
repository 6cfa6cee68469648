/* The child's way from clone3's return, on a stack without a frame, to its function: see host-clone.h. */
#include "linux-user/host-clone.h"

#include <errno.h>
#include <sched.h>

#include "linux-user/host.h"

#if defined(__x86_64__)

int64_t host_clone_call(const struct host_clone *args, int (*fn)(void *), void *arg)
{
    int64_t ret = SYS_clone3;
    register int (*child_fn)(void *) __asm__("r12") = fn;
    register void *child_arg __asm__("r13") = arg;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "mov %%eax, %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n"
                     "1:"
                     : "+a"(ret)
                     : "D"(args), "S"(sizeof *args), "r"(child_fn), "r"(child_arg), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    return ret;
}

#else

int64_t host_clone_call(const struct host_clone *args, int (*fn)(void *), void *arg)
{
    if (args->flags >> 32 || args->set_tid_size)
        return -ENOSYS;
    pid_t pid = clone(fn, (void *)(uintptr_t)(args->stack + args->stack_size), (int)(args->flags | args->exit_signal), arg,
                      (void *)(uintptr_t)args->parent_tid);
    return pid < 0 ? -errno : pid;
}

#endif
