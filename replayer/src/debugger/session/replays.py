# Beginning another replay, up to a place, and taking it over.
#
# A replay is the same every time, so going back is beginning anew. The library in the program stops it
# (preload/src/debugger) while nobody traces it, at full speed; gdb attaches then. What is asked for and what came of
# it is in the session's memory: tracer-core/src/session/debugger.rs has the layout.
import contextlib
import errno
import json
import os
import select
import struct
import subprocess
import tempfile
import gdb

FACTS = json.loads(os.environ["IMITATE_GDB_FACTS"])
FIELDS = FACTS["fields"]
# tracer_core::session::debugger::goal
EVENT, STATE, HIT, FOLLOW = 1, 2, 3, 4
# tracer_core::session::debugger::answer
REACHED, PASSED = 1, 2
# tracer_core::session::debugger::watch
WRITE, CHANGE, EXECUTE = 1, 2, 3
WATCHES = 4
REGISTERS = 18
RSP, RIP = 15, 16
# tracer_core::session::slot_state::FREE
FREE = 0


class Watch:
    """A place whose hits are counted from the start of a replay on."""

    def __init__(self, address, length, kind, stack_pointer=0, stream=None, is_callers=False):
        self.address, self.length, self.kind = address, length, kind
        self.stack_pointer, self.stream = stack_pointer, stream
        # It is the call of the function that the present moment is in.
        self.is_callers = is_callers

    def words(self):
        stream = 0 if self.stream is None else self.stream + 1
        return [self.address, self.length, self.kind, self.stack_pointer, stream]


class Position:
    """A moment: what a thread's next event is and, between two events, the state of everything."""

    def __init__(self, stream, event, state=()):
        self.stream, self.event, self.state = stream, event, state

    def __str__(self):
        return "%d:%d" % (self.stream, self.event)

    def registers(self):
        return self.state[:REGISTERS]

    def goal(self):
        return STATE if self.state else EVENT


class Memory:
    """The session's memory, through a process that has it mapped."""

    def __init__(self, process):
        self.file = open("/proc/%d/mem" % process, "r+b", buffering=0)

    def words(self, address, count):
        self.file.seek(address)
        return struct.unpack("<%dQ" % count, self.file.read(8 * count))

    def get(self, field, count=None):
        words = self.words(FACTS["debugger"] + FIELDS[field], count or 1)
        return words if count else words[0]

    def put(self, field, value):
        self.write(FACTS["debugger"] + FIELDS[field], struct.pack("<Q", value))

    def read(self, address, length):
        self.file.seek(address)
        return self.file.read(length)

    def write(self, address, data):
        self.file.seek(address)
        self.file.write(data)

    def slots(self):
        """Stream, process, thread and position of every thread of the replay."""
        size, fields, together = FACTS["slot_size"], FACTS["slot_fields"], 64
        for first in range(0, FACTS["slot_count"], together):
            data = self.read(FACTS["slots"] + first * size, together * size)
            used = False
            for begin in range(0, len(data), size):
                number = lambda name: struct.unpack_from("<I", data, begin + fields[name])[0]
                if number("state") != FREE:
                    used = True
                    position = struct.unpack_from("<Q", data, begin + fields["position"])[0]
                    yield number("stream"), number("process"), number("thread"), position
            if not used:
                return


class Hit:
    """A watched place was hit."""

    def __init__(self, words):
        self.number, self.stream, self.event, self.watch = words[:4]
        self.registers = words[4:]


