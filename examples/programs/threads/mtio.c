// Shows: the ancestor's `mtio`: five threads read one file at different offsets and print what they have read.
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { THREADS = 5, READS = 40, LENGTH = 16 };

static int file;

static void *read_part(void *argument) {
    long me = (long)argument;
    for (int i = 0; i < READS; i++) {
        char part[LENGTH + 1] = {0};
        if (pread(file, part, LENGTH, (me * READS + i) * LENGTH) != LENGTH)
            err(1, "pread");
        printf("%ld.%d %s\n", me, i, part);
        fflush(stdout);
    }
    return NULL;
}

int main(void) {
    file = open("numbers", O_CREAT | O_RDWR, 0600);
    for (int i = 0; i < THREADS * READS; i++)
        dprintf(file, "%0*d", LENGTH, i * i);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, read_part, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
