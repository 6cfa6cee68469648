/*
 * Resource limits on memory that are kept for the guest, and what it may do: see limits.h, getrlimit(2),
 * capabilities(7).
 */
#include "linux-user/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/bits.h"
#include "linux-user/host.h"
#include "linux-user/mm.h"
#include "linux-user/task.h"

enum { MIN_HOST_STACK = 1 << 20 }; /* metic's own first stack */

/* In the order of struct process_limits. free: metic's own soft limit is raised as far as it goes. */
static const struct {
    const char *name;
    unsigned resource;
    bool free;
} kept[] = {
    {"as", RLIMIT_AS, true},
    {"data", RLIMIT_DATA, true},
    {"stack", RLIMIT_STACK, false},
};

static void host_get(unsigned resource, struct process_limit *l)
{
    *l = (struct process_limit){UINT64_MAX, UINT64_MAX};
    host_call(SYS_prlimit64, 0, resource, 0, l);
}

static void host_set(unsigned resource, const struct process_limit *l) { host_call(SYS_prlimit64, 0, resource, l, 0); }

struct process_limit *limit_kept(struct process_limits *l, unsigned resource)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        if (kept[i].resource == resource)
            return &l->v[i];
    return NULL;
}

bool limits_parse(struct process_limits *l, const char *word)
{
    while (*word) {
        char *end = NULL;
        struct process_limit limit;
        unsigned i;
        size_t n = strcspn(word, "=");
        for (i = 0; i < ARRAY_SIZE(kept) && (strncmp(kept[i].name, word, n) || kept[i].name[n]); i++)
            ;
        if (i == ARRAY_SIZE(kept) || word[n] != '=')
            return false;
        errno = 0;
        limit.cur = strtoull(word + n + 1, &end, 0);
        if (*end != ':')
            return false;
        limit.max = strtoull(end + 1, &end, 0);
        if (errno || limit.cur > limit.max || (*end && *end != ','))
            return false;
        l->v[i] = limit;
        word = end + (*end == ',');
    }
    return true;
}

void limits_print(const struct process_limits *l, char word[LIMITS_WORD])
{
    size_t used = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        used += (size_t)snprintf(word + used, LIMITS_WORD - used, "%s%s=%" PRIu64 ":%" PRIu64, used ? "," : "",
                                 kept[i].name, l->v[i].cur, l->v[i].max);
}

void limits_read(struct process_limits *l)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        host_get(kept[i].resource, &l->v[i]);
}

/* Where the host's hard limit binds guest and metic together, metic's translations need some of it. */
static uint64_t guest_share(uint64_t bytes)
{
    struct process_limit host;
    host_get(RLIMIT_AS, &host);
    uint64_t share = host.max == UINT64_MAX ? host.max : host.max - host.max / 8;
    return bytes < share ? bytes : share;
}

void limit_changed(struct process *p, unsigned resource)
{
    const struct process_limit *l = limit_kept(&p->limits, resource);
    if (resource == RLIMIT_AS || resource == RLIMIT_DATA) {
        if (!p->vfork_child) /* its memory is its parent's */
            mm_set_limits(p->mm, guest_share(limit_kept(&p->limits, RLIMIT_AS)->cur),
                          limit_kept(&p->limits, RLIMIT_DATA)->cur);
    } else {
        /* The host's kernel measures growing stacks and the arguments of execve by its own limit. */
        struct process_limit host;
        host_get(resource, &host);
        host.cur = l->cur < MIN_HOST_STACK ? MIN_HOST_STACK : l->cur;
        host.cur = host.cur < host.max ? host.cur : host.max;
        host_set(resource, &host);
    }
}

void limits_start(struct process *p)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        struct process_limit host;
        host_get(kept[i].resource, &host);
        if (kept[i].free && host.cur != host.max) {
            host.cur = host.max;
            host_set(kept[i].resource, &host);
        }
        limit_changed(p, kept[i].resource);
    }
}

void limits_before_exec(struct process *p, struct process_limits *saved)
{
    limits_read(saved);
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
        /* Only the soft limits: who lowers a hard one may not be able to raise it again after a failure. */
        struct process_limit l = saved->v[i];
        l.cur = p->limits.v[i].cur < l.max ? p->limits.v[i].cur : l.max;
        if (l.cur != saved->v[i].cur)
            host_set(kept[i].resource, &l);
    }
}

void limits_after_failed_exec(const struct process_limits *saved)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        host_set(kept[i].resource, &saved->v[i]);
}

bool has_capability(unsigned capability)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};
    return !host_call(SYS_capget, &head, caps) && caps[0].effective >> capability & 1;
}
