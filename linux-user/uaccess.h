/*
 * Guest memory from system call handlers: copies that answer -EFAULT instead of faulting. Guest memory lies at its own
 * addresses (guest base 0); addresses beyond the guest's ceiling are refused, so that metic's own memory in the
 * kernel's half or a non-canonical address is never touched.
 */
#ifndef LINUX_USER_UACCESS_H
#define LINUX_USER_UACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct task;

/* 0 or -EFAULT; on a fault some bytes may have been copied. */
int copy_from_guest(struct task *t, void *to, uint64_t from, size_t n);
int copy_to_guest(struct task *t, uint64_t to, const void *from, size_t n);
/*
 * The string at `from` with its NUL into `to`: its length, -EFAULT, or -ENAMETOOLONG when it needs more than n bytes.
 */
int64_t strncpy_from_guest(struct task *t, char *to, uint64_t from, size_t n);
/* In a host SIGSEGV/SIGBUS handler: if the fault happened in one of the above, makes it return -EFAULT. */
bool uaccess_host_fault(void *ucontext);

/* The same copy between any two host addresses, without regard to the guest's ceiling. */
int copy_recoverably(void *to, const void *from, size_t n);

#define get_user(t, variable, address) copy_from_guest((t), &(variable), (address), sizeof(variable))
#define put_user(t, variable, address) copy_to_guest((t), (address), &(variable), sizeof(variable))

#endif
