"""What the files of a repository say it is built with: by their names, and by what its manifests require."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable

from studio.onboarding.technology import TechSign

# Domain specification §11.
MAX_KEY_FILES = 8
MAX_FRAMEWORKS = 12

# What a person looks at first, in this order.
_KEY_FILES = (
    "README.md",
    "package.json",
    "pyproject.toml",
    "Cargo.toml",
    "go.mod",
    "Gemfile",
    "composer.json",
    "pom.xml",
    "build.gradle",
    "requirements.txt",
    "Dockerfile",
    "docker-compose.yml",
    "Makefile",
    "LICENSE",
    "vercel.json",
    "netlify.toml",
)
# Configuration files that only this framework reads, before their last ending.
_CONFIGURATIONS = {
    "angular": "Angular",
    "astro.config": "Astro",
    "gatsby-config": "Gatsby",
    "next.config": "Next.js",
    "nuxt.config": "Nuxt",
    "remix.config": "Remix",
    "svelte.config": "Svelte",
    "tailwind.config": "Tailwind CSS",
    "vite.config": "Vite",
}
_NODE_PACKAGES = {
    "@angular/core": "Angular",
    "@nestjs/core": "NestJS",
    "@remix-run/react": "Remix",
    "@supabase/supabase-js": "Supabase",
    "astro": "Astro",
    "express": "Express",
    "gatsby": "Gatsby",
    "next": "Next.js",
    "nuxt": "Nuxt",
    "react": "React",
    "react-native": "React Native",
    "svelte": "Svelte",
    "tailwindcss": "Tailwind CSS",
    "vue": "Vue",
}
_PYTHON_PACKAGES = {
    "dagster": "Dagster",
    "django": "Django",
    "fastapi": "FastAPI",
    "flask": "Flask",
    "starlette": "Starlette",
    "streamlit": "Streamlit",
}
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")

_Read = Callable[[str], str]


def key_files(names: Iterable[str]) -> list[str]:
    """Return those of the names that a person looks at first, at most 8."""
    by_name = {name.lower(): name for name in names}
    return [by_name[name.lower()] for name in _KEY_FILES if name.lower() in by_name][:MAX_KEY_FILES]


def frameworks(names: list[str], read: _Read) -> list[TechSign]:
    """Return what the files prove; `read` gives the text of one of them, empty where it cannot be had."""
    found: dict[str, str] = {}
    for name in names:
        # angular.json, next.config.mjs
        framework = _CONFIGURATIONS.get(name.rpartition(".")[0])
        if framework is not None:
            found.setdefault(framework, f"It has a file {name}")
    if "package.json" in names:
        for package in _node_packages(read("package.json")):
            if package in _NODE_PACKAGES:
                found.setdefault(_NODE_PACKAGES[package], f"package.json names {package}")
    if "pyproject.toml" in names:
        for package in _python_packages(read("pyproject.toml")):
            if package in _PYTHON_PACKAGES:
                found.setdefault(_PYTHON_PACKAGES[package], f"pyproject.toml names {package}")
    return [TechSign(name=name, evidence=evidence) for name, evidence in found.items()][:MAX_FRAMEWORKS]


def _node_packages(text: str) -> list[str]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return []
    groups = [manifest.get(name) for name in ("dependencies", "devDependencies")] if isinstance(manifest, dict) else []
    return [package for group in groups if isinstance(group, dict) for package in group]


def _python_packages(text: str) -> list[str]:
    try:
        manifest = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return []
    project = manifest.get("project")
    listed = project.get("dependencies") if isinstance(project, dict) else None
    requirements = [entry for entry in listed if isinstance(entry, str)] if isinstance(listed, list) else []
    return [match.group(1).lower() for entry in requirements if (match := _REQUIREMENT.match(entry)) is not None]
