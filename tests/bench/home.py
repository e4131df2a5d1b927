#!/usr/bin/env python3
"""A made-up Codex home of a given size, and the same home one day later. The same arguments give the same bytes, modes
and mtimes, as long as SQLite stays the same (it writes its version into every database).

  tests/bench/home.py DIR --mib 500     # a new home
  tests/bench/home.py DIR --next-day    # one more day in it

Not a sample of real homes: the shapes are those of Codex's files, sizes and shares are estimates. A few sessions are
large and most are small; a session is mostly output of commands, much of it the same source read again and again, and a
tenth of it is encrypted and cannot be compressed. `gzip -6` makes it 3.6 times smaller. There is little below `log/`:
Codex logs into a database, and snapshots leave that directory out.
"""

import argparse
import base64
import datetime
import itertools
import json
import math
import os
import pathlib
import random
import shutil
import sqlite3
import struct
import sys
import tempfile

sys.dont_write_bytecode = True
import data

MIB = 1 << 20
SEED = "codex home"
FIRST_DAY = datetime.datetime(2025, 10, 20, 7, tzinfo=datetime.timezone.utc)
DAYS = 180
# When the home is as the first snapshot finds it, and as the second does.
DAY_ONE = datetime.datetime(2026, 4, 18, 18, tzinfo=datetime.timezone.utc)
DAY_TWO = DAY_ONE + datetime.timedelta(days=1)
# Parts of the whole; the rest is sessions.
HISTORY, LOG_FILE, LOG_ROWS, SCRATCH = 0.01, 0.003, 0.075, 0.03
# Of a session, in bytes: the middle one, the spread of the logarithm, the smallest and the largest.
SESSION, SESSION_SPREAD, SMALLEST, LARGEST = 140_000, 1.75, 3 << 10, 40 << 20
# SQLite takes its log back into the database at about 1000 pages, so no log is much longer.
WAL_BYTES = 4 << 20
MODEL, VERSION = "gpt-5.1-codex", "0.169.0"

compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def dice_of(*key):
    """A source of chance of its own for each thing made, so that a change in one does not move the others."""
    return random.Random("/".join(map(str, (SEED, *key))))


def falling(count, steepness):
    """Weights, added up, of things of which the first is used most: words and names are not used alike."""
    return list(itertools.accumulate(1 / (rank + 2) ** steepness for rank in range(count)))


def make_words():
    dice = dice_of("words")
    starts = "b bl br c ch cl cr d dr f fl fr g gr h j k l m n p pl pr qu r s sc sh sl sp st str t th tr v w".split()
    middles = "a a e e e i i o o u ai ea ee ie oo ou".split()
    ends = "b ck ct d ft ll m n n nd ng nt p r r rd rt s s sk ss st t t x".split()
    few = "the of to and a in is that for it with as on be this by not are from or an at can we if all have will"
    words = few.split()
    known = set(words)
    while len(words) < 600:
        parts = [dice.choice(starts) + dice.choice(middles) for _ in range(dice.choice((1, 1, 2, 2, 3)))]
        word = "".join(parts) + dice.choice(ends)
        if word not in known:
            known.add(word)
            words.append(word)
    return words


WORDS = make_words()
WORD_WEIGHTS = falling(len(WORDS), 0.9)


