// Shows: std::async, std::promise, std::condition_variable and local statics (__cxa_guard): in which order things happen.
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

static std::mutex lock;
static unsigned order;

static int made_by(int self) {
    static int maker = [self] { std::this_thread::yield(); return self; }();
    return maker;
}

static long work(int self) {
    long sum = made_by(self);
    for (int i = 0; i < 200; i++) {
        std::lock_guard guard(lock);
        order = order * 31 + self + 1;
        sum += order;
    }
    return sum;
}

int main() {
    std::vector<std::future<long>> futures;
    for (int i = 0; i < 4; i++)
        futures.push_back(std::async(i < 3 ? std::launch::async : std::launch::deferred, work, i));
    std::promise<unsigned> promise;
    std::condition_variable changed;
    std::thread waiter([&] {
        std::unique_lock guard(lock);
        changed.wait(guard, [] { return order != 0; });
        promise.set_value(order);
    });
    while (promise.get_future().wait_for(std::chrono::seconds(0)) == std::future_status::deferred)
        ;
    for (auto &future : futures)
        std::printf("%lx\n", future.get()), changed.notify_all();
    waiter.join();
    std::printf("order %x, made by %d\n", order, made_by(-1));
}
