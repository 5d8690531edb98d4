# The commands.
import gdb


def parse_place(words):
    """EVENT or STREAM:EVENT; without a stream, of the first one."""
    try:
        stream, _, event = words.strip().rpartition(":")
        return Position(int(stream or 0), int(event))
    except ValueError:
        raise gdb.GdbError("expected EVENT or STREAM:EVENT, such as 12 or 0:12 (imitate dump --places)") from None


def seek(words):
    place = parse_place(words)
    Replay(EVENT, place).wait().take_over()
    show("%s:" % event_of(selected_thread()))


def when(_):
    print("%s" % event_of(selected_thread()))


def threads(_):
    recorded = {member["stream"]: member for member in recorded_threads()}
    rows = [("", "THREAD", "STREAM:EVENT", "PROCESS", "RECORDED ID", "WHERE")]
    selected = gdb.selected_thread()
    mine = {thread.ptid[1]: thread for thread in gdb.selected_inferior().threads()}
    for stream, process, thread, position in sorted(session_memory().slots()):
        known, member = mine.get(thread), recorded.get(stream, {})
        where = "(another process)"
        if known:
            known.switch()
            where = where_is()
        rows.append((
            "*" if known and known == selected else "",
            str(known.num) if known else "-",
            "%d:%d" % (stream, position),
            str(member.get("process", "?")),
            str(member.get("thread", "?")),
            where,
        ))
    selected.switch()
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        print(" ".join([cell.ljust(width) for cell, width in zip(row, widths)] + [row[-1]]).rstrip())


def where_is():
    """The innermost frame of the selected thread that has lines, or what there is."""
    frame = gdb.newest_frame()
    first = frame
    for _ in range(30):
        if frame is None:
            break
        place = frame.find_sal()
        if place.symtab and frame.name() and not is_library(frame.pc()):
            return "%s at %s:%d" % (frame.name(), place.symtab.filename, place.line)
        frame = frame.older()
    return "%#x in %s" % (first.pc(), first.name() or "??")


def recorded_threads():
    """Processes and threads of the recording, as `imitate ps --json` has them."""
    if not family:
        command = [FACTS["tool"], "ps", "--json", FACTS["directory"]]
        lines = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()
        family.extend(json.loads(line) for line in lines)
    return family


family = []

COMMANDS = [
    ("when", when, "Print STREAM:EVENT of the selected thread: the event that it is about to do."),
    ("seek", seek, "Go to where a thread is about to do an event.\nUsage: seek EVENT | STREAM:EVENT"),
    ("threads", threads, "List threads and processes: stream and next event, recorded ids, where they are."),
    ("last-write", last_write, "Go back to where a variable was written last.\nUsage: imitate last-write EXPRESSION"),
]
BACKWARDS = [
    ("reverse-continue rc", lambda _: reverse_continue(), "Go back to the last hit of a breakpoint or watchpoint."),
    ("reverse-finish", lambda _: reverse_finish(), "Go back to the call of the selected function."),
    ("reverse-step rs", lambda _: step_back(True, True), "Go back to the beginning of the line before."),
    ("reverse-next rn", lambda _: step_back(False, True), "The same, but over calls."),
    ("reverse-stepi rsi", lambda _: step_back(True, False), "Go back by one instruction."),
    ("reverse-nexti rni", lambda _: step_back(False, False), "The same, but over calls."),
]


def define(name, action, text, kind=gdb.COMMAND_RUNNING):
    class Command(gdb.Command):
        __doc__ = text

        def __init__(self):
            super().__init__(name, kind, gdb.COMPLETE_EXPRESSION)

        def invoke(self, words, _):
            action(words)

    Command()


class Imitate(gdb.Command):
    """The replay: imitate when, seek, threads, last-write."""

    def __init__(self):
        super().__init__("imitate", gdb.COMMAND_RUNNING, prefix=True)


def define_commands():
    Imitate()
    for name, action, text in COMMANDS:
        define("imitate " + name, action, text)
    for name, action, text in COMMANDS[:2]:
        define(name, action, text)
    for names, action, text in BACKWARDS:
        for name in names.split():
            define(name, action, text)