@contextlib.contextmanager
def only_on(processors):
    """What is started meanwhile runs on these only, if any are given."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors or all_of_them)
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


class Replay:
    """A replay that nobody traces, on its way to where it is to stop."""

    def __init__(self, goal, position=None, number=0, process=0, watches=(), processors=None):
        stream, event, state = (position.stream, position.event, position.state) if position else (0, 0, ())
        request = [goal, stream, event, number, process]
        for index in range(WATCHES):
            request += watches[index].words() if index < len(watches) else [0] * 5
        request += [len(state), *state]
        self.memory = None
        self.bell, rings = os.pipe()
        self.request = tempfile.NamedTemporaryFile(prefix="imitate-request-")
        self.request.write(struct.pack("<%dQ" % len(request), *request))
        self.request.flush()
        command = [FACTS["tool"], "replay-exec", "--check", FACTS["check"], "--request", self.request.name]
        command += ["--bell", str(rings), FACTS["directory"]]
        # A session of its own: gdb passes on what the user interrupts.
        with only_on(processors):
            self.program = subprocess.Popen(command, pass_fds=[rings], start_new_session=True)
        os.close(rings)

    def stands(self, seconds):
        """Whether it stands still, or has ended, within this time."""
        return bool(select.select([self.bell], [], [], seconds)[0])

    def wait(self):
        """Waits until it has come to where it was to stop; gives itself."""
        try:
            reached = os.read(self.bell, 1)
        except KeyboardInterrupt:
            self.end()
            raise
        if not reached:
            self.end()
            raise gdb.GdbError("The replay ended before it came there.")
        self.leave_request()
        self.memory = Memory(self.program.pid)
        error = self.memory.get("error")
        if error:
            self.end()
            if error == errno.ENOSPC:
                raise gdb.GdbError("The processor cannot watch so many places at a time.")
            raise gdb.GdbError(
                "The processor's debug registers cannot be used (%s): see kernel.perf_event_paranoid, which "
                "must be at most 2, and seccomp filters of containers." % os.strerror(error)
            )
        return self

    def leave_request(self):
        if self.bell is not None:
            os.close(self.bell)
            self.bell = None
            self.request.close()

    def memory_on_the_way(self):
        """The session's memory, as soon as the library is there."""
        try:
            memory = self.memory or Memory(self.program.pid)
            memory.get("hits")
            self.memory = memory
        except (OSError, struct.error):
            # It is the tool still, or has ended.
            self.memory = None
        return self.memory

    def hits(self):
        """The last hit and the one before."""
        words = self.memory.get("last", 2 * (4 + REGISTERS))
        return [hit for hit in (Hit(words[:4 + REGISTERS]), Hit(words[4 + REGISTERS:])) if hit.number]

    def passed(self):
        return self.memory.get("answer") == PASSED

    def end(self):
        self.leave_request()
        self.program.kill()
        self.program.wait()

    def take_over(self):
        """gdb leaves the program that it has for this one, and goes to where it stands."""
        stream, address = self.memory.get("at_stream"), self.memory.get("resume")
        owner = [(process, thread) for known, process, thread, _ in self.memory.slots() if known == stream]
        if not owner:
            self.end()
            raise gdb.GdbError("The thread is gone.")
        process, thread = owner[0]
        end_program()
        adopted.append(self.program)
        memory = Memory(process)
        with only_ours():
            quietly("attach %d" % process)
            for known in gdb.selected_inferior().threads():
                if known.ptid[1] == thread:
                    known.switch()
            stop_at(address)
            memory.put("released", 1)
            quietly("continue")
        memory.put("is_silent", 0)
        take_out_change()


# Replays that gdb has taken over, so that Python does not take them for forgotten.
adopted = []


def end_adopted():
    for program in adopted:
        program.kill()


class only_ours:
    """The user's breakpoints do not count meanwhile, and nothing is said."""

    depth = 0

    def __enter__(self):
        only_ours.depth += 1
        say_stops("on")
        self.disabled = [known for known in users_breakpoints() if known.enabled]
        for known in self.disabled:
            known.enabled = False

    def __exit__(self, *_):
        for known in self.disabled:
            if known.is_valid():
                known.enabled = True
        only_ours.depth -= 1
        if only_ours.depth == 0:
            say_stops("off")


def say_stops(suppressed):
    try:
        quietly("set suppress-cli-notifications " + suppressed)
    except gdb.error:
        # Before version 12 they are said.
        pass


def quietly(command):
    return gdb.execute(command, to_string=True)


def users_breakpoints():
    """Those that are not this session's own."""
    return [known for known in gdb.breakpoints() if known.number > 0]


def end_program():
    remove_guards()
    if gdb.selected_inferior().pid:
        quietly("kill")


def stop_at(address):
    """The selected thread stops there once. In a register of the processor: the library may change the code itself."""
    stop = gdb.Breakpoint("*%#x" % address, gdb.BP_HARDWARE_BREAKPOINT, internal=True, temporary=True)
    stop.silent = True
    stop.thread = gdb.selected_thread().global_num


def session_memory():
    process = gdb.selected_inferior().pid
    if not process:
        raise gdb.GdbError("The program is not being run.")
    return Memory(process)
