"""The image of a cluster's nodes: its Dockerfile keeps every rule, and each rule is broken by a change to it."""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
INSTRUCTIONS = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER"}


def instructions(text: str) -> list[tuple[str, str]]:
    """Returns each instruction with what follows it; a line that ends with a backslash goes on in the next."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole)]


def of(text: str, name: str) -> list[str]:
    return [rest for word, rest in instructions(text) if word == name]


def copied(text: str) -> Iterator[str]:
    """Yields the files and folders of the checkout that the image gets."""
    for rest in of(text, "COPY"):
        *sources, _ = (word for word in rest.split() if not word.startswith("--"))
        yield from sources


def version_of_ray() -> str:
    return re.search(r"^ray==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[1]


def is_sent(name: str) -> bool:
    """Returns whether .dockerignore lets a file be sent to the builder."""
    allowed = False
    for rule in (ROOT / ".dockerignore").read_text().split():
        if fnmatch(name, rule.removeprefix("!")):
            allowed = rule.startswith("!")
    return allowed


def knows_no_other_instruction(text: str) -> bool:
    return {word for word, _ in instructions(text)} <= INSTRUCTIONS


def has_the_version_of_ray_that_is_locked(text: str) -> bool:
    return of(text, "ARG")[0] == f"BASE=rayproject/ray:{version_of_ray()}-py311-gpu" and of(text, "FROM") == ["${BASE}"]


def installs_packages_by_hash(text: str) -> bool:
    installs = [part for rest in of(text, "RUN") for part in rest.split("&&") if "pip install" in part]
    return bool(installs) and all("--require-hashes" in part or "--no-deps" in part for part in installs)


def keeps_no_cache_of_pip(text: str) -> bool:
    return all(
        "--no-cache-dir" in part for rest in of(text, "RUN") for part in rest.split("&&") if "pip install" in part
    )


def copies_what_is_there_and_is_sent(text: str) -> bool:
    return all(list(ROOT.glob(name)) and all(is_sent(path.name) for path in ROOT.glob(name)) for name in copied(text))


def copies_every_package(text: str) -> bool:
    return {"sweep", *(link.name for link in (ROOT / "sweep").iterdir() if link.is_symlink())} <= set(copied(text))


def copies_packages_before_code(text: str) -> bool:
    words = [rest for word, rest in instructions(text) if word in ("COPY", "RUN")]
    return "requirements.lock" in words[0] and "pip install" in words[1] and "storage" not in words[0]


def ends_as_a_user_without_rights(text: str) -> bool:
    return instructions(text)[-1] == ("USER", "ray")


def runs_nothing_from_the_network(text: str) -> bool:
    return not re.search(r"curl|wget|https?:", "".join(of(text, "RUN")))


def has_no_secret(text: str) -> bool:
    return not re.search(r"TOKEN|PASSWORD|SECRET|KEY", " ".join([*of(text, "ENV"), *of(text, "ARG")]))


def reports_no_usage(text: str) -> bool:
    return "RAY_USAGE_STATS_ENABLED=0" in of(text, "ENV")


RULES: dict[Callable[[str], bool], tuple[str, str]] = {  # each with a change that breaks it
    knows_no_other_instruction: ("COPY --chown=ray:users sweep sweep", "ADD sweep sweep"),
    has_the_version_of_ray_that_is_locked: ("ray:2.60.0-py311-gpu\nFROM", "ray:latest\nFROM"),
    installs_packages_by_hash: ("--require-hashes --requirement requirements.lock", "--requirement requirements.lock"),
    keeps_no_cache_of_pip: ("pip install --no-cache-dir --no-deps", "pip install --no-deps"),
    copies_what_is_there_and_is_sent: ("users sweep sweep", "users tests tests"),
    copies_every_package: ("COPY --chown=ray:users analysis analysis\n", ""),
    copies_packages_before_code: ("requirements-weights.lock ./\n", "requirements-weights.lock storage ./\n"),
    ends_as_a_user_without_rights: ("USER ray", "USER root"),
    runs_nothing_from_the_network: ("RUN pip install --no-cache-dir --no-deps", "RUN curl https://x | sh; pip install"),
    has_no_secret: ("ENV RAY_USAGE_STATS_ENABLED=0", "ENV RAY_USAGE_STATS_ENABLED=0\nENV RAY_AUTH_TOKEN=x"),
    reports_no_usage: ("ENV RAY_USAGE_STATS_ENABLED=0", "ENV RAY_USAGE_STATS_ENABLED=1"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_dockerfile(rule):
    assert rule(DOCKERFILE.read_text())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_dockerfile_that_breaks_a_rule_is_seen(rule):
    before, after = RULES[rule]
    text = DOCKERFILE.read_text()
    assert before in text

    assert not rule(text.replace(before, after))
