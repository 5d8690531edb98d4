// What `imitate cc` links into programs: the functions that code calls which was compiled with -fsanitize=thread.
//
// They do what the program would have done without them. If the program is recorded or replayed with its threads in
// parallel, the library, which is preloaded then, orders them (preload/src/order/objects/accesses). It is asked for its
// functions when this is loaded. Hidden, so that each object that is linked has its own, and needs nothing else to run.
//
// ORDERS_ALL: all accesses are ordered; else atomic operations and accesses to volatile variables are.

#include <stddef.h>
#include <stdint.h>

#define VERSION 1
#define HIDDEN __attribute__((visibility("hidden")))

struct hooks {
    const volatile uint8_t *state;
    void (*enter)(const volatile void *);
    void (*leave)(const volatile void *, uint64_t changes);
    void (*touch)(const volatile void *, uint64_t size, uint64_t kind, const void *behind);
    void (*done)(void);
};

// Bits of kinds, as in the library.
enum { READS = 0, WRITES = 1, VOLATILE = 2, LONG = 4 };

static const struct hooks *hooks;

// Weak: a statically linked program has no use for it.
extern void *dlsym(void *, const char *) __attribute__((weak));

__attribute__((constructor(101))) static void ask(void) {
    const struct hooks *(*accesses)(uint64_t) = dlsym ? dlsym(NULL, "imitate_accesses") : NULL;
    if (accesses)
        hooks = accesses(VERSION);
}

// For whoever wants to know whether an object was built so.
__asm__(".pushsection .note.imitate, \"a\", @note\n"
        ".balign 4\n"
        ".long 8, 4, 1\n"
        ".asciz \"Imitate\"\n"
#ifdef ORDERS_ALL
        ".long 2\n"
#else
        ".long 1\n"
#endif
        ".popsection");

static inline int is_on(void) {
    return __builtin_expect(hooks && *hooks->state, 0);
}

#define RELAXED __ATOMIC_RELAXED
#define ORDERED __ATOMIC_SEQ_CST

// An operation that takes the old value of `*place` as `old`, and leaves `next`.
#define CHANGING(name, type, parameters, operation, next)                                                              \
    HIDDEN type name parameters {                                                                                      \
        if (!is_on())                                                                                                  \
            return operation;                                                                                          \
        hooks->enter(place);                                                                                           \
        type old = operation;                                                                                          \
        hooks->leave(place, (type)(next) != old);                                                                      \
        return old;                                                                                                    \
    }

#define FETCHING(bits, type, name, next)                                                                               \
    CHANGING(__tsan_atomic##bits##_fetch_##name, type, (volatile type *place, type value, int order),                 \
             fetch_##name##_##bits(place, value), next)

#define COMPARING(bits, type, name)                                                                                    \
    HIDDEN int __tsan_atomic##bits##_compare_exchange_##name(volatile type *place, type *expected, type value,         \
                                                             int order, int otherwise) {                               \
        type wanted = *expected;                                                                                       \
        type old = __tsan_atomic##bits##_compare_exchange_val(place, wanted, value, order, otherwise);                 \
        if (old == wanted)                                                                                             \
            return 1;                                                                                                  \
        *expected = old;                                                                                               \
        return 0;                                                                                                      \
    }

