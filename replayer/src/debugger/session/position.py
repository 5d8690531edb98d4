# Where the program is: events, states, and the thread that they are of.
import struct
import gdb
import gdb.unwinder

# What the kernel's order of registers, in which the library keeps them, is called by gdb.
NAMES = ("r8 r9 r10 r11 r12 r13 r14 r15 rdi rsi rbp rbx rdx rax rcx rsp rip eflags").split()
# si_code of a SIGTRAP: the thread ran into a debug register. Another one has made a step.
TRAP_HARDWARE = 4
# kmod_shim::stop::trampoline::UNDEFINED
UNDEFINED = b"\x06"
# The trap flag and the resume flag are the debugger's.
FLAGS_MASK = ~0x10100


def register(name, frame=None):
    return int((frame or gdb.newest_frame()).read_register(name)) & 0xFFFFFFFFFFFFFFFF


def registers():
    """The selected thread's, as the library keeps them."""
    frame = gdb.newest_frame()
    values = [register(name, frame) for name in NAMES]
    values[-1] &= FLAGS_MASK
    return tuple(values)


def selected_thread():
    thread = gdb.selected_thread()
    if thread is None or not thread.is_valid():
        raise gdb.GdbError("The program is not being run.")
    return thread


def event_of(thread):
    """Stream and next event of a thread of gdb's."""
    for stream, _, known, position in session_memory().slots():
        if known == thread.ptid[1]:
            return Position(stream, position)
    memory = session_memory()
    if memory.get("dying") == thread.ptid[1]:
        # Of the signal that was its last event.
        return Position(memory.get("at_stream"), memory.get("at_event") - 1)
    raise gdb.GdbError("This thread is not of the recording.")


def process_stream(stream):
    """Stream of the first thread of the process that a stream's thread belongs to."""
    owners = {known: process for known, process, _, _ in session_memory().slots()}
    same = [known for known, process in owners.items() if process == owners.get(stream)]
    # An ended first thread keeps its number: streams of a process are numbered as they come.
    return min(same) if same else stream


def is_library(address):
    """Whether it is in libimitate.so."""
    name = gdb.solib_name(address)
    return name is not None and name.endswith("/libimitate.so")


def mark():
    """The present moment, to come back to: of the selected thread, or, if that waits, of none but its events."""
    thread = selected_thread()
    position = event_of(thread)
    if FACTS["order"] != "serial" or is_library(register("rip")):
        return position
    memory, here = session_memory(), register("rip")
    change = Change()
    if change.length:
        # The library is to find its change, or the program's code.
        change.take_out()
    with only_ours():
        answered = memory.get("answered")
        stop = gdb.Breakpoint("*%#x" % answered, internal=True, temporary=True)
        stop.silent = True
        memory.put("wants_state", 1)
        quietly("signal SIGTRAP")
        if register("rip") != answered:
            raise gdb.GdbError("The program did not say in which state it is.")
        count = memory.get("state_length")
        state = memory.get("state", count) if count else ()
        stop_at(here)
        quietly("continue")
    take_out_change()
    if change.length and registers() == change.registers:
        change.put_trap_in()
    return Position(position.stream, position.event, state)


class Unwinder(gdb.unwinder.Unwinder):
    """From our hook, which has a stack of its own, to the program that it was called in."""

    class Identity:
        def __init__(self, sp, pc):
            self.sp, self.pc = sp, pc

    def __init__(self):
        super().__init__("imitate")

    @staticmethod
    def typed(pending, name, value):
        """The value with the type of that register."""
        return gdb.Value(struct.pack("<Q", value), pending.read_register(name).type)

    def __call__(self, pending):
        pc = pending.read_register("rip")
        if not is_library(int(pc)):
            return None
        try:
            memory = session_memory()
            state = int(pending.read_register("gs_base")) + memory.get("frame_offset")
            frame = memory.words(state, 1)[0]
            values = {name: memory.words(frame + offset, 1)[0] for name, offset in FACTS["frame"].items()}
        except (gdb.error, OSError, ValueError):
            return None
        if not frame or is_library(values["rip"]):
            return None
        # gdb takes a caller's frame that is below this one for a mistake, and a hook's stack may be above the program's.
        found = pending.create_unwind_info(self.Identity(self.typed(pending, "rsp", values["rsp"]), pc))
        for name, value in values.items():
            found.add_saved_register(name, self.typed(pending, name, value))
        return found


# A recorded stop between two instructions is looked for with a change in the program's code. Stepping through it would
# take gdb into our code, so it is out of the code while the program stands still, and comes back when the thread passes the
# place with the stop's registers, or often.


class Guard(gdb.Breakpoint):
    """At the place of a recorded stop, while the change is out."""

    PASSAGES = 50

    def __init__(self, address):
        super().__init__("*%#x" % address, gdb.BP_HARDWARE_BREAKPOINT, internal=True)
        self.silent = True
        self.address, self.passages = address, 0

    def stop(self):
        change = Change()
        if not change.length or change.address != self.address:
            # The stop was found, or this is another replay.
            self.enabled = False
            return False
        if int(gdb.parse_and_eval("$_siginfo.si_code")) != TRAP_HARDWARE:
            # gdb steps, and expects that the thread goes on from here.
            if registers() == change.registers:
                self.enabled = False
                change.put_trap_in()
            return False
        self.passages += 1
        if self.passages > self.PASSAGES or registers() == change.registers:
            # The library compares, and puts its change back. Not here: gdb would step over it.
            gdb.parse_and_eval("$rip = %#x" % session_memory().get("passage"))
            self.enabled = False
        return False


class Change:
    """What the library has for the stop that is looked for, whether it is in the code or not."""

    def __init__(self):
        words = session_memory().get("change", 4 + REGISTERS)
        self.length, self.address, original, ours = words[:4]
        self.original = struct.pack("<Q", original)[:self.length]
        self.ours = struct.pack("<Q", ours)[:self.length]
        self.registers = words[4:]

    def is_in(self):
        return self.length and session_memory().read(self.address, self.length) == self.ours

    def take_out(self):
        session_memory().write(self.address, self.original)

    def put_trap_in(self):
        memory = session_memory()
        memory.put("compares", 1)
        memory.write(self.address, UNDEFINED)


guards = []


def remove_guards(*_):
    for guard in guards:
        if guard.is_valid():
            guard.delete()
    guards.clear()


def take_out_change(*_):
    """The program has stopped: its code is to be its own."""
    try:
        change = Change()
        is_in, is_equal = change.is_in(), registers() == change.registers
    except (gdb.error, OSError):
        # It has ended.
        return
    if is_in:
        remove_guards()
        # If it is equal this may be the moment, and gdb does not tell us of a breakpoint where the thread goes on.
        if not is_equal:
            change.take_out()
            guards.append(Guard(change.address))
    elif change.length and not is_equal:
        if all(guard.address != change.address for guard in guards):
            remove_guards()
            guards.append(Guard(change.address))
        guards[0].enabled = True


def pass_moment():
    """If a stop is due before the thread's next instruction, it is over then. A step by an instruction would go into our handler."""
    change = Change()
    if change.length and registers() == change.registers:
        with only_ours():
            change.take_out()
            stop_at(change.address)
            session_memory().put("compares", 1)
            # Not by a trap here: gdb would make a step over the place of its own breakpoint.
            gdb.parse_and_eval("$rip = %#x" % session_memory().get("passage"))
            quietly("continue")
