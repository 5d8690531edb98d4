# Going back: by beginning anew, counting what was passed until the present moment, and beginning anew up to that.
import os
import re
import gdb

# How often a condition may be false before the search is given up: each takes a replay.
CONDITIONS = 16
# Steps from a place before the present moment to it.
STEPS = 20000


def required_order():
    if FACTS["order"] != "serial":
        raise gdb.GdbError(
            "Threads run in parallel in this recording (--order %s), so there is no order of what they do between two "
            "events. `imitate seek` works; for going back record with --order serial." % FACTS["order"]
        )


def pieces(address, size):
    """Ranges of the processor's debug registers for a variable."""
    found = []
    while size > 0:
        length = next(length for length in (8, 4, 2, 1) if length <= size and address % length == 0)
        found.append((address, length))
        address, size = address + length, size - length
    return found


def without_option(expression):
    text = expression.strip()
    for option in ("-location ", "-l "):
        text = text[len(option):] if text.startswith(option) else text
    return text


def pointer_to(expression):
    """Where a variable of the selected frame is. Its name may be nobody's, or another one's, where the program is gone back to."""
    text = without_option(expression)
    address = gdb.parse_and_eval(text).address
    if address is None:
        raise gdb.GdbError("%s is not in memory." % text)
    return address


class Watched:
    """A variable that is watched: what the user calls it, where it is, and in which function that was said."""

    def __init__(self, name, pointer, function):
        self.name, self.pointer, self.function = name, pointer, function


def named(frame):
    """The function that a frame is of. gdb's own value for it is another one each time."""
    function = frame.function()
    return function and (function.symtab.filename, function.line, function.name)


# By the watchpoint's number.
watched = {}


def remember(known):
    """A watchpoint has been made: the selected frame is the one in which its expression means something."""
    if known.type in (gdb.BP_HARDWARE_WATCHPOINT, gdb.BP_WATCHPOINT) and known.number not in watched:
        try:
            function = named(gdb.selected_frame())
            watched[known.number] = Watched(known.expression, pointer_to(known.expression), function)
        except gdb.error:
            # The user hears of it on the way back.
            pass


def is_local(expression):
    """Whether it is of a frame, so that gdb deletes the watchpoint with that, or when the program begins anew."""
    names = re.findall(r"[A-Za-z_]\w*", expression)
    symbols = [gdb.lookup_symbol(name)[0] for name in names]
    return any(symbol is not None and symbol.needs_frame for symbol in symbols)


def keep_watchpoints():
    """Makes the watchpoints of local variables some of their places, as `watch -location` does. gdb would delete them on the way
    back, and until then has breakpoints for them in the program's code, which is part of the state that is gone back from."""
    for known in users_breakpoints():
        of = watched.get(known.number)
        if of is None or of.name != without_option(of.name):
            continue
        try:
            if not is_local(of.name):
                continue
            again = gdb.Breakpoint("*(%s *) %#x" % (of.pointer.type.target(), int(of.pointer)), gdb.BP_WATCHPOINT)
            again.enabled, again.condition = known.enabled, known.condition
        except gdb.error:
            # Its type has no name, or the condition none of this frame's.
            continue
        watched[again.number] = Watched("-location " + of.name, of.pointer, of.function)
        known.delete()


def of_variable(pointer, kind):
    address, size = int(pointer), pointer.type.target().sizeof
    return [Watch(address, 0, kind)] if not size else [
        Watch(begin, length, kind) for begin, length in pieces(address, size)
    ]


