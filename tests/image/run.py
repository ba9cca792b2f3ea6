"""Run the Dockerfile where there is no Docker: its steps on a clean Debian, its command as its user on a
read-only root file system. Needs root, debootstrap and a network; about 7 GB and ten minutes.

    python tests/image/run.py /tmp/image [--again] [--registry]

--again only starts what was built before. --registry takes torch from the registry, where PyTorch's own index of CPU
builds is not reached: an image of 4 GB more.

What this is not: the base image is Debian's Python in an environment, not python:3.11-slim; network and
process ids are the machine's; no engine, no compose file, no limits.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITE, PACKAGES = "bookworm", "ca-certificates,python3,python3-venv"
PYTHON = "/usr/local/python"  # stands for what python:3.11-slim brings
PATH = f"{PYTHON}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE_SECONDS = 180
WRITE = """for place in /srv/studio /usr /etc /home/studio; do touch $place/x 2>/dev/null && exit 1; done
touch /tmp/x $FMD_HOME/x && id -u"""


class Image:
    """A root file system on which a Dockerfile's instructions are carried out."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.env = folder, {"PATH": PATH, "LANG": "C.UTF-8"}
        self.cwd, self.user, self.command, self.health, self.volumes = "/", "root", [], [], []

    def read(self, dockerfile: str, *, build: bool, registry: bool) -> None:
        """Carry out every instruction; without `build` only remember what the last ones say. With `registry` torch
        comes as the registry has it, with its CUDA libraries."""
        if registry:
            dockerfile = dockerfile.replace("--no-deps --index-url $TORCH_INDEX", "")
        for line in re.sub(r"\\\n", " ", dockerfile).splitlines():
            word, _, rest = line.strip().partition(" ")
            if not word or word.startswith("#"):
                continue
            if word == "ARG" and "=" in rest:
                self.env.setdefault(*rest.split("=", 1))
            elif word == "ENV":
                self.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            elif word == "WORKDIR":
                self.cwd = rest
                self.inside(self.cwd).mkdir(parents=True, exist_ok=True)
            elif word == "USER":
                self.user = rest
            elif word == "VOLUME":
                self.volumes.append(rest)
            elif word == "CMD":
                self.command = json.loads(rest)
            elif word == "HEALTHCHECK":
                self.health = json.loads(rest[rest.index("[") :])
            elif word == "COPY" and build:
                self.copy(*rest.split())
            elif word == "RUN" and build:
                print("+", rest, flush=True)
                subprocess.run(self.chroot(["sh", "-ec", rest]), env=self.env, check=True)
            elif word not in ("ARG", "FROM", "EXPOSE", "COPY", "RUN"):
                raise SystemExit(f"This script does not know '{word}'.")

    def inside(self, path: str) -> Path:
        """A path of the image as the machine sees it."""
        return self.folder / os.path.join(self.cwd, path).lstrip("/")

    def chroot(self, command: list[str]) -> list[str]:
        """A command in the image, in its folder, as root."""
        there = f"cd {shlex.quote(self.cwd)} && exec {shlex.join(command)}"
        return ["chroot", str(self.folder), "/bin/sh", "-c", there]

    def copy(self, source: str, target: str) -> None:
        """A file, or all that .dockerignore leaves."""
        if source != ".":
            shutil.copy(ROOT / source, self.inside(target))
            return
        left_out = (ROOT / ".dockerignore").read_text().split()

        def ignored(folder: str, names: list[str]) -> set[str]:
            within = Path(folder).relative_to(ROOT)
            return {
                n for n in names for p in left_out
                if fnmatch.fnmatch((within / n).as_posix(), p) or (p.startswith("**/") and n == p[3:])
            }  # fmt: skip

        shutil.copytree(ROOT, self.inside(target), ignore=ignored, dirs_exist_ok=True)

    def contained(self, command: list[str]) -> list[str]:
        """A command as the image's user, without privileges, on a root that cannot be written to."""
        root, quoted = str(self.folder), shlex.quote(str(self.folder))
        there = shlex.quote(f"cd {self.cwd} && exec {shlex.join(command)}")
        volumes = [
            f"mount --bind {shlex.quote(str(self.volume(path)))} {shlex.quote(root + path)}"
            for path in self.volumes
        ]
        steps = [
            "mount --make-rprivate /", f"mount --bind {quoted} {quoted}",
            f"mount -t tmpfs -o mode=1777 tmp {quoted}/tmp",
            f"mount -t proc proc {quoted}/proc", *volumes,
            f"mount -o remount,bind,ro {quoted}",
            f"cd / && exec chroot {quoted} setpriv --reuid={self.user} --regid={self.user} --clear-groups "
            f"--no-new-privs --bounding-set=-all /bin/sh -c {there}",
        ]  # fmt: skip
        return ["unshare", "--mount", "sh", "-ec", "\n".join(steps)]

    def volume(self, path: str) -> Path:
        """The folder on the machine that stands for a volume; made as Docker makes it, with its owner."""
        found = self.folder.with_name(f"{self.folder.name}-volume{path.replace('/', '-')}")
        if not found.exists():
            found.mkdir()
            inside = (self.folder / path.lstrip("/")).stat()
            os.chown(found, inside.st_uid, inside.st_gid)
            found.chmod(inside.st_mode & 0o777)
        return found


def clean_debian(folder: Path) -> None:
    """What FROM gives: Debian and a Python, and the machine's way to the registry."""
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(folder)], check=True
    )
    for file in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):
        shutil.copy(file, str(folder) + file)
    subprocess.run(["chroot", str(folder), "python3", "-m", "venv", PYTHON], check=True)


def answers(image: Image, server: subprocess.Popen[bytes]) -> bool:
    """Whether the image's own health check passes in time."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if subprocess.run(image.contained(image.health), env=image.env, capture_output=True).returncode == 0:
            return True
        time.sleep(1)
    return False


def main() -> int:
    """Build, start, ask; 0 when all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--registry", action="store_true")
    chosen = parser.parse_args()
    image = Image(chosen.folder.resolve())
    if not image.folder.exists():
        clean_debian(image.folder)
    image.read((ROOT / "Dockerfile").read_text(), build=not chosen.again, registry=chosen.registry)
    leftovers = [name for name in ("tests", ".git", ".streamlit/secrets.toml") if image.inside(name).exists()]
    who = subprocess.run(image.contained(["sh", "-c", WRITE]), env=image.env, capture_output=True, text=True)
    print("left in the image that should not be:", leftovers or "nothing")
    print(
        "only FMD_HOME and /tmp can be written to:",
        who.returncode == 0,
        "as user",
        who.stdout.strip(),
        who.stderr,
    )
    server = subprocess.Popen(image.contained(image.command), env=image.env, start_new_session=True)
    try:
        healthy = answers(image, server)
        print("health check:", healthy)
        page = subprocess.run([sys.executable, str(Path(__file__).with_name("look.py"))], cwd=ROOT)
        doctor = subprocess.run(image.contained(["python", "-m", "fmd_core", "doctor"]), env=image.env)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)
    return int(
        bool(leftovers)
        or who.returncode != 0
        or not healthy
        or page.returncode != 0
        or doctor.returncode != 0
    )


if __name__ == "__main__":
    raise SystemExit(main())
