// Shows: interfaces that cannot be recorded answer as an old kernel or a strict container would, so that programs
// fall back; here io_uring.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    char parameters[120] = {0};
    long ring = syscall(SYS_io_uring_setup, 8, parameters);
    printf("io_uring: %s\n", ring < 0 ? "falls back" : "works");
    int ends[2];
    if (pipe(ends) || write(ends[1], "read instead\n", 13) != 13)
        return 1;
    char text[20] = "";
    return read(ends[0], text, sizeof text) != 13 || printf("%s", text) != 13;
}
