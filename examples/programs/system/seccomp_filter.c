// Shows: the program's own seccomp filter: one call gets an error, one a SIGSYS; all that the filter does not
// mention, among it whatever a recorder needs, goes on working.
#include <err.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static void caught(int signal, siginfo_t *information, void *data) {
    ucontext_t *context = data;
    printf("signal %d code %d for call %d\n", signal, information->si_code, information->si_syscall);
    context->uc_mcontext.gregs[REG_RAX] = 4321;
}

int main(void) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTUNIQ),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_get_priority_max, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        err(1, "seccomp");
    printf("getpriority %ld %s\n", syscall(SYS_getpriority, 0, 0), strerrorname_np(errno));
    printf("sched_get_priority_max %ld\n", syscall(SYS_sched_get_priority_max, 1));
    printf("mode %d\n", prctl(PR_GET_SECCOMP));
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now))
        err(1, "clock_gettime");
    return 0;
}
