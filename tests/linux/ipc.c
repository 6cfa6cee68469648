/* System V semaphores (whose status struct differs between architectures), shared memory, queues; POSIX queues. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static void semaphores(void)
{
    struct semid_ds ds;
    unsigned short values[3] = {5, 6, 7};
    int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0640);
    CHECK(id >= 0);
    CHECK(semctl(id, 0, SETALL, (union semun){.array = values}) == 0);
    CHECK(semctl(id, 1, GETVAL) == 6);
    struct sembuf op = {2, -7, 0};
    CHECK(semop(id, &op, 1) == 0);
    CHECK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}) == 0);
    CHECK(ds.sem_nsems == 3 && (ds.sem_perm.mode & 0777) == 0640 && ds.sem_perm.uid == geteuid());
    CHECK(ds.sem_otime >= ds.sem_ctime && ds.sem_ctime > 1000000000);
    ds.sem_perm.mode = 0600;
    CHECK(semctl(id, 0, IPC_SET, (union semun){.buf = &ds}) == 0);
    CHECK(semctl(id, 0, IPC_STAT, (union semun){.buf = &ds}) == 0 && (ds.sem_perm.mode & 0777) == 0600);
    struct timespec ts = {0, 1000000};
    op.sem_op = -1;
    FAILS(semtimedop(id, &op, 1, &ts), EAGAIN);
    op.sem_flg = IPC_NOWAIT;
    FAILS(semop(id, &op, 1), EAGAIN);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    FAILS(semctl(id, 0, GETVAL), EINVAL);
}

static void shared_memory(void)
{
    struct shmid_ds ds;
    int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    int *p = shmat(id, NULL, 0);
    CHECK(p != (void *)-1);
    if (fork() == 0) {
        p[5] = 42;
        _exit(0);
    }
    CHECK(wait(NULL) > 0 && p[5] == 42);
    CHECK(shmctl(id, IPC_STAT, &ds) == 0 && ds.shm_segsz == 10000 && ds.shm_nattch == 1 && ds.shm_cpid == getpid());
    CHECK(shmctl(id, IPC_RMID, NULL) == 0 && shmdt(p) == 0);
    FAILS(shmdt(p), EINVAL);
}

static void queues(void)
{
    struct {
        long type;
        char text[20];
    } m = {3, "message"}, in;
    struct msqid_ds ds;
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    CHECK(msgsnd(id, &m, sizeof m.text, 0) == 0);
    CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 1 && ds.msg_lspid == getpid());
    CHECK(msgrcv(id, &in, sizeof in.text, 0, 0) == sizeof in.text && in.type == 3 && !strcmp(in.text, "message"));
    FAILS(msgrcv(id, &in, sizeof in.text, 0, IPC_NOWAIT), ENOMSG);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);

    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64}, back;
    char name[40], buf[64];
    unsigned prio;
    snprintf(name, sizeof name, "/metic-%d", getpid());
    mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    CHECK(q >= 0);
    CHECK(mq_getattr(q, &back) == 0 && back.mq_msgsize == 64 && back.mq_maxmsg == 4);
    CHECK(mq_send(q, "low", 4, 1) == 0 && mq_send(q, "high", 5, 9) == 0);
    CHECK(mq_receive(q, buf, sizeof buf, &prio) == 5 && prio == 9 && !strcmp(buf, "high"));
    struct timespec ts = {1, 0};
    CHECK(mq_receive(q, buf, sizeof buf, &prio) == 4);
    FAILS(mq_timedreceive(q, buf, sizeof buf, &prio, &ts), ETIMEDOUT);
    CHECK(mq_unlink(name) == 0);
}

int main(void)
{
    semaphores();
    shared_memory();
    queues();
    DONE();
}
