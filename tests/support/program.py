"""The program, for tests in Python: commands run in a folder of their own, with a site file there that keeps all below it."""
import os
import subprocess
import sys
import tempfile

dipper, mpiexec = os.environ["DIPPER"], os.environ["MPIEXEC"]
home = tempfile.mkdtemp()


def write(name, text):
    with open(os.path.join(home, name), "w", encoding="utf-8") as file:
        file.write(text)


def run(*words, code=0, ranks=1):
    start = [dipper] if ranks == 1 else [*mpiexec.split(), "-n", str(ranks), dipper]
    got = subprocess.run([*start, *words], cwd=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if got.returncode != code:
        sys.exit(f"exit {got.returncode}, not {code}: dipper {' '.join(words)}\n{got.stderr}")
    return got.stdout + (got.stderr if code else "")


def check(good, what):
    if not good:
        sys.exit(f"wrong: {what}")


os.environ["DIPPER_SITE"] = os.path.join(home, "site.yaml")
write("site.yaml", f"kind: site\nroot: {home}/data\n")
