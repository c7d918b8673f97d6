"""Keys that are told by their form block; what only a person can judge is noted; examples are neither."""

from __future__ import annotations

import base64
import json
import threading
import time

import pytest
from detect_secrets import settings as library

from studio.code import secret_scan
from studio.code.secret_detectors import detectors
from studio.code.secret_scan import Finding, require_none, scan, scan_text
from studio.code.workspace import WorkspaceFile
from studio.errors import UnsafeOutput

# Put together here, so that no scanner takes this file for one that holds secrets.
RANDOM = "Zt81mXq0LrVbKcYw52Hn9DsEuAfGj6PoIT3kQe7iRzSx4UvJ"


def token(role: str) -> str:
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in
                  ({"alg": "HS256", "typ": "JWT"}, {"iss": "supabase", "ref": "abcdefghij", "role": role}))  # fmt: skip
    return f"{head}.{body}.{RANDOM[:43]}"


SECRETS = {
    "AWS access key": "AKIA" + RANDOM.upper()[:16],
    "AWS secret key": f'aws_secret_key = "{RANDOM[:40]}"',
    "GitHub Token": "ghp_" + RANDOM[:36],
    "GitHub token": "github_pat_" + RANDOM,
    "GitLab Token": "glpat-" + RANDOM[:20],
    "Slack Token": "xoxb-123456789012-" + RANDOM[:24],
    "Stripe Access Key": "sk_live_" + RANDOM[:24],
    "Stripe webhook secret": "whsec_" + RANDOM[:32],
    "Anthropic key": "sk-ant-api03-" + RANDOM,
    "OpenAI Token": "sk-" + RANDOM[:20] + "T3BlbkFJ" + RANDOM[:20],
    "NPM token": "npm_" + RANDOM[:36],
    "NPM tokens": "//host/:_authToken=npm_" + RANDOM[:30],
    "Resend key": "re_" + RANDOM[:8] + "_" + RANDOM[8:32],
    "SendGrid API Key": f"SG.{RANDOM[:22]}.{RANDOM[:43]}",
    "Telegram Bot Token": "123456789:" + RANDOM[:35],
    "Supabase service key": token("service_role"),
    "Private key": "-----BEGIN RSA PRIVATE KEY-----\n" + RANDOM + "\n",
    "Vercel deploy hook": "https://api.vercel.com/v1/integrations/deploy/prj_" + RANDOM[:20] + "/" + RANDOM[:10],
}


def found(text: str | bytes, path: str = "src/config.py") -> list[Finding]:
    return scan([WorkspaceFile(path, text.encode() if isinstance(text, str) else text)])


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize(
    "around", ["KEY = '{}'", "key: {} # pragma: allowlist secret", '{{"k":"{}"}}', "x" * 9000 + " {} y"]
)
def test_a_secret_blocks_and_is_not_repeated(kind: str, around: str) -> None:
    text = "first\nsecond\n" + around.format(SECRETS[kind]) + "\nlast\n"
    blocking = [finding for finding in found(text) if finding.blocks]
    assert kind in {finding.kind for finding in blocking}
    assert {finding.line for finding in blocking} == {3}
    with pytest.raises(UnsafeOutput, match=r"src/config\.py:3") as refused:
        require_none(blocking)
    assert RANDOM[:12] not in str(refused.value)
    assert RANDOM[:12] not in repr(blocking)


def test_encodings_and_binary_files() -> None:
    for content in (SECRETS["GitHub Token"].encode("utf-16"), b"\0\xff" + SECRETS["GitHub Token"].encode() + b"\0"):
        assert [finding.kind for finding in found(content) if finding.blocks] == ["GitHub Token"]


