// Multiplies matrices with two threads of OpenMP.
#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 300, ROUNDS = 20 };

static double left[SIZE][SIZE], right[SIZE][SIZE], product[SIZE][SIZE];

int main(void) {
    for (int i = 0; i < SIZE; i++)
        for (int j = 0; j < SIZE; j++) {
            left[i][j] = i % 7 + j;
            right[i][j] = i - j % 5;
        }
    for (int round = 0; round < ROUNDS; round++) {
#pragma omp parallel for num_threads(2)
        for (int i = 0; i < SIZE; i++)
            for (int j = 0; j < SIZE; j++) {
                double sum = 0;
                for (int k = 0; k < SIZE; k++) sum += left[i][k] * right[k][j];
                product[i][j] = sum;
            }
        left[0][round] = product[round][0] > 0;
    }
    printf("%f\n", product[SIZE / 2][SIZE / 3]);
    return 0;
}
