"""Files that make a server run something as soon as they are pushed.

Such a run holds the repository's secrets, and nobody has looked at the branch yet. So what an agent does to these
files is left out, and the repository's own stay as they are: a person adds them.
"""

from __future__ import annotations

from studio.code.safe_paths import fold

REASON = "It would run on a server with the repository's secrets before anybody has looked at it: add it yourself."
SUBMODULES = "Which other repositories belong to this one is not for generated code to say."

_FOLDERS = (
    ".github/workflows",
    # The parts that workflows are made of.
    ".github/actions",
    ".gitea/workflows",
    ".gitea/actions",
    ".forgejo/workflows",
    ".forgejo/actions",
    ".gitlab/ci",
    ".circleci",
    ".buildkite",
    ".woodpecker",
    ".semaphore",
    ".teamcity",
    ".azure-pipelines",
    ".azuredevops",
)
_FILES = frozenset(
    {
        ".gitlab-ci.yml",
        "azure-pipelines.yml",
        "azure-pipelines.yaml",
        ".travis.yml",
        "jenkinsfile",
        "bitbucket-pipelines.yml",
        ".drone.yml",
        ".drone.star",
        ".woodpecker.yml",
        ".woodpecker.yaml",
        "appveyor.yml",
        ".appveyor.yml",
        ".cirrus.yml",
        ".cirrus.star",
        "cloudbuild.yaml",
        "cloudbuild.yml",
        "cloudbuild.json",
        "buildspec.yml",
        "buildspec.yaml",
        "codefresh.yml",
        "wercker.yml",
        ".build.yml",
    }
)


def reason(path: str) -> str | None:
    """Return why what an agent does to `path` is left out, None where it is not. `path` is relative and plain."""
    name = fold(path)
    if name == ".gitmodules":
        return SUBMODULES
    # The folders themselves, too: a link in their place would lead to workflows of another name.
    if name in _FILES or any(name == folder or name.startswith(f"{folder}/") for folder in _FOLDERS):
        return REASON
    # A link or a file in place of a folder above would take the folder away.
    if any(folder.startswith(f"{name}/") for folder in _FOLDERS):
        return REASON
    return None
