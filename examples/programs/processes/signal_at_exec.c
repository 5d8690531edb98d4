// Shows: children execute a program while they are sent a signal, each a little later than the one before: whether the signal
// comes before, during or after the exec, it ends them.
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
    int ended = 0;
    for (int delay = 0; delay < 2000; delay += 20) {
        pid_t child = fork();
        if (child == 0) {
            execl("/bin/sleep", "sleep", "5", (char *)0);
            _exit(9);
        }
        usleep(delay);
        kill(child, SIGTERM);
        int status;
        waitpid(child, &status, 0);
        ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM;
    }
    printf("%d of 100 ended by the signal\n", ended);
    return ended != 100;
}
