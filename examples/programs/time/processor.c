// Shows: on which processor the thread happens to run, from the vDSO, the system call and glibc's rseq area, which
// the kernel writes behind everybody's back.
#include <err.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    unsigned processor, node;
    for (int i = 0; i < 2000; i++) {
        int from_glibc = sched_getcpu();
        if (from_glibc < 0 || syscall(SYS_getcpu, &processor, &node, NULL))
            err(1, "getcpu");
        printf("%d %u %u\n", from_glibc, processor, node);
        if (i % 100 == 0)
            sched_yield();
    }
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed))
        err(1, "sched_getaffinity");
    printf("may run on %d of %ld processors\n", CPU_COUNT(&allowed), sysconf(_SC_NPROCESSORS_ONLN));
    return 0;
}
