/*
 * Entries to the host's kernel that C can't write, and those whose shape differs between processors. One folder for
 * each processor metic is built for (host/<processor>/calls.S, calls.c).
 */
#ifndef HOST_CALLS_H
#define HOST_CALLS_H

#include <stddef.h>
#include <stdint.h>

/*
 * A system call that a signal can't slip past: the kernel's result, or -513 (SYS_RESTART_ALWAYS) and no call if *pending
 * is set. Between the test of *pending and the kernel's entry a signal handler finds the program counter in [begin,
 * restarted) and moves it to `not_begun`. When the kernel wants the call restarted it puts the program counter to
 * `restarted`; the handler moves it to `interrupted`, and the result is -512 (SYS_RESTART). On hosts other than x86-64
 * `restarted` is also where the call begins: at that one instruction a signal counts as an interruption.
 */
int64_t safe_syscall_unless(const uint32_t *pending, long nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3,
                            uint64_t a4, uint64_t a5);
extern const char safe_syscall_begin[], safe_syscall_restarted[], safe_syscall_not_begun[];
extern const char safe_syscall_interrupted[];

/*
 * clone3(2); the child, on a stack without a frame, runs fn(arg) and ends with what it returns. `args` is struct
 * clone_args of `size` bytes with a stack. The child's id or -errno.
 */
int64_t host_clone3(const void *args, size_t size, int (*fn)(void *), void *arg);

/*
 * Copies n bytes; 0, or 1 after a fault: of those from uaccess_copy to uaccess_copy_end the handler goes on at
 * uaccess_copy_fault.
 */
int uaccess_copy(void *to, const void *from, size_t n);
extern const char uaccess_copy_end[], uaccess_copy_fault[];

/* rt_sigaction(2) with what the kernel wants beside these: 0 or -errno. `new` and `old` may be NULL. */
struct host_sigaction {
    uint64_t handler, flags, mask;
};
int64_t host_sigaction(int signo, const struct host_sigaction *new, struct host_sigaction *old);

#endif
