/* System V semaphores: semctl's argument is a union whose meaning, and for some commands whose layout, differs. */
#include <errno.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "linux-user/dispatch.h"
#include "linux-user/host.h"
#include "linux-user/task.h"
#include "linux-user/uaccess.h"
#include "linux-user/xlat.h"

enum { SEM_STAT_ANY_CMD = 20 };

int64_t sys_semctl(struct task *t, const uint64_t a[6])
{
    struct guest_semid64_ds guest;
    struct host_semid64_ds host;
    int command = (int)a[2] & ~0x100; /* IPC_64 is implied on 64-bit architectures */
    int64_t ret;

    switch (command) {
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY_CMD:
        ret = host_call(SYS_semctl, a[0], a[1], command, &host);
        if (ret < 0)
            return ret;
        struct_to_guest(STRUCT_semid64_ds, &guest, &host);
        return copy_to_guest(t, a[3], &guest, sizeof guest) ? -EFAULT : ret;
    case IPC_SET:
        if (copy_from_guest(t, &guest, a[3], sizeof guest))
            return -EFAULT;
        struct_to_host(STRUCT_semid64_ds, &host, &guest);
        return host_call(SYS_semctl, a[0], a[1], command, &host);
    default:
        return host_call(SYS_semctl, a[0], a[1], command, a[3]); /* values, arrays of u16, struct seminfo: alike */
    }
}
