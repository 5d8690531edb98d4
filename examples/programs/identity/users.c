// Shows: user and group ids, and their names from the name service.
#include <err.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

int main(void) {
    uid_t users[3];
    gid_t groups[3], others[64];
    if (getresuid(&users[0], &users[1], &users[2]) || getresgid(&groups[0], &groups[1], &groups[2]))
        err(1, "getresuid");
    printf("%u %u %u %u %u\n", users[0], users[1], users[2], getuid(), geteuid());
    printf("%u %u %u %u %u\n", groups[0], groups[1], groups[2], getgid(), getegid());
    int count = getgroups(64, others);
    for (int i = 0; i < count; i++)
        printf("also in %u\n", others[i]);
    struct passwd *user = getpwuid(getuid());
    struct group *group = getgrgid(getgid());
    printf("%s %s %s\n", user ? user->pw_name : "?", user ? user->pw_dir : "?", group ? group->gr_name : "?");
    printf("%d %d\n", setfsuid(-1), setfsgid(-1));
    printf("mask %o then %o\n", umask(027), umask(022));
    return 0;
}
