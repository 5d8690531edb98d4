// Shows: named shared memory and named semaphores of POSIX between processes that each open them by name.
#include <err.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, ROUNDS = 100 };

typedef struct {
    unsigned order;
    int rounds;
} Shared;

static Shared *memory(const char *name, int flags) {
    int file = shm_open(name, O_RDWR | flags, 0600);
    if (file < 0 || ftruncate(file, sizeof(Shared)))
        err(1, "shm_open");
    Shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    return shared;
}

int main(void) {
    char name[32];
    snprintf(name, sizeof name, "/imitate-%d", getpid());
    Shared *shared = memory(name, O_CREAT | O_EXCL);
    sem_t *semaphore = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    if (semaphore == SEM_FAILED)
        err(1, "sem_open");
    for (int i = 0; i < CHILDREN; i++)
        if (fork() == 0) {
            sem_t *own = sem_open(name, 0);
            Shared *view = memory(name, 0);
            for (int j = 0; j < ROUNDS; j++) {
                sem_wait(own);
                view->order = view->order * 31 + i + 1;
                view->rounds++;
                sem_post(own);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    printf("%d rounds, order %x\n", shared->rounds, shared->order);
    shm_unlink(name), sem_unlink(name);
    return 0;
}
