// Shows: SIGBUS beyond the end of a mapped file, and the file growing under the mapping.
#include <err.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static sigjmp_buf back;

static void leave(int signal, siginfo_t *information, void *context) {
    (void)context;
    siglongjmp(back, signal * 100 + information->si_code);
}

int main(void) {
    int file = open("short", O_CREAT | O_RDWR, 0600);
    if (file < 0 || ftruncate(file, 100))
        err(1, "short");
    volatile char *mapped = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &action, NULL);
    int code = sigsetjmp(back, 1);
    if (code == 0)
        printf("read %d\n", mapped[5000]);
    else
        printf("signal and code %d\n", code);
    if (ftruncate(file, 8192) || pwrite(file, "x", 1, 5000) != 1)
        err(1, "grow");
    printf("now there is %c\n", mapped[5000]);
    return 0;
}
