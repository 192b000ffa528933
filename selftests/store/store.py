#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
store.py [SCENARIO...]  Tests the image store on the host: the test programs, the fuzzer, and the
command gmmap. Prints TAP and a summary. STORE_* variables make scenarios longer; see `make soak-list`.
"""
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

import dump
import steps

REPO = Path(__file__).resolve().parents[2]
PROGRAMS = REPO / "build/store-tests"
GMMAP = REPO / "build/host/tools/gmmap"
SEED = int(os.environ.get("STORE_SEED", "1"))
CORRUPTIONS = int(os.environ.get("STORE_CORRUPTIONS", "300"))
STEPS = int(os.environ.get("STORE_STEPS", "20"))
FUZZ_SECONDS = int(os.environ.get("STORE_FUZZ_SECONDS", "5"))


class Failed(Exception):
    """A scenario's expectation was not met."""


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Store:
    """A store in a temporary folder, and files to make images of."""

    def __init__(self):
        # pylint: disable=consider-using-with
        self.folder = tempfile.TemporaryDirectory(prefix="gmmap-store-",
                                                  dir=os.environ.get("STORE_TMP", "/tmp"))
        self.dir = Path(self.folder.name)
        self.path = self.dir / "store"
        self.random = random.Random(SEED)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def gmmap(self, *args, status=0, **options):
        """Runs gmmap image ARGS... and returns what it printed."""
        done = subprocess.run([GMMAP, "image", *args, "--store", self.path], text=True,
                              capture_output=True, check=False, **options)
        expect(done.returncode == status,
               f"gmmap image {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout if status == 0 else done.stdout + done.stderr

    def json(self, *args, **options):
        return json.loads(self.gmmap(*args, "--json", **options))

    def file(self, name, data):
        path = self.dir / name
        path.write_bytes(data)
        return path

    def bytes(self, size):
        return self.random.randbytes(size)

    def files(self):
        """All files of the store, but for the lock, which has no content."""
        return sorted(p for p in self.path.rglob("*") if p.is_file() and p.name != "lock")


def sample(store, name="sample", base=None, size=512 << 10):
    """An image with everything in it but profiles."""
    gpu = store.file("gpu", store.bytes(size) + bytes(128 << 10) + store.bytes(12 << 10))
    cpu = store.file("cpu", store.bytes(size // 4))
    note = store.file("inventory.img", store.bytes(300))
    store.gmmap("create", name, *(["--base", base] if base else []), "--process", "7",
                "--bo", f"{gpu},gpu=0x1234,address=0x7f0000000000",
                "--pages", f"{cpu},address=0x400000", "--file", note)


def test_programs():
    """The C test programs."""
    passed = 0
    for program in sorted(PROGRAMS.glob("test_*")):
        if program.is_dir() or program.suffix:
            continue
        done = subprocess.run([program], text=True, capture_output=True, check=False, timeout=600)
        expect(done.returncode == 0, f"{program.name}:\n{done.stdout}{done.stderr}")
        passed += (done.stdout + done.stderr).count("[       OK ]")
    expect(passed > 10, "the programs have run no tests")
    return f"{passed} tests"


def commands():
    """create, ls, show, verify, rm and gc say and do what they should."""
    with Store() as store:
        sample(store, "base")
        sample(store, "app", "base")
        names = [image["name"] for image in store.json("ls")]
        expect(names == ["app", "base"], f"ls: {names}")
        expect("base" in store.gmmap("ls"), "ls as a table")
        show = store.json("show", "app")
        expect(show["gpu"]["content_bytes"] == (512 + 128 + 12) << 10, "show: content")
        expect(show["gpu"]["zero_bytes"] == 128 << 10, "show: zeros")
        expect(show["objects"][0]["gpu_id"] == 0x1234, "show: gpu_id")
        expect(show["files"][0]["sha256"] ==
               hashlib.sha256((store.dir / "inventory.img").read_bytes()).hexdigest(), "show: sha256")
        expect("kfd-bo" in store.gmmap("show", "app"), "show as a table")
        expect(store.json("verify")["damaged"] == 0, "verify")
        store.gmmap("rm", "base")
        expect("there is no image base" in store.gmmap("show", "base", status=1), "rm")
        kept = len(list((store.path / "packs").iterdir()))
        collected = store.json("gc", "--dry-run")
        expect(collected["packs"] > 0 and len(list((store.path / "packs").iterdir())) == kept,
               "gc --dry-run removes nothing")
        store.gmmap("gc")
        expect(store.json("verify")["damaged"] == 0, "verify after gc")
        store.gmmap("rm", "app")
        store.gmmap("gc")
        expect(not list((store.path / "packs").iterdir()), "gc left packs of no image")


def sharing():
    """An application that changes some of its base stores what it has changed, and no more."""
    with Store() as store:
        base = bytearray(store.bytes(8 << 20))
        store.gmmap("create", "base", "--bo", store.file("gpu", base),
                    "--pages", f"{store.file('cpu', base)},address=0x400000")
        for percent in (5, 25, 60):
            changed = bytearray(base)
            granules = store.random.sample(range(128), 128 * percent // 100)
            for granule in granules:
                changed[granule << 16:(granule << 16) + 100] = store.bytes(100)
            pages = len(granules)  # one page in each of these granules
            result = store.json("create", f"app{percent}", "--base", "base",
                                "--bo", store.file("gpu", changed),
                                "--pages", f"{store.file('cpu', changed)},address=0x400000")
            expect(result["granules"]["stored_bytes"] == len(granules) << 16, "GPU delta")
            expect(result["pages"]["stored_bytes"] == pages << 12, "CPU delta")
        expect(store.json("verify")["damaged"] == 0, "verify")


def digests_are_those_of_fsverity():
    """Names of packs are what fsverity-utils computes."""
    with Store() as store:
        sample(store)
        packs = list((store.path / "packs").iterdir())
        for pack in packs:
            out = subprocess.run(["fsverity", "digest", "--compact", pack], text=True,
                                 capture_output=True, check=True).stdout.strip()
            expect(out == pack.stem, f"{pack}: {out}")
        return f"{len(packs)} packs"


def errors_name_the_remedy():
    """What is refused, and with which exit status and words."""
    with Store() as store:
        expect("no such file" in store.gmmap("ls", status=1).lower(), "no store")
        sample(store)
        data = store.file("data", store.bytes(4096))
        for args, status, words in (
                (["create", "sample"], 1, "there is an image sample"),
                (["create", "../evil"], 1, "cannot be the name"),
                (["create", "x", "--base", "none"], 1, "there is no image none"),
                (["create", "x", "--bo", "/nonexistent"], 1, "No such file"),
                (["create", "x", "--bo", "-"], 1, "size=BYTES"),
                (["create", "x", "--bo", f"{data},size=8192"], 1, "ends too early"),
                (["create", "x", "--bo", f"{data},colour=1"], 2, "colour"),
                (["create", "x", "--pages", f"{data},address=1"], 1, "span"),
                (["create"], 2, "name one image"),
                (["show", "none"], 1, "there is no image none"),
                (["rm", "none"], 1, "there is no image none"),
                (["frobnicate"], 2, "no command")):
            out = store.gmmap(*args, status=status, stdin=subprocess.DEVNULL)
            expect(words in out, f"{args}: {out}")
        expect([p.name for p in (store.path / "images").iterdir()] == ["sample"], "an image came")
        expect(not list((store.path / "tmp").iterdir()), "something stayed in tmp/")


def differences():
    """diff tells what is in the same place, equal elsewhere, and different; show draws the sharing."""
    with Store() as store:
        old = store.bytes(16 << 16)
        new = bytearray(old)
        new[3 << 16:(3 << 16) + 10] = store.bytes(10)
        store.gmmap("create", "old", "--bo", store.file("gpu", old))
        store.gmmap("create", "new", "--base", "old", "--bo", store.file("gpu", new),
                    "--bo", store.file("more", store.bytes(1 << 16)))
        diff = store.json("diff", "old", "new")
        expect(diff["shared_bytes"] == 15 << 16, f"in the same place: {diff}")
        expect(diff["equal_bytes"] == 15 << 12, f"equal elsewhere: {diff}")
        expect(diff["different_bytes"] == (1 << 12) + (1 << 16), f"different: {diff}")
        expect(store.json("diff", "new", "old")["gone_objects"] == 1, "an object is gone")
        expect(store.json("diff", "old", "old")["different_bytes"] == 0, "diff with itself")
        picture = store.dir / "picture.svg"
        store.gmmap("show", "--svg", picture)
        root = xml.etree.ElementTree.parse(picture).getroot()
        fills = [e.get("fill") for e in root.iter() if e.tag.endswith("rect") and len(e)]
        expect(len(fills) == 3 and len(set(fills)) == 2, f"bars: {fills}")


def profiles():
    """Profiles are added, merged, shown in order of time, and belong to their image."""
    with Store() as store:
        sample(store)
        sample(store, "other")
        one = store.file("one", b"100 object 0 0 0x10000\n50 memory 0 0x1000 4096\n"
                                b"200 object 0 0x10000 0x20000\n")
        two = store.file("two", b"300 object 0 100 1\n60 memory 0 0x1000 4096\n")
        store.gmmap("profile", "add", "sample", "one", one)
        store.gmmap("profile", "add", "sample", "two", two)
        store.gmmap("profile", "merge", "sample", "both", "one", "two")
        lines = [line for line in store.gmmap("profile", "show", "sample", "both").splitlines()
                 if line[0] != "#"]
        expect(lines == ["55 memory 0 0x1000 0x1000 2", "200 object 0 0 0x10000 2",
                         "200 object 0 0x10000 0x20000 1"], f"merged: {lines}")
        bad = store.file("bad", b"1 object 0 0 0x10000000\n")
        store.gmmap("profile", "add", "sample", "bad", bad, status=1)
        bad.write_bytes(b"1 nonsense\n")
        expect("line 1" in store.gmmap("profile", "add", "sample", "bad", bad, status=1), "bad line")
        expect(store.gmmap("profile", "ls", "sample").split() == ["both", "one", "two"], "profile ls")
        folder = store.path / "images/sample/profiles"
        (store.path / "images/other/profiles/one").write_bytes((folder / "one").read_bytes())
        expect("another image" in store.gmmap("profile", "show", "other", "one", status=1), "swap")
        store.gmmap("verify", "other", status=1)
        (folder / "one").rename(folder / "three")
        expect("another one" in store.gmmap("profile", "show", "sample", "three", status=1), "rename")
        store.gmmap("profile", "rm", "sample", "three")
        expect(store.json("verify", "sample")["damaged"] == 0, "verify")


def same_folders(one, other):
    names = sorted(path.name for path in one.iterdir())
    expect(names == sorted(path.name for path in other.iterdir()), f"{names}: other files")
    for name in names:
        a, b = one / name, other / name
        expect(a.read_bytes() == b.read_bytes(), f"{name} differs")
        if dump_mode_kept(name):
            expect(a.stat().st_mode == b.stat().st_mode, f"{name} has another mode")


def dump_mode_kept(name):
    """CRIU makes all its files alike; those that were objects get the mode that CRIU gives."""
    return "pages" not in name


def import_and_export():
    """What CRIU has dumped comes back the same, and shares what it has in common."""
    with Store() as store:
        rng = store.random
        gpu, cpu = rng.randbytes(5 << 16), rng.randbytes(40 << 12)
        for name, base in (("base", []), ("app", ["--base", "base"])):
            dump.write_dump(store.dir / name, rng, gpu, cpu)
            result = store.json("import", name, store.dir / name, *base)
            store.gmmap("export", name, "--stock", store.dir / f"{name}.out")
            same_folders(store.dir / name, store.dir / f"{name}.out")
        expect(result["granules"]["stored_bytes"] == 1 << 16, "only the DRM BO is new")
        expect(result["pages"]["stored_bytes"] == (3 + 4) << 12, "only a small BO and shared memory are new")
        show = store.json("show", "app")
        bos = [o for o in show["objects"] if o["kind"] == "kfd-bo"]
        expect([(bo["index"], bo["gpu_id"], bo["bytes"]) for bo in bos] ==
               [(0, 0x1234, 5 << 16), (2, 0x1234, 3 << 12), (3, 0xabcd, 1 << 17)], f"BOs: {bos}")
        expect(show["processes"] == 3, "processes")
        content = subprocess.run([GMMAP, "image", "export", "app", "--object",
                                  str(show["objects"].index(bos[0])), "--store", store.path],
                                 capture_output=True, check=True).stdout
        expect(content == gpu, "export --object")
        expect(store.json("verify")["damaged"] == 0, "verify")


def broken_dumps_are_refused():
    """A dump that is not whole makes no image, and the error names the file."""
    with Store() as store:
        folder = store.dir / "dump"

        def refuse(words, change):
            subprocess.run(["rm", "-rf", folder], check=True)
            dump.write_dump(folder, store.random)
            change()
            out = store.gmmap("import", "image", folder, status=1)
            expect(words in out, f"{words}: {out}")

        def cut(name, size):
            return lambda: os.truncate(folder / name, size)

        refuse("no dump of CRIU", lambda: (folder / "inventory.img").unlink())
        refuse("pages-1.img", cut("pages-1.img", 5 << 12))
        refuse("pages-2.img, which is missing", lambda: (folder / "pages-2.img").unlink())
        refuse("pagemap-10.img: damaged", cut("pagemap-10.img", 30))
        refuse("amdgpu-kfd-5.img: damaged", cut("amdgpu-kfd-5.img", 50))
        refuse("amdgpu-kfd-5.img", lambda: (folder / "amdgpu-kfd-5.img").unlink())
        refuse("ends before BO 2", cut("amdgpu-pages-5-1234.img", 8 + (5 << 16)))
        refuse("shorter than its header", cut("amdgpu-pages-5-abcd.img", 7))
        refuse("of no BO", lambda: os.truncate(folder / "amdgpu-pages-5-abcd.img", 1 << 18))
        refuse("parent", lambda: (folder / "parent").symlink_to("/tmp"))
        refuse("not a regular file", lambda: (folder / "sub").mkdir())
        refuse("another dump", lambda: (folder / "pagemap-11.img").write_bytes(
            dump.pagemap(2, [(0x1000, 1, dump.PARENT)])))
        expect(not list((store.path / "images").iterdir()), "an image came")
        expect(not list((store.path / "tmp").iterdir()), "something stayed in tmp/")
        dump.write_dump(store.dir / "good", store.random)
        store.gmmap("import", "image", store.dir / "good")
        out = store.gmmap("export", "image", "--stock", store.dir, status=1)
        expect("new folder" in out, out)


def corrupt(store, rng, files):
    """Damages the store in a random way; returns what was done and how to undo it."""
    path = rng.choice(files)
    data = path.read_bytes()
    kind = rng.choice(("flip", "flip", "flip", "truncate", "extend", "swap", "remove", "zero"))
    if kind == "swap":
        other = rng.choice([p for p in files if p != path and p.read_bytes() != data])
        path.chmod(0o644)
        other.chmod(0o644)
        other_data = other.read_bytes()
        path.write_bytes(other_data)
        other.write_bytes(data)
        return f"{kind} {path.name} {other.name}", [(path, data), (other, other_data)]
    # An image without its profiles is whole.
    if kind == "remove" and path.parent.name != "profiles":
        path.unlink()
        return f"{kind} {path.name}", [(path, data)]
    damaged = bytearray(data)
    if kind in ("flip", "remove"):
        damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "truncate":
        del damaged[rng.randrange(len(data)):]
    elif kind == "extend":
        damaged += rng.randbytes(rng.choice((1, 100, 4096)))
    else:
        start = rng.randrange(len(data))
        damaged[start:start + 4096] = bytes(len(data[start:start + 4096]))
        if damaged == data:
            damaged[start] ^= 1
    path.chmod(0o644)
    path.write_bytes(damaged)
    return f"{kind} {path.name}", [(path, data)]


def verify_finds_every_corruption():
    """Truncated, flipped, swapped, removed files: verify finds each, and none when they are whole again."""
    with Store() as store:
        sample(store, "base", size=128 << 10)
        sample(store, "app", "base", size=128 << 10)
        lines = store.file("lines", b"1 object 0 0 0x10000\n2 memory 0 0x400000 0x1000\n")
        store.gmmap("profile", "add", "app", "first", lines)
        files = store.files()
        rng = random.Random(SEED)
        for i in range(CORRUPTIONS):
            what, undo = corrupt(store, rng, files)
            done = subprocess.run([GMMAP, "image", "verify", "--threads", "1", "--store", store.path],
                                  capture_output=True, check=False)
            expect(done.returncode == 1, f"{i}: {what}: verify exits with {done.returncode}")
            for path, data in undo:
                path.write_bytes(data)
        expect(store.json("verify")["damaged"] == 0, "verify of the whole store")
        return f"{CORRUPTIONS} corruptions found, seed {SEED}"


def store_commands(store):
    """Commands that change a store, on one that has images, garbage, and the remains of a writer."""
    sample(store, "base")
    sample(store, "old", "base")
    store.gmmap("rm", "old")
    (store.path / "tmp/0123456789abcdef/image").mkdir(parents=True)
    (store.path / "tmp/0123456789abcdef/pages").write_bytes(b"unfinished")
    dump.write_dump(store.dir / "dump", store.random)
    gpu = store.file("new", store.bytes(3 << 16) + (store.dir / "gpu").read_bytes())
    end = ["--store", store.path]
    return {
        "create": [GMMAP, "image", "create", "new", "--base", "base", "--threads", "1", "--bo", gpu,
                   "--file", store.dir / "inventory.img", *end],
        "import": [GMMAP, "image", "import", "new", store.dir / "dump", "--base", "base",
                   "--threads", "1", *end],
        "rm": [GMMAP, "image", "rm", "base", *end],
        "gc": [GMMAP, "image", "gc", *end],
    }


def check_store(store, what, verb, status):
    """An image is whole or it is not there; nothing that an image needs is lost."""
    names = [image["name"] for image in store.json("ls")]
    verified = store.json("verify")
    expect(verified["damaged"] == 0, f"{what}: {verified}")
    if verb == "rm":
        expect(names in ([], ["base"]), f"{what}: {names}")
    elif verb == "gc":
        expect(names == ["base"], f"{what}: {names}")
    else:
        expect(names in (["base"], ["base", "new"]), f"{what}: {names}")
        # Only syncing the folder and clearing up come after the image is in place.
        expect(status != 0 or "new" in names, f"{what}: success, but no image")
    store.gmmap("gc")
    expect(not list((store.path / "tmp").iterdir()), f"{what}: gc left something in tmp/")
    verified = store.json("verify")
    expect(verified["damaged"] == 0 and verified["images"] == len(names), f"{what}, gc: {verified}")


def stop_everywhere(how, allowed):
    with Store() as store:
        commands_by_verb = store_commands(store)
        copies = steps.Copies(store.path, store.dir / "begin")
        everything = []
        for verb, command in commands_by_verb.items():
            everything += [(verb, step) for step in steps.list_steps(command)]
            copies.restore()
        chosen = store.random.sample(everything, min(STEPS, len(everything)))
        for verb, step in chosen:
            status = steps.stop_at(commands_by_verb[verb], step, how)
            what = f"{verb}, {how} at {step[0]} {step[1]}"
            expect(status in allowed, f"{what}: exit status {status}")
            check_store(store, what, verb, status)
            copies.restore()
        return f"{len(chosen)} of {len(everything)} steps, seed {SEED}"


def killed_at_every_step():
    """kill -9 at the system calls by which create, import, rm and gc change the store."""
    return stop_everywhere("signal=KILL", (137, -9))


def no_space_at_every_step():
    """The same calls fail with ENOSPC: the command fails, and leaves the store as it was."""
    return stop_everywhere("error=ENOSPC", (0, 1))


def fuzz():
    """The reader on any bytes, begun with real images."""
    with Store() as store:
        sample(store, "base", size=128 << 10)
        sample(store, "app", "base", size=128 << 10)
        corpus = store.dir / "corpus"
        corpus.mkdir()
        for name in ("base", "app"):
            (corpus / name).write_bytes((store.path / "images" / name / "image").read_bytes())
        done = subprocess.run(
            [PROGRAMS / "fuzz_image", f"-max_total_time={FUZZ_SECONDS}", "-timeout=10",
             "-rss_limit_mb=2048", "-max_len=16384", "-print_final_stats=1", f"-seed={SEED}",
             f"-artifact_prefix={PROGRAMS}/", corpus],
            text=True, capture_output=True, check=False)
        expect(done.returncode == 0, done.stderr[-4000:])
        units = [line.split()[-1] for line in done.stderr.splitlines()
                 if "number_of_executed_units" in line]
        return f"{units[0]} inputs, {FUZZ_SECONDS} s, seed {SEED}"


SCENARIOS = [test_programs, commands, sharing, digests_are_those_of_fsverity,
             errors_name_the_remedy, differences, profiles,
             import_and_export, broken_dumps_are_refused, killed_at_every_step,
             no_space_at_every_step, verify_finds_every_corruption, fuzz]


def main():
    names = sys.argv[1:]
    if names in (["-h"], ["--help"]):
        print(__doc__.strip(), "\n\nScenarios:")
        for scenario in SCENARIOS:
            print(f"  {scenario.__name__:32} {scenario.__doc__}")
        return 0
    known = {scenario.__name__: scenario for scenario in SCENARIOS}
    for name in names:
        if name not in known:
            print(f"store.py: there is no scenario {name}", file=sys.stderr)
            return 2
    subprocess.run(["make", "-s", "-j2", "-C", REPO / "selftests/store", "all", "gmmap"], check=True)
    failed = 0
    chosen = [known[name] for name in names] or SCENARIOS
    print(f"TAP version 13\n1..{len(chosen)}")
    for number, scenario in enumerate(chosen, 1):
        begin = time.monotonic()
        try:
            note = scenario()
            word = "ok"
        except (Failed, OSError, subprocess.SubprocessError) as error:
            note, word = None, "not ok"
            failed += 1
            for line in str(error).splitlines():
                print(f"# {line}")
        print(f"{word} {number} {scenario.__name__} # {time.monotonic() - begin:.0f} s"
              f"{', ' + note if note else ''}", flush=True)
    print(f"{len(chosen) - failed} passed, {failed} failed, 0 skipped")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
