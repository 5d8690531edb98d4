// Shows: which thread drops the last reference of a std::shared_ptr, and what std::weak_ptr still finds.
#include <atomic>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

static thread_local int self = -1;
static std::atomic<unsigned> order, found;

struct Object {
    ~Object() { order = order * 31 + self + 1; }
};

int main() {
    for (int round = 0; round < 200; round++) {
        auto object = std::make_shared<Object>();
        std::weak_ptr<Object> weak = object;
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; i++)
            threads.emplace_back([i, object, weak]() mutable {
                self = i;
                object.reset();
                found += weak.lock() != nullptr;
            });
        object.reset();
        for (auto &thread : threads)
            thread.join();
    }
    std::printf("order %x, found %u\n", order.load(), found.load());
}
