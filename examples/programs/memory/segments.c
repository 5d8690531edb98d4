// Shows: System V shared memory: attached twice, written through one, read through the other, shared with a child,
// with contents that survive detaching.
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int segment = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    char *first = shmat(segment, NULL, 0), *second = shmat(segment, NULL, SHM_RDONLY);
    if (segment < 0 || first == (void *)-1 || second == (void *)-1)
        err(1, "shmat");
    sprintf(first + 5000, "written by %d", getpid());
    printf("%p has: %s\n", (void *)second, second + 5000);
    pid_t child = fork();
    if (child == 0) {
        sprintf(first + 9000, "%s, read by %d", second + 5000, getpid());
        return shmdt(first) || shmdt(second);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status)
        return 1;
    printf("the child left: %s\n", second + 9000);
    if (shmdt(first) || shmdt(second) || !shmdt(first))
        errx(1, "shmdt");
    char *third = shmat(segment, NULL, 0);
    if (third == (void *)-1 || shmctl(segment, IPC_RMID, NULL))
        err(1, "shmat");
    printf("still: %s, %s\n", third + 5000, third + 9000);
    return shmdt(third);
}
