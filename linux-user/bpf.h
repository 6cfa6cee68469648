/* Classic BPF programs over struct seccomp_data: seccomp(2), Documentation/networking/filter.rst. */
#ifndef LINUX_USER_BPF_H
#define LINUX_USER_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the kernel would take the program of n instructions (1 to BPF_MAXINSNS) as a seccomp filter. */
bool bpf_is_valid(const struct sock_filter *f, unsigned n);
/* What a valid program returns. */
uint32_t bpf_run(const struct sock_filter *f, const struct seccomp_data *data);

#endif