#define ATOMIC(bits, type)                                                                                             \
    HIDDEN type __tsan_atomic##bits##_load(const volatile type *place, int order) {                                    \
        if (!is_on())                                                                                                  \
            return load_##bits(place);                                                                                 \
        hooks->enter(place);                                                                                           \
        type value = load_##bits(place);                                                                               \
        hooks->leave(place, 0);                                                                                        \
        return value;                                                                                                  \
    }                                                                                                                  \
    HIDDEN void __tsan_atomic##bits##_store(volatile type *place, type value, int order) {                             \
        if (!is_on()) {                                                                                                \
            store_##bits(place, value, order);                                                                         \
            return;                                                                                                    \
        }                                                                                                              \
        hooks->enter(place);                                                                                           \
        store_##bits(place, value, RELAXED);                                                                           \
        hooks->leave(place, 1);                                                                                        \
    }                                                                                                                  \
    CHANGING(__tsan_atomic##bits##_exchange, type, (volatile type *place, type value, int order),                      \
             exchange_##bits(place, value), value)                                                                     \
    CHANGING(__tsan_atomic##bits##_compare_exchange_val, type,                                                         \
             (volatile type *place, type expected, type value, int order, int otherwise),                              \
             compare_exchange_##bits(place, expected, value), old == expected ? value : old)                           \
    COMPARING(bits, type, strong)                                                                                      \
    COMPARING(bits, type, weak)                                                                                        \
    FETCHING(bits, type, add, old + value)                                                                             \
    FETCHING(bits, type, sub, old - value)                                                                             \
    FETCHING(bits, type, and, old & value)                                                                             \
    FETCHING(bits, type, or, old | value)                                                                              \
    FETCHING(bits, type, xor, old ^ value)                                                                             \
    FETCHING(bits, type, nand, ~(old & value))

#define FETCH(bits, type, name)                                                                                        \
    static inline type fetch_##name##_##bits(volatile type *place, type value) {                                       \
        return __atomic_fetch_##name(place, value, ORDERED);                                                           \
    }

#define PRIMITIVES(bits, type)                                                                                         \
    static inline type load_##bits(const volatile type *place) {                                                       \
        return __atomic_load_n(place, ORDERED);                                                                        \
    }                                                                                                                  \
    static inline void store_##bits(volatile type *place, type value, int order) {                                     \
        if (order == ORDERED)                                                                                          \
            __atomic_store_n(place, value, ORDERED);                                                                   \
        else                                                                                                           \
            __atomic_store_n(place, value, __ATOMIC_RELEASE);                                                          \
    }                                                                                                                  \
    static inline type exchange_##bits(volatile type *place, type value) {                                             \
        return __atomic_exchange_n(place, value, ORDERED);                                                             \
    }                                                                                                                  \
    static inline type compare_exchange_##bits(volatile type *place, type expected, type value) {                      \
        __atomic_compare_exchange_n(place, &expected, value, 0, ORDERED, ORDERED);                                     \
        return expected;                                                                                               \
    }                                                                                                                  \
    FETCH(bits, type, add)                                                                                             \
    FETCH(bits, type, sub)                                                                                             \
    FETCH(bits, type, and)                                                                                             \
    FETCH(bits, type, or)                                                                                              \
    FETCH(bits, type, xor)                                                                                             \
    FETCH(bits, type, nand)                                                                                            \
    ATOMIC(bits, type)

PRIMITIVES(8, uint8_t)
PRIMITIVES(16, uint16_t)
PRIMITIVES(32, uint32_t)
PRIMITIVES(64, uint64_t)

// 16 bytes have one instruction, which compares and exchanges; the rest is made of it, as in libatomic.
typedef unsigned __int128 wide;

static inline wide compare_exchange_128(volatile wide *place, wide expected, wide value) {
    return __sync_val_compare_and_swap(place, expected, value);
}

static inline wide load_128(const volatile wide *place) {
    return compare_exchange_128((volatile wide *)place, 0, 0);
}

#define WIDE(name, next)                                                                                               \
    static inline wide name(volatile wide *place, wide value) {                                                        \
        wide old = load_128(place), found;                                                                             \
        while ((found = compare_exchange_128(place, old, next)) != old)                                                \
            old = found;                                                                                               \
        return old;                                                                                                    \
    }

WIDE(exchange_128, value)
WIDE(fetch_add_128, old + value)
WIDE(fetch_sub_128, old - value)
WIDE(fetch_and_128, old &value)
WIDE(fetch_or_128, old | value)
WIDE(fetch_xor_128, old ^ value)
WIDE(fetch_nand_128, ~(old & value))

static inline void store_128(volatile wide *place, wide value, int order) {
    exchange_128(place, value);
}

ATOMIC(128, wide)

HIDDEN void __tsan_atomic_thread_fence(int order) {
    if (order == ORDERED)
        __atomic_thread_fence(ORDERED);
}

HIDDEN void __tsan_atomic_signal_fence(int order) {
    __atomic_signal_fence(ORDERED);
}

#define TOUCHING(name, parameters, size, kind)                                                                         \
    HIDDEN void name parameters {                                                                                      \
        if (is_on())                                                                                                   \
            hooks->touch(place, size, kind, __builtin_return_address(0));                                              \
    }

