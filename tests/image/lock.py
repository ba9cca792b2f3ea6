"""Write the container's lock files anew from requirements.txt: `make lock`.

requirements.lock holds every library but torch's pair with the sha256 of its wheels for amd64 and arm64, and what
builds this project; requirements-cpu.lock holds torch and torchvision as PyTorch's own index of CPU builds has them.
Where that index is not reached, their lines stand there without a digest, and this says so and ends with 1.

    python3.11 tests/image/lock.py      # on Linux, amd64 or arm64
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PAIR = ("torch", "torchvision")
CUDA = re.compile(r"nvidia-.*|cuda-.*|triton")  # what torch of the registry needs and its CPU build does not
PYTHON = "3.11.9"  # of the base image, at least: some libraries ask for a late 3.11
BUILD = ("hatchling", "editables")  # an editable installation without another download
TAGS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux_2_12")
MACHINES = ("x86_64", "aarch64")
HEAD = """# Written by tests/image/lock.py (`make lock`) from requirements.txt; not by hand.
"""


def wanted() -> list[str]:
    """The lines of requirements.txt that name a library, and what builds this project."""
    files = [(ROOT / name).read_text().splitlines() for name in ("requirements.txt", "requirements-dev.txt")]
    pins = [[line.split("#")[0].strip() for line in lines] for lines in files]
    build = [line for line in pins[1] if line.split("==")[0] in BUILD]
    return [line for line in pins[0] if line and not line.startswith("-")] + build + ["editables"]


def report(lines: list[str], *options: str) -> dict[str, tuple[str, str]]:
    """Version and sha256 of the file of each library that pip would install."""
    with tempfile.TemporaryDirectory() as folder:
        asked, found = Path(folder, "asked.txt"), Path(folder, "found.json")
        asked.write_text("\n".join(lines) + "\n")
        command = [
            sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report",
            str(found), "-r", str(asked), *options,
        ]  # fmt: skip
        subprocess.run(command, check=True)
        told = json.loads(found.read_text())["install"]
    return {
        canonicalize_name(one["metadata"]["name"]): (
            one["metadata"]["version"],
            one["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for one in told
    }


def for_machine(machine: str, target: str) -> list[str]:
    """Options that let pip choose the wheels of another machine."""
    tags = [option for tag in TAGS for option in ("--platform", f"{tag}_{machine}")]
    return [*tags, "--python-version", PYTHON, "--only-binary", ":all:", "--no-deps", "--target", target]


def written(versions: dict[str, str], digests: dict[str, list[str]]) -> str:
    """A lock file's lines."""
    lines = [
        " \\\n".join(
            [f"{name}=={versions[name]}", *(f"    --hash=sha256:{d}" for d in sorted(set(digests[name])))]
        )
        for name in sorted(versions)
    ]
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Ask, write; 1 where the CPU builds could not be asked for."""
    here = report(wanted())
    versions = {
        name: version for name, (version, _) in here.items() if name not in PAIR and not CUDA.fullmatch(name)
    }
    pins = [f"{name}=={version}" for name, version in sorted(versions.items())]
    digests = {name: [here[name][1]] for name in versions}
    for machine in MACHINES:
        if machine != platform.machine():
            for name, (_, digest) in report(pins, *for_machine(machine, tempfile.gettempdir())).items():
                digests[name].append(digest)
    (ROOT / "requirements.lock").write_text(written(versions, digests))
    pair = {name: here[name][0] for name in PAIR}
    found: dict[str, list[str]] = {name: [] for name in PAIR}
    lines = [f"{name}=={version}" for name, version in pair.items()]
    reached = True
    try:
        for machine in MACHINES:
            options = (*for_machine(machine, tempfile.gettempdir()), "--index-url", CPU_INDEX)
            for name, (version, digest) in report(lines, *options).items():
                pair[name] = version
                found[name].append(digest)
    except subprocess.CalledProcessError:
        print(
            f"{CPU_INDEX} is not reached: torch and torchvision are locked by version only.", file=sys.stderr
        )
        pair, found, reached = {name: here[name][0] for name in PAIR}, {name: [] for name in PAIR}, False
    (ROOT / "requirements-cpu.lock").write_text(written(pair, found))
    return int(not reached)


if __name__ == "__main__":
    raise SystemExit(main())
