# Run by gdb at the start of `imitate replay --gdb`. What it needs to know is in the environment.
import atexit
import os
import gdb

# rdtsc, rdtscp, cpuid: the library has them trap, and answers from the trace in its own SIGSEGV handler.
# Where cpuid cannot trap by itself, an undefined opcode stands for it, and another one for where a recorded stop is looked
# for.
TRAPPED = (b"\x0f\x31", b"\x0f\x01\xf9", b"\x0f\xa2", b"\x0f\x04", b"\x06")


class TrappedInstruction(gdb.Function):
    """Whether the thread is at an instruction that traps only because it is replayed."""

    def __init__(self):
        super().__init__("_imitate_trapped_instruction")

    def invoke(self):
        at = gdb.selected_frame().pc()
        for instruction in TRAPPED:
            try:
                found = gdb.selected_inferior().read_memory(at, len(instruction)).tobytes()
            except gdb.MemoryError:
                continue
            if found == instruction:
                return True
        return False


def protect_stops():
    """Breakpoints in code that the library changes, or that is part of a stop's state (words of 8 bytes), are to be in registers of the
    processor."""
    quietly("set mem inaccessible-by-default off")
    end = 0
    for stop in FACTS["stops"]:
        begin, end = max(stop & ~7, end), stop + FACTS["state_code"]
        if begin < end:
            quietly("mem %#x %#x ro" % (begin, end))


def prepare():
    TrappedInstruction()
    # The wrapper is given to the shell that gdb starts programs with.
    quietly("set startup-with-shell on")
    quietly("set exec-wrapper " + os.environ["IMITATE_GDB_WRAPPER"])
    quietly("set disable-randomization on")
    # The library's own signals are not the program's.
    quietly("handle SIGSYS nostop noprint pass")
    # Its timers send SIGFPE; an instruction's has a positive code. A condition can be put on a catchpoint, but not on
    # `handle`.
    quietly("handle SIGFPE nostop noprint pass")
    quietly("catch signal SIGFPE")
    quietly("condition $bpnum $_siginfo.si_code > 0")
    for signal in ("SIGSEGV", "SIGILL"):
        quietly("handle %s nostop noprint pass" % signal)
        quietly("catch signal %s" % signal)
        quietly("condition $bpnum !$_imitate_trapped_instruction()")
    # A replay never asks the user, and children replay by themselves.
    quietly("set follow-fork-mode parent")
    quietly("set detach-on-fork on")
    quietly("set confirm off")
    quietly("set exec-file-mismatch off")
    gdb.events.stop.connect(take_out_change)
    gdb.events.breakpoint_created.connect(remember)
    for command in ("stepi", "nexti"):
        quietly("define hook-%s\npython pass_moment()\nend" % command)
    # gdb leaves programs that it has attached to running when it ends.
    atexit.register(end_adopted)
    gdb.unwinder.register_unwinder(None, Unwinder())


def stop_silently_at(place):
    # By way of gdb's own `python`, because the remark that the function is not loaded yet is gdb's output.
    quietly("python gdb.Breakpoint(%r, internal=True, temporary=True).silent = True" % place)


def run_to_main():
    try:
        gdb.execute("info address main", to_string=True)
        gdb.execute("tbreak main")
    except gdb.error:
        # A stripped program: main is what it gives to libc as the first argument.
        stop_silently_at("__libc_start_main")
        quietly("run")
        stop_silently_at("*(void (*)())$rdi")
        quietly("continue")
        gdb.execute("frame")
        return
    gdb.execute("run")


define_commands()
prepare()
try:
    # A program that drives gdb says itself when to begin.
    if FACTS["place"] is None and not FACTS["waits"]:
        run_to_main()
    # Not before: behind a breakpoint in a debug register that is gone, gdb 13 does not stop when the program dies.
    protect_stops()
    if FACTS["place"] is not None:
        seek(FACTS["place"])
except gdb.error as error:
    print("imitate: cannot run to main:", error)
