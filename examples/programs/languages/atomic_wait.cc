// Shows: C++20's atomics that are waited for, its latch, barrier, semaphore and stopping threads.
#include <atomic>
#include <barrier>
#include <cstdio>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

int main() {
    std::atomic<int> turn{0};
    std::atomic<unsigned> order{0}, completions{0};
    std::atomic<long> idle{0};
    std::latch ready(3);
    std::barrier together(3, [&]() noexcept { completions++; });
    std::counting_semaphore<2> room(2);
    std::jthread background([&](std::stop_token token) {
        while (!token.stop_requested())
            idle++, std::this_thread::yield();
    });
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([&, i] {
            ready.arrive_and_wait();
            for (int round = 0; round < 50; round++) {
                for (int now; (now = turn) % 3 != i;)
                    turn.wait(now);
                turn++, turn.notify_all();
                room.acquire();
                order = order * 31 + i + 1;
                room.release();
                together.arrive_and_wait();
            }
        });
    for (auto &thread : threads)
        thread.join();
    background.request_stop();
    background.join();
    std::printf("turn %d, order %x, %u completions, idle %ld\n", turn.load(), order.load(), completions.load(), idle.load());
}
