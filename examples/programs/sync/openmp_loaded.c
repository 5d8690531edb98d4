// Shows: an OpenMP runtime that comes by dlopen, as with a module of Python's, and comes again after it was unloaded.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 50, PIECES = 100 };

static _Bool (*start)(long, long, long, long, long *, long *);
static _Bool (*next)(long *, long *);
static void (*end)(void);
static void (*enter)(void);
static void (*leave)(void);

static unsigned long order = 5381;

static void *found(void *library, const char *name) {
    void *function = dlsym(library, name);
    if (!function) {
        fprintf(stderr, "no %s\n", name);
        exit(1);
    }
    return function;
}

static void run(void *unused) {
    (void)unused;
    int here;
    long from, to;
    if (start(0, PIECES, 1, 1, &from, &to)) {
        do {
            volatile long sum = 0;
            for (long step = 0; step < from * 20; step++)
                sum += step;
            enter();
            order = order * 33 ^ (unsigned long)(from + 1000 * ((unsigned long)&here >> 20 & 0xffff));
            leave();
        } while (next(&from, &to));
    }
    end();
}

int main(void) {
    for (int load = 0; load < 2; load++) {
        void *library = dlopen("libgomp.so.1", RTLD_NOW);
        if (!library) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        void (*parallel)(void (*)(void *), void *, unsigned, unsigned) = found(library, "GOMP_parallel");
        start = found(library, "GOMP_loop_dynamic_start");
        next = found(library, "GOMP_loop_dynamic_next");
        end = found(library, "GOMP_loop_end");
        enter = found(library, "GOMP_critical_start");
        leave = found(library, "GOMP_critical_end");
        for (int round = 0; round < ROUNDS; round++)
            parallel(run, 0, load ? 3 : 1, 0);
        printf("%lx\n", order);
        if (!load)
            dlclose(library);
    }
    return 0;
}
