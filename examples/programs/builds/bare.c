// Shows: a program without libc, small enough to be built for a 32-bit machine without its libraries: it exits.
void _start(void) {
#ifdef __x86_64__
    __asm__ volatile("mov $60, %eax\n xor %edi, %edi\n syscall");
#else
    __asm__ volatile("mov $1, %eax\n xor %ebx, %ebx\n int $0x80");
#endif
}
