// Shows: asking what standard input, output and error are: a terminal, and of what size.
#include <stdio.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int main(void) {
    struct winsize size;
    struct termios attributes;
    for (int i = 0; i < 3; i++) {
        printf("%d: terminal %d, ", i, isatty(i));
        printf("%s, ", ttyname(i) ? "has a name" : strerror(errno));
        if (ioctl(i, TIOCGWINSZ, &size))
            printf("no size (%s), ", strerror(errno));
        else
            printf("%d x %d, ", size.ws_row, size.ws_col);
        if (tcgetattr(i, &attributes))
            printf("no attributes\n");
        else
            printf("attributes %x %x %x %x\n", attributes.c_iflag, attributes.c_oflag, attributes.c_cflag,
                   attributes.c_lflag);
    }
    int terminal = open("/dev/tty", O_RDWR);
    printf("/dev/tty %s\n", terminal < 0 ? strerror(errno) : "is there");
    if (terminal >= 0) {
        if (tcgetattr(terminal, &attributes) == 0) {
            attributes.c_lflag &= ~(ICANON | ECHO);
            tcsetattr(terminal, TCSAFLUSH, &attributes);
        }
        printf("foreground group is %s\n", tcgetpgrp(terminal) == getpgrp() ? "ours" : "another");
        printf("press a key\n");
        fflush(stdout);
        char key;
        if (read(terminal, &key, 1) == 1)
            printf("it was %c\n", key);
    }
    return 0;
}
