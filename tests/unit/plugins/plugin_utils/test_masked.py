# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nobody reads a secret in what a program has said."""

from __future__ import annotations

import pytest
from ansible_collections.mainstay.platform.plugins.filter import releases
from ansible_collections.mainstay.platform.plugins.plugin_utils._masked import masked

last_words = releases.FilterModule().filters()["last_words"]


def test_no_secret_is_left_in_a_text_nor_a_line_of_one():
    assert masked("a secret-longer / line", ["secret", "secret-longer", "a", "first\nline"]) == "a *** / ***"


def test_no_secret_is_left_in_a_result_whatever_its_shape():
    found = {"rc": 1, "stdout_lines": ["my geheim"], "stat": {"path": ("geheim", None)}}
    assert masked(found, ["geheim"]) == {"rc": 1, "stdout_lines": ["my ***"], "stat": {"path": ["***", None]}}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"rc": 1, "stdout": "begins", "stderr": "no geheim\nends", "msg": "non-zero"}, "begins / no *** / ends"),
        ({"rc": 2, "stdout": "", "stderr": "", "msg": "Error executing command."}, "Error executing command."),
        ({"status": 1, "msg": "with geheim"}, "with ***"),
        ({"stdout": "\n".join(map(str, range(30)))}, " / ".join(map(str, range(5, 30)))),
        ({}, "none"),
    ],
)
def test_the_last_words_of_a_program_are_shown_without_secrets(result, said):
    assert last_words(result, ["geheim"]) == said