class Owner:
    """What is known of a breakpoint or watchpoint, which gdb may delete when the program begins anew."""

    def __init__(self, known):
        self.number, self.condition = known.number, known.condition
        self.expression, self.pointer, self.function = None, None, None
        if known.type in (gdb.BP_HARDWARE_WATCHPOINT, gdb.BP_WATCHPOINT):
            remember(known)
            if known.number not in watched:
                raise gdb.GdbError("It is not known where %s is: watch it again where it has a meaning." % known.expression)
            of = watched[known.number]
            self.expression, self.pointer, self.function = of.name, of.pointer, of.function

    def stops(self):
        """Whether the program would stop here, at a hit."""
        if self.condition is None:
            return True
        frame = gdb.newest_frame()
        while frame is not None and self.function is not None and named(frame) != self.function:
            frame = frame.older()
        try:
            (frame or gdb.newest_frame()).select()
            return bool(gdb.parse_and_eval("(%s) != 0" % self.condition))
        except gdb.error as error:
            # As gdb does.
            print("The condition of breakpoint %d cannot be evaluated: %s" % (self.number, error))
            return True
        finally:
            gdb.newest_frame().select()


def of_breakpoints():
    """What the user's breakpoints and watchpoints watch, and whose is which."""
    watches, owners = [], []
    for known in users_breakpoints():
        if not known.enabled:
            continue
        if known.type in (gdb.BP_HARDWARE_WATCHPOINT, gdb.BP_WATCHPOINT):
            owner = Owner(known)
            found = of_variable(owner.pointer, CHANGE)
        elif known.type in (gdb.BP_BREAKPOINT, gdb.BP_HARDWARE_BREAKPOINT):
            owner = Owner(known)
            found = [Watch(place.address, 1, EXECUTE) for place in known.locations if place.enabled]
        else:
            continue
        watches += found
        owners += [owner] * len(found)
    return watches, owners


def checked(watches):
    if len(watches) > WATCHES:
        raise gdb.GdbError(
            "The processor can watch %d places of at most 8 bytes at a time, and this takes %d."
            % (WATCHES, len(watches))
        )
    return watches


class Search:
    """What hits there were of some places before the present moment. Those that are hit too often to be counted are an error, or,
    if any of the places will do, left out.

    One replay, the leader, goes to the present moment and counts. Another one comes behind, and waits at each hit until there
    is a later one: when the leader is there, so is the follower, at the last."""

    def __init__(self, watches, any_will_do=False):
        required_order()
        self.watches = checked(watches)
        self.here = mark()
        self.process = process_stream(self.here.stream)
        # Each replay's threads stay on the processor that they are gathered on.
        processors = sorted(os.sched_getaffinity(0))
        self.processors = processors[::2], processors[1::2]
        leader, self.follower, self.followed = self.leader(), None, 0
        try:
            self.follow(leader)
            if leader.wait().passed():
                raise gdb.GdbError(
                    "The present moment was not found again. Has memory been changed, or a function been called?"
                )
            exhausted = leader.memory.get("exhausted")
            if exhausted and not any_will_do:
                raise gdb.GdbError(
                    "It was hit more than 50000 times before, which takes too long to look through. Seek to an "
                    "event near here, and go forwards from there."
                )
            self.last = None
            self.watches = [watch for index, watch in enumerate(watches) if not exhausted >> index & 1]
            if exhausted:
                # Hits have other numbers without them.
                leader.end()
                self.end()
                if not self.watches:
                    raise gdb.GdbError("All that is near was executed more than 50000 times before.")
                leader = self.leader().wait()
            for hit in leader.hits():
                # The present moment may be a hit itself.
                if not self.is_here(hit):
                    self.last = hit
                    break
        except BaseException:
            self.end()
            raise
        finally:
            leader.end()
        if self.last is None or self.followed > self.last.number:
            self.end()

    def leader(self):
        goal, here = self.here.goal(), self.here
        return Replay(goal, here, process=self.process, watches=self.watches, processors=self.processors[0])

    def is_here(self, hit):
        return bool(self.here.state) and hit.registers == self.here.registers()

    def is_a_hit(self):
        """Whether the present moment is likely to be one."""
        executed = any(watch.kind == EXECUTE and watch.address == register("rip") for watch in self.watches)
        return executed or Search.arrived is not None and self.is_here(Search.arrived)

    # The hit that was gone to last.
    arrived = None

    def follow(self, leader):
        """Has a second replay follow the leader, until that stands."""
        behind = 1 if self.is_a_hit() else 0
        on = self.processors[1]
        self.follower = Replay(FOLLOW, process=self.process, watches=self.watches, processors=on)
        while not leader.stands(0.005):
            known, followers = leader.memory_on_the_way(), self.follower.memory_on_the_way()
            hits = known.get("hits") - behind if known else 0
            if followers and hits > self.followed:
                self.followed = hits
                followers.put("number", hits)

    def end(self):
        """Does without the follower."""
        if self.follower is not None:
            self.follower.end()
            self.follower = None

    def go_to(self, number):
        """To that hit; gives it."""
        follower, self.follower = self.follower, None
        if follower is not None and follower.memory and number >= self.followed:
            follower.memory.put("number", number)
            follower.memory.put("goal", HIT)
            replay = follower.wait()
        else:
            if follower is not None:
                follower.end()
            replay = Replay(HIT, number=number, process=self.process, watches=self.watches).wait()
        found = replay.hits()[0]
        replay.take_over()
        Search.arrived = found
        return found

    def return_to_present(self):
        self.end()
        Replay(self.here.goal(), self.here, process=self.process).wait().take_over()