def prose(dice, count):
    """`count` words in sentences, with a name in backticks here and there."""
    words = dice.choices(WORDS, cum_weights=WORD_WEIGHTS, k=count)
    text, at = [], 0
    while at < count:
        length = 5 + int(dice.random() * 14)
        sentence = words[at : at + length]
        at += length
        if dice.random() < 0.2:
            sentence[len(sentence) // 2] = f"`{name(dice)}`"
        text.append(" ".join(sentence).capitalize())
        text.append(dice.choice((". ", ". ", ". ", ".\n", ".\n\n", ":\n- ", "; ")))
    return "".join(text).strip()


def name(dice):
    """An identifier."""
    return "_".join(dice.choices(WORDS[30:], k=dice.choice((1, 2, 2, 3))))


def secret(dice, length):
    """What nothing can compress but base64 itself."""
    return base64.urlsafe_b64encode(dice.randbytes(length * 3 // 4)).decode()


def identifier(dice, when):
    """A UUID of the kind that begins with the time."""
    bits = dice.getrandbits(74)
    text = f"{int(when.timestamp() * 1000):012x}7{bits >> 62:03x}{0x8000 | bits >> 48 & 0x3FFF:04x}{bits & (1 << 48) - 1:012x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def lognormal(dice, middle, spread, low, high):
    return int(min(high, max(low, dice.lognormvariate(math.log(middle), spread))))


# {a} to {d} are names, {T} to {V} types, {w} a phrase, {n} a number.
CODE = """
fn {a}({b}: &{T}, {c}: usize) -> Result<{U}, {V}> {{
    let {a} = {b}.{c}()?;
    let {a}: Vec<{T}> = {b}.iter().map(|{c}| {c}.{d}()).collect();
    if {a}.len() > {n} {{
        return Err({V}::{U} {{ {a}, {b} }});
    }}
}}

    // {w}.
    /// {w}
    match {a}.{b}() {{
        Some({c}) => {d}.insert({c}, {n}),
        None => continue,
    while let Some({a}) = {b}.next() {{
    {a}.{b} += {n};
impl {T} for {U} {{
#[derive(Clone, Debug, Default)]
struct {T} {{
    {a}: {U},
    {a}: HashMap<String, {T}>,
use crate::{a}::{b}::{{{T}, {U}}};
    assert_eq!({a}({n}), {b}, "{w}");
    log::debug!("{w}: {{{a}:?}}");

class {T}({U}):
    def {a}(self, {b}, {c}={n}):
        \"\"\"{w}.\"\"\"
        self.{a} = {b}[{n}:]
        for {a} in self.{b}({c}):
            if {a} not in {b}:
                raise {T}Error(f"{w}: {{{a}!r}}")
        return {{"{a}": {b}, "{c}": {n}}}
    with {a}.open({b}) as {c}:
from {a}.{b} import {T}

export function {a}({b}: {T}, {c} = {n}): {U} | undefined {{
  const {a} = await this.{b}.{c}(`${{{d}}}/{a}`);
  if ({a} === undefined || {b}.length < {n}) {{
    throw new {T}("{w}");
  return {a}.filter(({b}) => {b}.{c} !== {d});
import type {{ {T} }} from "../{a}/{b}";
  expect({a}.{b}).toEqual({n}); // {w}
""".strip("\n").splitlines(True)


class Project:
    """Source that sessions read and change. The same lines come again and again, as they do in real ones."""

    def __init__(self, number):
        dice = dice_of("project", number)
        self.name = name(dice)
        self.dir = f"/home/alice/src/{self.name}"
        self.commit = f"{dice.getrandbits(160):040x}"
        self.names = [name(dice) for _ in range(250)]
        self.types = [name(dice).title().replace("_", "") for _ in range(80)]
        self.phrases = [" ".join(dice.choices(WORDS, cum_weights=WORD_WEIGHTS, k=dice.randint(3, 8))) for _ in range(200)]
        self.name_weights, self.type_weights = falling(250, 0.9), falling(80, 0.9)
        self.instructions = prose(dice, dice.randint(250, 900))
        self.paths, self.files = [], []
        for file in range(36):
            where = dice.choice(("src", "src/core", "tests", f"lib/{self.names[file % 7]}"))
            self.paths.append(f"{where}/{self.names[file]}.{dice.choice(('rs', 'rs', 'py', 'ts'))}")
            self.files.append(self.code(dice, lognormal(dice, 180, 0.8, 25, 1400)))

    def code(self, dice, count):
        names = iter(dice.choices(self.names, cum_weights=self.name_weights, k=4 * count))
        types = iter(dice.choices(self.types, cum_weights=self.type_weights, k=3 * count))
        phrases = dice.choices(self.phrases, k=count)
        return [
            line.format(a=a, b=b, c=c, d=d, T=t, U=u, V=v, w=phrase, n=int(4000 ** dice.random()))
            for line, a, b, c, d, t, u, v, phrase in zip(
                dice.choices(CODE, k=count), names, names, names, names, types, types, types, phrases
            )
        ]

    def command(self, dice):
        """A command and what it printed."""
        kind = dice.random()
        # The files at the head of the list are those being worked on.
        file = min(int(dice.expovariate(0.12)), len(self.files) - 1)
        lines, path = self.files[file], self.paths[file]
        at = int(dice.random() * max(1, len(lines) - 40))
        if kind < 0.42:
            shown = lines[at : at + dice.choice((60, 120, 200, 250, 400))]
            if dice.random() < 0.25:
                shown = [f"{at + number:6}\t{line}" for number, line in enumerate(shown, 1)]
            return f"sed -n '{at + 1},{at + len(shown)}p' {path}", "".join(shown)
        if kind < 0.60:
            hits = []
            for _ in range(dice.randint(3, 90)):
                file = int(dice.random() * len(self.files))
                line = int(dice.random() * len(self.files[file]))
                hits.append(f"{self.paths[file]}:{line + 1}:{self.files[file][line]}")
            return f"rg -n '{dice.choice(self.names)}|{dice.choice(self.types)}'", "".join(hits)
        if kind < 0.74:
            count = dice.randint(10, 260)
            tests = dice.choices(self.names, cum_weights=self.name_weights, k=2 * count)
            told = [f"   Compiling {self.name} v0.{dice.randrange(30)}.0 ({self.dir})\n\nrunning {count} tests\n"]
            told += [f"test {part}::{test} ... ok\n" for part, test in zip(tests[::2], tests[1::2])]
            told.append(f"\ntest result: ok. {count} passed; 0 failed; finished in {3 * dice.random():.2f}s\n")
            return "cargo test", "".join(told)
        if kind < 0.84:
            told = [f"diff --git a/{path} b/{path}\nindex {dice.getrandbits(28):07x}..{dice.getrandbits(28):07x} 100644\n"]
            for _ in range(dice.randint(1, 8)):
                at = int(dice.random() * max(1, len(lines) - 10))
                told.append(f"@@ -{at + 1},8 +{at + 1},10 @@\n")
                told += [f" {line}" for line in lines[at : at + 3]] + [f"-{line}" for line in lines[at + 3 : at + 5]]
                told += [f"+{line}" for line in self.code(dice, dice.randint(2, 9))]
                told += [f" {line}" for line in lines[at + 5 : at + 8]]
            return f"git diff {path}", "".join(told)
        if kind < 0.93:
            when = FIRST_DAY + datetime.timedelta(seconds=dice.random() * DAYS * 86400)
            told = []
            for _ in range(dice.randint(8, 120)):
                when += datetime.timedelta(milliseconds=dice.randrange(4000))
                level = dice.choice(("INFO", "INFO", "DEBUG", "WARN"))
                who, what = dice.choice(self.names[:40]), dice.choice(self.phrases[:60])
                took = dice.randrange(900)
                told.append(f"{when:%Y-%m-%dT%H:%M:%S.%f} {level:5} {who}: {what} id={dice.getrandbits(17)} took={took}ms\n")
            return f"tail -n 120 {self.name}.log", "".join(told)
        told = [f"total {dice.randrange(9000)}\n"]
        for path in self.paths:
            told.append(f"-rw-r--r-- 1 alice alice {dice.randrange(200_000):7} Apr {dice.randint(1, 28):2} {dice.randrange(24):02}:04 {path}\n")
        return "ls -l $(git ls-files)", "".join(told)

    def patch(self, dice):
        """Changes a file, and tells the patch."""
        file = dice.randrange(len(self.files))
        lines = self.files[file]
        at = int(dice.random() * max(1, len(lines) - 8))
        added = self.code(dice, dice.randint(3, 50))
        kept = "".join(f" {line}" for line in lines[at : at + 3])
        lines[at + 3 : at + 3] = added
        del lines[1500:]
        body = "".join(f"+{line}" for line in added)
        path = self.paths[file]
        return path, f"*** Begin Patch\n*** Update File: {path}\n@@\n{kept}{body}*** End Patch\n"


SYSTEM = "You are a coding agent at work in a terminal. " + prose(dice_of("system"), 2100)


class Session:
    """One conversation, as lines of a rollout file."""

    def __init__(self, dice, project, start):
        self.dice, self.project, self.now = dice, project, start
        self.id = identifier(dice, start)
        self.lines, self.size, self.first, self.tokens = [], 0, "", [0, 0, 0, 0]

    def put(self, kind, **payload):
        at = f"{self.now:%Y-%m-%dT%H:%M:%S}.{self.now.microsecond // 1000:03}Z"
        line = f'{{"timestamp":"{at}","type":"{kind}","payload":{compact(payload)}}}\n'.encode()
        self.lines.append(line)
        self.size += len(line)

    def wait(self, seconds):
        self.now += datetime.timedelta(seconds=self.dice.expovariate(1 / seconds))

    def message(self, role, text):
        kind = "output_text" if role == "assistant" else "input_text"
        self.put("response_item", type="message", role=role, content=[{"type": kind, "text": text}])

    def begin(self, target):
        git = {"commit_hash": self.project.commit, "branch": "main"}
        # A short session is one of few words: it would be all instructions.
        base = {"text": SYSTEM} if target > 40_000 else None
        self.put("session_meta", id=self.id, cwd=self.project.dir, originator="codex_cli_rs", cli_version=VERSION,
                 source="cli", model_provider="openai", base_instructions=base, git=git)
        if base:
            self.message("user", f"# AGENTS.md instructions for {self.project.dir}\n\n{self.project.instructions}")

    def fill(self, target):
        """Turns until there are about `target` bytes."""
        dice, project = self.dice, self.project
        while self.size < target:
            self.wait(90)
            asked = prose(dice, lognormal(dice, 25, 1, 4, 900))
            self.first = self.first or asked
            self.put("turn_context", cwd=project.dir, approval_policy="on-request", model=MODEL, effort="high",
                     sandbox_policy={"type": "workspace-write", "network_access": False}, summary="auto",
                     user_instructions=project.instructions if target > 60_000 else None)
            self.message("user", asked)
            self.put("event_msg", type="user_message", message=asked, images=[])
            for _ in range(min(40, 1 + int(dice.expovariate(0.11)))):
                if self.size >= target:
                    break
                self.wait(7)
                self.step()
            answer = prose(dice, dice.randint(20, 260))
            self.put("event_msg", type="agent_message", message=answer)
            self.message("assistant", answer)

    def step(self):
        """The agent thinks, runs one command or writes one patch, and tokens are counted."""
        dice, project = self.dice, self.project
        if dice.random() < 0.62:
            thought = f"**{' '.join(dice.choices(WORDS, k=4)).capitalize()}**\n\n{prose(dice, dice.randint(15, 70))}"
            self.put("event_msg", type="agent_reasoning", text=thought)
            hidden = "gAAAAAB" + secret(dice, lognormal(dice, 1040, 0.55, 500, 9000))
            self.put("response_item", type="reasoning", summary=[{"type": "summary_text", "text": thought}],
                     content=None, encrypted_content=hidden)
        call = f"call_{dice.getrandbits(112):028x}"
        if dice.random() < 0.12:
            path, patch = project.patch(dice)
            self.put("response_item", type="custom_tool_call", status="completed", call_id=call, name="apply_patch", input=patch)
            done = compact({"output": f"Success. Updated the following files:\nM {path}\n", "metadata": {"exit_code": 0}})
            self.put("response_item", type="custom_tool_call_output", call_id=call, output=done)
        else:
            command, output = project.command(dice)
            asked = compact({"cmd": command, "workdir": project.dir, "max_output_tokens": 6000})
            self.put("response_item", type="function_call", name="exec_command", arguments=asked, call_id=call)
            told = f"Wall time: {9 * dice.random():.4f} seconds\nProcess exited with code 0\nOutput:\n{output[:40_000]}"
            self.put("response_item", type="function_call_output", call_id=call, output=told)
        used = [dice.randrange(most) for most in (220_000, 200_000, 6_000, 3_000)]
        self.tokens = [before + more for before, more in zip(self.tokens, used)]
        now = int(self.now.timestamp())
        five_hours = {"used_percent": float(dice.randrange(100)), "window_minutes": 300, "resets_at": now - now % 18000 + 18000}
        week = {"used_percent": float(dice.randrange(100)), "window_minutes": 10080, "resets_at": now - now % 604800 + 604800}
        limits = {"limit_id": "codex", "limit_name": None, "primary": five_hours, "secondary": week, "credits": None, "plan_type": "plus"}
        info = {"total_token_usage": usage(self.tokens), "last_token_usage": usage(used), "model_context_window": 258400}
        self.put("event_msg", type="token_count", info=info, rate_limits=limits)

    def path(self, start):
        return f"sessions/{start:%Y/%m/%d}/rollout-{start:%Y-%m-%dT%H-%M-%S}-{self.id}.jsonl"

    def row(self, start):
        """Its row in the database of sessions."""
        began, ended = int(start.timestamp()), int(self.now.timestamp())
        used = self.tokens[0] + self.tokens[2]
        return (self.id, f"/home/alice/.codex/{self.path(start)}", began, ended, "cli", self.project.dir,
                self.first[:80], "workspace-write", "on-request", used, self.project.commit, "main", self.first)


def usage(tokens):
    read, cached, written, thought = tokens
    return {"input_tokens": read, "cached_input_tokens": cached, "output_tokens": written,
            "reasoning_output_tokens": thought, "total_tokens": read + written}


def write(path, content, when, mode=0o644):
    """A file with its mode and mtime; `content` is bytes, text or pieces of either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, (bytes, str)):
        content = (content,)
    with open(path, "wb") as file:
        file.writelines(piece.encode() if isinstance(piece, str) else piece for piece in content)
    settle(path, when, mode)


def settle(path, when, mode=0o644):
    path.chmod(mode)
    os.utime(path, ns=(int(when.timestamp()) * 10**9,) * 2)


def settle_directories(where, when):
    for folder, _, _ in os.walk(where):
        settle(pathlib.Path(folder), when, 0o755)


def make_sessions(where, sizes, starts, projects, key):
    """Sessions as files; their rows."""
    rows = []
    for number, (size, start) in enumerate(zip(sizes, starts)):
        dice = dice_of(key, number)
        project = projects[min(int(dice.expovariate(2.5 / len(projects))), len(projects) - 1)]
        session = Session(dice, project, start)
        session.begin(size)
        session.fill(size)
        write(where / session.path(start), session.lines, session.now)
        rows.append(session.row(start))
    return rows


def session_sizes(dice, total):
    sizes = []
    while total > 0:
        sizes.append(min(lognormal(dice, SESSION, SESSION_SPREAD, SMALLEST, LARGEST), max(total, SMALLEST)))
        total -= sizes[-1]
    return sizes


THREADS = """CREATE TABLE IF NOT EXISTS threads(id TEXT PRIMARY KEY, rollout_path TEXT NOT NULL, created_at INTEGER NOT NULL,
updated_at INTEGER NOT NULL, source TEXT NOT NULL, cwd TEXT NOT NULL, title TEXT NOT NULL, sandbox_policy TEXT NOT NULL,
approval_mode TEXT NOT NULL, tokens_used INTEGER NOT NULL, git_sha TEXT, git_branch TEXT, first_user_message TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS threads_updated ON threads(updated_at DESC, id DESC);"""
THREAD = f"INSERT OR REPLACE INTO threads VALUES({', '.join('?' * 13)})"
LOGS = """CREATE TABLE IF NOT EXISTS logs(id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, ts_nanos INTEGER NOT NULL,
level TEXT NOT NULL, target TEXT NOT NULL, body TEXT, file TEXT, line INTEGER, thread_id TEXT, process TEXT);
CREATE INDEX IF NOT EXISTS logs_ts ON logs(ts DESC, ts_nanos DESC, id DESC);
CREATE INDEX IF NOT EXISTS logs_thread ON logs(thread_id, ts DESC);"""
LOG = f"INSERT INTO logs VALUES(NULL, {', '.join('?' * 9)})"
PARTS = "core::client core::session tui::app exec::event net::pool api::sse otel::traces mcp::service".split()


def log_rows(dice, size, threads, until):
    """Rows of about `size` bytes, one every few seconds up to `until`."""
    rows, left = [], size
    while left > 0:
        part = dice.choice(PARTS)
        # A few are at work at a time, one after the other: what is logged of a session stands together.
        at = int((size - left) / size * len(threads)) + dice.randrange(3)
        thread = threads[min(at, len(threads) - 1)]
        event = f'{{"type":"response.output_text.delta","sequence_number":{dice.randrange(9999)}}}' if dice.random() < 0.3 else ""
        body = f"{part}{{thread_id={thread}}}: {prose(dice, dice.randint(4, 28))} {dice.choice(WORDS)}={dice.getrandbits(20)} {event}"
        level = dice.choice(("TRACE", "DEBUG", "INFO", "INFO", "WARN"))
        file = f"codex-rs/{part.replace('::', '/')}.rs"
        rows.append([0, dice.randrange(10**9), level, part, body, file, dice.randrange(2000), thread, f"pid:{dice.getrandbits(80):x}"])
        left -= len(body) + 260
    for before, row in enumerate(reversed(rows)):
        row[0] = int(until.timestamp()) - 3 * before
    return rows


def database(path, schema, insert, rows, logged, when, touch=None):
    """`rows` into the database at `path`, then `logged` and the statement `touch` into its log, which stays beside it
    as it does while Codex is open."""
    with tempfile.TemporaryDirectory(dir=path.parent) as aside:
        work = pathlib.Path(aside) / "database"
        log, work_log = path.with_name(path.name + "-wal"), work.with_name("database-wal")
        if path.exists():
            shutil.copyfile(path, work)
            shutil.copyfile(log, work_log)
        connection = sqlite3.connect(work, isolation_level=None)
        for pragma in ("page_size=4096", "journal_mode=WAL", "synchronous=OFF", "wal_autocheckpoint=0"):
            connection.execute(f"PRAGMA {pragma}")
        connection.executescript(schema)

        def add(some):
            connection.execute("BEGIN")
            connection.executemany(insert, some)
            connection.execute("COMMIT")

        if rows:
            add(rows)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if touch:
            connection.execute(touch)
        for at in range(0, len(logged), 60):
            if work_log.exists() and work_log.stat().st_size >= WAL_BYTES:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            add(logged[at : at + 60])
        write(path, work.read_bytes(), when)
        write(log, signed_log(work_log.read_bytes(), when), when)
        connection.close()
    # Zeroes are an index that SQLite makes anew.
    write(path.with_name(path.name + "-shm"), bytes(32768), when)


def signed_log(log, when):
    """A write-ahead log with salts that are no chance, and its checksums over them.

    https://www.sqlite.org/fileformat2.html#walformat: a header of 32 bytes; frames of a header of 24 and a page, each
    with the salts and the checksum of all before it."""
    log = bytearray(log)
    magic, _, page, _ = struct.unpack_from(">4I", log)
    order = ">" if magic & 1 else "<"
    salts = struct.pack(">2I", int(when.timestamp()), 0xC0DE)

    def add(sums, content):
        low, high = sums
        words = struct.unpack(f"{order}{len(content) // 4}I", content)
        for even, odd in zip(words[::2], words[1::2]):
            low = low + even + high & 0xFFFFFFFF
            high = high + odd + low & 0xFFFFFFFF
        return low, high

    log[16:24] = salts
    sums = add((0, 0), log[:24])
    struct.pack_into(">2I", log, 24, *sums)
    for at in range(32, len(log), 24 + page):
        log[at + 8 : at + 16] = salts
        sums = add(add(sums, log[at : at + 8]), log[at + 24 : at + 24 + page])
        struct.pack_into(">2I", log, at + 16, *sums)
    return bytes(log)


def history_lines(dice, size, threads, when):
    lines = []
    while size > 0:
        at = int(when.timestamp()) - dice.randrange(86400)
        line = compact({"session_id": dice.choice(threads), "ts": at, "text": prose(dice, lognormal(dice, 20, 0.9, 3, 400))}) + "\n"
        lines.append(line)
        size -= len(line)
    return lines


def log_lines(dice, size, threads, when):
    lines = []
    while size > 0:
        when += datetime.timedelta(seconds=dice.expovariate(1 / 9))
        said = prose(dice, dice.randint(5, 30)).replace("\n", " ")
        line = f"{when:%Y-%m-%dT%H:%M:%S.%f}Z  INFO session{{thread_id={dice.choice(threads)}}}: {dice.choice(PARTS)}: {said}\n"
        lines.append(line)
        size -= len(line)
    return lines


def sign_in(where, when):
    dice = dice_of("login", when)
    refreshed = f"{when:%Y-%m-%dT%H:%M:%S.000000000Z}"
    write(where / "auth.json", data.login("alice", int(when.timestamp()), refreshed, secret(dice, 600)), when, 0o600)


def small_files(where, projects, threads, size):
    dice = dice_of("small files")
    old = DAY_ONE - datetime.timedelta(days=40)
    trusted = "".join(f'\n[projects."{project.dir}"]\ntrust_level = "trusted"\n' for project in projects)
    write(where / "config.toml", f'model = "{MODEL}"\nmodel_reasoning_effort = "high"\n{trusted}', old)
    write(where / "installation_id", identifier(dice, FIRST_DAY), FIRST_DAY)
    checked = f"{DAY_ONE:%Y-%m-%dT%H:%M:%SZ}"
    write(where / "version.json", compact({"latest_version": VERSION, "last_checked_at": checked}), DAY_ONE)
    models = [
        {"slug": f"gpt-5.{number}-codex", "description": prose(dice, 14), "base_instructions": prose(dice, 1900),
         "supported_reasoning_levels": [{"effort": level, "description": prose(dice, 8)} for level in ("low", "medium", "high")]}
        for number in range(7)
    ]
    write(where / "models_cache.json", json.dumps({"fetched_at": checked, "models": models}, indent=2), DAY_ONE)
    rules = (f'prefix_rule(pattern=["{first}", "{second}"], decision="allow")\n' for first, second in zip(WORDS[40:100], WORDS[300:360]))
    write(where / "rules" / "default.rules", list(rules), old)
    for number in range(14):
        skill = name(dice).replace("_", "-")
        folder = where / "skills" / (".system" if number < 4 else "") / skill
        head = f"---\nname: {skill}\ndescription: {prose(dice, 12)}\n---\n\n"
        write(folder / "SKILL.md", head + prose(dice, dice.randint(200, 1500)), old)
        write(folder / "scripts" / "run.py", projects[0].code(dice, 120), old)
    for thread in threads[-6:]:
        exports = [f"export {word.upper()}_{number}='{dice.choice(WORDS)}'\n" for number, word in enumerate(dice.choices(WORDS, k=400))]
        write(where / "shell_snapshots" / f"{thread}.sh", exports, DAY_ONE)
    for number in range(8):
        folder = where / ("tmp" if number % 2 else ".tmp") / "arg0" / f"codex-arg0{number}"
        write(folder / "blob", dice.randbytes(int(size * SCRATCH / 8)), DAY_ONE)


def make(where, mib):
    """A home of about `mib` MiB at `where`, which must not exist."""
    where.mkdir(parents=True)
    size = int(mib * MIB)
    dice = dice_of("home")
    projects = [Project(number) for number in range(max(5, int(mib / 30)))]
    sizes = session_sizes(dice, int(size * (1 - HISTORY - LOG_FILE - LOG_ROWS - SCRATCH)))
    seconds = sorted(dice.randrange((DAYS - 1) * 86400) for _ in sizes)
    starts = [FIRST_DAY + datetime.timedelta(seconds=at) for at in seconds]
    threads = make_sessions(where, sizes, starts, projects, "sessions")
    ids = [row[0] for row in threads]
    write(where / "history.jsonl", history_lines(dice_of("history"), size * HISTORY, ids, DAY_ONE), DAY_ONE, 0o600)
    month = DAY_ONE - datetime.timedelta(days=30)
    write(where / "log" / "codex-tui.log", log_lines(dice_of("log"), size * LOG_FILE, ids[-50:], month), DAY_ONE)
    rows = log_rows(dice_of("rows"), size * LOG_ROWS, ids[-200:], DAY_ONE)
    late = min(len(rows) // 4, 1000)
    database(where / "logs_2.sqlite", LOGS, LOG, rows[:-late], rows[-late:], DAY_ONE)
    late = max(1, len(threads) // 8)
    database(where / "state_5.sqlite", THREADS, THREAD, threads[:-late], threads[-late:], DAY_ONE)
    small_files(where, projects, ids, size)
    sign_in(where, DAY_ONE - datetime.timedelta(hours=1))
    settle_directories(where, DAY_ONE)


def next_day(where):
    """One more day in the home at `where`: about 3 % of its bytes are new."""
    before = {folder: os.lstat(folder).st_mtime_ns for folder, _, _ in os.walk(where)}
    size = sum(file.stat().st_size for file in where.rglob("*") if file.is_file())
    dice = dice_of("next day")
    projects = [Project(number) for number in range(2)]
    morning = DAY_ONE + datetime.timedelta(hours=12)
    sizes = session_sizes(dice, int(size * 0.02))
    starts = [morning + datetime.timedelta(seconds=at) for at in sorted(dice.randrange(6 * 3600) for _ in sizes)]
    last = max(path for path in (where / "sessions").rglob("*.jsonl"))
    resumed = Session(dice_of("resumed"), projects[0], morning)
    resumed.fill(size // 2500)
    with open(last, "ab") as file:
        file.writelines(resumed.lines)
    settle(last, DAY_TWO)
    threads = make_sessions(where, sizes, starts, projects, "next day")
    ids = [row[0] for row in threads]
    for path, lines, mode in [
        (where / "history.jsonl", history_lines(dice_of("more history"), size * HISTORY / DAYS, ids, DAY_TWO), 0o600),
        (where / "log" / "codex-tui.log", log_lines(dice_of("more log"), size * LOG_FILE / 10, ids, morning), 0o644),
    ]:
        with open(path, "ab") as file:
            file.writelines(line.encode() for line in lines)
        settle(path, DAY_TWO, mode)
    rows = log_rows(dice_of("more rows"), size * 0.007, ids, DAY_TWO)
    # Codex also drops the oldest rows (DELETE FROM logs WHERE ts < ?), and notes that a session was seen.
    oldest = f"DELETE FROM logs WHERE ts < (SELECT ts FROM logs ORDER BY ts LIMIT 1 OFFSET {len(rows)})"
    database(where / "logs_2.sqlite", LOGS, LOG, [], rows, DAY_TWO, touch=oldest)
    seen = f"UPDATE threads SET updated_at = {int(DAY_TWO.timestamp())} WHERE rowid % 90 = 1"
    database(where / "state_5.sqlite", THREADS, THREAD, [], threads, DAY_TWO, touch=seen)
    sign_in(where, DAY_TWO - datetime.timedelta(hours=1))
    # A directory's time is that of the last file that was made in it.
    for folder, _, _ in os.walk(where):
        if before.get(folder) != os.lstat(folder).st_mtime_ns:
            settle(pathlib.Path(folder), DAY_TWO, 0o755)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--mib", type=float, default=500, help="size of a new home (%(default)s)")
    parser.add_argument("--next-day", action="store_true", help="change the home in DIR by a day")
    args = parser.parse_args()
    if args.next_day:
        next_day(args.dir)
    elif args.dir.exists():
        parser.error(f"there is something at `{args.dir}`: name a new directory")
    else:
        make(args.dir, args.mib)


if __name__ == "__main__":
    main()
