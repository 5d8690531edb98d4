// Shows: two processes that hand a turn to each other by spinning on an atomic flag in shared memory, counting.
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 6 };

int main(void) {
    atomic_int *flag = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int me = fork() == 0;
    unsigned long turns = 0, hash = 0;
    for (int i = 0; i < ROUNDS; i++) {
        while (atomic_load(flag) != 2 * i + me)
            turns++;
        hash = hash * 31 + turns;
        atomic_store(flag, 2 * i + me + 1);
    }
    if (!me)
        wait(NULL);
    printf("process %d: %lu turns, %lx\n", me, turns, hash);
    return 0;
}
