// Shows: an OpenMP runtime that comes by dlopen, as with a module of Python's, and comes again after it was unloaded.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* As a dlopen does that fails before it has come to the end. */
static void map_in_vain(void *library) {
    struct link_map *map;
    void *other = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    dlinfo(library, RTLD_DI_LINKMAP, &map);
    int file = open(map->l_name, O_RDONLY);
    dlclose(library);
    void *code = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
    if (file < 0 || code == MAP_FAILED || other == MAP_FAILED)
        exit(1);
    close(file);
    munmap(code, 8192);
    mprotect(other, 4096, PROT_READ);
}

int main(void) {
    void *first = dlopen("libgomp.so.1", RTLD_NOW);
    if (first)
        map_in_vain(first);
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
