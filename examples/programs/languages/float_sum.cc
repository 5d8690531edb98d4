// Shows: OpenMP sums of floating-point numbers, whose last digits depend on the order in which threads add theirs.
#include <cstdio>
#include <omp.h>

int main() {
    float values[4];
    unsigned order = 0;
    for (float &value : values) {
        value = 0;
#pragma omp parallel for num_threads(4) schedule(dynamic, 100) reduction(+ : value)
        for (int i = 1; i < 100000; i++)
            value += 1.0f / i;
        std::printf("%.9g\n", value);
    }
#pragma omp parallel num_threads(4)
    for (int i = 0; i < 50; i++) {
#pragma omp critical
        order = order * 31 + omp_get_thread_num() + 1;
#pragma omp barrier
    }
    std::printf("order %x\n", order);
}
