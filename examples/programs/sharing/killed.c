// Shows: a process that is killed while it has the right to run among processes that share memory, and spins.
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) {
        shared[0] = 1;
        for (;;)
            ;
    }
    while (!shared[0])
        usleep(1000);
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    printf("%d %x\n", child, status);
    return 0;
}
