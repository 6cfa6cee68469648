/* The name of a core file: core(5), "Naming of core dump files". */
#include "linux-user/core-name.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "linux-user/task.h"

enum { PATTERN_MAX = 128 };

/* A file of /proc/sys, its newline cut off. False: not there. */
static bool read_setting(const char *path, char out[PATTERN_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, PATTERN_MAX - 1);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return false;
    out[n] = 0;
    out[strcspn(out, "\n")] = 0;
    return true;
}

struct text {
    char *at, *end;
};

static void add(struct text *s, const char *word, bool is_name)
{
    for (; *word && s->at + 1 < s->end; word++)
        *s->at++ = is_name && *word == '/' ? '!' : *word;
    *s->at = 0;
}

static void add_number(struct text *s, unsigned long long n)
{
    char word[24];
    snprintf(word, sizeof word, "%llu", n);
    add(s, word, false);
}

static void add_field(struct text *s, char field, struct task *t, int signo)
{
    struct utsname u;
    struct rlimit limit;
    char name[16];
    const char *slash = strrchr(t->process->exe_path, '/');
    switch (field) {
    case '%': add(s, "%", false); break;
    case 'p':
    case 'P': add_number(s, (unsigned)getpid()); break;
    case 'i':
    case 'I': add_number(s, (unsigned)t->tid); break;
    case 'u': add_number(s, getuid()); break;
    case 'g': add_number(s, getgid()); break;
    case 'd': add_number(s, (unsigned)prctl(PR_GET_DUMPABLE)); break;
    case 's': add_number(s, (unsigned)signo); break;
    case 't': add_number(s, (unsigned long long)time(NULL)); break;
    case 'h':
        if (!uname(&u))
            add(s, u.nodename, true);
        break;
    case 'e':
        if (!prctl(PR_GET_NAME, name))
            add(s, name, true);
        break;
    case 'f': add(s, slash ? slash + 1 : t->process->exe_path, true); break;
    case 'E': add(s, t->process->exe_path, true); break;
    case 'c':
        if (!getrlimit(RLIMIT_CORE, &limit))
            add_number(s, limit.rlim_cur);
        break;
    default: /* unknown ones are dropped */ break;
    }
}

bool core_name(struct task *t, int signo, char path[PATH_MAX])
{
    char pattern[PATTERN_MAX], uses_pid[PATTERN_MAX];
    struct text s = {path, path + PATH_MAX};
    if (!read_setting("/proc/sys/kernel/core_pattern", pattern))
        strcpy(pattern, "core");
    if (!read_setting("/proc/sys/kernel/core_uses_pid", uses_pid))
        strcpy(uses_pid, "0");
    if (pattern[0] == '|' || pattern[0] == '@')
        strcpy(pattern, "core.%p");
    bool has_pid = false;
    *path = 0;
    for (const char *p = pattern; *p; p++) {
        if (*p != '%') {
            add(&s, (char[]){*p, 0}, false);
        } else if (*++p) {
            has_pid |= *p == 'p' || *p == 'P';
            add_field(&s, *p, t, signo);
        } else {
            break;
        }
    }
    if (!has_pid && uses_pid[0] != '0') {
        add(&s, ".", false);
        add_number(&s, (unsigned)getpid());
    }
    return *path;
}
