// Shows: inotify: the kernel tells what happened to files, with cookies that it counts up by itself.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    int watcher = inotify_init1(IN_NONBLOCK);
    if (watcher < 0 || inotify_add_watch(watcher, ".", IN_ALL_EVENTS) < 0)
        err(1, "inotify");
    int file = creat("watched", 0600);
    if (write(file, "x", 1) != 1 || close(file) || rename("watched", "renamed") || unlink("renamed"))
        err(1, "watched");
    char events[4096] __attribute__((aligned(8)));
    ssize_t length = read(watcher, events, sizeof events);
    for (char *at = events; at < events + length;) {
        struct inotify_event *event = (struct inotify_event *)at;
        printf("%d: %x, cookie %u, %s\n", event->wd, event->mask, event->cookie, event->len ? event->name : "");
        at += sizeof *event + event->len;
    }
    return read(watcher, events, sizeof events) != -1;
}
