// Shows: a program that reads back what it wrote, renames, links and deletes it. None of it is there in a replay.
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    char line[200];
    FILE *file = fopen("draft", "w+");
    if (!file)
        err(1, "draft");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (int i = 0; i < 5000; i++)
        fprintf(file, "%d %ld\n", i, now.tv_nsec * i);
    if (flock(fileno(file), LOCK_EX | LOCK_NB) || lockf(fileno(file), F_TLOCK, 0))
        err(1, "lock");
    rewind(file);
    long sum = 0;
    while (fgets(line, sizeof line, file))
        sum += atol(line);
    printf("%ld, last line %s", sum, line);
    fclose(file);
    if (rename("draft", "final") || link("final", "second") || chmod("second", 0400))
        err(1, "rename");
    if (access("draft", F_OK) == 0)
        errx(1, "renamed and still there");
    if (unlink("final") || truncate("second", 100))
        err(1, "unlink");
    file = fopen("second", "r");
    while (file && fgets(line, sizeof line, file))
        fputs(line, stdout);
    FILE *temporary = tmpfile();
    if (!temporary || fputs("temporary\n", temporary) < 0 || fseek(temporary, 4, SEEK_SET))
        err(1, "tmpfile");
    fputs(fgets(line, sizeof line, temporary), stdout);
    return ungetc('x', temporary) != 'x' || getc(temporary) != 'x';
}
