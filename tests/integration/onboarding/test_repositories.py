"""What a repository's host says of it to everybody is taken over as it is; what it does not say is left open."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.onboarding.repository import ELSEWHERE, RepositoryFacts, RepositoryLook, read_repository
from studio.settings import Settings
from tests.support.local_web import LocalWeb, PageFunction, Request, closed_port, local_web, raw, silent_port

GITHUB = "https://github.com/acme/anvils"
GITLAB = "https://gitlab.com/acme/tools/anvils"
REPO: dict[str, Any] = {
    "full_name": "acme/anvils",
    "description": "Anvils as code",
    "homepage": "https://acme.test",
    "default_branch": "trunk",
    "license": {"spdx_id": "MIT", "name": "MIT License"},
    "topics": ["anvils"],
    "stargazers_count": 7,
    "size": 1234,
    "fork": False,
    "archived": False,
    "created_at": "2020-01-01T00:00:00Z",
    "pushed_at": "2026-02-03T04:05:06Z",
}
FILES = ["README.md", "package.json", "pyproject.toml", "next.config.mjs", "src", "notes.txt", "LICENSE"]
PACKAGE = {"dependencies": {"next": "15", "react": "19", "react-like": "1"}, "devDependencies": {"tailwindcss": "4"}}
PYPROJECT = '[project]\nname = "x"\ndependencies = ["FastAPI>=0.1", "fastapi-like", "dagster"]\n'
BASE = "/repos/acme/anvils"
GITLAB_BASE = "/api/v4/projects/acme%2Ftools%2Fanvils"


def answer(value: Any, status: int = 200) -> PageFunction:
    body = value if isinstance(value, str) else json.dumps(value)
    return lambda request: request.answer(status, body.encode(), Content_Type="application/json")


def github_pages(**changed: PageFunction) -> dict[str, PageFunction]:
    pages = {
        "repo": answer(REPO),
        "languages": answer({"TypeScript": 750, "Python": 250}),
        "files": answer([{"name": name, "type": "file"} for name in FILES]),
        "package": answer(PACKAGE),
        "pyproject": answer(PYPROJECT),
        **changed,
    }
    return {
        BASE: pages["repo"],
        f"{BASE}/languages": pages["languages"],
        f"{BASE}/contents/": pages["files"],
        f"{BASE}/contents/package.json": pages["package"],
        f"{BASE}/contents/pyproject.toml": pages["pyproject"],
    }


def read(web: LocalWeb, address: str = GITHUB, *, seconds: float = 5.0, **options: Any) -> RepositoryLook:
    origin = f"http://{web.address[0]}:{web.address[1]}"
    settings = Settings(github_url=origin, github_token="ghp_secret", **options)
    notes: list[str] = []
    look = read_repository(settings, address, seconds=seconds, note=notes.append, gitlab_url=f"{origin}/api/v4")
    assert (look.facts is None) == bool(look.reason)
    assert "ghp_secret" not in f"{look} {notes}"
    # A token would show to anybody what only its owner may see.
    assert not [headers for _, _, headers in web.requests if "Authorization" in headers]
    return look


def facts(web: LocalWeb, address: str = GITHUB) -> RepositoryFacts:
    found = read(web, address).facts
    assert found is not None
    return found


def reason(pages: dict[str, PageFunction], address: str = GITHUB, **options: Any) -> str:
    with local_web(pages) as web:
        return read(web, address, **options).reason


def test_github_is_taken_at_its_word() -> None:
    with local_web(github_pages()) as web:
        found = facts(web)
    assert found.model_dump(exclude={"frameworks", "reasons", "read_at"}) == {
        "host": "github",
        "full_name": "acme/anvils",
        "url": GITHUB,
        "description": "Anvils as code",
        "homepage": "https://acme.test",
        "default_branch": "trunk",
        "license": "MIT",
        "topics": ["anvils"],
        "languages": {"TypeScript": 75.0, "Python": 25.0},
        "stars": 7,
        "fork": False,
        "archived": False,
        "created_at": "2020-01-01T00:00:00Z",
        "pushed_at": "2026-02-03T04:05:06Z",
        "last_activity_at": None,
        "key_files": ["README.md", "package.json", "pyproject.toml", "LICENSE"],
    }
    assert found.reasons == {}
    assert [(sign.name, sign.evidence) for sign in found.frameworks] == [
        ("Next.js", "It has a file next.config.mjs"),
        ("React", "package.json names react"),
        ("Tailwind CSS", "package.json names tailwindcss"),
        ("FastAPI", "pyproject.toml names fastapi"),
        ("Dagster", "pyproject.toml names dagster"),
    ]


def test_the_number_of_lines_is_not_made_up() -> None:
    assert not {"loc", "lines"} & set(RepositoryFacts.model_fields)


def test_gitlab_is_taken_at_its_word() -> None:
    repo = {
        "path_with_namespace": "acme/tools/anvils",
        "description": None,
        "default_branch": "main",
        "license": {"name": "Apache License 2.0"},
        "star_count": 3,
        "archived": True,
        "last_activity_at": "2026-01-01T00:00:00Z",
    }
    pages = {
        f"{GITLAB_BASE}?license=true": answer(repo),
        f"{GITLAB_BASE}/languages": answer({"Go": 90.56, "Shell": 9.44}),
        f"{GITLAB_BASE}/repository/tree?per_page=100": answer([{"name": "go.mod"}, {"name": "package.json"}]),
        f"{GITLAB_BASE}/repository/files/package.json/raw?ref=HEAD": answer({"dependencies": {"vue": "3"}}),
    }
    with local_web(pages) as web:
        found = facts(web, GITLAB)
    assert (found.full_name, found.url, found.license) == ("acme/tools/anvils", GITLAB, "Apache License 2.0")
    assert (found.languages, found.key_files) == ({"Go": 90.6, "Shell": 9.4}, ["package.json", "go.mod"])
    assert (found.stars, found.archived, found.pushed_at) == (3, True, None)
    assert [sign.name for sign in found.frameworks] == ["Vue"]
    assert found.reasons == {}


@pytest.mark.parametrize("address", [GITHUB, GITLAB])
def test_a_missing_one_and_a_private_one_are_told_apart_by_nobody(address: str) -> None:
    assert "not found, or is private" in reason({}, address)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, {"message": "API rate limit exceeded for 198.51.100.7."}, "limit for askers without an account"),
        (429, {"message": "Slow down"}, "limit for askers without an account"),
        (403, {"message": "Repository access blocked"}, "403: Repository access blocked"),
        (451, {"message": "Unavailable"}, "451"),
        (500, "oops", "GitHub answered 500."),
        (200, "<html>", "cannot be read"),
        (200, [1], "cannot be read"),
        (200, "null", "cannot be read"),
        (301, {"url": "http://169.254.169.254/latest"}, "GitHub answered 301."),
        (301, {"url": "//["}, "GitHub answered 301."),
    ],
)
def test_what_the_host_refuses_is_the_reason(status: int, body: Any, said: str) -> None:
    assert said in reason({BASE: answer(body, status)})


def test_a_part_that_is_refused_leaves_the_rest() -> None:
    limited = answer({"message": "API rate limit exceeded"}, 403)
    with local_web(github_pages(languages=limited, files=answer({"message": "This repository is empty."}, 404))) as web:
        found = facts(web)
    assert (found.description, found.languages, found.key_files, found.frameworks) == ("Anvils as code", {}, [], [])
    assert "limit for askers" in found.reasons["languages"]
    assert "its files" in found.reasons["key_files"]


def test_one_that_was_renamed_is_followed_on_the_same_host_alone() -> None:
    moved = answer({"message": "Moved Permanently", "url": "https://api.github.com/repositories/42"}, 301)
    pages = {
        BASE: moved,
        "/repositories/42": answer({**REPO, "full_name": "acme/new"}),
        "/repositories/42/languages": answer({}),
    }
    with local_web(pages) as web:
        found = facts(web)
    assert (found.full_name, found.url) == ("acme/new", "https://github.com/acme/new")


def test_an_answer_full_of_other_things_is_no_facts() -> None:
    odd = {
        "full_name": "../../evil",
        "description": ["x"],
        "license": "MIT",
        "topics": [1, "\x1b[31mred\nline", {}],
        "stargazers_count": True,
        "fork": "no",
        "default_branch": "m" * 1000,
        "homepage": "\x00\ud800",
    }
    strange = {"Python": "many", "Go": -1, "C": True, "Perl": 10**400, "R" * 500: 5}
    files = [1, {"name": 7}, {"name": "x" * 999}, {"name": "package.json"}, {"name": "pyproject.toml"}]
    pages = github_pages(
        repo=answer(odd),
        languages=answer(strange),
        files=answer(files),
        package=answer('{"dependencies": ["next"], "devDependencies": 7}'),
        pyproject=answer("not = [toml"),
    )
    with local_web(pages) as web:
        found = facts(web)
    assert (found.full_name, found.url) == ("acme/anvils", GITHUB)
    assert (found.description, found.license, found.stars, found.fork) == (None, None, None, None)
    assert found.topics == ["�[31mred line"]
    assert list(found.languages.values()) == [100.0]
    assert (found.key_files, found.frameworks) == (["package.json", "pyproject.toml"], [])
    found.model_dump_json().encode()


def test_deeply_nested_json_and_an_endless_answer_are_no_answer() -> None:
    assert "cannot be read" in reason({BASE: answer("[" * 100_000)})

    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        request.wfile.write(b'{"a": "')
        request.endlessly(b"x" * 65536, pause=0.001)

    assert "cannot be read" in reason({BASE: endless})


def test_a_host_that_cannot_be_reached_is_the_reason() -> None:
    assert "broke" in reason({BASE: raw(b"")})
    with closed_port() as address:
        assert "cannot be reached" in read(LocalWeb({}, address)).reason
    with silent_port() as address:
        assert "did not answer in time" in read(LocalWeb({}, address), seconds=0.2).reason


def test_where_the_time_is_over_the_rest_is_left() -> None:
    with local_web(github_pages()) as web:
        assert "took too long" in read(web, seconds=0.0).reason
        assert web.requests == []


def test_other_hosts_are_not_asked_and_the_installation_may_forbid_it() -> None:
    with local_web(github_pages()) as web:
        assert read(web, "https://github.com.evil.test/acme/anvils").reason == ELSEWHERE
        assert "names no repository" in read(web, "https://github.com/acme").reason
        assert "turned off" in read(web, outbound_enabled=False).reason
        assert web.requests == []
