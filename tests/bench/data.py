"""Made-up data for the measurements, the same bytes every time. Not for tests: those make the little they need."""

import base64
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import shutil
import tarfile

# The instant every measured command answers as of.
NOW = datetime.datetime(2026, 6, 1, 12, tzinfo=datetime.timezone.utc)
ACCOUNTS = 50
WEEK = datetime.timedelta(days=7)
MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


def login(name, issued=1776169500, refreshed="2026-04-14T12:25:00.431097103Z", token=None):
    """Bytes of an auth.json of `name`@example.com; nothing in it opens anything.

    `issued` is in Unix seconds, `refreshed` is when Codex got it. `token` stands for the parts that only the service
    could read, where their length matters.
    """
    token = token or "made-up"

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {
        "email": f"{name}@example.com",
        "iat": issued,
        "https://api.openai.com/auth": {
            "chatgpt_user_id": f"user-{name}",
            "chatgpt_account_id": f"ws-{name}",
            "chatgpt_plan_type": "plus",
        },
    }
    auth = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": f"{part({'alg': 'none'})}.{part(claims)}.{token}",
            "access_token": f"{token}-access-{name}",
            "refresh_token": f"{token}-refresh-{name}",
            "account_id": f"ws-{name}",
        },
        "last_refresh": refreshed,
    }
    return json.dumps(auth, indent=2).encode()


def archive_of(members, mtime):
    """A .tar.gz of `members` (pairs of name and bytes)."""
    raw = io.BytesIO()
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), 0o600, mtime
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def private_file(path, content, mtime):
    path.write_bytes(content)
    path.chmod(0o600)
    os.utime(path, (mtime, mtime))


def sessions(count):
    """`count` windows over ACCOUNTS accounts: base name, account, start, when the snapshot was made, percent left."""
    dice = random.Random("snapshots")
    taken = set()
    while len(taken) < count:
        # Some accounts are used more than others.
        name = f"user{min(int(dice.expovariate(3 / ACCOUNTS)), ACCOUNTS - 1):02}"
        start = NOW - datetime.timedelta(seconds=dice.randrange(400 * 86400))
        base = f"{start:%Y-%m-%d-%H%M%S}-{name}@example.com-codex"
        if base in taken:
            continue
        taken.add(base)
        made = min(start + datetime.timedelta(seconds=dice.randrange(7 * 86400)), NOW)
        yield base, name, start, made, dice.choice((0, 0, 3, 10, 42, 77))


def make_snapshots(where, count):
    """`count` snapshots of a few kB, with the sidecars that this program writes."""
    where.mkdir(parents=True, mode=0o700)
    for base, name, start, made, left in sessions(count):
        packed = archive_of([("auth.json", login(name)), ("config.toml", b'model = "made-up"\n')], int(made.timestamp()))
        reset = (start + WEEK).isoformat(timespec="seconds")
        sidecar = {
            "product": "codex",
            "schema_version": 1,
            "email": f"{name}@example.com",
            "account_id": f"ws-{name}",
            "user_id": f"user-{name}",
            "plan_type": "plus",
            "auth_mode": "chatgpt",
            "session_start_at": start.isoformat(timespec="seconds"),
            "next_available_at": reset,
            "reset_at": reset,
            "window_state": "running",
            "quota_percent_left": left,
            "quota_text": f"{left}% left (resets {start + WEEK:%H:%M on %d %b})",
            "limits": [{"name": "Weekly limit", "window_minutes": 10080, "percent_left": left, "reset_at": reset}],
            "status_source": "panel",
            "observed_at": made.isoformat(timespec="seconds"),
            "validation_status": "ok",
            "backup_mode": "full",
            "archive_name": f"{base}.tar.gz",
            "archive_path": f"/home/user/.codex-manager/backups/{base}.tar.gz",
            "archive_size_bytes": len(packed),
            "archive_sha256": hashlib.sha256(packed).hexdigest(),
            "file_count": 2,
            "captured_files": ["auth.json", "config.toml"],
            "source_codex_home": "/home/user/.codex",
            "created_at": made.isoformat(timespec="seconds"),
        }
        private_file(where / f"{base}.tar.gz", packed, made.timestamp())
        private_file(where / f"{base}.metadata.json", json.dumps(sidecar, indent=2).encode(), made.timestamp())


def make_python_snapshots(where, count):
    """The same snapshots as the Python codex-manager 1.0.0 leaves them: its fields, its metadata in each archive too,
    open to everybody, and a link to the newest of each account."""
    where.mkdir(parents=True)
    newest = {}
    for base, name, start, made, left in sessions(count):
        reset = (start + WEEK).isoformat(timespec="seconds")
        bar = "\N{FULL BLOCK}" * (left // 5) + "\N{LIGHT SHADE}" * (20 - left // 5)
        metadata = {
            "product": "codex",
            "email": f"{name}@example.com",
            "session_start_at": start.isoformat(timespec="seconds"),
            "next_available_at": reset,
            "reset_at": reset,
            "quota_text": f"[{bar}] {left}% left (resets {start + WEEK:%H:%M on %d %b})",
            "quota_percent_left": left,
            "archive_name": f"{base}.tar.gz",
            "archive_path": f"/home/user/.codexmgr/backups/{base}.tar.gz",
            "source_codex_home": "/home/user/.codex",
            "created_at": made.isoformat(timespec="seconds"),
            "status_source": "live_codex_status",
            "backup_mode": "full",
            "pruned_before_backup": False,
        }
        text = json.dumps(metadata, indent=2).encode()
        members = [("auth.json", login(name)), ("config.toml", b'model = "made-up"\n'), (f"{base}.metadata.json", text)]
        (where / f"{base}.tar.gz").write_bytes(archive_of(members, int(made.timestamp())))
        (where / f"{base}.metadata.json").write_bytes(text)
        newest[name] = max(base, newest.get(name, ""))
    for name, base in newest.items():
        (where / f"{name}@example.com-latest-codex.tar.gz").symlink_to(f"{base}.tar.gz")


def make_legacy(where, count):
    """`count` hand-named login copies of as many accounts; four of five names agree with their mtime."""
    where.mkdir(parents=True, mode=0o700)
    dice = random.Random("legacy")
    for number in range(count):
        ended = datetime.datetime(2026, 1, 10, tzinfo=datetime.timezone.utc)
        ended += datetime.timedelta(seconds=dice.randrange(135 * 86400))
        again = ended - datetime.timedelta(hours=2) + WEEK
        if dice.random() < 0.2:
            again += datetime.timedelta(days=dice.choice((-1, 1, 3)))
        name = f"legacy{number:05}"
        path = where / f"{again.day}{MONTHS[again.month - 1]}_{name}@example.com_auth.json"
        private_file(path, login(name), ended.timestamp())


def make(root, count):
    """What measurements of `count` things read, below `root`; what stands there already is left as it is."""
    made = []
    for name, maker in (("snapshots", make_snapshots), ("python-snapshots", make_python_snapshots), ("legacy", make_legacy)):
        where, half = root / f"{name}-{count}", root / f"{name}-{count}-half-made"
        if not where.exists():
            if half.exists():
                shutil.rmtree(half)
            maker(half, count)
            half.rename(where)
        made.append(where)
    return made