def show(line=None):
    if line:
        print(line)
    gdb.execute("frame")


def reverse_continue():
    keep_watchpoints()
    watches, owners = of_breakpoints()
    if not watches:
        raise gdb.GdbError("There is no breakpoint or watchpoint to go back to: set one, or use `imitate seek`.")
    search = Search(watches)
    if search.last is None:
        show("No breakpoint or watchpoint was hit before. The program stays where it is.")
        return
    first = max(search.last.number - CONDITIONS, 0) + 1
    for number in range(search.last.number, first - 1, -1):
        owner = owners[search.go_to(number).watch]
        if owner.stops():
            show("\n%s %d, %s:" % (
                "Watchpoint" if owner.pointer else "Breakpoint", owner.number, event_of(selected_thread())
            ))
            if owner.pointer:
                print("%s = %s" % (owner.expression, owner.pointer.dereference()))
            return
    search.return_to_present()
    hits = "at all hits" if first == 1 else "at the last %d hits" % CONDITIONS
    show("Conditions are false %s before. The program stays where it is." % hits)


def last_write(expression):
    pointer = pointer_to(expression)
    search = Search(of_variable(pointer, WRITE))
    if search.last is None:
        show("%s was not written before." % expression)
        return
    search.go_to(search.last.number)
    behind = register("rip")
    place = gdb.find_pc_line(behind - 1)
    where = "%s:%d" % (place.symtab.filename, place.line) if place.symtab else "before %#x" % behind
    show("\n%s was last written at %s, by thread %d, before event %s:" % (
        expression, where, selected_thread().num, event_of(selected_thread())
    ))
    print("%s = %s" % (expression, pointer.dereference()))


def call_before(frame):
    """Address of the call that made `frame`, and the stack pointer there."""
    caller = frame.older()
    if caller is None or caller.function() is None:
        raise gdb.GdbError("The caller of this function is not known.")
    behind = caller.pc()
    begin = caller.block().start if caller.function() is None else int(caller.function().value().address)
    code = caller.architecture().disassemble(begin, behind - 1)
    if code[-1]["addr"] + code[-1]["length"] != behind:
        raise gdb.GdbError("The call before %#x was not found." % behind)
    return code[-1]["addr"], register("rsp", caller)


def reverse_finish():
    address, stack_pointer = call_before(gdb.selected_frame())
    stream = event_of(selected_thread()).stream
    search = Search([Watch(address, 1, EXECUTE, stack_pointer, stream)])
    if search.last is None:
        raise gdb.GdbError("The call was not found.")
    search.go_to(search.last.number)
    show("Run back to call of function, %s:" % event_of(selected_thread()))


def lines(symtab, begin, end):
    """Where the code of lines begins, from `begin` to before `end`. That of a line may be in several parts."""
    parts = sorted((entry.pc, entry.line) for entry in symtab.linetable() if begin <= entry.pc < end)
    return [pc for (_, before), (pc, line) in zip([(0, None)] + parts, parts) if line != before]


