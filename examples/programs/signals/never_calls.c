// Shows: a program that makes no call at all before a signal kills it: its image had the alarm from the one before.
#include <stdio.h>
#include <unistd.h>

int main(int count, char **arguments) {
    if (count == 1) {
        alarm(1);
        execl("/proc/self/exe", arguments[0], "again", (char *)NULL);
        perror("execl");
        return 1;
    }
    for (volatile unsigned rounds = 0;; rounds++)
        ;
}
