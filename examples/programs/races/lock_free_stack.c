// Shows: a lock-free stack with the ABA problem: a node is popped, reused and pushed between another thread's load and
// its compare-and-swap, so nodes get lost or handed out twice. Every walk is bounded, as the stack may become a ring.
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

enum { THREADS = 3, NODES = 16, ROUNDS = 200000 };

typedef struct Node {
    struct Node *_Atomic next;
    // Handed out twice, it is written by two at once.
    atomic_int owner;
} Node;

static Node nodes[NODES];
static Node *_Atomic top;
static atomic_int twice, failed, empty;

static Node *pop(int hesitate) {
    for (;;) {
        Node *node = atomic_load(&top);
        if (!node)
            return NULL;
        Node *next = atomic_load(&node->next);
        if (hesitate)
            sched_yield();
        if (atomic_compare_exchange_strong(&top, &node, next))
            return node;
        atomic_fetch_add(&failed, 1);
    }
}

static void push(Node *node) {
    Node *old = atomic_load(&top);
    do
        atomic_store(&node->next, old);
    while (!atomic_compare_exchange_weak(&top, &old, node));
}

static void *work(void *argument) {
    int me = (long)argument;
    for (int i = 0; i < ROUNDS; i++) {
        Node *first = pop(i % 2000 == me), *second = pop(0);
        if (first)
            first->owner = me;
        if (second)
            second->owner = me;
        if (first && first->owner != me || second && second->owner != me || first && first == second)
            atomic_fetch_add(&twice, 1);
        if (!first)
            atomic_fetch_add(&empty, 1);
        if (first)
            push(first);
        if (second && second != first)
            push(second);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < NODES; i++)
        push(&nodes[i]);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    unsigned hash = 0, length = 0;
    for (Node *node = top; node && length < 2 * NODES; node = node->next, length++)
        hash = hash * 31 + (node - nodes) * 4 + node->owner;
    printf("%u left, order %x, %d twice, %d failed, %d empty\n", length, hash, twice, failed, empty);
    return 0;
}