def lines_before(frame):
    """Where the code of the line that `frame` is in begins, and of lines before it in the function, backwards."""
    place = frame.find_sal()
    if place.symtab is None or frame.function() is None:
        return []
    return lines(place.symtab, int(frame.function().value().address), frame.pc())[::-1]


class Step:
    """A step of the way to the present moment."""

    def __init__(self):
        self.registers = registers()
        place = gdb.find_pc_line(self.registers[RIP])
        self.line = (place.symtab.filename, place.line) if place.symtab else None
        self.begins = place.symtab is not None and place.pc == self.registers[RIP]
        code = gdb.selected_inferior().architecture().disassemble(self.registers[RIP])[0]["asm"].split()
        self.calls = code[0] == "call"
        self.function = int(code[1], 16) if self.calls and code[1].startswith("0x") else None
        self.is_entered = False

    def make(self):
        pass_moment()
        quietly("nexti" if self.calls and not self.is_entered else "stepi")


class Way:
    """From the last passage of some places to the present moment, one instruction at a time, over calls."""

    def __init__(self, watches):
        if not watches:
            raise gdb.GdbError("There are no lines here that are known.")
        self.search = Search(watches, any_will_do=True)
        if self.search.last is None:
            raise gdb.GdbError("There was no line before.")
        target = self.search.here.registers()
        if not target:
            self.search.end()
            raise gdb.GdbError("The thread is in a system call: use reverse-finish, or imitate seek.")
        self.search.go_to(self.search.last.number)
        with only_ours():
            self.steps = [Step()]
            self.steps[0].is_entered = self.search.watches[self.search.last.watch].is_callers
            while self.steps[-1].registers != target:
                if len(self.steps) > STEPS:
                    self.search.return_to_present()
                    raise gdb.GdbError("It is more than %d instructions from the line before to here." % STEPS)
                self.steps[-1].make()
                self.steps.append(Step())

    def go_to(self, index):
        """To that step of it."""
        self.search.go_to(self.search.last.number)
        with only_ours():
            for step in self.steps[:index]:
                step.make()

    def begins_line(self, index):
        """Whether the thread comes to a line there that it was not in before. A line may have several beginnings."""
        step = self.steps[index]
        return step.begins and (index == 0 or self.steps[index - 1].line != step.line)

    def line_before(self):
        """The step at which the present line begins, or, at its beginning, the one before."""
        return next(filter(self.begins_line, range(len(self.steps) - 2, 0, -1)), 0)


def around(frame):
    """Places of which the thread has passed one a short while ago: lines before, and the call."""
    stream, rsp = event_of(selected_thread()).stream, register("rsp")
    watches = [Watch(start, 1, EXECUTE, rsp, stream) for start in lines_before(frame)[:WATCHES - 2]]
    try:
        call, stack_pointer = call_before(frame)
        watches.append(Watch(call, 1, EXECUTE, stack_pointer, stream, is_callers=True))
    except gdb.error:
        pass
    return watches


def last_lines(function):
    """The last lines of a function, one of which is likely to be executed last, and its beginning."""
    block, place = gdb.block_for_pc(function), gdb.find_pc_line(function)
    if block is None or place.symtab is None:
        return []
    starts = lines(place.symtab, block.start, block.end)
    return starts[-(WATCHES - 2):] + starts[:1]


def step_back(enters, by_lines):
    way = Way(around(gdb.newest_frame()))
    index = way.line_before() if by_lines else len(way.steps) - 2
    if enters:
        calls = [at for at in range(index, len(way.steps) - 1) if way.steps[at].function]
        lines = last_lines(way.steps[calls[-1]].function) if calls else []
        if lines:
            # Into the function that was called, of which the last line is the line before.
            way.go_to(calls[-1] + 1)
            stream = event_of(selected_thread()).stream
            way = Way([Watch(line, 1, EXECUTE, 0, stream) for line in lines])
            index = len(way.steps) - 2
            if by_lines:
                index = way.line_before()
    way.go_to(index)
    show()
