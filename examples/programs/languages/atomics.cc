// Shows: std::atomic in all its operations, and of all sizes: counters, bits, a spin lock, a queue with places that are
// compared and exchanged, and pointers. What threads find is a hash, and is different in every run.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

constexpr int threads = 3, rounds = 20000;

template <typename T> struct Cell {
    std::atomic<T> value{0};

    std::uint64_t use(int self, int round) {
        T expected = value.load(std::memory_order_relaxed);
        std::uint64_t seen = expected;
        if (value.compare_exchange_weak(expected, T(expected + self)))
            seen = seen * 31 + 1;
        seen = seen * 31 + value.fetch_add(1);
        seen = seen * 31 + value.fetch_sub(self);
        seen = seen * 31 + value.fetch_or(T(1) << self);
        seen = seen * 31 + value.fetch_and(T(~round));
        seen = seen * 31 + value.fetch_xor(T(round));
        seen = seen * 31 + value.exchange(T(round));
        if (round % 16 == self)
            value.store(T(self), std::memory_order_release);
        return seen;
    }
};

struct alignas(64) Apart {
    std::atomic_flag taken = ATOMIC_FLAG_INIT;
    long owners = 0;
};

static Cell<std::uint8_t> bytes;
static Cell<std::uint16_t> halves;
static Cell<std::uint32_t> words;
static Cell<std::uint64_t> longs;
static Apart lock;
static std::atomic<int> ready{0};
static std::atomic<std::uint64_t *> last{nullptr};

int main() {
    std::vector<std::uint64_t> hashes(threads);
    std::vector<std::thread> all;
    for (int self = 0; self < threads; self++)
        all.emplace_back([&, self] {
            ready++;
            while (ready < threads)
                ;
            std::uint64_t hash = 0;
            for (int round = 0; round < rounds; round++) {
                hash = hash * 31 + bytes.use(self, round) + halves.use(self, round);
                hash = hash * 31 + words.use(self, round) + longs.use(self, round);
                while (lock.taken.test_and_set(std::memory_order_acquire))
                    std::this_thread::yield();
                lock.owners = lock.owners * 31 + self;
                hash = hash * 31 + lock.owners;
                lock.taken.clear(std::memory_order_release);
                std::uint64_t *before = last.exchange(&hashes[self]);
                hash = hash * 31 + (before ? before - hashes.data() : 9);
            }
            hashes[self] = hash;
        });
    for (auto &thread : all)
        thread.join();
    for (auto hash : hashes)
        std::printf("%lx\n", hash);
    std::printf("%x %x %x %lx\n", bytes.value.load(), halves.value.load(), words.value.load(), longs.value.load());
}