#define VOLATILES(prefix, size)                                                                                        \
    TOUCHING(__tsan_##prefix##volatile_read##size, (const void *place), size, READS | VOLATILE)                        \
    TOUCHING(__tsan_##prefix##volatile_write##size, (const void *place), size, WRITES | VOLATILE)

VOLATILES(, 1)
VOLATILES(, 2)
VOLATILES(, 4)
VOLATILES(, 8)
VOLATILES(, 16)
VOLATILES(unaligned_, 2)
VOLATILES(unaligned_, 4)
VOLATILES(unaligned_, 8)
VOLATILES(unaligned_, 16)

#ifdef ORDERS_ALL
#define PLAIN TOUCHING
#else
// One function, of which the tool takes out the calls when the program has been linked (plain_calls.rs).
HIDDEN void imitate_nothing(void) {
}

#define PLAIN(name, parameters, size, kind)                                                                            \
    HIDDEN void name parameters __attribute__((alias("imitate_nothing")));
#endif

#define PLAINS(prefix, size)                                                                                           \
    PLAIN(__tsan_##prefix##read##size, (const void *place), size, READS)                                               \
    PLAIN(__tsan_##prefix##write##size, (const void *place), size, WRITES)                                             \
    PLAIN(__tsan_##prefix##read_write##size, (const void *place), size, WRITES)                                        \
    PLAIN(__tsan_##prefix##read##size##_pc, (const void *place, void *from), size, READS)                              \
    PLAIN(__tsan_##prefix##write##size##_pc, (const void *place, void *from), size, WRITES)

PLAINS(, 1)
PLAINS(, 2)
PLAINS(, 4)
PLAINS(, 8)
PLAINS(, 16)
PLAINS(unaligned_, 2)
PLAINS(unaligned_, 4)
PLAINS(unaligned_, 8)
PLAINS(unaligned_, 16)
PLAIN(__tsan_read_range, (const void *place, size_t size), size, READS | LONG)
PLAIN(__tsan_write_range, (const void *place, size_t size), size, WRITES | LONG)
PLAIN(__tsan_read_range_pc, (const void *place, size_t size, void *from), size, READS | LONG)
PLAIN(__tsan_write_range_pc, (const void *place, size_t size, void *from), size, WRITES | LONG)
PLAIN(__tsan_vptr_read, (const void *place), sizeof(void *), READS)
PLAIN(__tsan_vptr_update, (const void *place, void *value), sizeof(void *), WRITES)

// The functions that are called in place of memcpy and its relatives. Copies are ordered in pieces: they are none that
// others could rely on to be made at once.
#ifdef ORDERS_ALL
enum { PIECE = 1024 };

static void copy(char *target, const char *source, size_t from, size_t size) {
    hooks->touch(source + from, size, READS | LONG, NULL);
    hooks->touch(target + from, size, WRITES | LONG, NULL);
    __builtin_memmove(target + from, source + from, size);
    hooks->done();
}

HIDDEN void *__tsan_memmove(void *target, const void *source, size_t size) {
    if (!is_on())
        return __builtin_memmove(target, source, size);
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE ? size - done : PIECE;
        // Backwards if the target overwrites what is still to be read.
        int backwards = (uintptr_t)target > (uintptr_t)source;
        copy(target, source, backwards ? size - done - piece : done, piece);
        done += piece;
    }
    return target;
}

HIDDEN void *__tsan_memset(void *target, int value, size_t size) {
    if (!is_on())
        return __builtin_memset(target, value, size);
    for (size_t done = 0; done < size;) {
        size_t piece = size - done < PIECE ? size - done : PIECE;
        hooks->touch((char *)target + done, piece, WRITES | LONG, NULL);
        __builtin_memset((char *)target + done, value, piece);
        hooks->done();
        done += piece;
    }
    return target;
}
#else
HIDDEN void *__tsan_memmove(void *target, const void *source, size_t size) {
    return __builtin_memmove(target, source, size);
}

HIDDEN void *__tsan_memset(void *target, int value, size_t size) {
    return __builtin_memset(target, value, size);
}
#endif

HIDDEN void *__tsan_memcpy(void *target, const void *source, size_t size) {
    return __tsan_memmove(target, source, size);
}

// What tells ThreadSanitizer something that needs no telling here.
#define NOTHING(name)                                                                                                  \
    HIDDEN void name(void) {                                                                                           \
    }

NOTHING(__tsan_init)
NOTHING(__tsan_func_entry)
NOTHING(__tsan_func_exit)
NOTHING(__tsan_ignore_thread_begin)
NOTHING(__tsan_ignore_thread_end)
NOTHING(__tsan_acquire)
NOTHING(__tsan_release)
NOTHING(__tsan_mutex_create)
NOTHING(__tsan_mutex_destroy)
NOTHING(__tsan_mutex_pre_lock)
NOTHING(__tsan_mutex_post_lock)
NOTHING(__tsan_mutex_post_unlock)
NOTHING(__tsan_mutex_pre_signal)
NOTHING(__tsan_mutex_post_signal)
NOTHING(__tsan_mutex_pre_divert)
NOTHING(__tsan_mutex_post_divert)

HIDDEN int __tsan_mutex_pre_unlock(void *mutex, unsigned flags) {
    return 0;
}
