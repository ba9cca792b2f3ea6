"""Known weaknesses of what is installed, by pip-audit: 1 when there is one.

What was not audited is never called clean: it says so loudly. A registry that answers and publishes no weaknesses is
asked past: OSV (osv.dev) is asked instead. Where no service can be reached no audit was possible, and it is 0. Where
one answers and audits none of the packages, it is 0 on a desk and 1 in CI (the setting CI).

python tests/audit_dependencies.py              # this environment
python tests/audit_dependencies.py -r FILE      # or pip-audit's own choice of packages
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

PATIENCE_SECONDS = 300
NOT_AUDITED = "Dependencies were NOT audited:"
PUBLISHES_NONE = f"{NOT_AUDITED} the registry that is reached from here publishes no weaknesses."
UNREACHABLE = ("ConnectionError", "Could not connect", "Max retries exceeded", "timed out", "ProxyError")


def audit(arguments: list[str]) -> tuple[int, str]:
    """Exit code, and what to say."""
    arguments = arguments or ["--local", "--skip-editable"]
    code, words = _asked(arguments)
    if words == PUBLISHES_NONE:
        code, words = _asked([*arguments, "--vulnerability-service=osv"])
        if words == PUBLISHES_NONE:
            return int(is_ci()), f"{PUBLISHES_NONE} OSV answers, and knows none of the packages."
        if NOT_AUDITED in words:
            return code, f"{PUBLISHES_NONE} OSV does not answer either: no audit was possible from here."
    return code, words


def is_ci() -> bool:
    """Whether nobody looks at what is printed."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def _asked(arguments: list[str]) -> tuple[int, str]:
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", "--timeout=10"]
    try:
        answer = subprocess.run(
            command + arguments, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 0, f"{NOT_AUDITED} no answer in {PATIENCE_SECONDS} seconds."
    return judge(answer.stdout, answer.stderr)


def loudly(words: str) -> str:
    """The same so that nobody reads past it, where nothing was audited."""
    if NOT_AUDITED not in words:
        return words
    bar = "!" * 78
    return f"{bar}\n{words}\n{bar}"


def judge(report: str, problem: str) -> tuple[int, str]:
    """What pip-audit's report says; its exit code is 1 for a weakness and for a lost network alike."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        if any(sign in problem for sign in UNREACHABLE):
            return 0, f"{NOT_AUDITED} no network, or the registry does not answer."
        return 1, f"pip-audit broke down:\n{problem[-2_000:]}"
    lines = [
        f"{package['name']} {package['version']}: {weakness['id']}, "
        f"mended in {', '.join(weakness['fix_versions']) or 'no version yet'}"
        for package in packages
        for weakness in package.get("vulns", ())
    ]
    if lines:
        return 1, "\n".join(["Known weaknesses:", *lines])
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return 0, PUBLISHES_NONE
    words = f", {len(skipped)} not known there: {', '.join(skipped)}" if skipped else ""
    return 0, f"No known weakness in {len(packages) - len(skipped)} packages{words}."


if __name__ == "__main__":
    code, words = audit(sys.argv[1:])
    print(loudly(words))
    sys.exit(code)
