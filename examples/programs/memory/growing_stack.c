// Shows: a stack that grows deep, and a small one that the program made itself and runs on.
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <ucontext.h>

static ucontext_t main_context, other_context;

__attribute__((noinline)) static uint64_t deep(int levels) {
    volatile char room[8192];
    // A system call at each level: the kernel writes into a page that has just been touched for the first time.
    if (getrandom((void *)room, 8, 0) != 8)
        err(1, "getrandom");
    uint64_t below = levels > 0 ? deep(levels - 1) : 0;
    return below * 31 + (unsigned char)room[3];
}

static void elsewhere(void) {
    int local;
    printf("on another stack: %d, %016lx\n", (char *)&local > (char *)other_context.uc_stack.ss_sp, deep(2));
    swapcontext(&other_context, &main_context);
    puts("once more");
}

int main(void) {
    printf("%016lx\n", deep(700));
    getcontext(&other_context);
    other_context.uc_stack.ss_sp = malloc(1 << 17);
    other_context.uc_stack.ss_size = 1 << 17;
    other_context.uc_link = &main_context;
    makecontext(&other_context, elsewhere, 0);
    swapcontext(&main_context, &other_context);
    puts("back, and again");
    swapcontext(&main_context, &other_context);
    puts("done");
    return 0;
}
