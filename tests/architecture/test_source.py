"""What linters can't say of the source: sizes, layers of knowledge, words that must not stand there."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from audit import actions
from tests.architecture.source import ROOMS, ROOT, name, parsed, python_files, templates

if TYPE_CHECKING:
    from pathlib import Path

PYTHON_LINES = 400
TEMPLATE_LINES = 150
CSS_LINES = 300
SCRIPT_BYTES = 13_500
# What the test settings alone read: servers to use, and the name that pytest-xdist gives a worker.
OF_THE_TESTS = {"TEST_REDIS_URL", "TEST_MONGODB_URLS", "PYTEST_XDIST_WORKER"}
EDGES = ("views", "jobs", "management", "consumers", "api", "admin", "drain", "intake", "apps")


def test_keeps_python_files_short():
    long = {name(path): n for path in python_files() if (n := _lines(path)) > PYTHON_LINES}

    assert not long


def test_keeps_templates_and_styles_short():
    long = {name(path): n for path in templates() if (n := _lines(path)) > TEMPLATE_LINES}
    styles = (ROOT / "static" / "css").glob("*.css")
    long |= {name(path): n for path in styles if (n := _lines(path)) > CSS_LINES}

    assert not long


def test_keeps_our_scripts_small():
    assert sum(path.stat().st_size for path in (ROOT / "static/js").glob("*.js")) <= SCRIPT_BYTES


def test_says_in_each_first_line_what_a_file_is_for():
    silent = [name(path) for path in python_files() if not ast.get_docstring(parsed(path))]
    silent += [name(path) for path in templates() if not path.read_text().startswith("{#")]

    assert not silent


@pytest.mark.parametrize(
    "pattern",
    [
        r"select_for_update\(",
        r"ignore_conflicts=",
        r"ManyToManyField\(",
        r"\bRunSQL\b",
    ],
)
def test_never_writes_what_mongodb_does_not_have(pattern):
    found = [
        name(path) for path in python_files(*ROOMS) if re.search(pattern, _code(path.read_text()))
    ]

    assert not found


@pytest.mark.parametrize(
    "pattern",
    [
        r"\|\s*safe\b",
        r"<style",
        r"\sstyle=",
        r"\son[a-z]+=",
        r"hx-on",
        r"(?:src|href)=\"https?://",
        r"<script(?![^>]*\bsrc=)",
    ],
)
def test_keeps_templates_clean_for_the_content_security_policy(pattern):
    found = [name(path) for path in templates() if re.search(pattern, path.read_text())]

    assert not found


def test_lets_the_domain_know_no_web():
    web = ("django.http", "django.shortcuts", "django.template", "django.contrib.messages")
    found = [
        f"{name(path)}: {module}"
        for path in _domain_files()
        for module in _imports(path)
        if module.startswith(web)
    ]

    assert not found


def test_reads_the_clock_and_the_settings_at_the_edges_only():
    found = [
        f"{name(path)}: {module}"
        for path in _domain_files()
        for module in _imports(path)
        if module in {"convomono.lib.clock", "django.conf", "django.utils.timezone"}
    ]

    assert not found


def test_records_what_every_service_with_an_actor_does():
    silent = []
    for path in python_files(*ROOMS):
        if "services" not in name(path):
            continue
        silent += [
            f"{name(path)}: {node.name}"
            for node in parsed(path).body
            if isinstance(node, ast.FunctionDef)
            and not node.name.startswith("_")
            and _has_actor(node)
            and not _passes_actor_on(node)
        ]

    assert not silent


def test_gives_each_audit_action_its_sentence():
    named = {value for key, value in vars(actions).items() if key.isupper() and key != "SENTENCES"}

    assert named == set(actions.SENTENCES)


def test_lists_every_variable_in_the_example_environment():
    read = set()
    for path in python_files("convomono", "telephony"):
        read |= set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", path.read_text()))
    listed = re.findall(r"^#?\s?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)

    assert sorted(read - OF_THE_TESTS) == sorted(listed)


def _lines(path: Path) -> int:
    return path.read_text().count("\n")


def _code(text: str) -> str:
    return re.sub(r'"""[\s\S]*?"""|#.*', "", text)


def _domain_files():
    return [
        path
        for path in python_files(*ROOMS)
        if re.search(
            r"/(models|rules|queries|services|ledger|metrics|enrolments)(\.py|/)", name(path)
        )
        and not any(f"/{edge}" in name(path) for edge in EDGES)
    ]


def _imports(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _has_actor(node: ast.FunctionDef) -> bool:
    return any(arg.arg == "actor" for arg in node.args.kwonlyargs)


def _passes_actor_on(node: ast.FunctionDef) -> bool:
    return any(
        isinstance(use, ast.Name) and use.id == "actor" and isinstance(use.ctx, ast.Load)
        for use in ast.walk(node)
    )
