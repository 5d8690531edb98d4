// Shows: System V shared memory guarded by a System V semaphore, between processes.
#include <err.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, ROUNDS = 100 };

static void change(int set, int by) { semop(set, &(struct sembuf){0, by, SEM_UNDO}, 1); }

int main(void) {
    int segment = shmget(IPC_PRIVATE, 4096, 0600), set = semget(IPC_PRIVATE, 1, 0600);
    if (segment < 0 || set < 0)
        err(1, "shmget or semget");
    unsigned *shared = shmat(segment, NULL, 0);
    change(set, 1);
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0) {
            for (int j = 0; j < ROUNDS; j++) {
                change(set, -1);
                shared[0] = shared[0] * 31 + i + 1;
                shared[1]++;
                change(set, 1);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("%u rounds, order %x\n", shared[1], shared[0]);
    shmctl(segment, IPC_RMID, NULL), semctl(set, 0, IPC_RMID);
    return 0;
}
