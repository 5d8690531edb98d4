// Shows: inputs that do not stay what they were: a file is read, overwritten, read again, replaced, read again.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static void show(const char *name) {
    char text[100] = "";
    int file = open(name, O_RDONLY);
    if (file < 0 || read(file, text, sizeof text - 1) < 0)
        err(1, "%s", name);
    close(file);
    printf("%s: %s\n", name, text);
}

static void store(const char *name, const char *text) {
    int file = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || write(file, text, strlen(text)) < 0)
        err(1, "%s", name);
    close(file);
}

int main(void) {
    store("input", "first");
    show("input");
    int held = open("input", O_RDONLY);
    store("input", "second, and longer");
    show("input");
    store("other", "third");
    if (rename("other", "input"))
        err(1, "rename");
    show("input");
    char text[100] = "";
    if (pread(held, text, sizeof text, 0) < 0)
        err(1, "held");
    printf("held: %s\n", text);
    unlink("input");
    if (setxattr("/proc/self", "user.name", "value", 5, 0) == 0)
        errx(1, "an attribute in /proc");
    warn("setxattr");
    return access("input", F_OK) == 0;
}
