# RUN np=1 time=180 -- the screens are laid out as the guide shows them, numbers masked; progress behaves on a terminal
"""Screens are compared with tests/cli/screens/*.txt: digits become 9, runs of blanks stay (they are the layout)."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

dipper, source, build = (os.environ[name] for name in ("DIPPER", "DIPPER_SOURCE", "DIPPER_BUILD"))
golden = os.path.join(source, "tests/cli/screens")
home = tempfile.mkdtemp()
FAST = 300  # a minute takes 0.2 s
failed = 0


def wrong(text):
    global failed
    print(text)
    failed = 1


def run(*words, env=None, code=0):
    got = subprocess.run([dipper, *words], cwd=home, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                         capture_output=True, text=True, check=False)
    if got.returncode != code:
        wrong(f"exit {got.returncode}, not {code}: dipper {' '.join(words)}\n{got.stderr}")
    return got


def mask(text):
    """Digits become 9; what depends on clock, machine or load loses its width too."""
    text = text.replace(home, "HOME")
    text = re.sub(r"[0-9a-f]{64}", "DIGEST", text)
    text = re.sub(r"\d{4}/\d{4}-\d{4}-([a-z]+)(-\d+)? *", r"RUN-\1 ", text)
    text = re.sub(r"^(mpi|launcher|hdf5|cpu|kernels|gpu|cores|system|slurm|clock)( +).*", r"\1\2...", text, flags=re.M)
    text = re.sub(r", (cpu|cuda) .*?(?=   [a-z.]+=|$)", ", DEVICE", text, flags=re.M)
    text = re.sub(r"\bpid \d+", "pid 9", re.sub(r"Z   \S+, pid", "Z   HOST, pid", text))
    text = re.sub(r"\bby \S+", "by USER", text)
    text = re.sub(r"[\d.]+ (bytes|KiB|MiB|GiB|TiB)\b", "SIZE", text)
    text = re.sub(r"[\d,]+ rows/s", "9 rows/s", text)
    text = re.sub(r" +[\d.]+ [kM](?= {3,})", "   RATE", text)
    text = re.sub(r"[a-z_0-9]+ \S+ \([-+][\d.]+\)", "COLUMN VALUE (AMOUNT)", text)
    text = re.sub(r"^ +\d+(?= .*best; )", "   BEST", text, flags=re.M)
    text = re.sub(r"no clear difference|better$|worse$", "VERDICT", text, flags=re.M)
    text = re.sub(r"[-+](?=\d+\.\d{3}\b)| (?=\d+\.\d{3} \.\.)", "", text)
    return re.sub(r" +$", "", re.sub(r"\d", "9", text), flags=re.M)


def compare(name, text):
    path = os.path.join(golden, name + ".txt")
    got = mask(text)
    if os.environ.get("DIPPER_WRITE_SCREENS"):
        with open(path, "w", encoding="utf-8") as file:
            file.write(got)
        return
    with open(path, encoding="utf-8") as file:
        want = file.read()
    if got != want:
        wrong(f"--- {name}: wanted\n{want}--- got\n{got}")


def on_terminal(words, env):
    """The words on a terminal of 100 columns, as the bytes that reach it."""
    leader, follower = pty.openpty()
    child = subprocess.Popen([dipper, *words], cwd=home, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=follower)
    os.close(follower)
    seen = b""
    while True:
        ready, _, _ = select.select([leader], [], [], 60)
        if not ready:
            break
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    child.wait()
    os.close(leader)
    return seen


def off_terminal(words):
    """Progress where the words go to a pipe, on a clock that is FAST times as fast: a line a minute, never more, each one
    whole and plain. (The screens above are of runs shorter than a minute: they have none.)"""
    library = os.path.join(home, "failing.so")  # LD_PRELOAD takes a path apart at its blanks
    shutil.copy(os.environ["DIPPER_FAILING"], library)
    line = re.compile(r"train +([\d,]+) of 400 trees   [\d.]+(?: [kM])? trees/s   left [\d:]+")
    began = time.monotonic()
    seen = run(*words, env={"LD_PRELOAD": library, "FAST_CLOCK": str(FAST)}).stderr
    minutes = (time.monotonic() - began) * FAST / 60
    shown = [line.fullmatch(text) for text in seen.splitlines() if " of 400 trees" in text]
    done = [int(match[1].replace(",", "")) for match in shown if match]
    if not all(shown) or done != sorted(set(done)) or "\x1b" in seen or "\r" in seen:
        wrong(f"progress off a terminal is not whole lines that go on: {seen}")
    if not 3 <= len(done) <= minutes:
        wrong(f"{len(done)} lines of progress in {minutes:.1f} minutes: {seen}")


def main():
    maker = os.path.join(build, "make-declarations")
    os.makedirs(os.path.join(home, "data"))
    if not os.path.exists(maker):
        print("skipped: no make-declarations in the build")
        return 77
    os.symlink(os.path.join(source, "configs"), os.path.join(home, "configs"))
    with open(os.path.join(home, "site.yaml"), "w", encoding="utf-8") as site:
        site.write(f"kind: site\nroot: {home}/data\n")
    os.environ["DIPPER_SITE"] = os.path.join(home, "site.yaml")
    subprocess.run([maker, "--out", f"{home}/data/inbox", "--rows", "30000", "--months", "36", "--seed", "7", "--from",
                    "2023-09"], check=True, stdout=subprocess.DEVNULL)
    small = ["model.trees=40", "train.every=5", "job.threads=1"]

    compare("ingest", run("ingest", "configs/lake/declarations.yaml", "job.threads=1").stderr)  # from the inbox
    compare("train", run("train", "configs/risk.yaml", *small).stderr)
    again = run("train", "configs/risk.yaml", *small)
    if "the same model, bit for bit" not in again.stderr or again.stdout != "risk:1\n":
        wrong("the same training once more: " + again.stdout + again.stderr)
    compare("train-second", run("train", "configs/risk.yaml", *small, "model.depth=4").stderr)
    compare("score", run("score", "configs/score-month.yaml", "write.top=3", "job.threads=1").stderr)
    compare("model-show", run("model", "show", "risk:1").stdout)
    compare("run-show", run("run", "show").stdout)
    compare("lake-show", run("lake", "show", "declarations").stdout)
    compare("evaluate", run("evaluate", "configs/risk.yaml", "risk:1", "evaluate.slices=[]", "--against", "risk:2",
                            "job.threads=1").stdout)
    ids = [line.split()[0] for line in run("run", "ls").stdout.splitlines() if line.split()[1] == "train"]
    compare("run-diff", run("run", "diff", ids[1], ids[0]).stdout)
    compare("doctor", run("doctor").stdout)

    words = ["train", "configs/risk.yaml", "model.trees=400", "train.stop.patience=0", "job.threads=1", "name=slow"]
    off_terminal(words)

    try:
        os.close(pty.openpty()[0])
    except OSError as error:
        print(f"this machine gives no terminal ({error}): what one is shown was not looked at")
        return failed

    # A terminal: progress is one line written over, colours; NO_COLOR and TERM=dumb are listened to.
    words += ["name=seen"]
    seen = on_terminal(words, {"TERM": "xterm", "NO_COLOR": ""})
    if not re.search(rb"\r\x1b\[Ktrain +[\d,]+ of 400 trees?   [\d. kM]+ trees?/s   left \d+:\d\d", seen):
        wrong(f"no progress on a terminal: {seen[:2000]!r}")
    if b"\x1b[1m" not in seen:
        wrong("no colours on a terminal")
    seen = on_terminal(words, {"TERM": "xterm", "NO_COLOR": "1"})
    if b"\x1b[1m" in seen or b"\x1b[3" in seen:
        wrong("colours in spite of NO_COLOR")
    seen = on_terminal(words, {"TERM": "dumb"})
    if b"\x1b" in seen or b"\r\x1b" in seen:
        wrong("a dumb terminal was sent escapes")
    return failed


try:
    sys.exit(main())
finally:
    shutil.rmtree(home, ignore_errors=True)
