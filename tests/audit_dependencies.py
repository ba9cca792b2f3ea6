"""Known weaknesses of what is installed, by pip-audit: 1 when there is one. Without a network it says so, and is 0.

python tests/audit_dependencies.py              # this environment
python tests/audit_dependencies.py -r FILE      # or pip-audit's own choice of packages
"""

from __future__ import annotations

import json
import subprocess
import sys

PATIENCE_SECONDS = 300
UNREACHABLE = ("ConnectionError", "Could not connect", "Max retries exceeded", "timed out", "ProxyError")


def audit(arguments: list[str]) -> tuple[int, str]:
    """Exit code, and what to say."""
    command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", "--timeout=10"]
    try:
        answer = subprocess.run(
            command + (arguments or ["--local", "--skip-editable"]),
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 0, f"Dependencies were NOT audited: no answer in {PATIENCE_SECONDS} seconds."
    return judge(answer.stdout, answer.stderr)


def judge(report: str, problem: str) -> tuple[int, str]:
    """What pip-audit's report says; its exit code is 1 for a weakness and for a lost network alike."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        if any(sign in problem for sign in UNREACHABLE):
            return 0, "Dependencies were NOT audited: no network, or the registry does not answer."
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
        return (
            0,
            "Dependencies were NOT audited: the registry that is reached from here publishes no weaknesses.",
        )
    words = f", {len(skipped)} not known there: {', '.join(skipped)}" if skipped else ""
    return 0, f"No known weakness in {len(packages) - len(skipped)} packages{words}."


if __name__ == "__main__":
    code, words = audit(sys.argv[1:])
    print(words)
    sys.exit(code)
