// Shows: signals by descriptor (signalfd with poll) and signals about descriptors (SIGIO), sent by a child.
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ready;

static void handle(int signal) { ready++; }

int main(void) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), ends[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    signal(SIGIO, handle);
    fcntl(ends[0], F_SETOWN, getpid());
    fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
    if (fork() == 0) {
        for (int i = 0; i < 5; i++) {
            write(ends[1], "x", 1);
            kill(getppid(), SIGUSR1);
            usleep(500);
        }
        _exit(7);
    }
    for (int is_over = 0; !is_over;) {
        struct pollfd what[] = {{signals, POLLIN}, {ends[0], POLLIN}};
        int count = poll(what, 2, -1);
        struct signalfd_siginfo information;
        while (read(signals, &information, sizeof information) == sizeof information) {
            printf("signal %d, status %d\n", information.ssi_signo, information.ssi_status);
            is_over |= information.ssi_signo == SIGCHLD;
        }
        char bytes[8];
        ssize_t length = read(ends[0], bytes, sizeof bytes);
        printf("poll %d, %zd bytes, SIGIO %s\n", count, length, ready ? "seen" : "not seen");
    }
    wait(NULL);
    printf("SIGIO %d times\n", ready);
    return 0;
}
