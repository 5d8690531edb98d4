// Shows: signals in a loop that changes nothing but registers: the handler prints those that it interrupted.
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int signals;

static void handler(int signal, siginfo_t *information, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    char line[256];
    int length = snprintf(line, sizeof line, "%d: %llx %llx %llx %llx %llx %llx %llx %llx at %llx flags %llx\n", ++signals,
                          registers[REG_RAX], registers[REG_RBX], registers[REG_RCX], registers[REG_RDX], registers[REG_RSI],
                          registers[REG_RDI], registers[REG_R8], registers[REG_R12], registers[REG_RIP], registers[REG_EFL]);
    write(1, line, length);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    uint64_t state = 1, count = 0;
    while (signals < 20) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        count += state >> 63;
    }
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%lx %ld\n", state, count);
    return 0;
}
