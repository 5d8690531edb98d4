// Shows: posix_spawn with file actions and attributes; its error comes back through memory shared with the child.
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(void) {
    int ends[2], status;
    pid_t child;
    char text[200] = "";
    if (pipe2(ends, O_CLOEXEC))
        err(1, "pipe2");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    char *words[] = {"sh", "-c", "echo spawned as $$ with $(date +%N)", NULL};
    int problem = posix_spawnp(&child, "sh", &actions, &attributes, words, environ);
    if (problem)
        errx(1, "posix_spawnp: %s", strerror(problem));
    if (waitpid(child, &status, 0) != child || read(ends[0], text, sizeof text) <= 0)
        err(1, "child");
    printf("%d: %s", child == 0, text);
    problem = posix_spawn(&child, "/does/not/exist", NULL, NULL, words, environ);
    printf("a missing program: %s\n", strerror(problem));
    return status;
}
