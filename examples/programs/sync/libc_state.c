// Shows: what functions of libc share: random numbers, environment, time zone, keys, exit handlers, names, children.
#include <grp.h>
#include <netdb.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 60 };

static unsigned long seen[THREADS], exits;
static pthread_key_t keys[THREADS][ROUNDS];

static void at_exit(int status, void *argument) {
    exits = exits * 31 + (long)argument + status;
    if ((long)argument == 0) {
        printf("exit %lx\n", exits);
    }
}

static void note(long me, unsigned long value) { seen[me] = seen[me] * 1000003 + value; }

static void note_text(long me, const char *text) {
    for (; text && *text; text++) {
        note(me, *text);
    }
}

static void *run(void *argument) {
    long me = (long)argument;
    static const char *zones[] = {"UTC", "CET-1CEST", "EST5EDT", "JST-9"};
    for (int round = 0; round < ROUNDS; round++) {
        char text[64];
        note(me, random());
        note(me, rand());
        note(me, lrand48());
        note(me, drand48() * 1000000);
        snprintf(text, sizeof text, "%ld.%d", me, round);
        setenv("SHARED", text, 1);
        char *other = getenv("SHARED");
        note(me, other && *other ? *other : 0);
        if (round % 10 == 0) {
            setenv("TZ", zones[(me + round / 10) % 4], 1);
            tzset();
        }
        time_t when = 86400 * 180 + round;
        struct tm broken;
        localtime_r(&when, &broken);
        note(me, broken.tm_hour);
        strftime(text, sizeof text, "%Z", &broken);
        note_text(me, text);
        note(me, mktime(&broken));
        pthread_key_create(&keys[me][round], NULL);
        note(me, keys[me][round]);
        if (round % 3) {
            pthread_key_delete(keys[me][round]);
        }
        on_exit(at_exit, (void *)(me * ROUNDS + round + 1));
        if (round % 20 == 0) {
            struct passwd *user = getpwnam("root");
            note_text(me, user ? user->pw_dir : "");
            char group[1024];
            struct group entry, *found;
            getgrgid_r(0, &entry, group, sizeof group, &found);
            note_text(me, found ? found->gr_name : "");
            struct addrinfo *addresses, hint = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
            if (getaddrinfo("127.0.0.1", "80", &hint, &addresses) == 0) {
                note(me, addresses->ai_addrlen);
                freeaddrinfo(addresses);
            }
            syslog(LOG_DEBUG, "%ld %d %s", me, round, "text");
            FILE *child = popen("echo child", "r");
            note_text(me, child && fgets(text, sizeof text, child) ? text : "");
            note(me, child ? pclose(child) : 1);
            note(me, system("exit 3"));
        }
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    on_exit(at_exit, (void *)0);
    for (long me = 0; me < THREADS; me++) {
        pthread_create(&threads[me], NULL, run, (void *)me);
    }
    for (int me = 0; me < THREADS; me++) {
        pthread_join(threads[me], NULL);
        printf("%lx\n", seen[me]);
    }
    printf("%s %ld\n", getenv("SHARED"), random());
    return 0;
}
