// Shows: exec with an empty environment, with one of its own, through a script's first line, and by descriptor. The
// new program is recorded too although nothing in its environment says so.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void run(void (*exec)(void)) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        exec();
        err(1, "exec");
    }
    int status;
    waitpid(child, &status, 0);
    printf("ended with %x\n", status);
}

static void empty(void) { execle("/usr/bin/env", "env", NULL, (char *[]){NULL}); }
static void null(void) { syscall(59, "/usr/bin/env", (char *[]){"env", NULL}, NULL); }
static void own(void) { execle("/usr/bin/env", "env", NULL, (char *[]){"ONLY=this", NULL}); }
static void cleared(void) { execl("/usr/bin/env", "env", "-i", "sh", "-c", "env; date +%N", NULL); }
static void script(void) { execl("./script", "script", "argument", NULL); }
static void descriptor(void) {
    fexecve(open("/bin/sh", O_RDONLY), (char *[]){"renamed", "-c", "echo $0 has $$", NULL}, (char *[]){NULL});
}

int main(void) {
    int file = open("script", O_CREAT | O_WRONLY, 0700);
    const char *text = "#!/bin/sh\necho script in $PWD with $1 at $(date +%N)\n";
    if (write(file, text, strlen(text)) < 0 || close(file))
        err(1, "script");
    run(empty), run(null), run(own), run(cleared), run(script), run(descriptor);
    return 0;
}
