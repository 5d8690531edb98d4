// Shows: C++ exceptions, also thrown out of a signal handler through the kernel's frame (-fnon-call-exceptions): the
// unwinder must find its way past whatever the recorder has put on the stack.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <unordered_map>

struct Noise {
    const char *name;
    ~Noise() { std::printf("unwinding %s\n", name); }
};

static void throw_from_handler(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
    throw std::runtime_error("signal " + std::to_string(signal));
}

__attribute__((noinline)) static int load(volatile int *address) {
    Noise noise{"load"};
    return *address;
}

__attribute__((noinline)) static void recurse(int depth) {
    Noise noise{"recursion"};
    if (depth == 0)
        throw depth;
    recurse(depth - 1);
}

int main() {
    std::signal(SIGSEGV, throw_from_handler);
    for (int round = 0; round < 3; round++) {
        try {
            std::printf("%d\n", load(reinterpret_cast<volatile int *>(16)));
        } catch (const std::exception &problem) {
            std::printf("caught %s\n", problem.what());
        }
        try {
            recurse(3);
        } catch (int depth) {
            std::printf("caught %d\n", depth);
        }
    }
    try {
        throw std::string("with a system call inside: ") + std::to_string(getppid() > 0);
    } catch (const std::string &text) {
        std::puts(text.c_str());
    }
    return 0;
}
