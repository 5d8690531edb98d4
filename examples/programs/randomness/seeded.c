// Shows: pseudo-random numbers, seeded with the time and the process id as so many programs do.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    srand(now.tv_nsec ^ getpid());
    srand48(now.tv_nsec);
    for (int i = 0; i < 20; i++)
        printf("%d %ld %f\n", rand(), random(), drand48());
    char name[] = "/tmp/imitate-example-XXXXXX";
    int file = mkstemp(name);
    if (file < 0)
        return 1;
    puts(name);
    return unlink(name);
}
