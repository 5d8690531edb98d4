// Shows: threads that write to the same streams with all kinds of functions, and read from the same one.
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

enum { THREADS = 4, ROUNDS = 200 };

static FILE *shared, *wide, *input;
static unsigned long taken[THREADS];

static void by_list(FILE *stream, const char *format, ...) {
    va_list list;
    va_start(list, format);
    vfprintf(stream, format, list);
    va_end(list);
}

static void *run(void *argument) {
    long me = (long)argument;
    char line[64], *grown = NULL;
    size_t size = 0;
    for (int round = 0; round < ROUNDS; round++) {
        fprintf(shared, "%ld %d %s %.2f %d %d %d %d %ld %.1f\n", me, round, "text", me * 1.5, 4, 5, 6, 7, me * 8, 9.5);
        fputs("fputs ", shared);
        fputc('0' + me, shared);
        putc('\n', shared);
        fwrite("fwrite\n", 1, 7, shared);
        by_list(shared, "list %ld\n", me);
        fwprintf(wide, L"%ld %ls\n", me, L"wide");
        fputwc(L'0' + me, wide);
        if (fgets(line, sizeof line, input)) {
            taken[me] = taken[me] * 31 + strtoul(line, NULL, 10);
        }
        int number;
        if (fscanf(input, "%d ", &number) == 1) {
            taken[me] = taken[me] * 37 + number;
        }
        if (getline(&grown, &size, input) > 0) {
            taken[me] = taken[me] * 41 + strtoul(grown, NULL, 10);
        }
        int first = getc(input);
        ungetc(first, input);
        taken[me] += first + ftell(input) % 7;
        if (round % 50 == 0) {
            flockfile(stdout);
            printf("%ld at %d: ", me, round);
            puts("locked");
            funlockfile(stdout);
            fflush(round ? shared : NULL);
        }
        if (ftrylockfile(shared) == 0) {
            fputs("tried\n", shared);
            funlockfile(shared);
        }
        FILE *own = fopen("/dev/null", "w");
        fprintf(own, "%d", round);
        fclose(own);
    }
    free(grown);
    return NULL;
}

static unsigned long hash_of(FILE *stream) {
    unsigned long hash = 0;
    fflush(stream);
    rewind(stream);
    int byte;
    while ((byte = fgetc(stream)) != EOF) {
        hash = hash * 31 + byte;
    }
    return hash;
}

int main(void) {
    pthread_t threads[THREADS];
    shared = tmpfile();
    wide = tmpfile();
    input = tmpfile();
    for (int number = 0; number < THREADS * ROUNDS * 3; number++) {
        fprintf(input, "%d\n", number);
    }
    rewind(input);
    for (long me = 0; me < THREADS; me++) {
        pthread_create(&threads[me], NULL, run, (void *)me);
    }
    for (int me = 0; me < THREADS; me++) {
        pthread_join(threads[me], NULL);
    }
    printf("%lx", hash_of(shared));
    fflush(wide);
    char *text = calloc(1, 1 << 20);
    size_t length = pread(fileno(wide), text, 1 << 20, 0);
    unsigned long hash = 0;
    for (size_t at = 0; at < length; at++) {
        hash = hash * 31 + text[at];
    }
    printf(" %zu %lx\n", length, hash);
    for (int me = 0; me < THREADS; me++) {
        printf("%lx\n", taken[me]);
    }
    return 0;
}
