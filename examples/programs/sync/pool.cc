// Shows: a pool of std::threads with std::mutex and std::condition_variable, which threads take which tasks, and a static
// variable that one of them initialises.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <queue>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

static unsigned long initialiser;

static std::string &made_once(unsigned long me) {
    // Others come meanwhile.
    auto make = [me] {
        initialiser = me;
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        return "made once";
    };
    static std::string text = make();
    return text;
}

class Pool {
  public:
    explicit Pool(int size) {
        for (int me = 1; me <= size; me++)
            threads.emplace_back([this, me] { work(me); });
    }

    ~Pool() {
        {
            std::lock_guard<std::mutex> guard(lock);
            done = true;
        }
        changed.notify_all();
        for (auto &thread : threads)
            thread.join();
    }

    void submit(std::function<unsigned long(int)> task) {
        std::lock_guard<std::mutex> guard(lock);
        tasks.push(std::move(task));
        changed.notify_one();
    }

    unsigned long order = 0;
    std::map<int, std::string> names;
    std::shared_mutex naming;

  private:
    void work(int me) {
        for (;;) {
            std::function<unsigned long(int)> task;
            {
                std::unique_lock<std::mutex> guard(lock);
                changed.wait(guard, [this] { return done || !tasks.empty(); });
                if (tasks.empty())
                    return;
                task = std::move(tasks.front());
                tasks.pop();
                order = order * 31 + me;
            }
            unsigned long result = task(me);
            std::lock_guard<std::mutex> guard(lock);
            order = order * 1000003 + result;
        }
    }

    std::mutex lock;
    std::condition_variable changed;
    std::queue<std::function<unsigned long(int)>> tasks;
    bool done = false;
    std::vector<std::thread> threads;
};

int main() {
    Pool *pool = new Pool(4);
    for (int i = 0; i < 500; i++)
        pool->submit([pool, i](int me) {
            std::string name = made_once(me) + std::to_string(i * me);
            std::unique_lock<std::shared_mutex> writing(pool->naming, std::defer_lock);
            std::shared_lock<std::shared_mutex> reading(pool->naming);
            auto found = pool->names.find(i % 17);
            unsigned long result = found == pool->names.end() ? 0 : found->second.size() + found->second.back();
            reading.unlock();
            writing.lock();
            pool->names[i % 17] = name;
            return result;
        });
    unsigned long &order = pool->order;
    pool->~Pool();
    std::printf("%lx, made by %lu, %s\n", order, initialiser, pool->names[3].c_str());
}
