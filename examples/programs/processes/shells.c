// Shows: system and popen in both directions.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("system: %d\n", WEXITSTATUS(system("echo $$ is a shell; exit 9")));
    char line[200];
    FILE *from = popen("for i in 1 2 3; do date +%N; done; cat /proc/sys/kernel/random/uuid", "r");
    while (from && fgets(line, sizeof line, from))
        printf("read %s", line);
    printf("pclose: %d\n", pclose(from));
    FILE *to = popen("tr a-z A-Z", "w");
    fputs("written to a pipe\n", to);
    printf("pclose: %d\n", pclose(to));
    printf("system without a command: %d\n", system(NULL) != 0);
    return WEXITSTATUS(system("kill -9 $$")) == 0 ? 0 : 1;
}
