// Shows: signals in code that is made while running: there is other code at the same place each time, and no system call
// between its making and its execution.
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static volatile unsigned long made;
static volatile int signals;

static void handler(int signal) {
    char line[64];
    int length = snprintf(line, sizeof line, "signal %d at %lu\n", ++signals, made);
    write(1, line, length);
}

int main(void) {
    // mov ecx, rounds; 5: imul rax, rdi, factor; add rdi, rax; dec ecx; jne 5; mov rax, rdi; ret
    unsigned char loop[] = {0xb9, 0, 0, 0, 0, 0x48, 0x69, 0xc7, 0, 0, 0, 0, 0x48, 0x01, 0xc7, 0xff, 0xc9, 0x75, 0xf2,
                            0x48, 0x89, 0xf8, 0xc3};
    unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        err(1, "mmap");
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    unsigned long sum = 1;
    while (signals < 20) {
        int32_t rounds = 100000 + made % 1000, factor = 3 + 2 * made;
        memcpy(loop + 1, &rounds, sizeof rounds);
        memcpy(loop + 8, &factor, sizeof factor);
        // It moves a little.
        unsigned char *place = code + made % 16;
        memcpy(place, loop, sizeof loop);
        sum = ((unsigned long (*)(unsigned long))place)(sum);
        made++;
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%lx\n", sum);
    return 0;
}
