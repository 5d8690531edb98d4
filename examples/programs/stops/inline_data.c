// Shows: signals in code that writes to the page that it is in: a counter, at each passage of its loop.
#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int signals;
static volatile uint64_t *counter;

static void handler(int signal) {
    char line[64];
    int length = snprintf(line, sizeof line, "signal %d at %lu\n", ++signals, *counter);
    write(1, line, length);
}

int main(void) {
    // mov ecx, 300000; 5: imul rdi, rdi, 3; inc qword [rip + 1000]; add rdi, rcx; dec ecx; jne 5; mov rax, rdi; ret
    unsigned char loop[] = {0xb9, 0xe0, 0x93, 4,    0,    0x48, 0x69, 0xff, 3,    0,    0,    0,    0x48, 0xff, 0x05,
                            0xe8, 3,    0,    0,    0x48, 0x01, 0xcf, 0xff, 0xc9, 0x75, 0xeb, 0x48, 0x89, 0xf8, 0xc3};
    unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED)
        err(1, "mmap");
    memcpy(code, loop, sizeof loop);
    counter = (uint64_t *)(code + 19 + 1000);
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    unsigned long sum = 1;
    while (signals < 20)
        sum = ((unsigned long (*)(unsigned long))code)(sum);
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%lx\n", sum);
    return 0;
}