@pytest.mark.parametrize(
    "text",
    [
        "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "STRIPE=sk_live_your_key_here_please_000",
        "AWS=AKIAIOSFODNN7EXAMPLE",
        'if "-----BEGIN PRIVATE KEY-----" in text: raise',
        "DATABASE_URL=postgres://postgres:postgres@localhost/app",
        f"anon = '{token('anon')}'",
        'password = "correct horse battery"',
        f'digest = "{RANDOM}"',
        "const checksum = 'd41d8cd98f00b204e9800998ecf8427e'",
        "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    ],
)
def test_what_may_be_harmless_does_not_block(text: str) -> None:
    require_none(found(text))


def test_what_a_person_should_look_at_is_noted() -> None:
    kinds = {finding.kind for finding in found(f"""url = "postgres://ada:{RANDOM[:12]}@db"\ndigest = "{RANDOM}"\n""")}
    assert kinds == {"Password in an address", "Random text"}
    assert not found(f'"integrity": "{RANDOM}"', "web/package-lock.json")
    many = found("\n".join(f'key{number} = "{RANDOM[number % 9 :]}"' for number in range(500)))
    assert len(many) <= secret_scan.MAX_GUESSES


def test_what_stood_there_before_is_not_new() -> None:
    before = WorkspaceFile("a.py", f"A = '{SECRETS['GitHub Token']}'".encode())
    after = WorkspaceFile("a.py", before.content + b"\nB = 1\n")
    assert not scan([after], base=[before])
    moved = WorkspaceFile("b.py", after.content)
    assert [finding.path for finding in scan([after, moved], base=[before]) if finding.blocks] == ["b.py"]


def test_the_studios_own_secrets_block_whatever_they_look_like() -> None:
    files = [WorkspaceFile("a", b"x\nmy plain pass phrase\n"), WorkspaceFile("b", link="my plain pass phrase")]
    findings = scan(files, known=["my plain pass phrase", "x"])
    assert [(finding.path, finding.line) for finding in findings] == [("a", 2), ("b", 1)]


def test_what_takes_too_long_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_scan, "SECONDS", 0.05)
    with pytest.raises(UnsafeOutput, match="could not be looked through"):
        found("aws key " * 400_000)


@pytest.mark.parametrize("kind", ["Stripe Access Key", "GitHub Token", "Supabase service key"])
def test_a_secret_in_a_name_blocks_and_is_not_repeated(kind: str) -> None:
    file = WorkspaceFile(f"notes/{SECRETS[kind]}.txt", SECRETS[kind].encode())
    findings = [finding for finding in scan([file]) if finding.blocks]
    assert {finding.kind for finding in findings} == {kind, f"{kind}, in its name"}
    assert {finding.path for finding in findings} == {"notes/[hidden].txt"}
    with pytest.raises(UnsafeOutput) as refused:
        require_none(findings)
    assert SECRETS[kind] not in str(refused.value)
    assert not scan([file], base=[file])
    [known] = scan([WorkspaceFile("a/my pass phrase/b")], known=["my pass phrase"])
    assert (known.path, known.kind) == ("a/[hidden]/b", "A secret of this studio, in its name")


def test_texts_that_are_no_files() -> None:
    findings = scan_text(
        "the commit's message", f"Add it\n\nWith {SECRETS['Stripe Access Key']}, my pass phrase", ["my pass phrase"]
    )
    assert [(found.path, found.line, found.blocks) for found in findings] == [("the commit's message", 3, True)] * 2
    with pytest.raises(UnsafeOutput, match="The pull request holds secrets: the commit's message:3"):
        require_none(findings, "The pull request")
    assert not scan_text("the title", "Add the page")


# Of each the library's own pattern took a quarter of a second to more than one, for a single piece.
PIECES = [
    ("//" * 1300 + "/:_authToken=" + " " * 1400)[: secret_scan.PIECE_CHARS],
    "sk-" * 500 + "a" * 2500 + "T3BlbkFJ",
    "-eyJ" * 500 + "." + "eyJ" + "a" * 2000,
]
LINES = ["pwd" * 80 + "`" * 50 + "a`" * 105, "pwd" * 166, "pwd" * 50 + "`" * 350]


@pytest.mark.parametrize("text", [*PIECES, *LINES])
def test_no_pattern_takes_long_for_a_piece(text: str) -> None:
    asked = [detector for detector in detectors() if detector.blocks or len(text) <= secret_scan.GUESS_LINE_CHARS]
    begun = time.process_time()
    for _ in range(40):
        for detector in asked:
            list(detector.find(text))
    assert time.process_time() - begun < 5


def test_threads_do_not_share_anything() -> None:
    before = library.get_settings().json()
    results: list[list[Finding]] = []
    texts = list(SECRETS.values())

    def look() -> None:
        results.append(scan([WorkspaceFile(str(number), text.encode()) for number, text in enumerate(texts)]))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [results[0]] * 4
    assert len({finding.path for finding in results[0] if finding.blocks}) == len(texts)
    assert library.get_settings().json() == before
