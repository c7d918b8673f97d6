"""A run by hand works on a project of its test's own."""

from tests.integration.job_execute.conftest import project

__all__ = ["project"]
